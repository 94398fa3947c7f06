"""Smoothing of scores as they come: the ways of a scan, over the windows so far."""

from __future__ import annotations

from collections import deque

import numpy as np

from labeler.smoothing import FAST, SLOW, Smoothing

__all__ = ["LiveSmoother"]

_USUAL = 3  # windows


class LiveSmoother:
    """Scores of a window from its own and those before it.

    Parameters
    ----------
    smoothing : str
        ``mean`` or ``median`` of the last windows; ``onset``: a fast average (0.7 of the old one, 0.3 of the new
        score) where it is above a slow one (0.9 and 0.1), else 0; ``none``: its own.
    windows : int
        How many windows a mean or a median goes over; 0 for three.

    Examples
    --------
    >>> smoother = LiveSmoother("mean", 2)
    >>> [smoother(np.array([score])).tolist() for score in (1.0, 0.0, 0.0)]
    [[1.0], [0.5], [0.0]]
    >>> smoother = LiveSmoother("onset")
    >>> [smoother(np.array([score])).round(3).tolist() for score in (1.0, 0.0, 0.0, 0.0, 0.0)]
    [[0.3], [0.21], [0.147], [0.103], [0.072]]
    >>> smoother(np.array([0.0])).tolist()
    [0.0]
    """

    def __init__(self, smoothing: Smoothing = "none", windows: int = 0) -> None:
        self._smoothing = smoothing
        self._last: deque[np.ndarray] = deque(maxlen=windows or _USUAL)
        self._fast = self._slow = np.zeros(1)

    def restart(self) -> None:
        """Forget the windows so far: sound was lost."""
        self._last.clear()
        self._fast = self._slow = np.zeros(1)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Smoothed scores of the next window, float64 (classes,)."""
        if self._smoothing == "onset":
            self._fast = (1 - FAST) * self._fast + FAST * scores
            self._slow = (1 - SLOW) * self._slow + SLOW * scores
            return np.where(self._fast > self._slow, self._fast, 0.0)
        if self._smoothing == "none":
            return scores
        self._last.append(scores)
        smoothed: np.ndarray = (np.mean if self._smoothing == "mean" else np.median)(np.stack(self._last), axis=0)
        return smoothed
