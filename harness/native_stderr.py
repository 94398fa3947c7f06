"""What native code prints to stderr, held back: libraries that neither Python's streams nor its warnings reach."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = ["LineFilter", "stderr_held_back"]


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back what is printed to stderr; show it only where the block fails, other than by an interrupt."""
    target, saved = _duplicate()
    if saved < 0:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), target)
        try:
            yield
        except Exception:
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
    report : callable, optional
        Called when the last thread has left, with the names that threads came in with (:meth:`of`) and with the lines
        that were not printed, where there are any.
    """

    def __init__(self, dropped: bytes, report: Callable[[Sequence[str], Sequence[bytes]], None] | None = None) -> None:
        self._dropped = re.compile(dropped)
        self._report = report
        self._names: dict[str, None] = {}
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
        dropped: list[bytes] = []
        names: list[str] = []
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                dropped, names = self._end(), list(self._names)
                self._names.clear()
        if self._report and dropped and names:
            self._report(names, dropped)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Be in the block on account of something, whose name is given to `report`."""
        with self:
            with self._lock:
                self._names[name] = None
            yield

    def _begin(self) -> None:
        self._target, self._saved = _duplicate()
        if self._saved >= 0:
            self._held = _memory_file()  # until the last thread leaves
            os.dup2(self._held.fileno(), self._target)

    def _end(self) -> list[bytes]:
        """Give stderr back; give the lines that were dropped."""
        dropped: list[bytes] = []
        if self._held is not None:
            os.dup2(self._saved, self._target)
            os.close(self._saved)
            dropped = _copy(self._held, self._target, self._dropped)
            self._held.close()
            self._held = None
        return dropped


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


def _copy(held: BinaryIO, target: int, dropped: re.Pattern[bytes] | None = None) -> list[bytes]:
    """Write what was held, but for the lines that are to be dropped, which are given."""
    held.seek(0)
    left = []
    for line in held.read().splitlines(keepends=True):
        if dropped is None or not dropped.match(line):
            os.write(target, line)
        else:
            left.append(line)
    return left
