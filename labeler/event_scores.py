"""How well calls were found: precision, recall and F1 of events with tolerances, by sed_scores_eval.

A true call is found where a detection of its label begins within the tolerance of its start, and ends within that of
its end; each detection counts once. (A. Mesaros, T. Heittola, T. Virtanen: Metrics for polyphonic sound event
detection. Applied Sciences 6(6), 2016.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import PlainValidator

from harness.errors import SettingsError
from harness.settings import Settings, at_least

__all__ = ["Tolerance", "event_figures"]

_COLUMNS = ["label", "calls", "detected", "precision", "recall", "f1"]


class Tolerance(Settings):
    """How far a detection may be from a call.

    Parameters
    ----------
    onset_s, offset_s : float
        Between the starts, and between the ends, in seconds.
    offset_share : float
        Between the ends also this share of the call's length, where that is more.
    """

    onset_s: Annotated[float, PlainValidator(at_least(0))] = 1.0
    offset_s: Annotated[float, PlainValidator(at_least(0))] = 1.0
    offset_share: Annotated[float, PlainValidator(at_least(0))] = 0.5


def event_figures(
    detections: pd.DataFrame, truth: pd.DataFrame, recordings: Sequence[str], labels: Sequence[str], at: Tolerance
) -> pd.DataFrame:
    """Compare detections with true calls.

    Parameters
    ----------
    detections, truth : DataFrame
        recording, label, start_s, end_s.
    recordings : sequence of str
        Those that are labelled; what is found in others does not count.
    labels : sequence of str
    at : Tolerance

    Returns
    -------
    DataFrame
        A row for each label: label, calls, detected (how many there are), precision, recall, f1 (NaN where there is
        nothing to divide by).

    Raises
    ------
    SettingsError
        The package ``sed_scores_eval`` is not installed.
    """
    match, rows = _matcher(), []
    for label in labels:
        found, true = (_by_recording(table, label, recordings) for table in (detections, truth))
        calls, detected = (sum(map(len, each.values())) for each in (true, found))
        counts = {"label": label, "calls": calls, "detected": detected}
        hits = sum(_hits(match, found[name], true[name], at) for name in recordings)
        precision, recall = hits / detected if detected else np.nan, hits / calls if calls else np.nan
        f1 = 2 * hits / (calls + detected) if calls + detected else np.nan
        rows.append({**counts, "precision": precision, "recall": recall, "f1": f1})
    return pd.DataFrame(rows, columns=_COLUMNS)


def _hits(match: Callable[..., Any], found: np.ndarray, true: np.ndarray, at: Tolerance) -> int:
    """How many detections of one recording and label are calls; both have a start and an end in each row."""
    if not len(found) or not len(true):
        return 0
    counted = match(
        detection_onset_times=found[None, :, 0],
        detection_offset_times=found[None, :, 1],
        target_onset_times=true[:, 0],
        target_offset_times=true[:, 1],
        other_onset_times=None,
        other_offset_times=None,
        onset_collar=at.onset_s,
        offset_collar=at.offset_s,
        offset_collar_rate=at.offset_share,
    )
    return int(counted["tps"][0])


def _by_recording(table: pd.DataFrame, label: str, recordings: Sequence[str]) -> dict[str, np.ndarray]:
    some = table[table["label"] == label]
    parts = {str(name): each[["start_s", "end_s"]].to_numpy(np.float64) for name, each in some.groupby("recording")}
    return {name: parts.get(name, np.empty((0, 2))) for name in recordings}


def _matcher() -> Callable[..., Any]:
    try:
        # two seconds, and installed only with the extra `annotations`
        from sed_scores_eval.collar_based.intermediate_statistics import statistics_fn  # the matching of its figures
    except ImportError:
        raise SettingsError(
            "event-based figures need sed_scores_eval, which is not installed; pip install 'soundfold[annotations]'"
        ) from None
    matcher: Callable[..., Any] = statistics_fn  # of detections as they are; its figures start from scores
    return matcher
