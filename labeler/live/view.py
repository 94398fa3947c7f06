"""The terminal as a display: level, best classes, a scrolling spectrogram, latency and loss."""

from __future__ import annotations

import math
from collections import deque
from contextlib import AbstractContextManager
from statistics import median
from time import monotonic
from types import TracebackType
from typing import Self, TextIO

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.style import Style
from rich.text import Text

from harness.audio import to_mono
from labeler.live.listening import Heard, Listener, level_db
from labeler.live.strip import Strip
from labeler.scanning import Windows

__all__ = ["TerminalView", "is_display"]

_EVERY_S = 0.1
_LEAST_DB = -60.0
_LEVEL_S = 0.3
_LATENCIES = 100
_TALL, _WIDE = 14, 60  # of a terminal with room for empty lines, for the peak
_AXIS = 9  # cells before the spectrogram
_SHADES = " .:-=+*#%@"
_COLOURS = (16, 17, 54, 90, 126, 162, 203, 209, 215, 229)  # of the terminal's 256, dark to bright
_BEST, _OTHERS, _LOUD = Style(color="bright_green", bold=True), Style(color="green"), Style(color="red", bold=True)


def is_display(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can be drawn on."""
    console = Console(file=stream)
    return console.is_terminal and not console.is_dumb_terminal


class TerminalView(AbstractContextManager["TerminalView"], Listener):
    """Draw what is heard on the whole terminal, ten times a second at most; it fits into 80 x 24.

    Parameters
    ----------
    title : str
        Of the first line: model and source.
    sr : int
        In Hz.
    windows : Windows
    top : int
        How many classes, best first.
    console : Console, optional
        Default: standard output.
    """

    def __init__(self, title: str, *, sr: int, windows: Windows, top: int, console: Console | None = None) -> None:
        self._console = console or Console()
        self._colours = self._console.color_system in ("256", "truecolor")
        self._blocks = "utf" in self._console.encoding.lower()
        self._title, self._sr, self._windows, self._top = title, sr, windows, top
        self._strip = Strip(sr)
        self._recent = np.zeros(0, np.float32)
        self._heard: Heard | None = None
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._seconds = self._lost = 0.0
        self._due = 0.0
        self._live = Live(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self._live.stop()

    def sound(self, y: np.ndarray) -> None:
        """Take samples for level and spectrogram."""
        y = to_mono(y)
        self._seconds += len(y) / self._sr
        self._strip.add(y)
        self._recent = np.concatenate([self._recent, y])[-round(_LEVEL_S * self._sr) :]

    def lost(self, at_s: float, lost_s: float) -> None:
        """Count what was lost."""
        self._lost += lost_s

    def heard(self, heard: Heard) -> None:
        """Take the scores of a window."""
        self._heard = heard
        self._latencies.append(heard.latency_s)

    def refresh(self) -> None:
        """Draw, where the last time was long enough ago."""
        if monotonic() >= self._due:
            self._live.update(self.frame(), refresh=True)
            self._due = monotonic() + _EVERY_S

    def frame(self) -> Text:
        """What is to be seen now."""
        width, height = self._console.size
        gap = [Text()] * (height >= _TALL)
        top = min(self._top, max(1, height - (12 if gap else 6)))
        lines = [Text(self._title, style="bold"), self._level(width), *gap]
        lines += self._classes(width, top)
        rows = max(1, height - len(lines) - 2 * len(gap) - 2)
        lines += [*gap, *self._spectrogram(width, rows), *gap, *self._state(width)]
        for line in lines:
            line.truncate(width, overflow="ellipsis" if self._blocks else "crop")
        return Text("\n", no_wrap=True).join(lines[:height])

    def _level(self, width: int) -> Text:
        level = level_db(self._recent)
        peak = float(np.abs(self._recent).max()) if len(self._recent) else 0.0
        wide = width >= _WIDE
        size = max(1, width - _AXIS - (32 if wide else 20))
        bar = self._bar(1 - level / _LEAST_DB, size)
        loud = peak >= 1 - 1 / 32768
        text = Text.assemble(f"{'level':<{_AXIS}}", (f"{bar:<{size}}", _LOUD if loud else _OTHERS))
        peak_db = 20 * math.log10(peak) if peak > 0 else -math.inf
        peak_text = f"peak {peak_db:6.1f} dB" if wide else ""
        return text.append(f"  {level:6.1f} dB  ").append("clipped" if loud else peak_text)

    def _classes(self, width: int, count: int) -> list[Text]:
        if self._heard is None:
            waiting = f"the first window is complete after {self._windows.length_s:g} s"
            return [Text(waiting, style="dim"), *[Text()] * (min(count, self._top) - 1)]
        best = list(self._heard.scores.head(count).items())
        label = min(max(len(str(name)) for name, _ in best), width // 3)
        size = max(1, width - label - 10)
        return [
            Text.assemble(
                (f"{str(name)[:label]:<{label}}  ", "bold" if k == 0 else ""),
                (f"{self._bar(float(score), size):<{size}}", _OTHERS if k else _BEST),
                f"  {score:.3f}",
            )
            for k, (name, score) in enumerate(best)
        ]

    def _spectrogram(self, width: int, height: int) -> list[Text]:
        columns = max(1, width - _AXIS)
        hertz = self._strip.hertz(height)
        axis = [f"{f / 1000:5.1f} kHz" if k % 3 == 0 else "" for k, f in enumerate(hertz)]
        if not (self._colours and self._blocks):
            shades = (self._strip.levels(height, columns) * (len(_SHADES) - 1)).round().astype(int)
            rows = [Text("".join(_SHADES[s] for s in row)) for row in shades]
        else:
            shades = (self._strip.levels(2 * height, columns) * (len(_COLOURS) - 1)).round().astype(int)
            rows = [_coloured(high, low) for high, low in zip(shades[::2], shades[1::2], strict=True)]
        return [Text(f"{mark:<{_AXIS}}").append_text(row) for mark, row in zip(axis, rows, strict=True)]

    def _state(self, width: int) -> list[Text]:
        windows = (
            f"   window {self._windows.length_s:.3g} s every {self._windows.hop_s:.3g} s" if width >= _WIDE else ""
        )
        last = f"{1000 * self._latencies[-1]:.0f} ms" if self._latencies else "-"
        usual = f"{1000 * median(self._latencies):.0f} ms" if self._latencies else "-"
        lost = Text(f"lost {self._lost:.1f} s", style=_LOUD if self._lost else "")
        return [
            Text(f"heard {self._seconds:.1f} s   ").append_text(lost).append(windows),
            Text(f"latency {last}, median {usual}   Ctrl-C ends"),
        ]

    def _bar(self, share: float, width: int) -> str:
        """A bar of a share of the width, in eighths of a cell where the terminal has them."""
        eighths = round(min(max(share, 0.0), 1.0) * 8 * width)
        if not self._blocks:
            return "#" * round(eighths / 8)
        return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]


def _coloured(high: np.ndarray, low: np.ndarray) -> Text:
    """A row of cells, each the upper and the lower of two bands."""
    text, start = Text(), 0
    for stop in range(1, len(high) + 1):
        if stop == len(high) or high[stop] != high[start] or low[stop] != low[start]:
            text.append("▀" * (stop - start), _style(high[start], low[start]))
            start = stop
    return text


def _style(high: int, low: int) -> Style:
    return Style(color=f"color({_COLOURS[high]})", bgcolor=f"color({_COLOURS[low]})")
