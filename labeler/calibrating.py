"""A threshold for each class, chosen on labelled recordings by the F1 of events.

Scores are smoothed, joined and cut to length exactly as in the scan that the thresholds are for. Of a few dozen calls
the very best threshold is an accident: taken is the middle of the widest range of thresholds whose F1 is within 0.05 of
the best. The figures are those on the same recordings, and so a little optimistic.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness import tables
from harness.cli import count
from harness.errors import SettingsError, did_you_mean
from harness.progress import track
from harness.tables import SCORE_PREFIX, score_columns
from labeler.detecting import Detection, detect_table, detected_classes
from labeler.event_scores import Tolerance, event_figures
from labeler.replacing import STEP
from labeler.scanning import SCORES
from labeler.thresholds import THRESHOLDS, settings_words
from labeler.truth import read_truth

__all__ = ["choose_thresholds", "thresholds_from_files"]

_CANDIDATES = 60
_SLACK = 0.05  # of F1


class _Tried(NamedTuple):
    threshold: float
    figures: pd.Series


def thresholds_from_files(
    scores: str | Path,
    truth: str | Path,
    *,
    detection: Detection,
    tolerance: Tolerance | None = None,
    on_warning: Callable[[str], None] = warnings.warn,
) -> pd.DataFrame:
    """Choose thresholds for the scores of a scan.

    Parameters
    ----------
    scores : path
        ``scores.csv`` of a scan, with its ``failures.csv`` in the same folder.
    truth : path
        As for :func:`labeler.truth.read_truth`.
    detection : Detection
        How scores become calls; its thresholds do not matter.
    tolerance : Tolerance, optional
    on_warning : callable
        Called with what is not counted: true calls of recordings, or parts of them, that could not be read; and with
        how many recordings a table of calls does not name.

    Returns
    -------
    DataFrame
        As :func:`choose_thresholds`.

    Raises
    ------
    TableError, SettingsError
        Scores or labels that cannot be read or do not fit.
    """
    table = tables.read(scores, SCORES)
    ends = {str(name): float(end) for name, end in table.groupby("recording", sort=False)["end_s"].max().items()}
    failed = _failed(Path(scores).with_name(tables.FAILURES.name))
    window_s = float((table["end_s"] - table["start_s"]).max())  # what is left at an end may have none
    whole = {name: end + window_s for name, end in ends.items() if name not in failed}
    true = read_truth(truth, list(ends), failed=[name for name in failed if name not in ends], ends=whole)
    late, said = _unread(true.calls, {name: ends[name] for name in failed if name in ends})
    for each in [*true.warnings, *said]:
        on_warning(each)
    calls = true.calls[~late]
    return choose_thresholds(table, calls, true.labelled, detection=detection, tolerance=tolerance or Tolerance())


def _failed(path: Path) -> list[str]:
    """Recordings that a scan could not read to their end."""
    table = tables.read(path, tables.FAILURES) if path.is_file() else tables.frame([], tables.FAILURES)
    return [str(name) for name in table.loc[table["step"] == STEP, "path"]]


def _unread(calls: pd.DataFrame, ends: Mapping[str, float]) -> tuple[pd.Series, list[str]]:
    """Which calls begin where recordings could not be read any more, by their ends in seconds; and words for them."""
    late = calls["start_s"] >= calls["recording"].map(lambda name: ends.get(name, np.inf)).astype(float)
    some = {name: int((late & (calls["recording"] == name)).sum()) for name in ends}
    return late, [
        f"{name}: read up to {ends[name]:.2f} s only; {count(n, 'labelled call')} after that not counted"
        for name, n in some.items()
        if n
    ]


def choose_thresholds(
    scores: pd.DataFrame, truth: pd.DataFrame, recordings: Sequence[str], *, detection: Detection, tolerance: Tolerance
) -> pd.DataFrame:
    """Choose the threshold of each class by the F1 of events.

    Parameters
    ----------
    scores : DataFrame
        As `labeler.scanning.SCORES`.
    truth : DataFrame
        As `labeler.truth.TRUTH`: all calls of the recordings.
    recordings : sequence of str
        Those that are labelled.
    detection : Detection
    tolerance : Tolerance

    Returns
    -------
    DataFrame
        As `labeler.thresholds.THRESHOLDS`: label, settings, threshold, calls, detected, precision, recall, f1 there. A
        class without calls has no threshold.

    Raises
    ------
    SettingsError
        A label that the model does not have.
    """
    classes = [name.removeprefix(SCORE_PREFIX) for name in score_columns(scores)]
    detection.check(classes)
    for label in dict.fromkeys(truth["label"]):
        if label not in classes:
            raise SettingsError(f"label {label!r}: the model has no such class; {did_you_mean(label, classes)}")
    scores = scores[scores["recording"].isin(list(recordings))]
    wanted = detected_classes(detection, classes)
    rows = []
    for label in track(wanted, total=len(wanted), what="thresholds"):
        if (truth["label"] == label).any():
            rows.append(_best(_tried(scores, truth, recordings, label, detection, tolerance)))
        else:
            rows.append({"label": label, "calls": 0, "detected": 0})
    return tables.frame(({**row, "settings": settings_words(detection)} for row in rows), THRESHOLDS)


def _tried(
    scores: pd.DataFrame,
    truth: pd.DataFrame,
    recordings: Sequence[str],
    label: str,
    detection: Detection,
    tolerance: Tolerance,
) -> list[_Tried]:
    """Figures of one class at thresholds between its scores, from low to high."""
    tried = []
    for threshold in _candidates(scores[f"{SCORE_PREFIX}{label}"].to_numpy()):
        settings = detection.replace(classes=(label,), thresholds={label: threshold})
        figures = event_figures(detect_table(scores, settings), truth, recordings, [label], tolerance)
        tried.append(_Tried(threshold, figures.iloc[0]))
    return tried


def _candidates(values: np.ndarray) -> list[float]:
    """Thresholds that are spread over the scores, closer together where they are high, and evenly from 0 to 1."""
    shares = 1 - np.geomspace(1, 1 / max(2, len(values)), _CANDIDATES // 2)
    found = np.concatenate([np.quantile(values, shares), np.linspace(0, 1, _CANDIDATES // 2 + 1)[1:]])
    return [float(value) for value in np.unique(found.round(6)) if 0 < value <= 1]


def _best(tried: Sequence[_Tried]) -> dict[str, object]:
    """The middle of the widest range with about the best F1, as a row."""
    f1 = np.array([np.nan_to_num(each.figures["f1"]) for each in tried])
    best = np.flatnonzero(f1 >= f1.max() - _SLACK)
    ranges = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    widest = max(ranges, key=lambda each: tried[each[-1]].threshold - tried[each[0]].threshold)
    middle = (tried[widest[0]].threshold + tried[widest[-1]].threshold) / 2
    nearest = min((tried[k] for k in widest), key=lambda each: abs(each.threshold - middle))
    return {**nearest.figures.to_dict(), "threshold": nearest.threshold}
