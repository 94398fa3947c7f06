"""The content-addressed store: images, feature vectors and heads that need not be made twice.

An entry's key is a sha256 over everything that went into it, so an entry is never stale: another recording, another
setting, another version of the code is another key. Entries are written under a temporary name and renamed; several
processes may share one store. Every entry ends in a checksum of its bytes and its name, so that one that is damaged, or
lies in another's place, is as good as none. A store that cannot be written to is read, and nothing is put there.

A store may be behind a URL, see :mod:`harness.remote_store`; what concerns this machine only is then put into its
:attr:`Store.local`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from harness.files import digest_json, write_bytes
from harness.remote import as_path
from harness.remote_store import entries_at
from harness.urls import local_path, url_of

__all__ = ["Store", "default_root", "key_of"]

_DAY_S = 86400.0
_CHECK = 16  # bytes of blake2b behind the data
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def default_root() -> Path:
    """The folder for what this machine has: ``SOUNDFOLD_STORE`` where that is local, else the user's cache folder."""
    given = os.environ.get("SOUNDFOLD_STORE", "")
    return local_path(given) if given and not url_of(given) else user_cache_path("soundfold", appauthor=False)


def key_of(**parts: Any) -> str:
    """Key of an entry: sha256 over the named parts (any JSON values), 64 hex digits."""
    return digest_json(parts)


class Store:
    """Entries by kind and key.

    Parameters
    ----------
    root : path or URL, optional
        Folder of the store; made when something is first put. Default: ``SOUNDFOLD_STORE``, else the user's cache.
    writes : bool
        Whether entries can be put and removed; else they are only read, and nothing on the disk changes.

    Attributes
    ----------
    root : Path
        The folder; of a store behind a URL a :class:`harness.remote.RemotePath`.
    url : str
        Where it is; empty for a local store.
    """

    def __init__(self, root: str | Path | None = None, *, writes: bool = True) -> None:
        self.writes = writes
        given = root or os.environ.get("SOUNDFOLD_STORE") or default_root()
        self.url = url_of(given).rstrip("/")
        self.root = as_path(self.url) if self.url else local_path(given).absolute()  # for workers elsewhere
        self._text = str(self.root)  # a study reads a hundred thousand entries; putting paths together takes longer

    @property
    def local(self) -> Store:
        """The store for what concerns this machine only, as what is known of its files; a local one is its own."""
        return Store(default_root(), writes=self.writes) if self.url else self

    def path(self, kind: str, key: str, suffix: str = "") -> Path:
        """Where the entry `key` of `kind` lies, whether it exists or not."""
        return self.root / kind / key[:2] / f"{key}{suffix}"

    def has(self, kind: str, key: str, suffix: str = "") -> bool:
        """Whether there is such an entry; its checksum is not looked at."""
        if self.url:
            return entries_at(self.url).has(_place(kind, key, suffix))
        return self.path(kind, key, suffix).is_file()

    def get(self, kind: str, key: str, suffix: str = "") -> bytes | None:
        """The entry's bytes, or None where there is none or its checksum does not match."""
        found = self._view(kind, key, suffix)
        return None if found is None else bytes(found)

    def _view(self, kind: str, key: str, suffix: str) -> memoryview | None:
        """As :meth:`get`, without a copy."""
        if self.url:
            found = entries_at(self.url).read(_place(kind, key, suffix))
            return None if found is None else _whole(memoryview(found), f"{kind}/{key}{suffix}")
        try:
            path = f"{self._text}/{kind}/{key[:2]}/{key}{suffix}"
            with open(path, "rb", buffering=0) as file:
                data = memoryview(file.readall())
                if self.writes:
                    _mark_used(path, file.fileno())
        except OSError:  # not there, not readable, damaged: as good as none
            return None
        return _whole(data, f"{kind}/{key}{suffix}")

    def start(self, kind: str, key: str, suffix: str, size: int) -> bytes:
        """The first bytes of an entry, up to `size` of them, unchecked; none where it is not there."""
        if self.url:
            return entries_at(self.url).read(_place(kind, key, suffix), stop=size) or b""
        with suppress(OSError), open(self.path(kind, key, suffix), "rb") as file:
            return file.read(size)
        return b""

    def keys(self, kind: str, suffix: str = "") -> Iterator[str]:
        """The keys of all entries of a kind that have this suffix, in no order."""
        names = map(os.path.basename, entries_at(self.url).places(kind)) if self.url else _names(self.root / kind)
        for name in names:
            if name.endswith(suffix) and not name.startswith("."):
                yield name.removesuffix(suffix)

    def remove(self, kind: str, key: str, suffix: str = "") -> None:
        """Remove an entry where it is there and may be removed."""
        if not self.writes:
            return
        if self.url:
            entries_at(self.url).remove(_place(kind, key, suffix))
            return
        with suppress(OSError):
            self.path(kind, key, suffix).unlink()

    def check(self, kind: str, key: str, suffix: str = "") -> bool | None:
        """Whether the checksum of the entry matches; None where there is no such entry.

        Raises
        ------
        OSError
            It cannot be read.
        """
        try:
            data = memoryview(self.path(kind, key, suffix).read_bytes())
        except FileNotFoundError:
            return None
        return data[-_CHECK:] in _checks(data[:-_CHECK], f"{kind}/{key}{suffix}")

    def put(self, kind: str, key: str, data: bytes, suffix: str = "") -> None:
        """Put `data` under `key`, with a checksum behind it; a store that cannot be written to goes without."""
        if not self.writes:
            return
        checksum, _ = _checks(data, f"{kind}/{key}{suffix}")
        try:
            if self.url:
                entries_at(self.url).write(_place(kind, key, suffix), data + checksum)
            else:
                write_bytes(self.path(kind, key, suffix), data + checksum)
        except OSError as error:
            if error.errno not in _READ_ONLY or not (self.url or self.root.is_dir()):
                raise
            if multiprocessing.current_process().name == "MainProcess":  # workers would all say the same
                _warn_read_only(self._text)

    def get_array(self, kind: str, key: str) -> np.ndarray | None:
        """The array under `key`, or None."""
        found = self._view(kind, key, ".npy")
        return None if found is None else _array(found)

    def put_array(self, kind: str, key: str, array: np.ndarray) -> None:
        """Put an array under `key`."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        self.put(kind, key, buffer.getvalue(), ".npy")

    def get_json(self, kind: str, key: str) -> Any | None:
        """The JSON value under `key`, or None."""
        data = self.get(kind, key, ".json")
        return None if data is None else json.loads(data)

    def put_json(self, kind: str, key: str, value: Any) -> None:
        """Put a JSON value under `key`."""
        self.put(kind, key, json.dumps(value, ensure_ascii=False).encode(), ".json")


def _place(kind: str, key: str, suffix: str) -> str:
    return f"{kind}/{key[:2]}/{key}{suffix}"


def _names(folder: Path) -> Iterator[str]:
    """Names of the files in the folders of a folder."""
    with suppress(FileNotFoundError):
        for each in os.scandir(folder):
            for entry in os.scandir(each.path) if each.is_dir() else ():
                yield entry.name


def _whole(data: memoryview, name: str) -> memoryview | None:
    """The bytes before the checksum, if that is theirs."""
    return data[:-_CHECK] if data[-_CHECK:] in _checks(data[:-_CHECK], name) else None


def _array(data: memoryview) -> np.ndarray:
    """The array in the bytes of an ``.npy`` file, as numpy.load gives it; thousands of files share one header."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        loaded: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
        return loaded
    start = 10 + int.from_bytes(data[8:10], "little")
    shape, fortran_order, dtype = _header(bytes(data[:start]))
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    return np.frombuffer(data[start:], dtype).reshape(shape, order="F" if fortran_order else "C").copy("K")


def _mark_used(path: str, file: int) -> None:
    """Set the time of an entry to now, once a day at most: by it `soundfold store prune` goes."""
    if time.time() - os.fstat(file).st_mtime > _DAY_S:
        with suppress(OSError):  # a store that may only be read
            os.utime(path)


@lru_cache(maxsize=256)
def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran order, and dtype: numpy reads them with Python's parser, slower than all the rest."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    header: tuple[tuple[int, ...], bool, np.dtype] = np.lib.format.read_array_header_1_0(file)
    return header


def _checks(data: bytes | memoryview, name: str) -> tuple[bytes, bytes]:
    """Checksum of an entry's data and name, and that of earlier versions, of its data alone."""
    hashed = hashlib.blake2b(data, digest_size=_CHECK)
    of_data = hashed.digest()
    hashed.update(name.encode())
    return hashed.digest(), of_data


@lru_cache
def _warn_read_only(root: str) -> None:
    """Say once that nothing can be put into a store."""
    print(
        f"warning: store {root} cannot be written to: what it has is used, the rest is computed each time; "
        "--store or SOUNDFOLD_STORE names another",
        file=sys.stderr,
        flush=True,
    )
