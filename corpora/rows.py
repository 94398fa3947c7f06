"""Rows as a corpus gives them, completed: what a pattern finds in their paths, clip ids, groups; wanted classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora.base import Row
from corpora.patterns import apply_pattern
from harness.cells import utf8_text
from harness.errors import SettingsError, TableError, did_you_mean
from harness.remote import as_path
from harness.tables import class_order

__all__ = ["completed", "of_classes", "relative_path"]


def completed(rows: Sequence[Row], base: Path, pattern: str) -> list[Row]:
    """Rows with a clip_id each, what the pattern finds, and the file as group where several clips are cut from it.

    A name that is not UTF-8 is written as text that names no file, so that the clip fails as one whose file is missing.
    """
    files = [as_path(row["path"]) for row in rows]
    relative = [relative_path(path, base) for path in files]
    if pattern:
        rows = apply_pattern(rows, relative, pattern)
    sharing = Counter(path.name for path in set(files))
    cuts = Counter(files)
    starts = Counter((path, _cut_mark(row)) for row, path in zip(rows, files, strict=True))
    done = []
    for row, path, below in zip(rows, files, relative, strict=True):
        whole = path.name if sharing[path.name] == 1 else below
        group = row.get("group") or (whole if cuts[path] > 1 else "")
        mark = _cut_mark(row, with_end=starts[path, _cut_mark(row)] > 1)
        clip_id = row.get("clip_id") or whole + mark
        given = {**row, "clip_id": clip_id, "path": str(path), "group": group}
        done.append({name: utf8_text(cell) if isinstance(cell, str) else cell for name, cell in given.items()})
    return done


def of_classes(rows: list[Row], classes: Sequence[str]) -> list[Row]:
    """The rows of the wanted classes; all where none is named.

    Raises
    ------
    SettingsError
        A class that no row has.
    """
    known = class_order(str(row.get("label", "")) for row in rows)
    for label in classes:
        if label not in known:
            raise SettingsError(f"classes: {label!r} is not a class of this corpus; {did_you_mean(label, known)}")
    return [row for row in rows if row.get("label") in set(classes)] if classes else rows


def relative_path(path: Path, base: Path) -> str:
    """A path relative to a folder, with forward slashes; one that lies elsewhere stays as it is."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:  # a CSV may name files elsewhere
        return path.as_posix()


def _cut_mark(row: Row, *, with_end: bool = False) -> str:
    """``@start`` in seconds for a part of a file, ``@start-end`` where another starts there; empty for all of it."""
    start, end = _seconds(row, "start_s"), _seconds(row, "end_s")
    if math.isnan(start) and math.isnan(end):
        return ""
    until = f"-{'end' if math.isnan(end) else _short(end)}" if with_end else ""
    return f"@{_short(0.0 if math.isnan(start) else start)}{until}"


def _short(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _seconds(row: Row, column: str) -> float:
    value: Any = row.get(column, math.nan)
    try:
        return math.nan if value == "" else float(value)
    except ValueError:
        raise TableError(f"{row['path']}: {column}={value!r} is not a number of seconds") from None
