"""One recording scanned from Python: its scores and calls as DataFrames."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness.cli import count
from harness.errors import AudioError
from harness.tables import frame, score_columns
from labeler.calls import CALLS, count_calls
from labeler.detecting import DETECTIONS, Detection, detect, rows_of
from labeler.scanning import Windows, scan_sound, score_table

if TYPE_CHECKING:  # which offers scanning as a method
    from labeler.loading import Model

__all__ = ["Scan", "scan_one"]


@dataclass(frozen=True, repr=False)
class Scan:
    """What was found in a recording.

    Parameters
    ----------
    scores : DataFrame
        A row for each window, as `labeler.scanning.SCORES`: recording, start_s, end_s, ``p:<class>``.
    detections : DataFrame
        A row for each call, as `labeler.detecting.DETECTIONS`: recording, label, start_s, end_s, score.
    calls : DataFrame
        A row for each label, as `labeler.calls.CALLS`: recording, label, calls, minutes, per_minute.
    """

    scores: pd.DataFrame
    detections: pd.DataFrame
    calls: pd.DataFrame

    def __repr__(self) -> str:
        """How many windows, and the calls of each label."""
        counts = ", ".join(
            f"{n:.0f} {label}" for label, n in zip(self.calls["label"], self.calls["calls"], strict=True)
        )
        return f"<Scan of {count(len(self.scores), 'window')}; calls: {counts}>"


def scan_one(model: Model, path: Path, windows: Windows, detection: Detection) -> Scan:
    """Scan one recording in this process.

    Warns
    -----
    UserWarning
        The recording cannot be read to its end; what comes before that is scanned.

    Raises
    ------
    AudioError
        Nothing of the recording can be read.
    SettingsError
        Settings that do not fit the model.
    """
    detection.check(model.card.classes)
    rows: list[tuple[float, float, np.ndarray]] = []
    try:
        rows.extend(scan_sound(model, path, windows))
    except AudioError as error:
        if not rows:
            raise
        warnings.warn(f"{error}; this scan has it up to {rows[-1][1]:.2f} s", stacklevel=3)
    times = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    scores = score_table(path, times, np.array([row[2] for row in rows]), model.card.classes)
    starts, ends = (scores[name].to_numpy() for name in ("start_s", "end_s"))
    found = detect(scores[score_columns(scores)].to_numpy(), starts, ends, model.card.classes, detection)
    name, seconds = str(path), float(ends[-1]) if len(ends) else 0.0
    return Scan(scores, frame(rows_of(name, found), DETECTIONS), frame(count_calls(name, found, seconds), CALLS))
