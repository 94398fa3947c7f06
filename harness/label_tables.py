"""Label files of Audacity and Raven, read: tables with tabs between their cells, a label of a time in each row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import TableError

__all__ = ["RAVEN_LABEL", "RAVEN_START", "TimeLabel", "is_raven", "read_audacity", "read_raven"]

RAVEN_START, RAVEN_LABEL = "Begin Time (s)", "Annotation"
"""Columns that Raven's tables have: one always, one where labels were given their usual name."""
_RAVEN_END = "End Time (s)"
_RAVEN_LABELS = (RAVEN_LABEL, "Species", "Label")
_RAVEN_OWN = ("Selection", "View", "Channel", RAVEN_START, _RAVEN_END, "Low Freq (Hz)", "High Freq (Hz)")
_DECIMAL_COMMA = re.compile(r"0,\d+|\d+,(?:\d{1,2}|\d{4,})")
_FREQUENCIES = "\\"  # how Audacity's lines with the frequencies of the label before them begin


class TimeLabel(NamedTuple):
    """A label of a time in seconds, and the line of its file, from 1; 0 where a format has none."""

    start_s: float
    end_s: float
    label: str
    line: int


def is_raven(file: Path) -> bool:
    """Whether a file begins as Raven's tables do."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        return RAVEN_START in stream.readline()


def read_audacity(file: Path) -> list[TimeLabel]:
    """Read an Audacity label track: start, end, label in each line; lines with frequencies say nothing of times.

    Raises
    ------
    TableError
        A line that is none of these, with its number.
    OSError
        The file cannot be read.
    """
    found = []
    for number, cells in _rows(file):
        if cells[0] == _FREQUENCIES:
            continue
        if len(cells) < 3:
            raise TableError(f"{file}: line {number}: expected start, end and label with tabs between")
        found.append(_labelled(file, number, cells[0], cells[1], "\t".join(cells[2:])))
    return found


def read_raven(file: Path) -> list[TimeLabel]:
    """Read a Raven selection table: each selection once, in how many views it may be.

    The label is in the column ``Annotation``, ``Species`` or ``Label``, else in the last, unless that is Raven's own.

    Raises
    ------
    TableError
        A column that is missing, or a row that is not right, with its line.
    OSError
        The file cannot be read.
    """
    (_, names), *rows = _rows(file)
    columns = {name: k for k, name in reversed([*enumerate(names)])}
    label = next((name for name in _RAVEN_LABELS if name in columns), names[-1])
    if _RAVEN_END not in columns or label in _RAVEN_OWN:
        missing = RAVEN_LABEL if _RAVEN_END in columns else _RAVEN_END
        raise TableError(f"{file}: column {missing!r} is missing; export the selection table with it")
    found, seen = [], set()
    for number, cells in rows:
        if len(cells) < len(names) and columns[label] >= len(cells):
            cells = [*cells, *[""] * (len(names) - len(cells))]
        each = _labelled(file, number, *(cells[columns[name]] for name in (RAVEN_START, _RAVEN_END, label)))
        selection = cells[columns["Selection"]] if "Selection" in columns else str(number)
        if (selection, *each[:3]) not in seen:
            seen.add((selection, *each[:3]))
            found.append(each)
    return found


def _rows(file: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The cells of each line that has some, with its number from 1."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{file}: not text in UTF-8 (byte {error.start}); save it as such") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, [_unquoted(cell) for cell in line.split("\t")]


def _unquoted(cell: str) -> str:
    """A cell without the quotes in which programs put one that has quotes itself."""
    inner = cell[1:-1]
    if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def _labelled(file: Path, number: int, start: str, end: str, label: str) -> TimeLabel:
    try:
        times = _seconds(start), _seconds(end)
    except ValueError:
        times = math.nan, math.nan
    if not all(map(math.isfinite, times)):
        raise TableError(f"{file}: line {number}: expected start and end in seconds, not {start!r} and {end!r}")
    if not label.strip():
        raise TableError(f"{file}: line {number}: has no label; name the class of what is there")
    return TimeLabel(*times, label.strip(), number)


def _seconds(cell: str) -> float:
    """A number, with a decimal comma where that cannot be one between thousands."""
    return float(cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell)
