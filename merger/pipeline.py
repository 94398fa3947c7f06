"""Merge the images of many clips, joined on clip_id, each once.

A merged image's key in the store is made of its partners' bytes, the merge method's settings and the code that merges.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
from harness.merge_order import levels
from harness.outdated import WaitingMerges
from harness.recipes import MERGE, Recipes, merge_digest, read_recipes
from harness.run_lock import locks_folder
from harness.store import Store, key_of
from harness.store_care.runs import record_use
from harness.tables import IMAGES
from merger.merging import merge_pngs
from merger.other_folders import source_of, stale_merges
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
        By the name that the merged images go under. A merge may be one of merges, of `images` or of these.
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
        A merge named like an encoding, a partner that no clip has, or a merge that is made of itself.
    """
    started, out, root = time.monotonic(), Path(out), Path(images_root)
    images = tables.check(images, IMAGES)
    check_names(methods, images, root, out)
    partners = {partner for method in methods.values() for partner in method.partners}
    used = images[images["encoding"].isin(partners.difference(methods))]
    check_files(used, root / IMAGES.name)
    cluster.require(files=[root / path for path in images["path"][:1]], folders=[store.root, out])
    run = _Merging(_rows_by_clip(used, root), out, store, jobs, strict)
    for level in levels({name: method.partners for name, method in methods.items()}):
        run.merge({name: methods[name] for name in level})
    record_use(store, out, MERGE, run.keys)
    if run.failures and not run.done:
        first = f"{run.failures[0]['clip_id']}: {run.failures[0]['reason']}"
        raise ImageError(f"none of {len(run.failures)} images could be merged; the first: {first}")
    with FileDigests(store) as digests:
        stale = stale_merges(images, root, partners, digests)
        sources = {name: _source(images, root, out, name, methods, run, digests) for name in methods}
    by_name = {name: [row for row in run.done if row["encoding"] == name] for name in methods}
    made = finish(
        out,
        MERGE,
        rows=(row for rows in by_name.values() for row in rows),
        failures=run.failures,
        recipes=Recipes(
            merges={name: method.to_json() for name, method in methods.items()},
            partners={name: method.partners for name, method in methods.items()},
            sources=sources,
        ),
        inputs={"images": digest_json(used[["clip_id", "encoding", "path", "spec"]].values.tolist())},
        started=started,
        waiting=run.waiting,
    )
    return replace(made, warnings=(*made.warnings, *stale))


@dataclass
class _Merging:
    """Merges, those that are made of others after them.

    Parameters
    ----------
    clips : dict of str to dict of str to dict
        By clip and encoding the rows of ``images.csv``, with absolute paths; the merges that are done are added.
    out, store, jobs, strict
        As for :func:`merge_images`.
    """

    clips: dict[str, dict[str, dict[str, Any]]]
    out: Path
    store: Store
    jobs: int
    strict: bool
    done: list[dict[str, object]] = field(default_factory=list)
    failures: list[dict[str, object]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    waiting: WaitingMerges = field(default_factory=WaitingMerges)

    def merge(self, methods: Mapping[str, MergeMethod]) -> None:
        """Make merges of what there is."""
        with FileDigests(self.store) as digests:
            tasks = [task for name in methods for task in self._plan(name, methods[name], digests)]
        check_paths(tasks)
        failed = set()
        with FileDigests(self.store) as digests:
            waiting = begin(self.out, tasks, digests)
            for task, reason in failed_tasks(tasks, digests=digests, jobs=self.jobs, what="merging"):
                row = task.images[0].row
                failed.add(row["path"])
                self._fail(task.clip_id, str(self.out / str(row["path"])), f"{row['encoding']}: {reason}")
            waiting.compare(digests)
        self.waiting.add(waiting)
        self.keys += [planned.key for task in tasks for planned in task.images]
        for row in (task.images[0].row for task in tasks):
            if row["path"] not in failed:
                self.done.append(row)
                absolute = str(self.out.absolute() / str(row["path"]))
                self.clips[str(row["clip_id"])][str(row["encoding"])] = {**row, "path": absolute}

    def _plan(self, name: str, method: MergeMethod, digests: FileDigests) -> Iterator[ImageTask]:
        """A task for each clip that has all partners; the others are failures."""
        version = {"spec": method.to_json(), "code": method_code(method)}
        for clip_id, rows in self.clips.items():
            missing = [partner for partner in method.partners if partner not in rows]
            if len(missing) == len(method.partners):
                continue
            if missing:
                self._fail(clip_id, "", f"{name}: the clip has no image of {', '.join(missing)}")
                continue
            try:
                yield _task(name, method, version, rows, self.out, self.store, digests)
            except ImageError as error:
                path = str(self.out / relative_path(name, rows[method.partners[0]]["label"], clip_id))
                self._fail(clip_id, path, f"{name}: {error}")

    def _fail(self, clip_id: str, path: str, reason: str) -> None:
        if self.strict:
            raise ImageError(f"clip_id={clip_id!r}: {reason}")
        self.failures.append({"clip_id": clip_id, "path": path, "reason": reason})


def _source(
    images: pd.DataFrame,
    root: Path,
    out: Path,
    name: str,
    methods: Mapping[str, MergeMethod],
    run: _Merging,
    digests: FileDigests,
) -> dict[str, str]:
    """Where the partners of a merge lie, and a digest of them; empty where they lie in the merge's own folder."""
    of = methods[name].partners
    if root.resolve() == out.resolve() or not set(of).isdisjoint(methods):
        return {}
    clips = [str(row["clip_id"]) for row in run.done if row["encoding"] == name]
    return {"folder": str(root.absolute()), "digest": source_of(images, root, of, clips, digests)}


def _rows_by_clip(images: pd.DataFrame, root: Path) -> dict[str, dict[str, dict[str, Any]]]:
    clips: dict[str, dict[str, dict[str, Any]]] = {}
    for row in images.to_dict("records"):
        row["path"] = os.path.join(root.absolute(), row["path"])
        clips.setdefault(row["clip_id"], {})[row["encoding"]] = row
    return clips


def check_names(methods: Mapping[str, MergeMethod], images: pd.DataFrame, root: Path, out: Path) -> None:
    """Refuse a merge named like an encoding, a partner that no clip has, and a merge that is made of itself."""
    drawn = {*read_recipes(root).encodings, *read_recipes(out).encodings}
    there = sorted({*images["encoding"], *methods})
    for name, method in methods.items():
        if name in drawn:
            raise SettingsError(f"name={name!r}: an encoding has that name already; give the merge another")
        for partner in method.partners:
            if partner not in there:
                raise SettingsError(
                    f"merge {name!r} is of {partner!r}, which no clip has; "
                    f"{did_you_mean(partner, [each for each in there if each != name])}"
                )
    levels({**read_recipes(out).partners, **{name: method.partners for name, method in methods.items()}})


def _task(
    name: str,
    method: MergeMethod,
    version: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    out: Path,
    store: Store,
    digests: FileDigests,
) -> ImageTask:
    first = rows[method.partners[0]]
    paths = {partner: Path(rows[partner]["path"]) for partner in method.partners}
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
    files = {partner: (paths[partner], of[partner]) for partner in paths}
    planned = PlannedImage(row, key, out.absolute() / relative, method)
    return ImageTask(first["clip_id"], (planned,), partial(merge_pngs, files=files), store)
