"""A clip's images on their way into the store and to their files; worker processes run this, so it imports little."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.digests import FileDigests, FileState
from harness.errors import AudioError, ImageError
from harness.files import digest_bytes, write_bytes
from harness.store import Store

__all__ = [
    "KIND",
    "TOO_LITTLE_MEMORY",
    "ImageTask",
    "Made",
    "PlannedImage",
    "Written",
    "make_images",
    "put_images",
    "retain_freed_memory",
    "without_cached",
]

KIND = "images"
"""The kind under which the store has PNG files."""
TOO_LITTLE_MEMORY = "there is not enough memory to draw it; cut it into shorter sounds"
_RETAINED_BYTES = 1 << 24


@dataclass(frozen=True)
class PlannedImage:
    """An image that a folder shall have.

    Parameters
    ----------
    row : dict of str to str
        Its row of ``images.csv``.
    key : str
        Its key in the store.
    target : Path
        Its PNG file; absolute, since a worker may have been started in another folder.
    spec : Settings
        The encoding or merge method.
    """

    row: dict[str, object]
    key: str
    target: Path
    spec: Any


@dataclass(frozen=True)
class ImageTask:
    """Images of one clip that are made together.

    Parameters
    ----------
    clip_id : str
    images : tuple of PlannedImage
    make : callable
        Gives a PNG for each of the specs that it is called with, in their order; can be pickled.
    store : Store
    """

    clip_id: str
    images: tuple[PlannedImage, ...]
    make: Callable[[Sequence[Any]], Iterator[bytes]]
    store: Store


@dataclass(frozen=True)
class Written:
    """An image that was written: the state of its file, and the sha256 of its bytes."""

    state: FileState
    digest: str


@dataclass
class Made:
    """What became of a task.

    Parameters
    ----------
    written : list of Written
        Of the task's images those that were made, from the first on.
    reason : str
        Why the others could not be made; empty where all were.
    """

    written: list[Written] = field(default_factory=list)
    reason: str = ""


def without_cached(task: ImageTask, digests: FileDigests) -> ImageTask:
    """The task without the images that the store has; those are written to their files."""
    missing: list[PlannedImage] = []
    for planned in task.images:
        if digests.holds(planned.target, planned.key):
            continue
        data = task.store.get(KIND, planned.key, ".png")
        if data is None:
            missing.append(planned)
        else:
            _write(planned, data, digests)
    return task if len(missing) == len(task.images) else replace(task, images=tuple(missing))


def make_images(task: ImageTask) -> Made:
    """Make a task's images, put them into the store and write their files."""
    retain_freed_memory()
    made = Made()
    try:
        pngs = task.make([planned.spec for planned in task.images])
        for planned, data in zip(task.images, pngs, strict=True):
            task.store.put(KIND, planned.key, data, ".png")
            write_bytes(planned.target, data)
            made.written.append(Written(FileState.of(planned.target), digest_bytes(data)))
    except (AudioError, ImageError) as error:
        made.reason = str(error)
    except MemoryError:
        made.reason = TOO_LITTLE_MEMORY
    return made


def put_images(task: ImageTask) -> None:
    """Make a task's images and put them into the store alone, as far as they can be made."""
    retain_freed_memory()
    with suppress(AudioError, ImageError, MemoryError):
        for planned, data in zip(task.images, task.make([planned.spec for planned in task.images]), strict=True):
            task.store.put(KIND, planned.key, data, ".png")


@lru_cache(maxsize=1)
def retain_freed_memory() -> None:
    """Have this process retain freed memory for the next images, which then take about a tenth less time.

    glibc gives freed memory above a threshold back to the system, which clears the pages when they are taken again.
    The threshold rises to twice the size of the largest array that was freed; here it is one that is never written to.
    """
    np.empty(_RETAINED_BYTES, np.uint8)


def _write(planned: PlannedImage, data: bytes, digests: FileDigests) -> None:
    """Write `data` unless the file holds just that; keep its digest."""
    path, began = planned.target, time.time_ns()
    with suppress(OSError), open(path, "rb", buffering=0) as file:  # not there, or not readable: written anew
        state = FileState.of(file.fileno())
        if state.size == len(data) and file.readall() == data:
            if state.settled(began):
                digests.written(path, state, digest_bytes(data), planned.key)
            return
    write_bytes(path, data)
    digests.written(path, FileState.of(path), digest_bytes(data), planned.key)
