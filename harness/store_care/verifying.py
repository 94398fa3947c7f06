"""The checksum of every entry of a store; what is damaged may be removed, and is made anew when it is needed."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.progress import track
from harness.store import Store
from harness.store_care.scanning import OUTDATED, State, StoreFile, scan

__all__ = ["Damaged", "Verified", "verify"]

_READERS = 2
_TOGETHER = 64  # entries, and
_BYTES = 8_000_000  # bytes after which a thread says how far it is
_AHEAD = 8


@dataclass(frozen=True)
class Damaged:
    """An entry that is as good as none.

    Parameters
    ----------
    file : StoreFile
    path : Path
    reason : str
        What is wrong with it.
    removed : bool
    """

    file: StoreFile
    path: Path
    reason: str
    removed: bool = False

    def __str__(self) -> str:
        return f"{str(self.path)!r} ({self.file.kind}): {self.reason}{'; removed' if self.removed else ''}"


@dataclass
class Verified:
    """What became of a verification.

    Parameters
    ----------
    entries : int
        Files that were read.
    size : int
        Their bytes.
    damaged : list of Damaged
    skipped : int
        Files of kinds that are not read any more, which were not read now either.
    seconds : float
    """

    entries: int = 0
    size: int = 0
    damaged: list[Damaged] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0


def verify(store: Store, *, remove: bool = False) -> Verified:
    """Read every entry and compare its checksum.

    An entry that goes or changes meanwhile is not damaged.

    Parameters
    ----------
    store : Store
        As :func:`harness.store_care.scanning.open_store` gives it.
    remove : bool
        Remove what is damaged; an entry that was written anew since is not removed.
    """
    began = time.monotonic()
    files = [file for file in scan(store) if file.state in (State.ENTRY, State.BLOCKED)]
    read = [file for file in files if file.kind not in OUTDATED]
    found = Verified(len(read), sum(file.size for file in read), skipped=len(files) - len(read))
    parts = _checked(store, read)
    for part in track(parts, total=found.size, what="verifying", size=lambda part: sum(f.size for f, _ in part)):
        for file, reason in part:
            if reason:
                removed = remove and _remove(store, file)
                found.damaged.append(Damaged(file, Path(file.path(store.root)), reason, removed))
    found.seconds = time.monotonic() - began
    return found


def _checked(store: Store, files: Sequence[StoreFile]) -> Iterator[list[tuple[StoreFile, str]]]:
    """The files with what is wrong with them, some at a time, in the order given; a few are read ahead."""

    def reasons(part: Sequence[StoreFile]) -> list[tuple[StoreFile, str]]:
        return [(file, _reason(store, file)) for file in part]

    begun: deque[Future[list[tuple[StoreFile, str]]]] = deque()
    pool = ThreadPoolExecutor(_READERS)
    try:
        for part in _parts(files):
            begun.append(pool.submit(reasons, part))
            if len(begun) >= _AHEAD:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _parts(files: Sequence[StoreFile]) -> Iterator[list[StoreFile]]:
    part: list[StoreFile] = []
    size = 0
    for file in files:
        part.append(file)
        size += file.size
        if len(part) >= _TOGETHER or size >= _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _reason(store: Store, file: StoreFile) -> str:
    """What is wrong with an entry; empty where nothing is, or where it is gone."""
    if file.state is State.BLOCKED:
        return "is a folder; expected a file" if os.path.lexists(file.path(store.root)) else ""
    try:
        whole = store.check(file.kind, file.key, file.suffix)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "its checksum does not match" if whole is False else ""


def _remove(store: Store, file: StoreFile) -> bool:
    """Remove a damaged entry, unless another has been written in its place, or its kind's folder is a link."""
    if file.linked or not _reason(store, file):
        return False
    path = file.path(store.root)
    with suppress(OSError):
        if file.state is State.BLOCKED:
            os.rmdir(path)  # one with something in it stays
        else:
            os.unlink(path)
        return True
    return False
