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
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, read_metadata
from harness.errors import SettingsError, TableError
from harness.tables import CLIPS

__all__ = ["CSV"]


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per line of the CSV file `root`."""
    if root.is_dir():
        raise SettingsError(f"root={root}: is a folder; the corpus 'csv' takes the CSV file itself")
    needed = {"path": options.columns.get("path", "path"), **options.columns}
    table = read_metadata(root, needed)
    names = {column: options.columns.get(column, column) for column in CLIPS.columns}
    if names["fold"] not in table.columns and "split" in table.columns:
        names["fold"] = "split"
    cells = {column: table[name].tolist() for column, name in names.items() if name in table.columns}
    empty = [line for line, path in enumerate(cells["path"], start=2) if not path.strip()]
    if empty:
        raise TableError(f"{root}: column {names['path']!r} is empty in row {empty[0]}")
    rows = [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]
    return [{**row, "path": _resolved(row["path"], root.parent)} for row in rows]


def _resolved(written: str, base: Path) -> Path:
    """The file that a cell means: relative to the CSV's folder; backslashes separate where they cannot be in a name."""
    path = base / written
    if "\\" in written and not path.exists():
        path = base / written.replace("\\", "/")
    return Path(os.path.normpath(path))


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
