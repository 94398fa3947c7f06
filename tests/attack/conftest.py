"""The study that is attacked, and what it gives when nothing disturbs it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from attack.support import Base, StudyServer, left_behind, tables
from retrain_parts import small_module
from small_study import MERGES, sound_module, write_corpus, write_study


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyServer]:
    """What starts studies."""
    server = StudyServer(tmp_path_factory.mktemp("logs"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, server: StudyServer) -> Base:
    """A finished study: two encodings, two merges, a module for images and one for sounds."""
    home = tmp_path_factory.mktemp("attacked")
    modules = [small_module(home / "tiny"), sound_module(home / "tiny_yamnet")]
    write_study(
        home / "small.toml", write_corpus(home / "sounds"), modules, encodings='["gray", "waveform"]', more=MERGES
    )
    base = Base(home, server)
    began = time.monotonic()
    running = base.start(home / "run", home / "store")
    assert running.wait() == 0, running.stderr
    assert left_behind(home) == []
    base.seconds = time.monotonic() - began
    base.tables = tables(home / "run")
    return base
