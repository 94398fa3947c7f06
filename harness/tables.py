"""The tables that stages hand each other: their columns, their checks, reading and writing.

Every table is a CSV file with one header line. Text stays text on the way in ("03" does not become 3),
numbers are float64, an empty number is NaN. A table with semicolons, as spreadsheets write where the decimal sign is a
comma, is read too. A broken table is one line that names file, column and row.
"""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.cells import unguarded_columns, write_cells
from harness.errors import TableError
from harness.files import natural_key
from harness.remote import as_path, fetch
from harness.urls import absolute, located, url_of

__all__ = [
    "CLIPS",
    "DUPLICATES",
    "FAILURES",
    "HISTORY",
    "IMAGES",
    "METRICS",
    "PREDICTIONS",
    "REPEATS",
    "RESERVED_FOLDS",
    "SUSPECTS",
    "RowError",
    "Schema",
    "check",
    "class_order",
    "fold_order",
    "frame",
    "lines_named",
    "read",
    "read_located",
    "score_columns",
    "write",
]

SCORE_PREFIX = "p:"
_DECIMAL_COMMA = r"^([+-]?\d*),(\d+)$"
_TEXT = pd.Series([], dtype=str).dtype

RESERVED_FOLDS = frozenset({"mean", "std", "pooled", "encoding", "module", "head", "seed"})
"""Names that no fold may have: those of summaries, and of columns beside the folds."""


class RowError(TableError):
    """Rows of a table are wrong; the message numbers them as the lines of its file, where there is one.

    Parameters
    ----------
    text : str
        With ``{0}``, ``{1}`` ... for the numbers of the rows.
    rows : sequence of int
        From 0. As rows of a file without empty lines they are numbered from 2, behind the header.
    """

    def __init__(self, text: str, rows: Sequence[int]) -> None:
        self.text, self.rows = text, list(rows)
        super().__init__(text.format(*(row + 2 for row in self.rows)))


@dataclass(frozen=True)
class Schema:
    """Columns of one table.

    Parameters
    ----------
    name : str
        The usual file name.
    text, number : tuple of str
        Columns that hold text, and columns that hold numbers.
    key : tuple of str
        Columns that together name a row; no two rows may share them.
    filled : tuple of str
        Text columns that may not be empty.
    scores : bool
        Whether columns ``p:<class>`` follow.
    optional : tuple of str
        Text columns that an older table may lack; they are empty then.
    """

    name: str
    text: tuple[str, ...]
    number: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    scores: bool = False
    optional: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All fixed columns, in the order written."""
        return self.text + self.number


CLIPS = Schema(
    "clips.csv",
    text=("clip_id", "path", "label", "fold", "group"),
    number=("start_s", "end_s"),
    key=("clip_id",),
    filled=("clip_id", "path"),
)
IMAGES = Schema(
    "images.csv",
    text=("clip_id", "encoding", "path", "label", "fold", "group", "spec"),
    key=("clip_id", "encoding"),
    filled=("clip_id", "encoding"),  # an image that was drawn in memory has no path
)
PREDICTIONS = Schema(
    "predictions.csv",
    text=("clip_id", "encoding", "module", "head", "seed", "fold", "group", "copy_of", "label", "predicted"),
    key=("clip_id", "encoding", "module", "head", "seed"),
    filled=("clip_id", "encoding", "predicted"),
    scores=True,
    optional=("group", "copy_of"),
)
METRICS = Schema(
    "metrics.csv",
    text=("encoding", "module", "head", "seed", "fold", "class", "metric"),
    number=("value",),
    key=("encoding", "module", "head", "seed", "fold", "class", "metric"),
    filled=("encoding", "metric"),
)
REPEATS = Schema(
    "repeats.csv",
    text=("encoding", "module", "head", "seed", "repeat", "fold"),
    number=("accuracy", "train", "test"),
    key=("encoding", "module", "head", "seed", "repeat", "fold"),
    filled=("encoding", "repeat", "fold"),
)
HISTORY = Schema(
    "history.csv",
    text=("encoding", "module", "head", "seed", "fold", "split", "metric"),
    number=("epoch", "value"),
    key=("encoding", "module", "head", "seed", "fold", "split", "metric", "epoch"),
    filled=("encoding", "module", "fold", "split", "metric"),
)
"""``split`` is ``train`` or ``validation`` while the number of epochs is chosen, and ``refit`` in the final fit."""
DUPLICATES = Schema(
    "duplicates.csv",
    text=("clip_a", "clip_b", "fold_a", "fold_b", "group_a", "group_b", "kind"),
    number=("similarity", "offset_s"),
    key=("clip_a", "clip_b"),
    filled=("clip_a", "clip_b", "kind"),
)
SUSPECTS = Schema(
    "suspects.csv",
    text=("clip_id", "path", "label", "suggested", "accept"),
    number=("quality", "p_label", "p_suggested"),
    key=("clip_id",),
    filled=("clip_id", "label", "suggested"),
    optional=("path", "accept"),
)
FAILURES = Schema("failures.csv", text=("clip_id", "path", "step", "reason"), filled=("clip_id", "step"))


def frame(rows: Iterable[dict[str, object]], schema: Schema) -> pd.DataFrame:
    """Make a checked table from rows; columns that a row leaves out are empty."""
    table = pd.DataFrame(list(rows), dtype=object)  # else a 3 beside a gap becomes 3.0
    for column in schema.columns:
        if column not in table:
            table[column] = pd.NA
    return check(_typed(table, schema), schema)


def read(path: str | Path, schema: Schema) -> pd.DataFrame:
    """Read a table with its types pinned; `path` may be a URL.

    Raises
    ------
    TableError
        No such file, not a CSV, a column missing, a row given twice, a cell that should be filled empty.
    """
    path = as_path(path)
    if not path.is_file():
        raise TableError(f"{path}: no such table; expected {schema.name} with columns {_listed(schema)}")
    try:
        table = _parsed(path, schema)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a readable CSV ({str(error).strip()})") from error
    with lines_named(path):
        if not isinstance(table.index, pd.RangeIndex):  # pandas takes the cells in front as names of the rows
            names = f"{len(table.columns)} column{'s' if len(table.columns) > 1 else ''}"
            raise TableError(f"the rows have more cells than the header, which names {names}")
        return check(_typed(table, schema), schema)


@contextmanager
def lines_named(path: str | Path) -> Iterator[None]:
    """Name the file in errors on its table, and number rows as its lines; rows are in the order of the file.

    Raises
    ------
    TableError
        In place of one without the file.
    """
    try:
        yield
    except RowError as error:
        data = _bytes(as_path(path))
        lines, cells = _lines(data)
        rows = [row for row in error.rows if row < len(lines)]
        text = error.text.format(*(lines[row] for row in rows)) if len(rows) == len(error.rows) else str(error)
        short = [row for row in rows if cells[row] != cells[-1]]
        more = f"; line {lines[short[0]]} has {cells[short[0]]} cells, the header {cells[-1]}" if short else ""
        raise TableError(f"{path}: {text}{more}") from None
    except TableError as error:
        raise TableError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def read_located(path: str | Path, schema: Schema) -> pd.DataFrame:
    """As :func:`read`, with the column ``path``, relative to its folder, made absolute; URLs remain, and gaps."""
    table = read(path, schema)
    root = os.path.dirname(url_of(path) or Path(absolute(path)).resolve())
    return table.assign(path=[located(each, root) if each else "" for each in table["path"]])


def write(table: pd.DataFrame, path: str | Path, schema: Schema) -> None:
    """Check a table and write it atomically; numbers have their full precision."""
    checked = check(_typed(table, schema), schema)
    write_cells(checked, path)


def check(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Hold a table against its schema; return it with the columns in order.

    Raises
    ------
    TableError
        Naming the column, and the first offending row.
    """
    table = table.reset_index(drop=True)
    table = table.assign(**{c: "" for c in schema.optional if c not in table.columns})
    missing = [c for c in schema.columns if c not in table.columns]
    if missing:
        raise TableError(f"column {missing[0]!r} is missing; {schema.name} has {_listed(schema)}")
    for column in schema.filled:
        empty = table.index[table[column] == ""]
        if len(empty):
            raise RowError(f"column {_literal(column)} is empty in row {{0}}", [int(empty[0])])
    if schema.key:
        doubled = table.duplicated(list(schema.key))
        if doubled.any():
            second = int(doubled.idxmax())
            row = table.loc[second, list(schema.key)]
            first = int((table[list(schema.key)] == row).all(axis=1).idxmax())
            named = ", ".join(f"{c}={_literal(row[c])}" for c in schema.key)
            raise RowError(f"two rows have {named}; each may be there once (rows {{0}} and {{1}})", [first, second])
    scores = score_columns(table) if schema.scores else []
    return table[[*schema.columns, *scores]]


def score_columns(table: pd.DataFrame) -> list[str]:
    """The score columns ``p:<class>`` of a table, in its order."""
    return [c for c in table.columns if str(c).startswith(SCORE_PREFIX)]


def fold_order(folds: Iterable[str]) -> list[str]:
    """The distinct folds in natural order; clips without a fold do not count.

    Examples
    --------
    >>> fold_order(["10", "2", "", "2"])
    ['2', '10']
    """
    return sorted({f for f in folds if f}, key=natural_key)


def class_order(labels: Iterable[str]) -> list[str]:
    """The distinct labels, sorted; the order of every score vector.

    Examples
    --------
    >>> class_order(["siren", "dog_bark", "siren"])
    ['dog_bark', 'siren']
    """
    return sorted({label for label in labels if label})


def _parsed(path: Path, schema: Schema) -> pd.DataFrame:
    """The cells of a CSV: numbers as such where every one of their columns is a number or empty, else all as text."""
    data = _bytes(path)
    separator = _separator(data)

    def cells(**options: Any) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(data), sep=separator, keep_default_na=False, encoding="utf-8", **options)

    def as_given(table: pd.DataFrame, text: Iterable[str]) -> pd.DataFrame:
        return unguarded_columns(table, text) if b"'" in data else table

    names = cells(dtype=str, nrows=1, header=None).to_numpy().ravel().tolist()
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise TableError(f"{path}: the header names column {twice!r} twice")
    numbers = _numbers(as_given(cells(dtype=str, nrows=0), []), schema)
    if numbers and separator == ",":
        types: dict[str, str] = defaultdict(lambda: "str", dict.fromkeys(numbers, "float64"))
        with suppress(ValueError):  # one is no number: `_typed` names it
            table = cells(dtype=types, na_values={c: [""] for c in numbers})
            return as_given(table, [c for c in table if c not in numbers])
    table = cells(dtype=str)
    if separator != ",":
        table = table.assign(**{c: table[c].str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True) for c in numbers})
    return as_given(table, table.columns)


def _separator(data: bytes) -> str:
    """What is between the cells of a CSV: a semicolon where the header has such alone, as of spreadsheets in German."""
    header = data.partition(b"\n")[0]
    return ";" if b";" in header and b"," not in header else ","


def _bytes(path: Path) -> bytes:
    url = url_of(path)
    return fetch(url) if url else path.read_bytes()


def _numbers(table: pd.DataFrame, schema: Schema) -> list[str]:
    """The columns of a table that hold numbers."""
    return [c for c in schema.number if c in table] + (score_columns(table) if schema.scores else [])


def _typed(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    table = table.reset_index(drop=True)
    for column in schema.text:
        if column in table and not _is_text(table[column]):
            table[column] = table[column].astype(object).where(table[column].notna(), "").astype(str)
    for column in _numbers(table, schema):
        if table[column].dtype == "float64":
            continue
        values = table[column].replace("", None) if table[column].dtype.kind not in "fi" else table[column]
        table[column] = pd.to_numeric(values, errors="coerce").astype("float64")
        wrong = table[column].isna() & values.notna()
        if wrong.any():
            row = int(wrong.idxmax())
            raise RowError(f"column {_literal(column)}, row {{0}}: {_literal(values[row])} is not a number", [row])
    return table


def _is_text(column: pd.Series) -> bool:
    """Whether a column is of texts already, without gaps."""
    return column.dtype == _TEXT and isinstance(_TEXT, pd.StringDtype) and not column.hasnans


def _lines(data: bytes) -> tuple[list[int], list[int]]:
    """Of each row of a CSV the line that it begins in, and how many cells it has; of the header the latter, last."""
    reader = csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline=""), delimiter=_separator(data))
    lines, cells, before = [], [], 0
    for row in reader:
        if row:
            lines.append(before + 1)
            cells.append(len(row))
        before = reader.line_num
    return lines[1:], [*cells[1:], *cells[:1]]


def _literal(value: object) -> str:
    """A value as Python writes it, with its braces doubled for `str.format`."""
    return repr(value).replace("{", "{{").replace("}", "}}")


def _listed(schema: Schema) -> str:
    return ", ".join(schema.columns) + (", p:<class> ..." if schema.scores else "")
