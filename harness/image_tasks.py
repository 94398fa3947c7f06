"""A clip's images on their way into the store and to their files; worker processes run this, so it imports little."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import AudioError, ImageError
from harness.files import write_bytes
from harness.store import Store

__all__ = ["KIND", "ImageTask", "PlannedImage", "make_images", "without_cached"]

KIND = "images"
"""The kind under which the store has PNG files."""


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


def without_cached(task: ImageTask) -> ImageTask:
    """The task without the images that the store has; those are written to their files."""
    missing: list[PlannedImage] = []
    for planned in task.images:
        data = task.store.get(KIND, planned.key, ".png")
        if data is None:
            missing.append(planned)
        else:
            _write(planned.target, data)
    return task if len(missing) == len(task.images) else replace(task, images=tuple(missing))


def make_images(task: ImageTask) -> str:
    """Make a task's images, put them into the store and write their files.

    Returns
    -------
    str
        Why the clip's images cannot be made; empty where they are.
    """
    try:
        pngs = task.make([planned.spec for planned in task.images])
        for planned, data in zip(task.images, pngs, strict=True):
            task.store.put(KIND, planned.key, data, ".png")
            _write(planned.target, data)
    except (AudioError, ImageError) as error:
        return str(error)
    return ""


def _write(path: Path, data: bytes) -> None:
    """Write `data` unless the file holds just that."""
    with suppress(OSError), open(path, "rb", buffering=0) as file:  # not there, or not readable: written anew
        if os.fstat(file.fileno()).st_size == len(data) and file.readall() == data:
            return
    write_bytes(path, data)
