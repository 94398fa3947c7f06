"""One picture of one sound: for the labeler, a notebook, a test."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from converter.registry import encode
from converter.spec import Spec
from harness import audio

__all__ = ["draw", "draw_samples"]


def draw(path: str | Path, spec: Spec, *, start_s: float = math.nan, end_s: float = math.nan) -> np.ndarray:
    """Draw a sound file, or a part of it, exactly as the converter does.

    Parameters
    ----------
    path : path
        Any sound that :mod:`harness.audio` reads.
    spec : Spec
        From :func:`converter.registry.make_spec` or ``spec_from_json``.
    start_s, end_s : float
        The part, in seconds; NaN for the file's own start and end.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    AudioError
        The file cannot be read, is empty, or holds NaN.
    """
    y, sr = audio.read(path, start_s=start_s, end_s=end_s)
    return draw_samples(y, sr, spec)


def draw_samples(y: np.ndarray, sr: int, spec: Spec) -> np.ndarray:
    """Draw samples at any rate; the same samples give the same pixels as the file that holds them.

    Parameters
    ----------
    y : ndarray of float, shape (samples,)
        Mono, in [-1, 1].
    sr : int
        Rate of `y` in Hz.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    return encode(y, sr=sr, spec=spec)
