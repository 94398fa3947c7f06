"""Digests of files that were read before: a file whose path and state are known is not read again.

A file's state is its size, the times of its last change (of the content, and on POSIX of the inode too) and its
number in the file system. A digest is kept only if the state was the same before and after reading, and the last change
was a while before; otherwise a change within one tick of the clock could go unseen. What is kept lies in the
store (of local files in the local one), an entry for each folder, and losing it costs no more than reading the files
again.

Of a file behind a URL the state is its size and what its system says of its content (S3's ETag), or the time of its
last change. The states of all files in its folder are had at once, so that a corpus on S3 that is known is only listed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from harness.files import digest_bytes, digest_file
from harness.remote import RemoteState, fetch, listed, state_of
from harness.store import Store, key_of
from harness.urls import absolute, url_of

__all__ = ["FileDigests", "FileState"]

_KIND = "digests"
_VERSION = 1
_SETTLED_NS = 2_500_000_000  # the coarsest clock of a file system in use, that of FAT, ticks every two seconds
_SECOND_NS = 1_000_000_000


class FileState(NamedTuple):
    """What changes when a file does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, file: str | Path | int) -> FileState:
        """The state of a file, by path, URL or descriptor, as of now.

        Raises
        ------
        OSError
            There is no such file.
        """
        if not isinstance(file, int) and (url := url_of(file)):
            return cls.of_remote(state_of(url))
        found = os.stat(file)
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    @classmethod
    def of_remote(cls, state: RemoteState) -> FileState:
        """The state of a file behind a URL; a tag of its content takes the place of times."""
        return cls(state.size, state.mtime_ns, state.mtime_ns, state.tag)

    def settled(self, at_ns: int) -> bool:
        """Whether a change after `at_ns` (since the epoch) would show in the state."""
        return at_ns - max(self.mtime_ns, self.ctime_ns) > _SETTLED_NS


class _Known(NamedTuple):
    """What is known of a file in one state: sha256 of its bytes, and the key of the entry that it holds, or nothing."""

    state: FileState
    digest: str
    entry: str = ""


class FileDigests(AbstractContextManager["FileDigests"]):
    """Digests of files by path and state; as a context manager it keeps new ones at the end.

    Safe for threads. Several processes may use one store: of two that save the same folder at once, one may lose what
    it learned, and learns it again.

    Parameters
    ----------
    store : Store
        Where digests are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._local = store, store.local
        self._folders: dict[str, dict[str, _Known]] = {}
        self._new: dict[str, dict[str, _Known]] = {}
        self._listed: dict[str, dict[str, RemoteState]] = {}
        self._lock = Lock()

    def __exit__(self, *_: object) -> None:
        self.save()

    def of(self, path: str | Path) -> str:
        """sha256 of a file's bytes, 64 hex digits, as of now.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        url = url_of(path)
        state = self._state(path, url)
        known = self._get(path, state)
        if known:
            return known.digest
        began = time.time_ns()
        digest = digest_bytes(fetch(url, self._remote_state(url))) if url else digest_file(path)
        if state.settled(began) and (url or FileState.of(path) == state):  # URLs are looked at again when saved
            self._put(path, _Known(state, digest))
        return digest

    def known(self, path: str | Path) -> str:
        """The digest of a file where it is had without reading the file, else nothing."""
        with suppress(OSError):
            found = self._get(path, self._state(path, url_of(path)))
            return found.digest if found else ""
        return ""

    def holds(self, path: str | Path, entry: str) -> bool:
        """Whether a file is known to hold the bytes of the store's entry of this key, and nothing else."""
        with suppress(OSError):
            known = self._get(path, self._state(path, url_of(path)))
            return known is not None and known.entry == entry
        return False

    def written(self, path: str | Path, state: FileState, digest: str, entry: str) -> None:
        """Keep what this program has just written to a file: its state, its digest, the key of its entry."""
        if state.mtime_ns % _SECOND_NS:  # else the clock ticks in seconds, and the next change may go unseen
            self._put(path, _Known(state, digest, entry))

    def save(self) -> None:
        """Keep new digests in the store; a store that cannot be written to goes without."""
        with self._lock:
            new, self._new = self._new, {}
        for folder, files in new.items():
            with suppress(OSError, UnicodeEncodeError):  # a name that is not UTF-8 cannot be kept
                there = {**_read(self._store_of(folder), folder), **files}
                rows = {name: [*known.state, *known[1:]] for name, known in _only_current(folder, there).items()}
                self._store_of(folder).put_json(_KIND, _key(folder), {"version": _VERSION, "files": rows})

    def _state(self, path: str | Path, url: str) -> FileState:
        return FileState.of_remote(self._remote_state(url)) if url else FileState.of(path)

    def _remote_state(self, url: str) -> RemoteState:
        """The state of a file when its folder was listed, which is done once."""
        folder, name = os.path.split(url)
        with self._lock:
            if folder not in self._listed:
                self._listed[folder] = listed(folder)
            found = self._listed[folder].get(name)
        return found or state_of(url)  # which says what is the matter, unless it is new

    def _store_of(self, folder: str) -> Store:
        """What is known of local files is for this machine, of those behind URLs for all that share the store."""
        return self._store if url_of(folder) else self._local

    def _get(self, path: str | Path, state: FileState) -> _Known | None:
        folder, name = os.path.split(absolute(path))
        with self._lock:
            files = self._folders.get(folder)
            if files is None:
                files = self._folders[folder] = _read(self._store_of(folder), folder)
            known = files.get(name)
        return known if known and known.state == state else None

    def _put(self, path: str | Path, known: _Known) -> None:
        folder, name = os.path.split(absolute(path))
        with self._lock:
            for files in (self._folders, self._new):
                files.setdefault(folder, {})[name] = known


def _only_current(folder: str, files: Mapping[str, _Known]) -> dict[str, _Known]:
    """Those files of a folder that are there; behind a URL, those that are still in the state that is known."""
    if url_of(folder):
        states = {name: FileState.of_remote(state) for name, state in listed(folder).items()}
        return {name: known for name, known in files.items() if states.get(name) == known.state}
    names = set(os.listdir(folder))
    return {name: known for name, known in files.items() if name in names}


def _read(store: Store, folder: str) -> dict[str, _Known]:
    """What the store knows of a folder's files, by name."""
    with suppress(OSError, UnicodeEncodeError):
        found: Mapping[str, Any] | None = store.get_json(_KIND, _key(folder))
        if found and found["version"] == _VERSION:
            return {name: _Known(FileState(*row[:4]), *row[4:]) for name, row in found["files"].items()}
    return {}


def _key(folder: str) -> str:
    return key_of(folder=folder)
