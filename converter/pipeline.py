"""Draw many clips with many encodings in one pass, each image once.

An image's key in the store is made of the sound's digest, the encoding's settings and the code that draws; what
the store has is not drawn again. Each clip is read once, and its spectra are shared by all encodings of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from converter.augmenting import AugmentSettings
from converter.planning import augmented_tasks, image_task, longest_drawn, look_up_lengths, plan_tiles
from converter.references import Clip, with_references
from converter.registry import encoding_warnings, image_version
from converter.spec import Encoding
from harness import audio, cluster, tables
from harness.augmented_ids import check_not_augmented, original_of
from harness.digests import FileDigests
from harness.errors import AudioError, SettingsError
from harness.files import digest_json
from harness.image_tasks import ImageTask
from harness.images import ImageRun, begin, check_paths, failed_tasks, finish
from harness.parallel import check_jobs, start_workers
from harness.recipes import CONVERT, Recipes, read_recipes
from harness.run_lock import locks_folder
from harness.store import Store
from harness.store_care.runs import record_use
from harness.tables import CLIPS, IMAGES
from harness.urls import located

WORKERS_IMPORT = ("converter.drawing", "harness.image_tasks", "scipy.fft", "scipy.sparse")
"""What worker processes import to draw."""

__all__ = [
    "WORKERS_IMPORT",
    "check_names",
    "convert_clips",
    "count_cached",
    "digest_clips",
    "identical_copies",
    "read_clips",
]


def read_clips(path: str | Path) -> pd.DataFrame:
    """Read a clips table; paths relative to its folder become paths that can be opened."""
    path = Path(path)
    clips = tables.read(path, CLIPS)
    return clips.assign(path=[located(each, path.parent) for each in clips["path"]])


@locks_folder("out")
def convert_clips(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    out: str | Path,
    *,
    store: Store,
    jobs: int = 1,
    strict: bool = False,
    augment: AugmentSettings | None = None,
    copies: bool = True,
) -> ImageRun:
    """Draw every clip with every encoding; write ``images.csv``, ``failures.csv`` and ``run.json``.

    Parameters
    ----------
    clips : DataFrame
        The clips table; paths absolute, or relative to the working directory.
    encodings : mapping of str to Encoding
        By the name that the images go under.
    out : path
        Folder of images. Other encodings' rows and images in it stay.
    store : Store
        Where images are taken from and put.
    jobs : int
        Processes; 1 stays in this one, -1 takes as many as there are cores.
    strict : bool
        Stop at the first clip that cannot be drawn.
    augment : AugmentSettings, optional
        Changed sounds are drawn, too, for training: rows ``<clip>@augmented0`` ... of the clip's fold and group.
    copies : bool
        Whether its warnings name clips in different folds whose files are the same; False where that is said elsewhere.

    Returns
    -------
    ImageRun
        The rows of these encodings, clip by clip; the clips that could not be drawn; the encodings as drawn, with
        the number that ``ref="corpus"`` stands for.

    Raises
    ------
    AudioError
        With `strict`: the first clip that cannot be drawn.
    SettingsError
        A name that a merge in `out` has already.
    TableError
        The clips table is broken, or two clips would share a file.
    """
    started, out = time.monotonic(), Path(out)
    check_names(encodings, out)
    if not (out / IMAGES.name).is_file():
        start_workers(min(check_jobs(jobs), len(clips)), WORKERS_IMPORT)
    with FileDigests(store) as digests:
        planned = digest_clips(tables.check(clips, CLIPS), digests, jobs=check_jobs(jobs), strict=strict)
    good = [clip for clip in planned if clip.digest]
    cluster.require(files=[clip.path for clip in good[:1]], folders=[store.root, out])
    encodings = with_references(encodings, good, store=store, jobs=jobs)
    versions = {name: (image_version(encoding), encoding.digest()[:16]) for name, encoding in encodings.items()}
    root = out.absolute()
    tiles, reasons = plan_tiles(good, encodings, jobs=check_jobs(jobs), strict=strict)
    reasons |= {clip.clip_id: clip.reason for clip in planned if clip.reason}
    drawable = [clip for clip in good if clip.clip_id not in reasons]
    tasks = [image_task(clip, encodings, versions, root, store, tiles.get(clip.clip_id, {})) for clip in drawable]
    tasks += augmented_tasks(drawable, encodings, versions, root, store, augment)
    check_paths(tasks)
    if check_jobs(jobs) > 1:
        look_up_lengths(good, store)  # this process has nothing to do while others draw
    with FileDigests(store) as digests:
        waiting = begin(out, tasks, digests)
        for task, reason in failed_tasks(tasks, digests=digests, jobs=jobs, what="drawing"):
            if strict:
                raise AudioError(reason)
            reasons[task.clip_id] = reason
        waiting.compare(digests)
    record_use(store, out, CONVERT, [planned.key for task in tasks for planned in task.images])
    drawn = finish(
        out,
        CONVERT,
        rows=(image.row for task in tasks if reasons.keys().isdisjoint(_names(task)) for image in task.images),
        failures=_failures(planned, tasks, reasons),
        recipes=Recipes(
            {name: encoding.to_json() for name, encoding in encodings.items()},
            augment={name: augment.to_json() if augment else {} for name in encodings},
            longest_s=longest_drawn(encodings, [c for c in good if c.clip_id not in reasons], store),
        ),
        inputs={"sounds": digest_json([[clip.clip_id, clip.digest] for clip in planned])},
        started=started,
        waiting=waiting,
    )
    same = identical_copies(good) if copies else ()
    return replace(drawn, warnings=(*drawn.warnings, *encoding_warnings(encodings), *same))


def _names(task: ImageTask) -> tuple[str, str]:
    """The clip_id of a task's images, and that of the clip whose changed sound they may be of."""
    return task.clip_id, original_of(task.clip_id)


def _failures(
    clips: Sequence[Clip], tasks: Sequence[ImageTask], reasons: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Clips that could not be drawn, then changed sounds of clips that could."""
    path_of = {clip.clip_id: clip.path for clip in clips}
    for clip_id in dict.fromkeys([*path_of, *(task.clip_id for task in tasks)]):
        original = original_of(clip_id)
        if clip_id in reasons and (clip_id == original or original not in reasons):
            yield {"clip_id": clip_id, "path": path_of[original], "reason": reasons[clip_id]}


def count_cached(
    clips: pd.DataFrame, encodings: Mapping[str, Encoding], *, store: Store, augment: AugmentSettings | None = None
) -> dict[str, int]:
    """How many clips' images of each encoding the store has; of a clip that is cut into tiles, or augmented, all.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    encodings : mapping of str to Encoding
    store : Store
    """
    good = [clip for clip in digest_clips(clips, FileDigests(store), jobs=1, strict=False) if clip.digest]
    versions = {name: (image_version(encoding), "") for name, encoding in encodings.items()}
    tiles, short = plan_tiles(good, encodings, jobs=1, strict=False)
    counts = dict.fromkeys(encodings, 0)
    for clip in good:
        if clip.clip_id not in short:
            task = image_task(clip, encodings, versions, Path(), store, tiles.get(clip.clip_id, {}))
            changed = augmented_tasks([clip], encodings, versions, Path(), store, augment)
            planned = [image for each in (task, *changed) for image in each.images]
            lacking = {image.row["encoding"] for image in planned if not store.has("images", image.key, ".png")}
            counts = {name: count + (name not in lacking) for name, count in counts.items()}
    return counts


def check_names(encodings: Mapping[str, Encoding], out: Path) -> None:
    """Refuse an encoding that is named like a merge which the folder has."""
    merges = read_recipes(out).merges
    for name in encodings:
        if name in merges:
            raise SettingsError(f"encoding={name!r}: {out} has a merge of that name; give it another, or another --out")


def digest_clips(clips: pd.DataFrame, digests: FileDigests, *, jobs: int, strict: bool) -> list[Clip]:
    """The clips with their digests; reading and hashing leave Python's lock alone, so threads do."""
    check_not_augmented(clips["clip_id"])

    def digest(row: dict[str, Any]) -> Clip:
        try:
            own = audio.digest(row["path"], start_s=row["start_s"], end_s=row["end_s"], digests=digests)
            return Clip(**row, digest=own)
        except AudioError as error:
            if strict:
                raise
            return Clip(**row, reason=str(error))

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(digest, clips.to_dict("records")))


def identical_copies(clips: Sequence[Clip]) -> tuple[str, ...]:
    """A line on clips in different folds whose files are the same, byte for byte."""
    first: dict[str, Clip] = {}
    in_folds = [clip for clip in clips if clip.fold]
    copies = [(first[clip.digest], clip) for clip in in_folds if first.setdefault(clip.digest, clip).fold != clip.fold]
    if not copies:
        return ()
    listed = ", ".join(f"{a.clip_id!r} (fold {a.fold}) and {b.clip_id!r} (fold {b.fold})" for a, b in copies[:3])
    return (
        f"the same sound is in different folds, {len(copies)} times, so that figures may be too good: {listed}; "
        "corpora look lists all such clips",
    )
