"""Merge images that have no files: planned here, made where they are drawn, recorded without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import ImageError
from harness.files import digest_json
from harness.images import ImageRun, finish, relative_path
from harness.memory_images import MemoryClip, MemoryImage, MemoryMerge
from harness.memory_runs import rows_of
from harness.merge_order import in_order
from harness.recipes import MERGE, Recipes, merge_digest
from merger.pipeline import check_names
from merger.registry import method_code
from merger.spec import MergeMethod

__all__ = ["finish_merges", "plan_merges"]


def plan_merges(
    clips: Sequence[MemoryClip], methods: Mapping[str, MergeMethod], out: str | Path
) -> tuple[MemoryClip, ...]:
    """Plan to merge every clip's images in memory.

    Parameters
    ----------
    clips : sequence of MemoryClip
    methods : mapping of str to MergeMethod
        By the name that the merged images go under.
    out : path
        Folder of images.

    Returns
    -------
    tuple of MemoryClip
        The clips, with their merges.

    Raises
    ------
    SettingsError
        A merge named like an encoding, a partner that no clip has, or a merge that is made of itself.
    """
    if not clips:
        return ()
    names = [str(each.row["encoding"]) for each in clips[0].drawn]
    check_names(methods, pd.DataFrame({"encoding": names}), Path(out), Path(out))
    versions: dict[str, dict[str, Any]] = {
        name: {"spec": method.to_json(), "code": method_code(method)} for name, method in methods.items()
    }
    planned = []
    for clip in clips:
        rows = {str(each.row["encoding"]): each.row for each in clip.drawn}
        merged = []
        for name in in_order({name: method.partners for name, method in methods.items()}):
            method = methods[name]
            specs = {partner: str(rows[partner]["spec"]) for partner in method.partners}
            first = rows[method.partners[0]]
            row: dict[str, object] = {
                **first,
                "encoding": name,
                "path": relative_path(name, str(first["label"]), clip.clip_id),
                "spec": merge_digest(versions[name]["spec"], specs),
            }
            rows[name] = row
            merged.append(MemoryMerge(row, method, versions[name]))
        planned.append(replace(clip, merged=tuple(merged)))
    return tuple(planned)


def finish_merges(
    clips: Sequence[MemoryClip],
    methods: Mapping[str, MergeMethod],
    out: str | Path,
    drawn: Mapping[tuple[str, str], MemoryImage],
    reasons: Mapping[tuple[str, str], str],
    *,
    started: float,
) -> ImageRun:
    """Write ``images.csv``, ``failures.csv`` and ``run.json`` when the images are merged.

    Parameters
    ----------
    clips : sequence of MemoryClip
        Those that were drawn.
    methods, out
        As for :func:`plan_merges`.
    drawn : mapping of (clip_id, name) to MemoryImage
        Images and merges that there are.
    reasons : mapping of (clip_id, name) to str
        Merges that could not be made, and why.
    started : float
        `time.monotonic` at the start.

    Raises
    ------
    ImageError
        Where none of several images could be merged.
    """
    paths = {clip.clip_id: clip.path for clip in clips}
    failures: list[dict[str, object]] = [
        {"clip_id": clip_id, "path": paths[clip_id], "reason": f"{name}: {reason}"}
        for (clip_id, name), reason in reasons.items()
    ]
    places = [(clip.clip_id, name) for name in methods for clip in clips if (clip.clip_id, name) not in reasons]
    if failures and not places:
        first = f"{failures[0]['clip_id']}: {failures[0]['reason']}"
        raise ImageError(f"none of {len(failures)} images could be merged; the first: {first}")
    partners = {partner for method in methods.values() for partner in method.partners}
    used = [row for clip in clips for row in clip.rows if row["encoding"] in partners]
    return finish(
        Path(out),
        MERGE,
        rows=rows_of(drawn[place] for place in places),
        failures=failures,
        recipes=Recipes(
            merges={name: method.to_json() for name, method in methods.items()},
            partners={name: method.partners for name, method in methods.items()},
        ),
        inputs={"images": digest_json([[row["clip_id"], row["encoding"], row["path"], row["spec"]] for row in used])},
        started=started,
    )
