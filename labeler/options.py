"""Options that several commands of the labeler have: how scores become calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

import labeler

if TYPE_CHECKING:  # --help imports nothing heavy
    from labeler.detecting import Detection

__all__ = [
    "Background",
    "Classes",
    "Gap",
    "Hysteresis",
    "Longest",
    "Shortest",
    "SmoothingName",
    "SmoothingSpan",
    "detection_of",
    "listed",
]

SmoothingName = Annotated[str, typer.Option(help="What is done to scores first: none, mean, median or onset.")]
SmoothingSpan = Annotated[float, typer.Option(help="Seconds that a mean or median goes over; 0: three windows.")]
Hysteresis = Annotated[
    float, typer.Option(help="A call goes on while its score is at least this share of the threshold.")
]
Gap = Annotated[float, typer.Option("--gap", help="Calls of a class that are at most so many seconds apart are one.")]
Shortest = Annotated[float, typer.Option("--min-length", help="Shorter calls are left out; seconds.")]
Longest = Annotated[float, typer.Option("--max-length", help="Longer calls are left out; seconds, 0: none are.")]
Classes = Annotated[
    list[str] | None, typer.Option(help="A class to look for; again, or with commas, for more. Default: all.")
]
Background = Annotated[
    list[str] | None,
    typer.Option(
        help="A class that is no call; where it scores highest there is none of any class. '' for none. Default: "
        "classes named background, background_noise or silence."
    ),
]
_SETTINGS = {  # parameters of commands, as settings of a Detection
    "smoothing": "smoothing",
    "smoothing_s": "smoothing_s",
    "hysteresis": "hysteresis",
    "gap": "gap_s",
    "shortest": "min_s",
    "longest": "max_s",
}
_OPTIONS = {"gap_s": "--gap", "min_s": "--min-length", "max_s": "--max-length", "thresholds": "--threshold"}


def listed(given: Iterable[str] | None) -> tuple[str, ...]:
    """Names that were given one by one, or with commas."""
    return tuple(name.strip() for text in given or () for name in text.split(",") if name.strip())


def detection_of(options: Mapping[str, Any]) -> Detection:
    """The settings that a command's options make; messages name the options.

    Parameters
    ----------
    options : mapping
        All options of the command by the names of its parameters, others too. Without ``threshold``, as where one is
        looked for, the threshold is the usual one.

    Raises
    ------
    SettingsError
        A value out of range.
    """
    values = {setting: options[name] for name, setting in _SETTINGS.items()}
    values["classes"] = listed(options["classes"])
    if options["background"] is not None:
        values["background"] = listed(options["background"])
    if threshold := options.get("threshold"):
        values["threshold"], values["thresholds"] = labeler.parse_thresholds(threshold, name="--threshold")
    return labeler.Detection.read(values, name_of=lambda name: _OPTIONS.get(name, f"--{name.replace('_', '-')}"))
