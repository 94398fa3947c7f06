"""Any CSV file that names sounds, one line per clip.

The root is the file itself. Its columns are those of a clips table (path, label, fold, group, start_s, end_s, clip_id)
or are named by `columns`, as ``path=file``; only the path must be there. A column ``split`` counts as fold where
there is no column ``fold``. Paths are absolute or relative to the CSV.
``start_s`` and ``end_s`` take a part of a file, in seconds; parts of one file are one group where no group is given.

Comma, semicolon and tab separate; a clips table that soundfold wrote is read back as it was.
Licence and citation are those of the recordings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, read_metadata
from harness.errors import SettingsError, TableError
from harness.remote import as_path
from harness.split_parts import part_of
from harness.tables import CLIPS
from harness.urls import located, url_of

__all__ = ["CSV"]


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per line of the CSV file `root`."""
    if root.is_dir():
        raise SettingsError(f"root={root}: is a folder; the corpus 'csv' takes the CSV file itself")
    if not root.is_file():
        raise TableError(
            f"{root}: no such file; expected a CSV with columns path and, as there are, label, fold, group"
        )
    table = read_metadata(root, options.columns)
    names = _names(root, list(table.columns), options.columns)
    if names["path"] not in table.columns:
        read_metadata(root, {"path": names["path"]})  # which says what is missing
    cells = {column: table[name].str.strip().tolist() for column, name in names.items() if name in table.columns}
    if "fold" in cells:
        cells["fold"] = _one_spelling(cells["fold"])
    empty = [line for line, path in enumerate(cells["path"], start=2) if not path.strip()]
    if empty:
        raise TableError(f"{root}: column {names['path']!r} is empty in row {empty[0]}")
    rows = [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]
    return [{**row, "path": _resolved(row["path"], root.parent)} for row in rows]


def _names(root: Path, header: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The name in the file for each column of a clips table: given, or equal but for case and blanks.

    Raises
    ------
    TableError
        A column `fold` and a column `split`, and nobody said which counts.
    """
    plain = {name.strip().lower(): name for name in reversed(header)}
    names = {column: given.get(column, plain.get(column, column)) for column in CLIPS.columns}
    if "fold" not in given and "split" in plain:
        if "fold" in plain:
            raise TableError(
                f"{root}: has a column {plain['fold']!r} and a column {plain['split']!r}; say by columns which counts, "
                f"fold={plain['fold']} or fold={plain['split']}"
            )
        names["fold"] = plain["split"]
    return names


def _one_spelling(folds: Sequence[str]) -> list[str]:
    """Folds with one name for each part of a single split, the first that it has: ``TRAIN`` becomes ``train``."""
    first: dict[str, str] = {}
    return [first.setdefault(part, fold) if (part := part_of(fold)) else fold for fold in folds]


def _resolved(written: str, base: Path) -> Path:
    """The file that a cell means: relative to the CSV's folder; backslashes separate where they cannot be in a name."""
    path = as_path(located(written, base))
    if "\\" in written and not path.exists():
        path = as_path(located(written.replace("\\", "/"), base))
    return path if url_of(path) else Path(os.path.normpath(path))


CSV = Corpus(
    name="csv",
    title="Any CSV that names sounds",
    citation="none: your own recordings",
    licence="that of the recordings",
    url="",
    folds="a column fold or split",
    group="a column; else the file that clips are cut from",
    scan=_scan,
    columns=True,
)
