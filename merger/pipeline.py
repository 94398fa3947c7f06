"""Merge the images of many clips, joined on clip_id, each once.

A merged image's key in the store is made of its partners' bytes, the merge method's settings and the code that merges.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from harness import cluster, image, tables
from harness.digests import FileDigests
from harness.duplicates import copy_corpus_record
from harness.errors import ImageError, SettingsError, did_you_mean
from harness.files import digest_json
from harness.image_tasks import ImageTask, PlannedImage
from harness.images import ImageRun, begin, check_files, check_paths, failed_tasks, finish, relative_path
from harness.recipes import MERGE, Recipes, merge_digest, read_recipes
from harness.run_lock import locks_folder
from harness.store import Store, key_of
from harness.store_care.runs import record_use
from harness.tables import IMAGES
from merger.merging import merge_pngs
from merger.registry import method_code
from merger.spec import MergeMethod

__all__ = ["check_names", "merge_images", "merge_table"]


def merge_table(
    path: str | Path, methods: Mapping[str, MergeMethod], out: str | Path, *, store: Store, jobs: int, strict: bool
) -> ImageRun:
    """Merge the images of an ``images.csv``; see :func:`merge_images`."""
    images = tables.read(path, IMAGES)
    merged = merge_images(images, Path(path).parent, methods, out, store=store, jobs=jobs, strict=strict)
    copy_corpus_record(Path(path).parent, out)
    return merged


@locks_folder("out")
def merge_images(
    images: pd.DataFrame,
    images_root: str | Path,
    methods: Mapping[str, MergeMethod],
    out: str | Path,
    *,
    store: Store,
    jobs: int = 1,
    strict: bool = False,
) -> ImageRun:
    """Merge every clip's images; write ``images.csv``, ``failures.csv`` and ``run.json``.

    Parameters
    ----------
    images : DataFrame
        The images table that has the partners.
    images_root : path
        What its paths are relative to.
    methods : mapping of str to MergeMethod
        By the name that the merged images go under.
    out : path
        Folder of images, usually `images_root`. Other encodings' rows and images in it stay.
    store : Store
        Where images are taken from and put.
    jobs : int
        Processes; 1 stays in this one, -1 takes as many as there are cores.
    strict : bool
        Stop at the first clip that cannot be merged.

    Returns
    -------
    ImageRun
        The rows of these merges; clips that could not be merged (a partner is missing, sizes differ); the methods.

    Raises
    ------
    ImageError
        With `strict`, the first clip that cannot be merged; and where none of several clips can be.
    SettingsError
        A merge named like an encoding, or a partner that no clip has.
    """
    started, out, root = time.monotonic(), Path(out), Path(images_root)
    images = tables.check(images, IMAGES)
    check_names(methods, images, root, out)
    partners = {partner for method in methods.values() for partner in method.partners}
    check_files(images[images["encoding"].isin(partners)], root / IMAGES.name)
    with FileDigests(store) as digests:
        tasks, failures = _plan(images, root, methods, out, store, digests)
    check_paths(tasks)
    cluster.require(files=[root / path for path in images["path"][:1]], folders=[store.root, out])
    _stop_at_first(failures, strict)
    failed = set()
    with FileDigests(store) as digests:
        begin(out, tasks, digests)
        for task, reason in failed_tasks(tasks, digests=digests, jobs=jobs, what="merging"):
            row = task.images[0].row
            failed.add(row["path"])
            path, reason = str(out / str(row["path"])), f"{row['encoding']}: {reason}"
            failures.append({"clip_id": task.clip_id, "path": path, "reason": reason})
            _stop_at_first(failures, strict)
    record_use(store, out, MERGE, [planned.key for task in tasks for planned in task.images])
    done = [task for task in tasks if task.images[0].row["path"] not in failed]
    if failures and not done:
        first = f"{failures[0]['clip_id']}: {failures[0]['reason']}"
        raise ImageError(f"none of {len(failures)} images could be merged; the first: {first}")
    used = images[images["encoding"].isin(partners)]
    return finish(
        out,
        MERGE,
        rows=(task.images[0].row for task in done),
        failures=failures,
        recipes=Recipes(
            merges={name: method.to_json() for name, method in methods.items()},
            partners={name: method.partners for name, method in methods.items()},
        ),
        inputs={"images": digest_json(used[["clip_id", "encoding", "path", "spec"]].values.tolist())},
        started=started,
    )


def _stop_at_first(failures: Sequence[Mapping[str, object]], strict: bool) -> None:
    if failures and strict:
        raise ImageError(f"clip_id={failures[0]['clip_id']!r}: {failures[0]['reason']}")


def check_names(methods: Mapping[str, MergeMethod], images: pd.DataFrame, root: Path, out: Path) -> None:
    """Refuse a merge that is named like an encoding, and a partner that no clip has."""
    drawn = {*read_recipes(root).encodings, *read_recipes(out).encodings}
    there = sorted(set(images["encoding"]))
    for name, method in methods.items():
        if name in drawn or name in method.partners:
            raise SettingsError(f"name={name!r}: an encoding has that name already; give the merge another")
        for partner in method.partners:
            if partner not in there:
                raise SettingsError(
                    f"merge {name!r} is of {partner!r}, which no clip has; {did_you_mean(partner, there)}"
                )


def _plan(
    images: pd.DataFrame,
    root: Path,
    methods: Mapping[str, MergeMethod],
    out: Path,
    store: Store,
    digests: FileDigests,
) -> tuple[list[ImageTask], list[dict[str, object]]]:
    """A task for each clip and method that has all partners; rows of failures for the others."""
    clips: dict[str, dict[str, dict[str, str]]] = {}
    for row in images.to_dict("records"):
        clips.setdefault(row["clip_id"], {})[row["encoding"]] = row
    tasks: list[ImageTask] = []
    failures: list[dict[str, object]] = []
    for name, method in methods.items():
        version = {"spec": method.to_json(), "code": method_code(method)}
        for clip_id, rows in clips.items():
            missing = [partner for partner in method.partners if partner not in rows]
            if missing and len(missing) < len(method.partners):
                reason = f"{name}: the clip has no image of {', '.join(missing)}"
                failures.append({"clip_id": clip_id, "path": "", "reason": reason})
            if missing:
                continue
            try:
                tasks.append(_task(name, method, version, rows, root, out, store, digests))
            except ImageError as error:
                path = str(out / relative_path(name, rows[method.partners[0]]["label"], clip_id))
                failures.append({"clip_id": clip_id, "path": path, "reason": f"{name}: {error}"})
    return tasks, failures


def _task(
    name: str,
    method: MergeMethod,
    version: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, str]],
    root: Path,
    out: Path,
    store: Store,
    digests: FileDigests,
) -> ImageTask:
    first = rows[method.partners[0]]
    paths = {partner: root / rows[partner]["path"] for partner in method.partners}
    of = {partner: image.digest_of(path, digests) for partner, path in paths.items()}
    relative = relative_path(name, first["label"], first["clip_id"])
    specs = {partner: rows[partner]["spec"] for partner in method.partners}
    row: dict[str, object] = {
        "clip_id": first["clip_id"],
        "encoding": name,
        "path": relative,
        "label": first["label"],
        "fold": first["fold"],
        "group": first["group"],
        "spec": merge_digest(version["spec"], specs),
    }
    key = key_of(partners=of, **version)
    files = {partner: (paths[partner].absolute(), of[partner]) for partner in paths}
    planned = PlannedImage(row, key, out.absolute() / relative, method)
    return ImageTask(first["clip_id"], (planned,), partial(merge_pngs, files=files), store)
