"""Draw many clips with many encodings in one pass, each image once.

An image's key in the store is made of the sound's digest, the encoding's settings and the code that draws; what
the store has is not drawn again. Each clip is read once, and its spectra are shared by all encodings of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from converter.drawing import draw_pngs
from converter.references import Clip, with_references
from converter.registry import encoding_warnings, image_key, image_version
from converter.spec import Encoding
from harness import audio, cluster, tables
from harness.code_version import code_version
from harness.digests import FileDigests
from harness.errors import AudioError, SettingsError
from harness.files import digest_json
from harness.image_tasks import ImageTask, PlannedImage
from harness.images import ImageRun, begin, check_paths, failed_tasks, finish, relative_path
from harness.parallel import check_jobs, start_workers
from harness.recipes import CONVERT, Recipes, read_recipes
from harness.run_lock import locks_folder
from harness.store import Store, key_of
from harness.store_care.runs import record_use
from harness.tables import CLIPS, IMAGES
from harness.urls import absolute, located

WORKERS_IMPORT = ("converter.drawing", "harness.image_tasks", "scipy.fft", "scipy.sparse")
"""What worker processes import to draw."""

__all__ = [
    "WORKERS_IMPORT",
    "check_names",
    "convert_clips",
    "count_cached",
    "digest_clips",
    "identical_copies",
    "image_task",
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
    tasks = [image_task(clip, encodings, versions, root, store) for clip in good]
    check_paths(tasks)
    reasons = {clip.clip_id: clip.reason for clip in planned if clip.reason}
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
        rows=(image.row for task in tasks if task.clip_id not in reasons for image in task.images),
        failures=(
            {"clip_id": clip.clip_id, "path": clip.path, "reason": reasons[clip.clip_id]}
            for clip in planned
            if clip.clip_id in reasons
        ),
        recipes=Recipes(
            {name: encoding.to_json() for name, encoding in encodings.items()},
            longest_s=dict.fromkeys(encodings, longest_clip([c for c in good if c.clip_id not in reasons], store)),
        ),
        inputs={"sounds": digest_json([[clip.clip_id, clip.digest] for clip in planned])},
        started=started,
        waiting=waiting,
    )
    return replace(drawn, warnings=(*drawn.warnings, *encoding_warnings(encodings), *identical_copies(good)))


def count_cached(clips: pd.DataFrame, encodings: Mapping[str, Encoding], *, store: Store) -> dict[str, int]:
    """How many images of each encoding the store has.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    encodings : mapping of str to Encoding
    store : Store
    """
    good = [clip for clip in digest_clips(clips, FileDigests(store), jobs=1, strict=False) if clip.digest]
    counts = {}
    for name, encoding in encodings.items():
        version = image_version(encoding)
        counts[name] = sum(store.has("images", image_key(clip.digest, version), ".png") for clip in good)
    return counts


def check_names(encodings: Mapping[str, Encoding], out: Path) -> None:
    """Refuse an encoding that is named like a merge which the folder has."""
    merges = read_recipes(out).merges
    for name in encodings:
        if name in merges:
            raise SettingsError(f"encoding={name!r}: {out} has a merge of that name; give it another, or another --out")


def digest_clips(clips: pd.DataFrame, digests: FileDigests, *, jobs: int, strict: bool) -> list[Clip]:
    """The clips with their digests; reading and hashing leave Python's lock alone, so threads do."""

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


def image_task(
    clip: Clip,
    encodings: Mapping[str, Encoding],
    versions: Mapping[str, tuple[Mapping[str, str], str]],
    out: Path,
    store: Store,
) -> ImageTask:
    """The images of one clip; `versions` has, by encoding, what it adds to every key, and its column ``spec``."""
    images = []
    for name, encoding in encodings.items():
        path = relative_path(name, clip.label, clip.clip_id)
        row: dict[str, object] = {
            "clip_id": clip.clip_id,
            "encoding": name,
            "path": path,
            "label": clip.label,
            "fold": clip.fold,
            "group": clip.group,
            "spec": versions[name][1],
        }
        images.append(PlannedImage(row, image_key(clip.digest, versions[name][0]), out / path, encoding))
    path = absolute(clip.path)
    make = partial(draw_pngs, path, start_s=clip.start_s, end_s=clip.end_s, digest=clip.digest)
    return ImageTask(clip.clip_id, tuple(images), make, store)


def longest_clip(clips: Sequence[Clip], store: Store) -> float:
    """Length of the longest clip in seconds, which headers tell; once for the same sounds."""
    key = key_of(sounds=[clip.digest for clip in clips], code=code_version(audio.__name__))
    known = store.get_json("lengths", key)
    if known is None:
        known = audio.longest((clip.path, clip.start_s, clip.end_s) for clip in clips)
        store.put_json("lengths", key, known)
    return float(known)


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
