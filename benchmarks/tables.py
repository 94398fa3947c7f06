"""What every benchmark gives: tables of figures, as text for a terminal, as Markdown, and as JSON between processes.

A benchmark is a module of this folder with a docstring that says what is held against what, and a function
``run(options)`` that yields a :class:`Table` as soon as it is measured. Its last lines are::

    if __name__ == "__main__":
        main(run, __doc__)

(see `command`, which reads the command line and prints). It may add options of its own; each needs a default, with
which ``python -m benchmarks`` runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "Table", "number", "ratio"]

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Figures of a benchmark.

    Parameters
    ----------
    title : str
        What was measured, and in which unit.
    columns : sequence of str
    rows : sequence of sequence of (str, int, float or None)
        None is empty.
    notes : sequence of str
        A sentence each: what must be known of the figures.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the rows."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: a row has {len(row)} cells, expected {len(self.columns)}")

    def text(self) -> str:
        """The table for a terminal, columns aligned."""
        lines = [list(self.columns), *self._cells()]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        shown = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, *(f"  {line}" for line in shown), *(f"  {note}" for note in self.notes)])

    def markdown(self) -> str:
        """The table as Markdown, with its title above and its notes below."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [list(self.columns), rule, *self._cells()]
        body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        notes = "".join(f"\n\n{note}" for note in self.notes)
        return f"**{self.title}**\n\n{body}{notes}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Table:
        """What :meth:`to_json` gave."""
        return cls(value["title"], value["columns"], value["rows"], value["notes"])

    def _cells(self) -> list[list[str]]:
        return [[number(cell) for cell in row] for row in self.rows]


def number(value: Cell) -> str:
    """A cell as text: whole numbers as they are, others to three digits, thousands apart.

    Examples
    --------
    >>> number(0.012345), number(12.345), number(12345.6), number(8732), number(None), number("yes")
    ('0.0123', '12.3', '12,346', '8,732', '', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    digits = 2 if abs(value) >= 1 else 2 - _exponent(value)
    return f"{value:.{digits - (abs(value) >= 10) - (abs(value) >= 100)}f}"


def ratio(usual: float | None, ours: float | None) -> str:
    """How many times as long the usual way takes as ours.

    Examples
    --------
    >>> ratio(12.0, 2.0), ratio(None, 2.0)
    ('6.00x', '')
    """
    return f"{number(usual / ours)}x" if usual and ours else ""


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
