"""How long a training will take at most, from a measured step, and how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from harness.hub.network_settings import NetworkSettings
from trainer.networks.steps import Network

__all__ = ["Clock", "duration", "measured_step", "steps_in"]

_MEASURED = 3


def steps_in(n_rows: int, settings: NetworkSettings) -> int:
    """Steps of an epoch over so many rows."""
    return -(-n_rows // min(settings.batch_size, n_rows))


def measured_step(network: Network, images: np.ndarray, rows: np.ndarray) -> float:
    """Seconds of a training step: the median of a few on the first rows; the weights are changed.

    Parameters
    ----------
    network : Network
    images : ndarray of uint8, shape (n, H, W, 3)
    rows : ndarray of int
        To train on.
    """
    batch = images[rows[: min(network.settings.batch_size, len(rows))]]
    seconds = []
    for _ in range(1 + _MEASURED):
        started = time.perf_counter()
        network.step(batch, np.zeros(len(batch), int), (0, 0), rate=0.0, last_only=False)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))  # the first one is compiled, too


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

    Parameters
    ----------
    step_s : float
        Seconds of a step.
    steps : int
        How many are left at most.
    """

    step_s: float
    steps: int
    _begun: float = field(default_factory=time.monotonic)
    _done: int = 0
    _gone: int = 0
    _reported: int = 0

    def advance(self, steps: int, *, done: bool = True) -> None:
        """Count steps that are done, or that need not be done."""
        self.steps -= steps
        self._gone += steps
        self._done += steps if done else 0

    def taken(self) -> int:
        """Steps by which fewer are left than when this was last asked."""
        before, self._reported = self._reported, self._gone
        return self._gone - before

    def seconds_left(self) -> float:
        """Seconds at most, by the pace so far."""
        pace = (time.monotonic() - self._begun) / self._done if self._done else self.step_s
        return max(self.steps, 0) * pace
