"""Detections: from the scores of windows to calls with their times.

A window speaks for the part of a recording that is nearer to its middle than to that of any other, so that overlapping
windows do not make a call longer than it is; without overlap that part is the window. Windows in a row whose score
reaches the threshold are one call: 1, 1, 0, 1 is two calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import Field, PlainValidator, model_validator

from harness.errors import SettingsError, did_you_mean
from harness.settings import Settings, at_least, field_error, is_number
from harness.tables import SCORE_PREFIX, Schema, frame, score_columns
from labeler.smoothing import Smoothing, check_span, smooth

__all__ = [
    "BACKGROUND",
    "DETECTIONS",
    "Detection",
    "Event",
    "detect",
    "detect_table",
    "detected_classes",
    "edges",
    "smooth_scores",
]

DETECTIONS = Schema(
    "detections.csv",
    text=("recording", "label"),
    number=("start_s", "end_s", "score"),
    key=("recording", "label", "start_s"),
    filled=("recording", "label"),
)
BACKGROUND = ("background", "background_noise", "_background_noise_", "silence", "_silence_")
"""Classes of these names are background where nothing else is said."""
_SMOOTHED = 3  # windows, where no span is given
_ROUNDING_S = 1e-6


def _share(value: Any) -> float:
    if not is_number(value) or not 0 < value <= 1:
        raise ValueError("must be a number above 0, up to 1")
    return float(value)


def _shares(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a table of classes and thresholds")
    return {str(name): _share(each) for name, each in value.items()}


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError("must be a list of class names")
    return tuple(value)


Share = Annotated[float, PlainValidator(_share)]
Seconds = Annotated[float, PlainValidator(at_least(0))]


class Detection(Settings):
    """How scores of windows become calls.

    Parameters
    ----------
    threshold : float
        Score in (0, 1] that a call reaches.
    thresholds : dict of str to float
        Thresholds of single classes, in place of it.
    smoothing : {"none", "mean", "median", "onset"}
        What is done to the scores first; see :mod:`labeler.smoothing`.
    smoothing_s : float
        Span of a mean or median in seconds; 0: three windows.
    hysteresis : float
        A call goes on while its score is at least this share of the threshold, in (0, 1].
    gap_s : float
        Calls of a class that are at most so many seconds apart are one.
    min_s, max_s : float
        Shortest and longest call in seconds, others are left out; 0: any.
    classes : sequence of str
        Classes to look for; empty: all but the background.
    background : sequence of str, optional
        Classes that are no calls. Where one of them has the highest score there is no call of any class. Default:
        those of the model that are named in :data:`BACKGROUND`.

    Raises
    ------
    SettingsError
        A value out of range; a longest call shorter than the shortest; a span where nothing is smoothed over one.
    """

    threshold: Share = 0.5
    thresholds: Annotated[dict[str, float], PlainValidator(_shares)] = Field(default_factory=dict)
    smoothing: Smoothing = "none"
    smoothing_s: Seconds = 0.0
    hysteresis: Share = 1.0
    gap_s: Seconds = 0.0
    min_s: Seconds = 0.0
    max_s: Seconds = 0.0
    classes: Annotated[tuple[str, ...], PlainValidator(_names)] = ()
    background: Annotated[tuple[str, ...] | None, PlainValidator(lambda v: None if v is None else _names(v))] = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.max_s and self.max_s < self.min_s:
            raise field_error("max_s", f"is below the shortest length, {self.min_s:g} s; no call would be left")
        check_span(self.smoothing, self.smoothing_s)
        return self

    def check(self, classes: Sequence[str]) -> None:
        """Refuse classes that a model does not have.

        Raises
        ------
        SettingsError
            One that is named and not among `classes`, or no class left to look for.
        """
        named = {"classes": self.classes, "thresholds": self.thresholds, "background": self.background or ()}
        for setting, names in named.items():
            for name in names:
                if name not in classes:
                    raise SettingsError(f"{setting}: the model has no class {name!r}; {did_you_mean(name, classes)}")
        if not detected_classes(self, classes):
            raise SettingsError("classes: none is left to look for, all are background")


class Event(NamedTuple):
    """One call: start and end in seconds, and the highest score in it."""

    start_s: float
    end_s: float
    score: float


def detected_classes(settings: Detection, classes: Sequence[str]) -> list[str]:
    """The classes that are looked for, in the order of the model."""
    background = _background(settings, classes)
    wanted = settings.classes or classes
    return [name for name in classes if name in wanted and name not in background]


def edges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Bounds of the parts that windows speak for.

    Parameters
    ----------
    starts, ends : ndarray of float, shape (windows,)
        Of the windows, in seconds.

    Returns
    -------
    ndarray of float64, shape (windows + 1,)

    Examples
    --------
    >>> edges(np.array([0.0, 1.0, 2.0]), np.array([5.0, 6.0, 7.0])).tolist()
    [0.0, 3.0, 4.0, 7.0]
    """
    return np.concatenate([starts[:1], (ends[:-1] + starts[1:]) / 2, ends[-1:]])


def detect(
    scores: np.ndarray, starts: np.ndarray, ends: np.ndarray, classes: Sequence[str], settings: Detection
) -> dict[str, list[Event]]:
    """Find the calls of one recording.

    Parameters
    ----------
    scores : ndarray of float, shape (windows, classes)
    starts, ends : ndarray of float, shape (windows,)
        In seconds, in the order of time.
    classes : sequence of str
    settings : Detection

    Returns
    -------
    dict of str to list of Event
        For each class that is looked for, in the order of time.

    Examples
    --------
    >>> times = np.arange(4.0)
    >>> found = detect(np.array([[1.0], [1.0], [0.0], [1.0]]), times, times + 1, ["call"], Detection())
    >>> [event[:2] for event in found["call"]]
    [(0.0, 2.0), (3.0, 4.0)]
    """
    smoothed, allowed = smooth_scores(scores, starts, settings)
    background = [k for k, name in enumerate(classes) if name in _background(settings, classes)]
    if background and len(smoothed):
        allowed = allowed & ~np.isin(smoothed.argmax(axis=1), background)[:, None]
    bounds, found = edges(starts, ends), {}
    for name in detected_classes(settings, classes):
        k = list(classes).index(name)
        threshold = settings.thresholds.get(name, settings.threshold)
        values = np.where(allowed[:, k], smoothed[:, k], -1.0)
        found[name] = list(_fitting(_merged(_runs(values, threshold, settings.hysteresis, bounds), settings), settings))
    return found


def smooth_scores(scores: np.ndarray, starts: np.ndarray, settings: Detection) -> tuple[np.ndarray, np.ndarray]:
    """The scores that decide, and where there may be a call, as :func:`labeler.smoothing.smooth` gives them.

    Parameters
    ----------
    scores : ndarray of float, shape (windows, classes)
    starts : ndarray of float, shape (windows,)
        In seconds.
    settings : Detection
    """
    hop = float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
    span = round(settings.smoothing_s / hop) if settings.smoothing_s and hop else _SMOOTHED
    return smooth(scores, settings.smoothing, max(1, span))


def detect_table(scores: pd.DataFrame, settings: Detection) -> pd.DataFrame:
    """Find the calls of a table of scores.

    Parameters
    ----------
    scores : DataFrame
        As :data:`labeler.scanning.SCORES`: recordings and their windows.
    settings : Detection

    Returns
    -------
    DataFrame
        As :data:`DETECTIONS`, by recording and time.

    Raises
    ------
    SettingsError
        As :meth:`Detection.check`.
    """
    columns = score_columns(scores)
    classes = [name.removeprefix(SCORE_PREFIX) for name in columns]
    settings.check(classes)
    rows: list[dict[str, object]] = []
    for recording, windows in scores.groupby("recording", sort=False):
        starts, ends = (windows[column].to_numpy() for column in ("start_s", "end_s"))
        rows += rows_of(str(recording), detect(windows[columns].to_numpy(), starts, ends, classes, settings))
    return frame(rows, DETECTIONS)


def rows_of(recording: str, found: Mapping[str, Sequence[Event]]) -> list[dict[str, object]]:
    """Rows of :data:`DETECTIONS` for one recording, in the order of time."""
    rows = [{"recording": recording, "label": name, **each._asdict()} for name, some in found.items() for each in some]
    return sorted(rows, key=lambda row: (row["start_s"], row["label"]))


def _background(settings: Detection, classes: Sequence[str]) -> tuple[str, ...]:
    if settings.background is not None:
        return settings.background
    return tuple(name for name in classes if name.lower() in BACKGROUND)


def _runs(values: np.ndarray, threshold: float, hysteresis: float, bounds: np.ndarray) -> Iterator[Event]:
    """Windows in a row: from one that reaches the threshold to the last at its share."""
    high, low = values >= threshold, values >= threshold * hysteresis
    steps = np.diff(np.concatenate([[0], low.astype(np.int8), [0]]))
    for first, end in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        if high[first:end].any():
            start = first + int(high[first:end].argmax())
            yield Event(float(bounds[start]), float(bounds[end]), float(values[start:end].max()))


def _merged(events: Iterator[Event], settings: Detection) -> Iterator[Event]:
    """Calls across short gaps as one."""
    last: Event | None = None
    for each in events:
        if last and settings.gap_s and each.start_s - last.end_s <= settings.gap_s + _ROUNDING_S:
            last = Event(last.start_s, each.end_s, max(last.score, each.score))
            continue
        if last:
            yield last
        last = each
    if last:
        yield last


def _fitting(events: Iterator[Event], settings: Detection) -> Iterator[Event]:
    """Calls of the lengths that are wanted."""
    for each in events:
        length = each.end_s - each.start_s
        too_long = settings.max_s and length > settings.max_s + _ROUNDING_S
        if length >= settings.min_s - _ROUNDING_S and not too_long:
            yield each
