"""Windows as lines: text for a person, JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from labeler.live.listening import Heard, Listener

__all__ = ["LIVE_FORMATS", "LineWriter"]

LIVE_FORMATS = ("text", "jsonl")


class LineWriter(Listener):
    """Write a line for each window, as soon as it is there.

    Parameters
    ----------
    write : callable
        Called with each line.
    format : str
        One of `LIVE_FORMATS`.
    top : int
        How many classes, best first.
    on_loss : callable
        Called with what is to be said where sound was lost.
    """

    def __init__(self, write: Callable[[str], None], *, format: str, top: int, on_loss: Callable[[str], None]) -> None:
        self._write = write
        self._line = _as_json if format == "jsonl" else _as_text
        self._json = format == "jsonl"
        self._top = top
        self._on_loss = on_loss

    def heard(self, heard: Heard) -> None:
        """Write the window."""
        self._write(self._line(heard, self._top))

    def lost(self, at_s: float, lost_s: float) -> None:
        """Say that sound was lost; in JSON as a line among the windows as well."""
        if self._json:
            self._write(json.dumps({"at_s": round(at_s, 6), "lost_s": round(lost_s, 3)}))
        self._on_loss(
            f"about {lost_s:.2f} s of sound were lost after {at_s:.2f} s: this computer is too busy; a longer hop "
            "between windows gives it more time"
        )


def _as_text(heard: Heard, top: int) -> str:
    """Start and end in seconds, then ``score label`` for the best classes."""
    best = "  ".join(f"{score:.5f} {name}" for name, score in heard.scores.head(top).items())
    return f"{heard.start_s:9.2f} {heard.end_s:9.2f}  {best}"


def _as_json(heard: Heard, top: int) -> str:
    best = {str(name): float(score) for name, score in heard.scores.head(top).items()}
    row = {
        "start_s": round(heard.start_s, 6),
        "end_s": round(heard.end_s, 6),
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "predicted": next(iter(best)),
        "scores": best,
        "level_db": round(heard.level_db, 1),
        "latency_ms": round(1000 * heard.latency_s, 1),
    }
    return json.dumps(row, ensure_ascii=False)
