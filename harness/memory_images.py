"""Images that go from the sound straight to a module and never become files.

A worker process draws a clip's images, merges them and brings them to the sizes that modules take. Their pixels are
those of the PNG files that would have been written, and so is the digest by which a feature vector is found, so that
runs with and without files share their vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness import image
from harness.errors import AudioError, ImageError
from harness.files import digest_bytes
from harness.hub.base import ModuleInfo
from harness.hub.preprocess import image_input
from harness.image_tasks import KIND, TOO_LITTLE_MEMORY, PlannedImage, retain_freed_memory
from harness.store import Store, key_of

__all__ = ["DrawTask", "Drawn", "MemoryClip", "MemoryImage", "MemoryMerge", "draw_clip"]

Size = tuple[int, int]


@dataclass(frozen=True)
class MemoryMerge:
    """A merge of a clip's images.

    Parameters
    ----------
    row : dict of str to str
        Its row of ``images.csv``, with the path that the image would have.
    method : MergeMethod
    version : mapping
        What the method adds to the key: its settings, the code that merges.
    """

    row: dict[str, object]
    method: Any
    version: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name that the merged image goes under."""
        return str(self.row["encoding"])

    def key(self, digests: Mapping[str, str]) -> str:
        """Key of the merged image in the store, from the digests of its partners by name."""
        return key_of(partners={name: digests[name] for name in self.method.partners}, **self.version)


@dataclass(frozen=True)
class MemoryClip:
    """The images of one clip, as they are to be drawn.

    Parameters
    ----------
    clip_id, path : str
        The clip and its sound.
    drawn : tuple of PlannedImage
        The encodings; their targets are not written.
    draw : callable
        Gives the pixels for each of the encodings that it is called with, in their order; can be pickled.
    store : Store
        Where an image is taken from that an earlier run has put there.
    merged : tuple of MemoryMerge
        Each of encodings among `drawn`, or of merges before it.
    """

    clip_id: str
    path: str
    drawn: tuple[PlannedImage, ...]
    draw: Callable[[Sequence[Any]], Iterator[np.ndarray]]
    store: Store
    merged: tuple[MemoryMerge, ...] = ()

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows of ``images.csv`` of all images, with the paths that they would have."""
        return [*(each.row for each in self.drawn), *(each.row for each in self.merged)]


@dataclass(frozen=True)
class DrawTask:
    """What is wanted of a clip: by the name of an image the modules that shall see it."""

    clip: MemoryClip
    wanted: Mapping[str, Sequence[ModuleInfo]]


@dataclass
class Drawn:
    """What became of a :class:`DrawTask`.

    Parameters
    ----------
    digests : dict of str to str
        By image, partners of merges too: sha256 of the bytes that its PNG file would have.
    inputs : dict of str to dict of (int, int) to ndarray of uint8, shape (H, W, 3)
        By image and size, what the modules take.
    reason : str
        Why the clip could not be drawn; empty where it was.
    failed_merges : dict of str to str
        Why merges could not be made.
    """

    digests: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[Size, np.ndarray]] = field(default_factory=dict)
    reason: str = ""
    failed_merges: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MemoryImage:
    """One image that has no file: its clip, its name, and the digest that its file would have."""

    clip: MemoryClip
    name: str
    digest: str

    @property
    def row(self) -> dict[str, object]:
        """Its row of ``images.csv``, with the path that it would have."""
        return next(row for row in self.clip.rows if row["encoding"] == self.name)

    def input(self, info: ModuleInfo) -> np.ndarray:
        """What a module takes of it, drawn anew.

        Returns
        -------
        ndarray of uint8, shape (info.height, info.width, 3)

        Raises
        ------
        ImageError
            It cannot be drawn any more, or not as it was.
        """
        drawn = draw_clip(DrawTask(self.clip, {self.name: [info]}))
        reason = drawn.reason or drawn.failed_merges.get(self.name, "")
        if not reason and drawn.digests[self.name] != self.digest:
            reason = f"{self.clip.path}: changed while it was in use; run the same command again"
        if reason:
            raise ImageError(reason)
        return drawn.inputs[self.name][info.height, info.width]


def draw_clip(task: DrawTask) -> Drawn:
    """Draw what is wanted of a clip; a worker process runs this."""
    retain_freed_memory()
    drawn, clip = Drawn(), task.clip
    merges, needed = _needed(task)
    try:
        pixels = _pixels(clip, [each for each in clip.drawn if each.row["encoding"] in needed], drawn.digests)
        _bring_to_size(pixels, task, drawn)
    except (AudioError, ImageError) as error:
        return Drawn(reason=str(error))
    except MemoryError:
        return Drawn(reason=TOO_LITTLE_MEMORY)
    for merge in merges:
        try:
            pixels[merge.name] = _merged(clip, merge, pixels, drawn)
            _bring_to_size({merge.name: pixels[merge.name]}, task, drawn)
        except (AudioError, ImageError) as error:
            drawn.failed_merges[merge.name] = str(error)
    return drawn


def _needed(task: DrawTask) -> tuple[list[MemoryMerge], set[str]]:
    """The merges that are wanted or are partners of such, in their order, and the names of all images needed."""
    needed = set(task.wanted)
    merges: list[MemoryMerge] = []
    for merge in reversed(task.clip.merged):  # a merge comes after its partners
        if merge.name in needed:
            needed.update(merge.method.partners)
            merges.insert(0, merge)
    return merges, needed


def _pixels(clip: MemoryClip, planned: Sequence[PlannedImage], digests: dict[str, str]) -> dict[str, np.ndarray]:
    """Images by encoding; those that the store has are not drawn. Their digests are added to `digests`."""
    pixels: dict[str, np.ndarray] = {}
    missing = []
    for each in planned:
        found = _from_store(clip.store, each.key, str(each.row["encoding"]), digests)
        if found is None:
            missing.append(each)
        else:
            pixels[str(each.row["encoding"])] = found
    made = clip.draw([each.spec for each in missing]) if missing else iter(())
    for each, own in zip(missing, made, strict=True):
        name = str(each.row["encoding"])
        pixels[name], digests[name] = own, digest_bytes(image.encode_png(own))
    return pixels


def _merged(clip: MemoryClip, merge: MemoryMerge, pixels: Mapping[str, np.ndarray], drawn: Drawn) -> np.ndarray:
    digests = drawn.digests
    lacking = [name for name in merge.method.partners if name not in pixels]
    if lacking:
        raise ImageError(f"the clip has no image of {', '.join(lacking)}")
    found = _from_store(clip.store, merge.key(digests), merge.name, digests)
    if found is None:
        made = merge.method.checked({name: pixels[name] for name in merge.method.partners})
        png = image.encode_png(made)
        digests[merge.name] = digest_bytes(png)
        found = image.decode(png) if made.shape[2] == 4 else made
    return found


def _from_store(store: Store, key: str, name: str, digests: dict[str, str]) -> np.ndarray | None:
    data = store.get(KIND, key, ".png")
    if data is None:
        return None
    digests[name] = digest_bytes(data)
    return image.decode(data, name=name)


def _bring_to_size(pixels: Mapping[str, np.ndarray], task: DrawTask, drawn: Drawn) -> None:
    for name, own in pixels.items():
        for info in task.wanted.get(name, ()):
            sizes = drawn.inputs.setdefault(name, {})
            if (info.height, info.width) not in sizes:
                sizes[info.height, info.width] = image_input(own, info)
