"""The encoding ``mfcc``."""

from __future__ import annotations

from typing import Self

import numpy as np
import scipy
from pydantic import model_validator

from converter.colour import paint
from converter.raster import MIDDLE, quantise
from converter.spectrogram import ColourSpectrogram, DecibelSpectrogram, MelSpectrogram
from harness.settings import Count, PositiveFloat, PositiveInt, field_error

__all__ = ["Mfcc", "cepstrum"]


class Mfcc(MelSpectrogram, DecibelSpectrogram, ColourSpectrogram):
    """Mel-frequency cepstral coefficients: the shape of the log-mel spectrum, coarse at the bottom, fine at the top.

    The discrete cosine transform of each frame's mel bands in decibels (Davis and Mermelstein, "Comparison of
    parametric representations for monosyllabic word recognition", IEEE Trans. ASSP 28, 1980), as in
    ``librosa.feature.mfcc``. The lowest row is the frame's mean level; middle is silence there, brighter is louder. In
    the other rows middle is zero.

    Parameters
    ----------
    n_mfcc : int
        Number of coefficients, the mean level among them.
    lifter : int
        How much finer structure is raised: coefficient n by the factor ``1 + lifter / 2 * sin(pi * (n + 1) / lifter)``,
        as in librosa; 0: not at all.
    range_db : float
        Value of a coefficient (in dB, before the lifter's factor is taken off) that is drawn as the brightest shade, or
        as the darkest.
    """

    name = "mfcc"

    n_mfcc: PositiveInt = 20
    lifter: Count = 40
    range_db: PositiveFloat = 500.0

    @model_validator(mode="after")
    def _check_coefficients(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise field_error("n_mfcc", f"must not be above n_mels={self.n_mels}")
        if self.axis == "symlog":
            raise field_error("axis", "symlog is a scale of frequencies, which coefficients have none of; give 'even'")
        return self

    def row_hz(self) -> np.ndarray:
        """Coefficients have no frequencies: their numbers."""
        return np.arange(self.n_mfcc, dtype=np.float64)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in [0, 1] of the coefficients of mel bands (n_mels, frames), float32 of shape (n_mfcc, frames)."""
        levels_db = super().levels(values) * np.float32(self.top_db)
        coefficients = cepstrum(levels_db, n_mfcc=self.n_mfcc, lifter=self.lifter)
        loudest = np.float32(self.top_db * np.sqrt(self.n_mels) * _lift(1, self.lifter)[0])
        coefficients[0] /= loudest
        coefficients[1:] /= np.float32(self.range_db)
        return np.clip(coefficients / 2 + np.float32(MIDDLE), 0, 1)

    def silence(self) -> np.ndarray:
        """The image of silence: the middle colour."""
        return paint(quantise(np.full(self.size, MIDDLE, np.float32)), self.palette())


def cepstrum(S_db: np.ndarray, *, n_mfcc: int, lifter: int = 0) -> np.ndarray:
    """Cepstral coefficients of a spectrum in decibels.

    Parameters
    ----------
    S_db : ndarray of float32, shape (n_mels, frames)
    n_mfcc : int
        Number of coefficients, ``n_mels`` at most.
    lifter : int
        See :class:`Mfcc`.

    Returns
    -------
    ndarray of float32, shape (n_mfcc, frames)
        ``librosa.feature.mfcc(S=S_db, n_mfcc=n_mfcc, lifter=lifter)``.
    """
    coefficients: np.ndarray = scipy.fft.dct(S_db, axis=0, type=2, norm="ortho")[:n_mfcc]
    return coefficients * _lift(n_mfcc, lifter)[:, None]


def _lift(n_mfcc: int, lifter: int) -> np.ndarray:
    if not lifter:
        return np.ones(n_mfcc, np.float32)
    raised: np.ndarray = 1 + lifter / 2 * np.sin(np.pi * np.arange(1, 1 + n_mfcc) / lifter)
    return raised.astype(np.float32)
