"""How long a training will take at most, from a measured step, and how far it is."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.hub.network_settings import NetworkSettings
from trainer.networks.steps import SCORED, Network

__all__ = ["Clock", "Pace", "duration", "measured_pace", "steps_in"]

_MEASURED = 3
_RECENT = 9  # epochs that the pace is taken from


@dataclass(frozen=True)
class Pace:
    """What a network takes, measured.

    Parameters
    ----------
    step_s : float
        Seconds of a training step.
    scored_s : float
        Seconds in which a batch of images is scored.
    """

    step_s: float
    scored_s: float

    def epoch_s(self, n_rows: int, n_validation: int, settings: NetworkSettings) -> float:
        """Seconds of an epoch over so many rows, with those that it is judged on."""
        return steps_in(n_rows, settings) * self.step_s + self.scoring_s(n_validation)

    def scoring_s(self, n_images: int) -> float:
        """Seconds in which so many images are scored."""
        return -(-n_images // SCORED) * self.scored_s


def steps_in(n_rows: int, settings: NetworkSettings) -> int:
    """Steps of an epoch over so many rows."""
    return -(-n_rows // min(settings.batch_size, n_rows))


def measured_pace(network: Network, images: np.ndarray, rows: np.ndarray) -> Pace:
    """What a network takes: medians of a few steps on the first rows; the weights are changed.

    Parameters
    ----------
    network : Network
    images : ndarray of uint8, shape (n, H, W, 3)
    rows : ndarray of int
        To train on.
    """
    batch = images[rows[: min(network.settings.batch_size, len(rows))]]
    step_s = _median_s(lambda: network.step(batch, np.zeros(len(batch), int), (0, 0), rate=0.0, last_only=False))
    return Pace(step_s, _median_s(lambda: network.features(batch[:1])))


def _median_s(work: Callable[[], object]) -> float:
    """Median seconds of some work, without the first time, in which it is compiled."""
    seconds = []
    for _ in range(1 + _MEASURED):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def duration(seconds: float) -> str:
    """A duration as a person says it.

    Examples
    --------
    >>> duration(12.4), duration(190.0), duration(8000.0)
    ('13 s', '4 min', '2 h 14 min')
    """
    if seconds < 90:
        return f"{int(seconds) + 1} s"
    minutes = -int(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


@dataclass
class Clock:
    """What is left of a training.

    Its pace is the median of the last epochs that were trained here and now, against what was measured before them;
    what a stopped training had done says nothing of it.

    Parameters
    ----------
    planned : mapping of (str, str) to float
        Seconds at most by the measured pace, by part of the training: fold and phase.
    """

    planned: Mapping[tuple[str, str], float]
    _left: dict[tuple[str, str], float] = field(init=False)
    _ratios: deque[float] = field(default_factory=lambda: deque([1.0], _RECENT))
    _reported: float = 0.0

    def __post_init__(self) -> None:
        """Everything is left."""
        self._left = dict(self.planned)

    @property
    def total(self) -> float:
        """Seconds at most of all of it, by the measured pace."""
        return sum(self.planned.values())

    def left(self, part: tuple[str, str], seconds: float) -> None:
        """Note what is left of a part, by the measured pace."""
        self._left[part] = seconds

    def took(self, seconds: float, planned: float) -> None:
        """Count an epoch into the pace: how long it took, and what it was to take by the measured pace."""
        self._ratios.append(seconds / planned)

    def taken(self) -> float:
        """Seconds by which less is left than when this was last asked, by the measured pace."""
        before, self._reported = self._reported, self.total - sum(self._left.values())
        return self._reported - before

    def seconds_left(self) -> float:
        """Seconds at most."""
        return sum(self._left.values()) * statistics.median_low(self._ratios)
