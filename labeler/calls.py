"""Calls counted: for each recording and label, and for each minute of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.cells import write_cells
from harness.tables import Schema, frame
from labeler.detecting import Event

__all__ = ["CALLS", "MINUTES", "call_tables", "count_calls", "count_minutes", "write_counts"]

CALLS = Schema(
    "calls.csv",
    text=("recording", "label"),
    number=("calls", "minutes", "per_minute"),
    key=("recording", "label"),
    filled=("recording", "label"),
)
MINUTES = Schema(
    "minutes.csv",
    text=("recording", "label"),
    number=("minute", "calls"),
    key=("recording", "label", "minute"),
    filled=("recording", "label"),
)


def count_calls(recording: str, found: Mapping[str, Sequence[Event]], seconds: float) -> list[dict[str, object]]:
    """Rows of :data:`CALLS`: how many calls a recording has, and how many in a minute of it.

    Examples
    --------
    >>> count_calls("a.wav", {"dog": [Event(0, 1, 0.9), Event(40, 41, 0.8)]}, 30.0)[0]["per_minute"]
    4.0
    """
    minutes = seconds / 60
    return [
        {
            "recording": recording,
            "label": name,
            "calls": len(events),
            "minutes": round(minutes, 4),
            "per_minute": round(len(events) / minutes, 4) if minutes else 0.0,
        }
        for name, events in found.items()
    ]


def count_minutes(recording: str, found: Mapping[str, Sequence[Event]], seconds: float) -> list[dict[str, object]]:
    """Rows of :data:`MINUTES`: how many calls begin in each minute of a recording, from minute 0."""
    rows: list[dict[str, object]] = []
    for name, events in found.items():
        begun = Counter(int(event.start_s // 60) for event in events)
        for minute in range(max(1, math.ceil(seconds / 60))):
            rows.append({"recording": recording, "label": name, "minute": minute, "calls": begun[minute]})
    return rows


def call_tables(
    recordings: Sequence[tuple[str, Mapping[str, Sequence[Event]], float]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """:data:`CALLS` and :data:`MINUTES` of some recordings: path, calls by label, length in seconds."""
    calls = [row for each in recordings for row in count_calls(*each)]
    return frame(calls, CALLS), frame([row for each in recordings for row in count_minutes(*each)], MINUTES)


def write_counts(table: pd.DataFrame, path: Path) -> None:
    """Write :data:`CALLS` or :data:`MINUTES`, whole numbers as such."""
    whole = {name: int for name in ("calls", "minute") if name in table}
    write_cells(table.astype(whole), path)
