"""Linear-frequency spectrogram: the short-time Fourier transform in dB, in colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converter.colour import paint
from converter.sound import Sound, as_sound
from converter.spectrogram import InColour, InDecibels, level_shades

__all__ = ["Spec", "encode"]


@dataclass(frozen=True)
class Spec(InDecibels, InColour):
    """Settings of the linear-frequency spectrogram."""


def encode(y: np.ndarray | Sound, *, sr: int, spec: Spec) -> np.ndarray:
    """Draw the linear-frequency spectrogram of a clip.

    Parameters
    ----------
    y : ndarray of float, shape (samples,), or Sound
    sr : int
        Rate of `y` in Hz.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    AudioError
        No samples, not mono, or NaN.

    Examples
    --------
    >>> t = np.arange(22050) / 22050
    >>> encode(np.sin(2 * np.pi * 440 * t), sr=22050, spec=Spec(size=(100, 200))).shape
    (100, 200, 3)
    """
    sound = as_sound(y, sr=sr, spec=spec)
    return paint(level_shades(sound, spec), spec.colormap)
