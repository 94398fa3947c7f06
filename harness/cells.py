"""Cells of CSV files: text that a spreadsheet would run, carriage returns, bytes that are no UTF-8.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end may be a formula to a spreadsheet. It is written
with an apostrophe before it, as is a cell that would then look as if it had been, and read without. Numbers are written
as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from harness.files import atomic_path

__all__ = ["csv_line", "guarded", "is_escaped", "unguarded", "unguarded_columns", "utf8_text", "write_cells"]

_FORMULA = "=+-@\t\r\n＝＋－＠"
_WOULD_RUN = re.compile(rf"'*[{re.escape(_FORMULA)}]")
_FIRST = (*_FORMULA, "'")


def guarded(text: str) -> str:
    """A cell that no spreadsheet runs.

    Examples
    --------
    >>> guarded("=1+1"), guarded("'=1+1"), guarded("'tis"), guarded("dog")
    ("'=1+1", "''=1+1", "'tis", 'dog')
    """
    return f"'{text}" if _WOULD_RUN.match(text) else text


def unguarded(text: str) -> str:
    """What :func:`guarded` was given.

    Examples
    --------
    >>> unguarded("'=1+1"), unguarded("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _WOULD_RUN.match(text) else text


def unguarded_columns(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A table as it was read, with the cells of some columns and all names of columns as they were given."""
    changed = {}
    for name in columns:
        first = table[name].str.startswith("'")
        if first.any():
            changed[name] = table[name].where(~first, table[name].map(unguarded))
    table = table.assign(**changed) if changed else table
    return table.set_axis([unguarded(str(name)) for name in table.columns], axis="columns")


def write_cells(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, atomically; numbers in full precision, what is missing empty.

    Parameters
    ----------
    table : DataFrame
        Its cells need not be text.
    path : path
    """
    written = table.set_axis([guarded(str(name)) for name in table.columns], axis="columns")
    for k, dtype in enumerate(table.dtypes):
        if dtype.kind not in "fiub":
            _guard_column(written, k)
    with atomic_path(path) as part, open(part, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        written.to_csv(_UnixLines(file), index=False, lineterminator=_LINE_END)


def csv_line(text: Iterable[str], numbers: Iterable[str] = ()) -> str:
    """One line of a CSV without its end: cells of text, then numbers, which are written as they are.

    Examples
    --------
    >>> print(csv_line(["=1+1", "a,b"], ["-0.5"]))
    '=1+1,"a,b",-0.5
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=_LINE_END).writerow([*map(guarded, map(utf8_text, text)), *numbers])
    return buffer.getvalue().removesuffix(_LINE_END)


def utf8_text(text: str) -> str:
    """A text that can be written as UTF-8: bytes of a file's name that are none become ``\\udcff`` and the like."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def is_escaped(text: str) -> bool:
    """Whether a text has bytes that :func:`utf8_text` has written so."""
    return re.search(r"\\udc[89a-f][0-9a-f]", text) is not None


_LINE_END = "\r\n"  # what csv quotes in cells: it would leave a carriage return as it is with "\n" alone


class _UnixLines:
    """A file whose lines end in ``\\n`` alone; each is written at once."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix(_LINE_END) + "\n")


def _guard_column(table: pd.DataFrame, number: int) -> None:
    """Guard the text in a column, which has few such cells, mostly none."""
    cells = table.iloc[:, number].tolist()
    found = [k for k, cell in enumerate(cells) if cell.__class__ is str and cell.startswith(_FIRST)]
    if found:
        for k in found:
            cells[k] = guarded(cells[k])
        table.isetitem(number, cells)
