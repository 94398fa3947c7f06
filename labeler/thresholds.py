"""Thresholds as a command line has them: one, one for each class, or the file that ``labeler threshold`` writes."""

from __future__ import annotations

from pathlib import Path

from harness.errors import SettingsError
from harness.tables import Schema, read

__all__ = ["THRESHOLDS", "parse_thresholds"]

THRESHOLDS = Schema(
    "thresholds.csv",
    text=("label",),
    number=("threshold", "calls", "detected", "precision", "recall", "f1"),
    key=("label",),
    filled=("label",),
)
_DEFAULT = 0.5


def parse_thresholds(text: str, *, name: str = "threshold") -> tuple[float, dict[str, float]]:
    """A threshold for all classes, and those of single ones.

    Parameters
    ----------
    text : str
        ``0.7``; ``dog=0.7,rooster=0.4`` (a number among them is for the other classes); or a file.
    name : str
        What the option is called, for messages.

    Raises
    ------
    SettingsError
        It is none of these.
    TableError
        The file is no table of thresholds.

    Examples
    --------
    >>> parse_thresholds("0.7"), parse_thresholds("0.6, dog=0.7")
    ((0.7, {}), (0.6, {'dog': 0.7}))
    """
    if Path(text).is_file():
        table = read(text, THRESHOLDS)
        known = table[table["threshold"].notna()]
        return _DEFAULT, dict(zip(known["label"], known["threshold"].astype(float), strict=True))
    every, single = _DEFAULT, {}
    for part in text.split(","):
        label, equals, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise SettingsError(
                f"{name} {text!r}: expected a number, class=number with commas between, or the file that "
                "`labeler threshold` writes"
            ) from None
        if equals:
            single[label.strip()] = number
        else:
            every = number
    return every, single
