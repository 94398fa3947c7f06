"""Feature vectors in the store, many to a file, so that a hundred thousand are read as fast as the disk gives them.

A file has some 32 MB of vectors with their keys before them, is named by its content and never changes; processes and
machines that share a store each write files of their own. Which file has which key is in an index, which is made
from the files and costs nothing but time when it is lost.
"""

from __future__ import annotations

import io
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.files import digest_bytes
from harness.remote import REMOTE_THREADS, RemoteError
from harness.store import Store, key_of
from harness.threads import in_threads

__all__ = ["Vectors"]

_KIND = "vectors"
_INDEX = "indexes"
_BYTES = 32_000_000  # of vectors in a file, about
_SECONDS = 10.0  # after which vectors are written at the latest: what an interrupted run loses
_NEW_FILES = 16  # from which the index is written anew
_READERS = 2
_START_BYTES = 300_000  # of a file behind a URL: its header, and most often all its keys


@dataclass(frozen=True)
class _Index:
    """Where vectors are: files, and in the order of the first eight bytes of their keys those, file and row."""

    files: np.ndarray  # of S64
    starts: np.ndarray  # of uint64
    file: np.ndarray  # of uint32
    row: np.ndarray  # of uint32

    @classmethod
    def empty(cls) -> _Index:
        """No vectors."""
        return cls(np.zeros(0, "S64"), np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.uint32))

    def only(self, names: set[bytes]) -> _Index:
        """Without the files that are gone."""
        there = np.array([name in names for name in self.files.tolist()], bool)
        if there.all():
            return self
        number, left = np.cumsum(there) - 1, there[self.file]
        return _Index(self.files[there], self.starts[left], number[self.file[left]].astype(np.uint32), self.row[left])

    def with_files(self, keys: dict[bytes, np.ndarray]) -> _Index:
        """With more files, by name the keys (n, 32) that they have."""
        count = [len(own) for own in keys.values()]
        numbers = np.repeat(np.arange(len(self.files), len(self.files) + len(count), dtype=np.uint32), count)
        rows = np.concatenate([self.row, *(np.arange(n, dtype=np.uint32) for n in count)])
        starts = np.concatenate([self.starts, *(_starts(own) for own in keys.values())])
        order = np.argsort(starts, kind="stable")
        files = np.concatenate([self.files, np.array(list(keys), "S64")])
        return _Index(files, starts[order], np.concatenate([self.file, numbers])[order], rows[order])

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions in `keys` (n, 32) of those that are there, with file and row; as far as eight bytes tell."""
        wanted = _starts(keys)
        at = np.searchsorted(self.starts, wanted)
        inside = at < len(self.starts)
        at[~inside] = 0
        found = np.flatnonzero(inside & (self.starts[at] == wanted)) if len(self.starts) else np.zeros(0, int)
        return found, self.file[at[found]], self.row[at[found]]


class Vectors(AbstractContextManager["Vectors"]):
    """The feature vectors of a store; as a context manager it writes what was put at the end.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: list[str] = []
        self._waiting: list[np.ndarray] = []
        self._since = 0.0

    def __exit__(self, *_: object) -> None:
        self.write()

    def count(self, keys: Sequence[str]) -> int:
        """How many of these keys have a vector; its checksum is not looked at."""
        return len(self._index().find(_as_bytes(keys))[0])

    def finder(self) -> Callable[[Sequence[str]], np.ndarray]:
        """A function that says of keys (n) which have a vector now, as bool (n,); checksums are not looked at."""
        index = self._index()

        def has(keys: Sequence[str]) -> np.ndarray:
            there = np.zeros(len(keys), bool)
            there[index.find(_as_bytes(keys))[0]] = True
            return there

        return has

    def take(self, keys: Sequence[str], width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Read the vectors that are there.

        Parameters
        ----------
        keys : sequence of str
            64 hex digits each.
        width : int
            Numbers of each vector; others are as good as none.

        Yields
        ------
        (ndarray of int, shape (m,), ndarray of float32, shape (m, width))
            Positions in `keys`, and their vectors; in no order.
        """
        wanted, index = _as_bytes(keys), self._index()
        found, files, rows = index.find(wanted)
        order = np.argsort(files, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(files[order])) + 1) if len(order) else []

        def read(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            shard = self._read(index.files[files[part[0]]].decode())
            positions = found[part]
            if shard is None or shard["vectors"].shape[1] != width:
                return positions[:0], np.zeros((0, width), np.float32)
            inside = np.flatnonzero(rows[part] < len(shard["keys"]))
            positions, at = positions[inside], rows[part][inside]
            same = (shard["keys"][at] == wanted[positions]).all(axis=1)
            if len(inside) < len(part) or not same.all():  # files have changed places
                self._forget_index()
            return positions[same], shard["vectors"][at[same]]

        with ThreadPoolExecutor(_READERS) as pool:
            waiting: deque[Future[tuple[np.ndarray, np.ndarray]]] = deque()
            for part in parts:  # few at a time: a slow taker would have all of them in memory twice
                waiting.append(pool.submit(read, part))
                if len(waiting) > _READERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def put(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        """Take vectors, float32 (n, width), to be written soon; all of one width."""
        self._since = self._since if self._keys else time.monotonic()
        self._keys += keys
        self._waiting.append(np.asarray(vectors, np.float32))
        if sum(each.nbytes for each in self._waiting) >= _BYTES or time.monotonic() - self._since >= _SECONDS:
            self.write()

    def write(self) -> None:
        """Write what was put."""
        if self._keys:
            self.write_file(self._keys, np.concatenate(self._waiting))
            self._keys, self._waiting = [], []

    def write_file(self, keys: Sequence[str], vectors: np.ndarray) -> str:
        """Write one file of these vectors, float32 (n, width), at once; gives its name."""
        shard = np.zeros((), [("keys", "u1", (len(vectors), 32)), ("vectors", "<f4", vectors.shape)])
        shard["keys"], shard["vectors"] = _as_bytes(keys), vectors
        name = digest_bytes(shard.tobytes())
        if self._store.has(_KIND, name, ".npy"):  # perhaps damaged in its keys, so that they were not found in it
            self._forget_index()
        self._store.put_array(_KIND, name, shard)
        return name

    def _read(self, name: str) -> np.ndarray | None:
        """A file's keys and vectors; one that is damaged is removed, so that its vectors are computed again."""
        shard = self._store.get_array(_KIND, name)
        if shard is None:
            self._store.remove(_KIND, name, ".npy")
            self._forget_index()
        return shard

    def _forget_index(self) -> None:
        """Remove the index, which has keys of a file as it was when damaged; it is made anew."""
        self._store.local.remove(_INDEX, self._index_key(), ".npy")

    def _index(self) -> _Index:
        names = {name.encode() for name in self._store.keys(_KIND, ".npy")}
        index = self._last_index().only(names)
        new = sorted(names.difference(index.files.tolist()))
        read = in_threads(self._keys_of, new, threads=REMOTE_THREADS) if self._store.url else map(self._keys_of, new)
        keys = {name: own for name, own in zip(new, read, strict=True) if own is not None}
        if keys:
            index = index.with_files(keys)
        if len(keys) >= _NEW_FILES:
            with suppress(OSError):
                self._store.local.put_array(_INDEX, self._index_key(), _packed(index))
        return index

    def _index_key(self) -> str:
        """The index of a store behind a URL is put into the local one, which may have several."""
        return key_of(index=_KIND, store=self._store.url) if self._store.url else key_of(index=_KIND)

    def _keys_of(self, name: bytes) -> np.ndarray | None:
        """Keys (n, 32) in a file of vectors, without reading the vectors; None where it is none, or gone."""
        if self._store.url:
            return _keys_in_start(lambda size: self._store.start(_KIND, name.decode(), ".npy", size))
        return _keys_of(str(self._store.path(_KIND, name.decode(), ".npy")))

    def _last_index(self) -> _Index:
        found = self._store.local.get_array(_INDEX, self._index_key())
        if found is None or found.dtype.names != ("files", "starts", "file", "row"):
            return _Index.empty()
        return _Index(*(found[name].copy() for name in found.dtype.names))


def _packed(index: _Index) -> np.ndarray:
    """An index as one array."""
    parts: dict[str, Any] = {name: getattr(index, name) for name in ("files", "starts", "file", "row")}
    packed = np.zeros((), [(name, each.dtype, each.shape) for name, each in parts.items()])
    for name, each in parts.items():
        packed[name] = each
    return packed


def _keys_in_start(start: Callable[[int], bytes]) -> np.ndarray | None:
    """Keys in a file of vectors of which `start` reads the first bytes; a second time where there are many keys."""
    try:
        data = start(_START_BYTES)
        header = 10 + int.from_bytes(data[8:10], "little")
        file = io.BytesIO(data[:header])
        np.lib.format.read_magic(file)
        keys = np.lib.format.read_array_header_1_0(file)[2]["keys"]
        if keys.base != np.uint8 or keys.shape[1:] != (32,):
            return None
        if len(data) < header + keys.itemsize:
            data = start(header + keys.itemsize)
        return np.frombuffer(data, np.uint8, count=keys.itemsize, offset=header).reshape(keys.shape)
    except RemoteError:
        raise
    except Exception:  # of a damaged header numpy's parser raises almost anything
        return None


def _keys_of(path: str) -> np.ndarray | None:
    """Keys in a local file of vectors; None where it is none, or gone."""
    try:
        with warnings.catch_warnings(action="ignore"):
            keys = np.load(path, mmap_mode="r", allow_pickle=False)["keys"]
            return np.array(keys) if keys.ndim == 2 and keys.shape[1] == 32 else None
    except Exception:  # of a damaged header numpy's parser raises almost anything
        return None


def _as_bytes(keys: Sequence[str]) -> np.ndarray:
    """Keys of 64 hex digits as uint8 (n, 32)."""
    return np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(-1, 32)


def _starts(keys: np.ndarray) -> np.ndarray:
    """The first eight bytes of each key as a number."""
    found: np.ndarray = np.ascontiguousarray(keys[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    return found
