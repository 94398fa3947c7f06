"""How far a scan has come and how fast it is, in times real time, on stderr.

What other processes do, here or on a cluster, is seen from the blocks of scores that they write.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from harness import audio
from harness.cli import note
from harness.errors import AudioError

__all__ = ["Speed", "speed_words"]

_EVERY_S = 15.0  # between two lines where there is no bar of this module


def speed_words(sound_s: float, seconds: float) -> str:
    """A speed as people read it.

    Examples
    --------
    >>> speed_words(28800.0, 80.0)
    '360 times real time'
    """
    ratio = sound_s / max(seconds, 1e-9)
    return f"{ratio:.0f} times real time" if ratio >= 10 else f"{ratio:.1f} times real time"


class Speed:
    """A bar on a terminal, else a line now and then; a context manager around the bar.

    Parameters
    ----------
    files : sequence of str
        The recordings.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._left = list(files)
        self._count = len(files)
        self._started = self._said = time.monotonic()
        self._done = 0.0  # seconds of sound in recordings that are finished
        self._elsewhere = False
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        """Show the bar where stderr is a terminal."""
        if sys.stderr.isatty():
            words = TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[speed]}")
            self._bar = Progress(*words, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            total = sum(_seconds(path) for path in self._left)
            self._task = self._bar.add_task("scanning", total=total or None, speed="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    @contextmanager
    def watching(self, measure: Callable[[], float]) -> Iterator[None]:
        """Say now and then how far other processes have come.

        Parameters
        ----------
        measure : callable
            Gives the seconds of sound that are scored, those that were at the start included.
        """
        ended, before = Event(), measure()

        def watch() -> None:
            while not ended.wait(_EVERY_S):
                self._done = max(0.0, measure() - before)
                self._say(self._recordings(), self._done)

        self._elsewhere = True
        thread = Thread(target=watch, name="speed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def reached(self, path: str, sound_s: float) -> None:
        """So many seconds of a recording are scored."""
        self._say(Path(path).name, self._done + sound_s)

    def finished(self, path: str, sound_s: float) -> None:
        """A recording is finished, of which so many seconds were scored now."""
        with suppress(ValueError):
            self._left.remove(path)
        if not self._elsewhere:
            self._done += sound_s
            self._say(self._recordings(), self._done)

    def _recordings(self) -> str:
        return f"{self._count - len(self._left)} of {self._count} recordings"

    def _say(self, what: str, sound_s: float) -> None:
        now = time.monotonic()
        speed = speed_words(sound_s, now - self._started)
        if self._bar:
            self._bar.update(self._task, completed=sound_s, description=what, speed=speed)
        elif now - self._said >= _EVERY_S:
            self._said = now
            note(f"{what}, {sound_s / 3600:.2f} h of sound: {speed}")


def _seconds(path: str) -> float:
    try:
        return audio.duration(path)
    except AudioError:
        return 0.0
