"""What native code prints to stderr, held back: libraries that neither Python's streams nor its warnings reach."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = ["LineFilter", "stderr_held_back"]


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back everything that is printed to stderr; show it only where the block fails."""
    target, saved = _duplicate()
    if saved < 0:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), target)
        try:
            yield
        except BaseException:
            os.dup2(saved, target)
            _copy(held, target)
            raise
        finally:
            os.dup2(saved, target)
            os.close(saved)


class LineFilter:
    """Hold stderr back while any thread is in the block, then print what was held but for some lines.

    The stream belongs to the whole process, so lines of other threads come late, but they come.

    Parameters
    ----------
    dropped : bytes
        Regular expression; lines that begin with it are not printed.
    """

    def __init__(self, dropped: bytes) -> None:
        self._dropped = re.compile(dropped)
        self._lock = Lock()
        self._inside = 0
        self._target = self._saved = -1
        self._held: BinaryIO | None = None

    def __enter__(self) -> None:
        """Begin, or join the threads that are inside."""
        with self._lock:
            if self._inside == 0:
                self._begin()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        """Leave; the last thread gives stderr back."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._end()

    def _begin(self) -> None:
        self._target, self._saved = _duplicate()
        if self._saved >= 0:
            self._held = _memory_file()  # until the last thread leaves
            os.dup2(self._held.fileno(), self._target)

    def _end(self) -> None:
        if self._held is not None:
            os.dup2(self._saved, self._target)
            os.close(self._saved)
            _copy(self._held, self._target, self._dropped)
            self._held.close()
            self._held = None


def _memory_file() -> BinaryIO:
    """A file in memory where the system has that: ten times as cheap as one on disk."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("stderr")
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)  # else two threads may write to the same place
        return os.fdopen(descriptor, "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _duplicate() -> tuple[int, int]:
    """Number of the stream, and of a copy of it; the copy is -1 where there is no stderr."""
    try:
        target = sys.__stderr__.fileno() if sys.__stderr__ else 2
        return target, os.dup(target)
    except (OSError, ValueError):
        return -1, -1


def _copy(held: BinaryIO, target: int, dropped: re.Pattern[bytes] | None = None) -> None:
    """Write what was held, but for the lines that are to be dropped."""
    held.seek(0)
    for line in held.read().splitlines(keepends=True):
        if dropped is None or not dropped.match(line):
            os.write(target, line)
