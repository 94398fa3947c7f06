"""Small files of feature vectors, as interrupted runs and many workers leave them, joined to larger ones.

Files of vectors never change: a new one is written first, read back, and then the old ones are removed. A reader that
has an older index finds a file missing, which is as good as vectors that were never computed.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from harness.errors import SoundfoldError
from harness.progress import track
from harness.store import Store
from harness.store_care.scanning import State, StoreFile, scan
from harness.vectors import Vectors

__all__ = ["VECTORS", "YOUNG_S", "Compacted", "compact", "keys_in", "rewrite", "shape_of"]

VECTORS = "vectors"
"""The kind of files of vectors."""

YOUNG_S = 3600.0
"""Entries younger than this may be just written by another process, and stay."""

_SMALL = 16_000_000  # bytes: files below are joined
_FULL = 32_000_000


@dataclass(frozen=True)
class Compacted:
    """What became of compacting.

    Parameters
    ----------
    before, after : int
        Files that were joined, and files that they became.
    freed : int
        Bytes: of vectors that were there several times, and of headers.
    young : int
        Small files that were left, since they were written or used within the last hour.
    """

    before: int = 0
    after: int = 0
    freed: int = 0
    young: int = 0


def compact(store: Store, *, force: bool = False) -> Compacted:
    """Join small files of vectors, those of similar age together.

    Parameters
    ----------
    store : Store
        As :func:`harness.store_care.scanning.open_store` gives it.
    force : bool
        Also files that were written or used within the last hour.

    Raises
    ------
    SoundfoldError
        The store cannot be written to.
    """
    files = [
        f for f in scan(store) if f.kind == VECTORS and f.state is State.ENTRY and f.size < _SMALL and not f.linked
    ]
    newest = time.time_ns() - int(0 if force else YOUNG_S * 1e9)
    old = [file for file in files if file.changed_ns <= newest]
    groups = list(_groups(store, sorted(old, key=lambda file: (file.changed_ns, file.name))))
    done = [rewrite(store, group) for group in track(groups, total=len(groups), what="compacting")]
    before, after, freed = (sum(getattr(each, name) for each in done) for name in ("before", "after", "freed"))
    return Compacted(before, after, freed, len(files) - len(old))


def rewrite(store: Store, files: Sequence[StoreFile], drop: np.ndarray | None = None) -> Compacted:
    """Write the vectors of some files into one, each once, and remove the files; damaged ones stay.

    The new file is as old as the newest of them.

    Parameters
    ----------
    store : Store
    files : sequence of StoreFile
        Of one width.
    drop : ndarray of uint64, optional
        First eight bytes of keys whose vectors are left out.

    Returns
    -------
    Compacted

    Raises
    ------
    SoundfoldError
        The store cannot be written to.
    """
    read = [(file, shard) for file in files if (shard := store.get_array(VECTORS, file.key)) is not None]
    if len(read) < (2 if drop is None else 1):
        return Compacted()
    keys = np.concatenate([shard["keys"] for _, shard in read])
    vectors = np.concatenate([shard["vectors"] for _, shard in read])
    _, first = np.unique(keys, axis=0, return_index=True)
    if drop is not None:
        first = first[~np.isin(_starts(keys[first]), drop)]
    first.sort()
    name, size = "", 0
    if len(first):
        name = Vectors(store).write_file([row.tobytes().hex() for row in keys[first]], vectors[first])
        size = _settle(store, name, max(file.changed_ns for file, _ in read))
    for file, _ in read:
        if file.key != name:  # else it had all of the others
            _unlink(file.path(store.root))
    return Compacted(len(read), int(bool(name)), sum(file.size for file, _ in read) - size)


def shape_of(path: str) -> tuple[int, int]:
    """Number and width of the vectors in a file, by its header; (0, 0) where that is damaged."""
    found = _mapped(path)
    return (0, 0) if found is None else (len(found["keys"]), int(found["vectors"].shape[1]))


def keys_in(path: str) -> np.ndarray:
    """First eight bytes of the keys in a file, as uint64; none where it is damaged."""
    found = _mapped(path)
    return np.zeros(0, np.uint64) if found is None else _starts(np.array(found["keys"]))


def _groups(store: Store, files: Sequence[StoreFile]) -> Iterator[list[StoreFile]]:
    """Files of one width that make a file of the usual size together; two at least."""
    waiting: dict[int, list[StoreFile]] = {}
    for file in files:
        number, width = shape_of(file.path(store.root))
        if not number:
            continue
        group = waiting.setdefault(width, [])
        if sum(each.size for each in group) + file.size > _FULL:
            yield waiting.pop(width)
        waiting.setdefault(width, []).append(file)
    yield from (group for group in waiting.values() if len(group) > 1)


def _mapped(path: str) -> np.ndarray | None:
    """A file of vectors, not read yet; None where it is none."""
    try:
        with warnings.catch_warnings(action="ignore"):
            found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            keys, vectors = found["keys"], found["vectors"]
            return found if keys.ndim == vectors.ndim == 2 and keys.shape[1] == 32 else None
    except Exception:  # of a damaged header numpy's parser raises almost anything
        return None


def _settle(store: Store, name: str, changed_ns: int) -> int:
    """Read a new file back, have it on the disk, set its time; gives its size."""
    path = store.path(VECTORS, name, ".npy")
    if not path.is_file():
        raise SoundfoldError(f"{path}: cannot be written; the store is read-only")
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    if not store.check(VECTORS, name, ".npy"):
        raise SoundfoldError(f"{path}: what was read back is not what was written; the disk may be failing")
    os.utime(path, ns=(changed_ns, changed_ns))
    return path.stat().st_size


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _starts(keys: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.ascontiguousarray(keys[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    return found
