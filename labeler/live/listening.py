"""The live loop: sound as it comes -> windows -> scores -> whoever listens.

A thread reads the source into a :class:`~labeler.live.ring.RingBuffer`; the loop takes windows out of it and scores
each as :mod:`labeler.scanning` does. Where labelling falls behind, the ring is full and the device overflows: what was
lost is said, and no window reaches over it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness.cli import count
from labeler.live.ring import RingBuffer
from labeler.live.smoothing import LiveSmoother
from labeler.live.sources import Source
from labeler.live.windowing import StreamWindows
from labeler.preprocess import prepare_samples, shape_of
from labeler.scanning import Windows

if TYPE_CHECKING:  # which offers `listen` as a method
    from labeler.loading import Model

__all__ = ["SILENT_DB", "Heard", "Listener", "Tally", "level_db", "listen_to"]

_SPARE_S = 2.0  # of sound in the ring beyond a window
_WAIT_S = 0.2
_LEAVE_S = 0.5
_AT_LEAST_EVERY_S = 0.5  # listeners are refreshed
_MARGIN, _FORGET = 1.5, 0.98
SILENT_DB = -120.0


@dataclass(frozen=True, eq=False)
class Heard:
    """One window.

    Parameters
    ----------
    start_s, end_s : float
        In seconds of the sound that was heard, as in a recording of it: what was lost does not count.
    scores : Series of float64, shape (classes,)
        By class, best first, as :meth:`labeler.loading.Model.label` gives them.
    level_db : float
        Root mean square in dB of full scale; -120 for silence.
    latency_s : float
        From when the window's last sample was there to its scores.
    """

    start_s: float
    end_s: float
    scores: pd.Series
    level_db: float
    latency_s: float


class Listener:
    """Whoever is called by the loop; what a listener does not care for does nothing."""

    def sound(self, y: np.ndarray) -> None:
        """Take all samples, in pieces: float32 in [-1, 1]; after the windows that end in them.

        Their shape is (samples,), or (samples, channels) of a source with several channels.
        """

    def lost(self, at_s: float, lost_s: float) -> None:
        """Take notice that about so many seconds are missing, after so many seconds of sound."""

    def heard(self, heard: Heard) -> bool | None:
        """Take a window; False ends the loop."""

    def refresh(self) -> None:
        """Do what has time: called between pieces of sound, where no window is about to be complete."""


class Tally(Listener):
    """Count what is heard.

    Parameters
    ----------
    sr : int
        In Hz.
    """

    def __init__(self, sr: int) -> None:
        self._sr = sr
        self._samples = self._windows = 0
        self._lost_s = 0.0

    def sound(self, y: np.ndarray) -> None:
        """Count samples."""
        self._samples += len(y)

    def lost(self, at_s: float, lost_s: float) -> None:
        """Add up what was lost."""
        self._lost_s += lost_s

    def heard(self, heard: Heard) -> None:
        """Count windows."""
        self._windows += 1

    def text(self) -> str:
        """What it came to, in a few words."""
        lost = f", about {self._lost_s:.2f} s lost" if self._lost_s else ""
        return f"heard {self._samples / self._sr:.1f} s{lost}; {count(self._windows, 'window')}"


def listen_to(
    model: Model,
    source: Source,
    windows: Windows,
    listeners: Sequence[Listener],
    *,
    seconds: float = 0.0,
    smoother: LiveSmoother | None = None,
) -> None:
    """Listen to a source until it ends, it has given so many seconds, or a listener has enough.

    Parameters
    ----------
    model : Model
    source : Source
    windows : Windows
    listeners : sequence of Listener
        Each is called in this thread, in their order.
    seconds : float
        0: for ever.
    smoother : LiveSmoother, optional
        Default: each window has its own scores.

    Raises
    ------
    AudioError
        A device that is lost, a file that cannot be read to its end. What came before is heard.
    ModuleError
        The model takes no sound.
    """
    loop = _Loop(model, source, windows, listeners, smoother or LiveSmoother())
    ring = RingBuffer(loop.cut.length + math.ceil(_SPARE_S * source.sr), channels=source.channels)
    with _filled(ring, source):
        loop.run(ring, round(seconds * source.sr) if seconds else math.inf)


@contextmanager
def _filled(ring: RingBuffer, source: Source) -> Iterator[None]:
    """Let a thread read the source into the ring."""

    def fill() -> None:
        try:
            while (block := source.read()) is not None:
                if block.lost_s:
                    ring.lose(block.lost_s)
                if not ring.write(block.y):
                    return
            ring.end()
        except BaseException as error:  # raised again in the loop, when all is heard that came before it
            ring.end(error)

    thread = threading.Thread(target=fill, name="source", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ring.close()
        thread.join(_LEAVE_S)


class _Loop:
    """Position, windows and smoothing of one time of listening."""

    def __init__(
        self, model: Model, source: Source, windows: Windows, listeners: Sequence[Listener], smoother: LiveSmoother
    ) -> None:
        self.model = model
        self.sr = source.sr
        self.cut = StreamWindows(windows, source.sr)
        self.listeners = listeners
        self.smoother = smoother
        self.refreshing = _Refreshing()
        examples = np.stack([self.prepared(y) for y in _examples(self.cut.length)])
        self.shape = shape_of(examples[0])
        self.single = model.single(examples)  # the first call takes long

    def prepared(self, y: np.ndarray) -> np.ndarray:
        """What the model takes of a window."""
        return prepare_samples(y, self.sr, self.model.card)

    def score(self, y: np.ndarray) -> np.ndarray:
        """Scores of a window, float64 (classes,)."""
        x = self.prepared(y)
        score = self.single if shape_of(x) == self.shape else self.model.scores  # as of what is left at the end
        return score(x[None])[0]

    def run(self, ring: RingBuffer, limit: float) -> None:
        """Take what the ring has, until it ends or that many samples are heard."""
        position = 0
        while position < limit:
            if lost := ring.pop_gap(position):
                self.restart(position, lost)
            stop = int(min(ring.wait(position, timeout=_WAIT_S), limit))
            if stop > position:
                y, position = ring.read(position, stop), stop
                try:
                    wanted = self.windows(ring, position)  # before all that has time
                finally:
                    for each in self.listeners:
                        each.sound(y)
                if not wanted:
                    return
                ring.release(min(self.cut.start, position))
            elif ring.is_over(position):
                break
            if self.refreshing.is_due((self.cut.stop - position) / self.sr):
                with self.refreshing:
                    for each in self.listeners:
                        each.refresh()
        if rest := self.cut.rest(position):
            self.window(ring, *rest)

    def restart(self, position: int, lost: float) -> None:
        """Begin anew where sound was lost."""
        self.cut.restart(position)
        self.smoother.restart()
        for each in self.listeners:
            each.lost(position / self.sr, lost)

    def windows(self, ring: RingBuffer, position: int) -> bool:
        """Score the windows that are complete; False where a listener has enough."""
        while self.cut.stop <= position:
            if not self.window(ring, self.cut.start, self.cut.stop):
                return False
            self.cut.advance()
        return True

    def window(self, ring: RingBuffer, start: int, stop: int) -> bool:
        """Score one window and pass it on; False where a listener has enough."""
        y = ring.read(start, stop)
        scores = self.smoother(self.score(y))
        order = np.argsort(-scores, kind="stable")
        classes = self.model.card.classes
        heard = Heard(
            start_s=start / self.sr,
            end_s=stop / self.sr,
            scores=pd.Series(scores[order], index=[classes[k] for k in order], name="score"),
            level_db=level_db(y),
            latency_s=monotonic() - ring.time_of(stop),
        )
        answers = [each.heard(heard) for each in self.listeners]
        return not any(isinstance(answer, (bool, np.bool_)) and not answer for answer in answers)


class _Refreshing:
    """When listeners may do what has time: not where a window would be complete meanwhile."""

    def __init__(self) -> None:
        self.took_s = 0.0
        self.ended = self.began = monotonic()

    def is_due(self, until_s: float) -> bool:
        """Whether there is time, where the next window is complete in so many seconds; now and then in any case."""
        return until_s > _MARGIN * self.took_s or monotonic() - self.ended > _AT_LEAST_EVERY_S

    def __enter__(self) -> None:
        self.began = monotonic()

    def __exit__(self, *_: object) -> None:
        """Remember about how long it takes, the longest of the last few times."""
        self.ended = monotonic()
        self.took_s = max(self.ended - self.began, _FORGET * self.took_s)


def _examples(length: int) -> list[np.ndarray]:
    """Sounds of so many samples, each float32 (samples,): silence, noise, a rising tone, a buzz in noise."""
    noise = np.random.default_rng(0).standard_normal(length)
    t = np.arange(length)
    sounds = [0.0 * t, 0.1 * noise, 0.3 * np.sin(0.5 * t**2 / length), 0.02 * noise + 0.3 * np.sign(np.sin(0.06 * t))]
    return [y.astype(np.float32) for y in sounds]


def level_db(y: np.ndarray) -> float:
    """Root mean square of samples, over all channels, in dB of full scale; -120 for silence.

    Examples
    --------
    >>> round(level_db(np.full(100, 0.1, np.float32)), 3)
    -20.0
    """
    power = float(np.vdot(y, y)) / max(1, y.size)
    return max(SILENT_DB, 10 * math.log10(power)) if power > 0 else SILENT_DB
