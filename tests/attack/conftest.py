"""The study that is attacked, and what it gives when nothing disturbs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attack.support import Base, StudyServer, undisturbed


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyServer]:
    """What starts studies."""
    server = StudyServer(tmp_path_factory.mktemp("logs"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, server: StudyServer) -> Base:
    """A finished study: two encodings, two merges, a module for images and one for sounds."""
    return undisturbed(tmp_path_factory.mktemp("attacked"), server)
