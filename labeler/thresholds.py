"""Thresholds as a command line has them: one, one for each class, or the file that ``labeler threshold`` writes."""

from __future__ import annotations

from pathlib import Path

from harness.errors import SettingsError
from harness.tables import Schema, read
from labeler.detecting import Detection

__all__ = ["THRESHOLDS", "other_settings", "parse_thresholds", "settings_words"]

THRESHOLDS = Schema(
    "thresholds.csv",
    text=("label", "settings"),
    number=("threshold", "calls", "detected", "precision", "recall", "f1"),
    key=("label",),
    filled=("label",),
    optional=("settings",),
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
        It is none of these, or a table without a threshold.
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
        if known.empty:
            raise SettingsError(f"{name} {text}: has no threshold of any class; write it anew with `threshold`")
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


def settings_words(detection: Detection) -> str:
    """What thresholds depend on, apart from the scores: how these are smoothed, joined and cut to length.

    Examples
    --------
    >>> settings_words(Detection(gap_s=1.0, min_s=0.5))
    'smoothing none 0, hysteresis 1, gap 1, length 0.5 to 0'
    """
    smoothing = f"smoothing {detection.smoothing} {detection.smoothing_s:g}, hysteresis {detection.hysteresis:g}"
    return f"{smoothing}, gap {detection.gap_s:g}, length {detection.min_s:g} to {detection.max_s:g}"


def other_settings(text: str, detection: Detection) -> str:
    """What is to be said of thresholds from a file that were chosen with other settings; empty where there is nothing.

    Parameters
    ----------
    text : str
        As for :func:`parse_thresholds`.
    detection : Detection
        That they are used with.
    """
    if not Path(text).is_file():
        return ""
    chosen = [each for each in dict.fromkeys(read(text, THRESHOLDS)["settings"]) if each]
    own = settings_words(detection)
    if not chosen or chosen == [own]:
        return ""
    return f"{text}: these thresholds were chosen with {chosen[0]}; this scan has {own}"
