"""Merge the pictures of many clips, joined on clip_id, each once.

A merged picture's key in the store is made of its partners' bytes, the merge's spec and the version of the code
that merges.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import image, tables
from harness import images as pictures
from harness.errors import ImageError, SettingsError, did_you_mean
from harness.files import digest_bytes, digest_json
from harness.parallel import in_parallel
from harness.record import read_steps, record_step
from harness.store import Store, key_of
from harness.tables import FAILURES, IMAGES
from merger.registry import code_version, spec_from_json
from merger.spec import MergeSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STEP", "merge_all"]

STEP = "merge"
_PARTNER = ("label", "fold", "group")


@dataclass(frozen=True)
class Task:
    """One merged picture: from which files, where to, and what came of it."""

    name: str
    spec: MergeSpec
    clip: Mapping[str, str]
    partners: Mapping[str, tuple[Path, str]]
    target: Path
    store: Store

    def row(self, out: Path) -> dict[str, object]:
        """The picture's row of ``images.csv``; its spec is the merge's and its partners'."""
        spec = {"merge": self.spec.to_json(), "partners": {name: spec for name, (_, spec) in self.partners.items()}}
        path = self.target.relative_to(out).as_posix()
        return {"encoding": self.name, "path": path, "spec": digest_json(spec)[:16], **self.clip}


def merge_all(
    images: pd.DataFrame,
    images_root: str | Path,
    merges: Mapping[str, MergeSpec],
    out: str | Path,
    *,
    store: Store,
    jobs: int = 1,
    strict: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge every clip's pictures; write ``images.csv``, ``failures.csv`` and ``run.json``.

    Parameters
    ----------
    images : DataFrame
        The images table that has the partners.
    images_root : path
        What its paths are relative to.
    merges : mapping of str to MergeSpec
        By the name that the merged pictures go under.
    out : path
        Folder of pictures, usually `images_root`. Other encodings' rows and pictures in it stay.
    store : Store
        Where pictures are kept.
    jobs : int
        Processes; 1 stays in this one, -1 takes as many as there are cores.
    strict : bool
        Stop at the first clip that cannot be merged.

    Returns
    -------
    images : DataFrame
        The rows of these merges.
    failures : DataFrame
        Clips that could not be merged (a partner is missing, sizes differ), with the reason.

    Raises
    ------
    ImageError
        With `strict`, the first clip that cannot be merged; and where none of several clips can be.
    SettingsError
        A merge named like an encoding, or a partner that no clip has.
    """
    started, out, root = time.monotonic(), Path(out), Path(images_root)
    images = tables.check(images, IMAGES)
    _check_names(merges, images, root, out)
    tasks, reasons = _plan(images, root, merges, out, store)
    pictures.check_paths(tables.frame([task.row(out) for task in tasks], IMAGES))
    failed = _merge_missing(tasks, jobs=jobs, strict=strict)
    reasons += [(task.clip["clip_id"], str(task.target), f"{task.name}: {why}") for task, why in failed]
    gone = {task.target for task, _ in failed}
    done = [task.row(out) for task in tasks if task.target not in gone]
    if reasons and strict:
        raise ImageError(f"clip_id={reasons[0][0]!r}: {reasons[0][2]}")
    if reasons and not done:
        raise ImageError(
            f"none of {len(reasons)} pictures could be merged; the first: {reasons[0][0]}: {reasons[0][2]}"
        )
    merged = pictures.publish(out, done, encodings=merges)
    failures = _failures(reasons)
    pictures.report_failures(out, failures, step=STEP)
    _record(out, merges, images, started)
    return merged, failures


def merge_task(task: Task) -> str:
    """Merge one picture, or take it from the store; the reason where that cannot be done, else ''."""
    try:
        if _take(task):
            return ""
        data = _partner_bytes(task)
        decoded = {name: image.decode(each, name=str(task.partners[name][0])) for name, each in data.items()}
        merged = image.encode_png(task.spec.merge(decoded))
    except ImageError as error:
        return str(error)
    pictures.keep(task.store, _key(task, data), merged)
    pictures.deliver(merged, task.target)
    return ""


def _merge_missing(tasks: Sequence[Task], *, jobs: int, strict: bool) -> list[tuple[Task, str]]:
    """Bring every picture to its place, from the store or merged; give those that fail, with the reason."""
    missing = [task for task in tasks if not _taken(task)]
    failed = []
    for task, reason in zip(missing, in_parallel(merge_task, missing, jobs=jobs, what="merging"), strict=True):
        if reason and strict:
            raise ImageError(f"clip_id={task.clip['clip_id']!r}: {task.name}: {reason}")
        if reason:
            failed.append((task, reason))
    return failed


def _taken(task: Task) -> bool:
    """As :func:`_take`; a partner that cannot be read is named when the picture is merged."""
    try:
        return _take(task)
    except ImageError:
        return False


def _take(task: Task) -> bool:
    """Put a picture that the store has in its place; whether it has it."""
    merged = pictures.stored(task.store, _key(task, _partner_bytes(task)))
    if merged is not None:
        pictures.deliver(merged, task.target)
    return merged is not None


def _key(task: Task, data: Mapping[str, bytes]) -> str:
    digests = {name: digest_bytes(each) for name, each in data.items()}
    return key_of(partners=digests, spec=task.spec.to_json(), code=code_version(task.spec.how))


def _partner_bytes(task: Task) -> dict[str, bytes]:
    return {name: _bytes(path) for name, (path, _) in task.partners.items()}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error


def _check_names(merges: Mapping[str, MergeSpec], images: pd.DataFrame, root: Path, out: Path) -> None:
    drawn = {
        name
        for each in (root, out)
        for name in read_steps(each).get("convert", {}).get("spec", {}).get("encodings", {})
    }
    there = sorted(set(images["encoding"]))
    for name, spec in merges.items():
        if name in drawn or name in spec.partners:
            raise SettingsError(f"name={name!r}: an encoding has that name already; give the merge another")
        for partner in spec.partners:
            if partner not in there:
                raise SettingsError(
                    f"merge {name!r} is of {partner!r}, which no clip has; {did_you_mean(partner, there)}"
                )


def _plan(
    images: pd.DataFrame, root: Path, merges: Mapping[str, MergeSpec], out: Path, store: Store
) -> tuple[list[Task], list[tuple[str, str, str]]]:
    """A task for each clip that has all partners, and the reasons why others have none."""
    clips: dict[str, dict[str, dict[str, str]]] = {}
    for row in images.to_dict("records"):
        clips.setdefault(row["clip_id"], {})[row["encoding"]] = row
    tasks, reasons = [], []
    for name, spec in merges.items():
        for clip_id, rows in clips.items():
            have = [partner for partner in spec.partners if partner in rows]
            missing = [partner for partner in spec.partners if partner not in rows]
            if missing and have:
                reasons.append((clip_id, "", f"{name}: the clip has no picture of {', '.join(missing)}"))
            if missing:
                continue
            first = rows[have[0]]
            tasks.append(
                Task(
                    name=name,
                    spec=spec,
                    clip={"clip_id": clip_id} | {column: first[column] for column in _PARTNER},
                    partners={p: (root / rows[p]["path"], rows[p]["spec"]) for p in spec.partners},
                    target=out / pictures.relative_path(name, first["label"], clip_id),
                    store=store,
                )
            )
    return tasks, reasons


def _failures(reasons: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    rows: list[dict[str, object]] = [
        {"clip_id": clip_id, "path": path, "step": STEP, "reason": reason} for clip_id, path, reason in reasons
    ]
    return tables.frame(rows, FAILURES)


def _record(out: Path, merges: Mapping[str, MergeSpec], images: pd.DataFrame, started: float) -> None:
    """Write the step; the specs of merges that lie in the folder from earlier runs are kept."""
    earlier: dict[str, Any] = read_steps(out).get(STEP, {}).get("spec", {}).get("merges", {})
    there = set(tables.read(out / IMAGES.name, IMAGES)["encoding"])
    kept = {name: spec for name, spec in earlier.items() if name in there}
    whole = kept | {name: spec.to_json() for name, spec in merges.items()}
    partners = {name: list(spec_from_json(spec).partners) for name, spec in whole.items()}
    used = images[images["encoding"].isin({partner for spec in merges.values() for partner in spec.partners})]
    record_step(
        out,
        STEP,
        spec={"merges": whole, "partners": partners},
        inputs={"images": digest_json(used[["clip_id", "encoding", "path", "spec"]].values.tolist())},
        started=started,
    )
