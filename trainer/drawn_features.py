"""Feature vectors of images that are drawn for them and never become files.

Worker processes draw, clip after clip; this process forms batches of each encoding's images, in the order in which the
heads see them, and has the modules compute while more are drawn. The batches are those of a run with image files, so
that the vectors are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from harness.errors import AudioError, ImageError
from harness.hub import kinds
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.image_digests import ImageDigests, known_digests
from harness.memory_images import Drawn, DrawTask, MemoryClip, MemoryImage, draw_clip
from harness.parallel import KILLED, in_parallel
from harness.store import Store
from harness.vectors import Vectors
from trainer.sources import BATCH, CALLS, image_key, module_key

__all__ = ["DrawnFeatures", "count_drawn", "draw_features"]

_BYTES_AHEAD = 64_000_000  # of images that are drawn before a module takes them
_MOST_AHEAD = 256  # clips


@dataclass
class DrawnFeatures:
    """What :func:`draw_features` did.

    Parameters
    ----------
    digests : dict of (clip_id, name) to str
        Of every image that could be drawn, the sha256 that its PNG file would have.
    failures : dict of str to str
        Clips that could not be drawn, and why.
    failed_merges : dict of (clip_id, name) to str
        Merges that could not be made, and why.
    computed : int
        Feature vectors that the store did not have.
    """

    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    failed_merges: dict[tuple[str, str], str] = field(default_factory=dict)
    computed: int = 0

    def images(self, clips: Sequence[MemoryClip]) -> dict[tuple[str, str], MemoryImage]:
        """The images of clips that could be drawn, by clip and name."""
        return {
            place: MemoryImage(clip, place[1], self.digests[place])
            for clip in clips
            for place in ((clip.clip_id, str(row["encoding"])) for row in clip.rows)
            if place in self.digests and clip.clip_id not in self.failures
        }


def draw_features(
    clips: Sequence[MemoryClip], modules: Sequence[ModuleSpec], *, store: Store, jobs: int = 1, strict: bool = False
) -> DrawnFeatures:
    """Draw clips and put the feature vectors of all their images into the store; what it has is not made again.

    Parameters
    ----------
    clips : sequence of MemoryClip
    modules : sequence of ModuleSpec
        Modules of images; each sees every image.
    store : Store
    jobs : int
        Processes that draw; 1 stays in this one, -1 takes as many as there are cores.
    strict : bool
        Stop at the first clip that cannot be drawn or merged.

    Returns
    -------
    DrawnFeatures

    Raises
    ------
    AudioError, ImageError
        With `strict`: the first clip that cannot be drawn, or merged.
    ModuleError
        A module is not available.
    """
    done = DrawnFeatures(known_digests(clips, store=store))
    with _Computing(modules, store) as computing, ImageDigests(store) as memory:
        ordered = sorted(clips, key=_place_in_training)
        tasks = [DrawTask(clip, wanted) for clip in ordered if (wanted := computing.wanted(clip, done.digests))]
        ahead = computing.clips_ahead(tasks)
        drawing = in_parallel(
            draw_clip, tasks, jobs=jobs, what="features", ahead=ahead, if_killed=lambda _: Drawn(reason=KILLED)
        )
        for task, drawn in zip(tasks, drawing, strict=True):
            _note_failures(task.clip, drawn, done, strict)
            if drawn.reason:
                continue
            for key, digest in _keys(task.clip, drawn):
                memory.put(key, digest)
            done.digests.update({(task.clip.clip_id, name): digest for name, digest in drawn.digests.items()})
            computing.add(drawn)
        computing.finish()
        done.computed = computing.computed
    return done


def count_drawn(
    clips: Sequence[MemoryClip], modules: Sequence[ModuleSpec], *, store: Store
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """How many images of each name need not be drawn, and by name and module's handle how many vectors there are."""
    known = known_digests(clips, store=store)
    names = dict.fromkeys(str(row["encoding"]) for clip in clips for row in clip.rows)
    digests = {name: [own for (_, each), own in known.items() if each == name] for name in names}
    has = Vectors(store).finder()
    vectors = {}
    for spec in modules:
        module = module_key(spec, kinds.describe(spec, store=store))
        for name, own in digests.items():
            vectors[name, spec.handle] = int(has([image_key(digest, module) for digest in own]).sum())
    return {name: len(own) for name, own in digests.items()}, vectors


def _place_in_training(clip: MemoryClip) -> tuple[object, str, str]:
    """As :func:`trainer.inputs.training_order` sorts images."""
    row = clip.drawn[0].row
    return row["label"], Path(str(row["path"])).name, clip.clip_id


def _keys(clip: MemoryClip, drawn: Drawn) -> list[tuple[str, str]]:
    """Keys of the images that were drawn, with their digests."""
    keys = {str(each.row["encoding"]): each.key for each in clip.drawn}
    for merge in clip.merged:
        if merge.name in drawn.digests:
            keys[merge.name] = merge.key(drawn.digests)
    return [(keys[name], digest) for name, digest in drawn.digests.items()]


def _note_failures(clip: MemoryClip, drawn: Drawn, done: DrawnFeatures, strict: bool) -> None:
    if drawn.reason:
        done.failures[clip.clip_id] = drawn.reason
        if strict:
            raise AudioError(drawn.reason)
    for name, reason in drawn.failed_merges.items():
        done.failed_merges[clip.clip_id, name] = reason
        if strict:
            raise ImageError(f"clip_id={clip.clip_id!r}: {name}: {reason}")


@dataclass
class _Module:
    """A module, loaded when its first batch is there, and where its vectors go."""

    spec: ModuleSpec
    info: ModuleInfo
    key: Mapping[str, Any]
    vectors: Vectors
    loaded: HubModule | None = None


class _Computing(AbstractContextManager["_Computing"]):
    """Batches of images on their way through the modules and into the store.

    Parameters
    ----------
    modules : sequence of ModuleSpec
    store : Store
    """

    def __init__(self, modules: Sequence[ModuleSpec], store: Store) -> None:
        described = [(spec, kinds.describe(spec, store=store)) for spec in modules]
        self._modules = [_Module(spec, info, module_key(spec, info), Vectors(store)) for spec, info in described]
        self._store = store
        self._has = Vectors(store).finder()
        self._loading = Lock()
        self._seen: set[bytes] = set()  # digests of images that were begun
        self._waiting: dict[tuple[str, int], tuple[list[str], list[np.ndarray]]] = {}
        self._begun: deque[tuple[_Module, list[str], Future[np.ndarray]]] = deque()
        self._exits = ExitStack()
        self.computed = 0

    def __enter__(self) -> _Computing:
        for module in self._modules:
            self._exits.enter_context(module.vectors)
        self._callers = self._exits.enter_context(ThreadPoolExecutor(CALLS))
        return self

    def __exit__(self, *_: object) -> None:
        self._callers.shutdown(cancel_futures=True)
        self._exits.close()

    def wanted(self, clip: MemoryClip, known: Mapping[tuple[str, str], str]) -> dict[str, Sequence[ModuleInfo]]:
        """By image the modules that shall see it: all where its digest is not known, else those without its vector."""
        everything = [module.info for module in self._modules]
        wanted: dict[str, Sequence[ModuleInfo]] = {}
        for name in (str(row["encoding"]) for row in clip.rows):
            digest = known.get((clip.clip_id, name))
            missing = self._lacking(digest) if digest else []
            if not digest or missing:
                wanted[name] = [module.info for module in missing] if digest else everything
        return wanted

    def clips_ahead(self, tasks: Sequence[DrawTask]) -> int:
        """How many clips may be drawn before their images are taken."""
        sizes = [{(name, i.height, i.width) for name, own in task.wanted.items() for i in own} for task in tasks[:1]]
        of_clip = sum(3 * height * width for size in sizes for _, height, width in size)
        return max(4, min(_MOST_AHEAD, _BYTES_AHEAD // max(of_clip, 1)))

    def add(self, drawn: Drawn) -> None:
        """Take the images of a clip; those of one content once."""
        for name, inputs in drawn.inputs.items():
            digest = drawn.digests[name]
            if bytes.fromhex(digest) in self._seen:
                continue
            self._seen.add(bytes.fromhex(digest))
            for module in self._lacking(digest):
                place = (name, self._modules.index(module))
                keys, arrays = self._waiting.setdefault(place, ([], []))
                keys.append(image_key(digest, module.key))
                arrays.append(inputs[module.info.height, module.info.width])
                if len(arrays) >= BATCH:
                    self._begin(place)

    def finish(self) -> None:
        """Compute what is left."""
        for place in list(self._waiting):
            self._begin(place)
        while self._begun:
            self._take_first()

    def _lacking(self, digest: str) -> list[_Module]:
        """The modules whose vector of an image the store does not have."""
        has = self._has([image_key(digest, module.key) for module in self._modules])
        return [module for module, there in zip(self._modules, has, strict=True) if not there]

    def _begin(self, place: tuple[str, int]) -> None:
        keys, arrays = self._waiting.pop(place)
        module = self._modules[place[1]]
        self._begun.append((module, keys, self._callers.submit(self._compute, module, arrays)))
        while len(self._begun) > CALLS:
            self._take_first()

    def _compute(self, module: _Module, arrays: list[np.ndarray]) -> np.ndarray:
        with self._loading:
            if module.loaded is None:
                module.loaded = kinds.check_same(kinds.load(module.spec, store=self._store), module.info)
        return module.loaded(np.stack(arrays))

    def _take_first(self) -> None:
        module, keys, computed = self._begun.popleft()
        module.vectors.put(keys, computed.result())
        self.computed += len(keys)
