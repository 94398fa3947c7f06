"""Feature vectors of images that are drawn for them and never become files.

Worker processes draw, clip after clip; this process forms batches of each encoding's images, in the order in which the
heads see them, and has the modules compute while more are drawn. The batches are those of a run with image files, so
that the vectors are the same. On a cluster a worker does both for the clips of its task, and writes the vectors itself:
only digests come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

from harness import cluster
from harness.errors import AudioError, ClusterError, ImageError
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.image_digests import ImageDigests, known_digests
from harness.memory_images import Drawn, DrawTask, MemoryClip, MemoryImage, draw_clip
from harness.parallel import KILLED, in_parallel
from harness.progress import track
from harness.store import Store
from harness.vectors import Vectors
from trainer.drawn_batches import DrawnBatches
from trainer.sources import BATCH, image_key, module_key
from trainer.vector_tasks import another_module, loaded

__all__ = ["DrawnFeatures", "count_drawn", "draw_features"]

_CLIPS = 1024  # in a task of a cluster, at most: the vectors of a task are a file of the store


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
    with DrawnBatches(modules, store, _load) as batches, ImageDigests(store) as memory:
        ordered = sorted(clips, key=_place_in_training)
        tasks = [DrawTask(clip, wanted) for clip in ordered if (wanted := batches.wanted(clip, done.digests))]
        for task, drawn in zip(tasks, _drawn(tasks, batches, modules, store, jobs), strict=True):
            _note_failures(task.clip, drawn, done, strict)
            if drawn.reason:
                continue
            for key, digest in _keys(task.clip, drawn):
                memory.put(key, digest)
            done.digests.update({(task.clip.clip_id, name): digest for name, digest in drawn.digests.items()})
            batches.add(drawn)
        batches.finish()
        done.computed += batches.computed
    return done


def _load(spec: ModuleSpec, store: Store) -> HubModule:
    return kinds.load(spec, store=store)


def _drawn(
    tasks: Sequence[DrawTask], batches: DrawnBatches, modules: Sequence[ModuleSpec], store: Store, jobs: int
) -> Iterator[Drawn]:
    """The clips' images as they are drawn; from a cluster without what modules take, which they have taken there."""
    workers = cluster.current()
    if workers is None or not tasks:
        ahead = batches.clips_ahead(tasks)
        killed = lambda _: Drawn(reason=KILLED)  # noqa: E731
        yield from in_parallel(draw_clip, tasks, jobs=jobs, what="features", ahead=ahead, if_killed=killed)
        return
    cluster.require(folders=[store.root])
    specs = tuple(spec.model_copy(update={"base": spec.base.absolute()}) for spec in modules)
    size = BATCH * max(1, min(_CLIPS // BATCH, ceil(len(tasks) / (4 * workers.threads() * BATCH))))
    parts = [ClipsTask(tuple(tasks[k : k + size]), specs, batches.keys(), store) for k in range(0, len(tasks), size)]
    made = workers.map(draw_and_compute, parts, batch=1)
    done = track(zip(parts, made, strict=True), total=len(tasks), what="features", size=lambda each: len(each[0].clips))
    for _, (drawn, computed) in done:
        batches.computed += computed
        yield from drawn


@dataclass(frozen=True)
class ClipsTask:
    """Clips whose vectors a worker of a cluster shall put into the store.

    Parameters
    ----------
    clips : tuple of DrawTask
    modules : tuple of ModuleSpec
    keys : list of dict
        What each module contributes to the keys; see :func:`trainer.sources.module_key`.
    store : Store
    """

    clips: tuple[DrawTask, ...]
    modules: tuple[ModuleSpec, ...]
    keys: list[dict[str, Any]]
    store: Store


def draw_and_compute(task: ClipsTask) -> tuple[list[Drawn], int]:
    """Draw clips and put the vectors of their images into the store; what a worker of a cluster does.

    Returns
    -------
    list of Drawn
        Without what the modules took.
    int
        Vectors that were computed.

    Raises
    ------
    ClusterError
        A module is another one here, or computes in another precision.
    """
    found = []
    with DrawnBatches(task.modules, task.store, loaded) as batches:
        for spec, own, wanted in zip(task.modules, batches.keys(), task.keys, strict=True):
            if own != wanted:
                raise ClusterError(another_module(spec))
        for clip in task.clips:
            drawn = draw_clip(clip)
            if not drawn.reason:
                batches.add(drawn)
            found.append(replace(drawn, inputs={}))
        batches.finish()
        return found, batches.computed


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
