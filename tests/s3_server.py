"""A local S3 server (moto's) for tests, with environment variables that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec
import pytest

from harness import remote, remote_store


@contextmanager
def s3_server(bucket: str) -> Iterator[Any]:
    """A server with one bucket; gives its file system. Processes started meanwhile find it, too."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        system = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
        system.mkdir(bucket)
        _forget()
        yield system
    _forget()
    server.stop()


def _forget() -> None:
    """Forget file systems of another server."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    remote._system.cache_clear()
    remote_store.entries_at.cache_clear()
