"""Smoothing of scores along a recording: mean, median, exponential onset.

``onset`` is the smoother of a live classifier: a fast average (0.7 of the old one, 0.3 of the new score) and a slow one
(0.9 and 0.1), both 0 at the start. A sound sets in where the fast one is above the slow one; elsewhere its score is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from harness.settings import field_error

__all__ = ["FAST", "SLOW", "SMOOTHINGS", "Smoothing", "averages", "check_span", "smooth"]

Smoothing = Literal["none", "mean", "median", "onset"]
SMOOTHINGS: tuple[str, ...] = get_args(Smoothing)
"""Names of the ways to smooth."""
FAST, SLOW = 0.3, 0.1  # of the new score


def check_span(how: Smoothing, smoothing_s: float) -> None:
    """Refuse a span where there is none: without smoothing, and for averages that have their own.

    Raises
    ------
    PydanticCustomError
        For a validator of settings, of which one is ``smoothing_s``.
    """
    if smoothing_s and how not in ("mean", "median"):
        raise field_error(
            "smoothing_s", f"is the span of a mean or a median, and smoothing is {how!r}; choose one of them"
        )


def smooth(scores: np.ndarray, how: Smoothing, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth the scores of each class.

    Parameters
    ----------
    scores : ndarray of float, shape (windows, classes)
    how : str
        One of :data:`SMOOTHINGS`.
    windows : int
        How many windows a mean or a median goes over; of an even number one more before a window than after it. The
        first and last scores are repeated beyond the ends.

    Returns
    -------
    smoothed : ndarray of float64, shape (windows, classes)
    allowed : ndarray of bool, shape (windows, classes)
        Where a call may be: with ``onset`` only where the sound sets in.

    Examples
    --------
    >>> smooth(np.array([[0.0], [0.9], [0.0]]), "mean", 3)[0].round(3).ravel().tolist()
    [0.3, 0.3, 0.3]
    >>> smooth(np.array([[0.0], [0.9], [0.0]]), "median", 3)[0].ravel().tolist()
    [0.0, 0.0, 0.0]
    >>> smooth(np.array([[0.0], [1.0], [0.0], [0.0], [0.0], [0.0], [0.0]]), "onset", 1)[1].ravel().tolist()
    [False, True, True, True, True, True, False]
    """
    scores = np.asarray(scores, dtype=np.float64)
    everywhere = np.ones(scores.shape, bool)
    if how == "onset":
        fast, slow = averages(scores)
        return fast, fast > slow
    filters: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "none": lambda values: values,
        "mean": lambda values: uniform_filter1d(values, windows, axis=0, mode="nearest"),
        "median": lambda values: median_filter(values, size=(windows, 1), mode="nearest"),
    }
    return (filters[how](scores) if len(scores) else scores), everywhere


def averages(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fast and the slow exponential average of scores, window by window, from 0; each of the shape of `scores`."""
    fast, slow = np.zeros_like(scores), np.zeros_like(scores)
    last_fast, last_slow = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for k, row in enumerate(scores):
        last_fast = fast[k] = (1 - FAST) * last_fast + FAST * row
        last_slow = slow[k] = (1 - SLOW) * last_slow + SLOW * row
    return fast, slow
