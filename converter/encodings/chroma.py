"""The encoding ``chroma``."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
import scipy
from pydantic import PlainValidator, model_validator

from converter.levels import is_silent
from converter.sound import Sound
from converter.spectrogram import ColourSpectrogram, DecibelSpectrogram, linear_bins, linear_values
from harness.settings import PositiveFloat, PositiveInt, at_least, field_error

__all__ = ["Chroma", "chroma_bank"]

_A0_HZ = 440.0 / 16
_CENTRE_OCTAVE, _WIDTH_OCTAVES = 5.0, 2.0  # above A0: where bins count most, and how fast that falls off


class Chroma(DecibelSpectrogram, ColourSpectrogram):
    """Chroma: the energy of each pitch class, C at the bottom, B at the top; octaves are folded into one.

    Fujishima, "Realtime chord recognition of musical sound", ICMC 1999; the filters are Ellis's, as in
    ``librosa.feature.chroma_stft``, whose values these are before they are drawn in decibels.

    Parameters
    ----------
    n_chroma : int
        Number of pitch classes.
    tuning : float
        How far the sound's tuning lies above A = 440 Hz, in pitch classes.
    norm : {"clip", "frame"}
        ``clip``: in decibels below the reference. ``frame``: relative to the strongest pitch class of each frame,
        without decibels, as librosa normalises; loudness is not drawn then, and ref does not apply.
    """

    name = "chroma"

    top_db: PositiveFloat = 30.0
    n_chroma: PositiveInt = 12
    tuning: Annotated[float, PlainValidator(at_least(-1))] = 0.0
    norm: Literal["clip", "frame"] = "clip"

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.axis == "symlog":
            raise field_error("axis", "symlog is a scale of frequencies, which pitch classes have none of; give 'even'")
        if self.norm == "frame" and self.ref != "max":
            raise field_error("ref", "does not apply with norm='frame'; leave it out, or give norm='clip'")
        return self

    def values(self, sound: Sound) -> np.ndarray:
        """Energy of the pitch classes, float32 of shape (n_chroma, frames)."""
        S = linear_values(sound, fmin=self.fmin, fmax=self.highest_hz, **self._transform())
        values: np.ndarray = _sparse_bank(*self._bank_of()) @ S
        return values

    def row_hz(self) -> np.ndarray:
        """Pitch classes have no frequencies: their numbers."""
        return np.arange(self.n_chroma, dtype=np.float64)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in [0, 1] of the pitch classes, float32 of shape (n_chroma, frames)."""
        if self.norm == "clip" or is_silent(values, power=self.power):
            return super().levels(values)
        highest = values.max(axis=0)
        levels: np.ndarray = values / np.where(highest < np.finfo(np.float32).tiny, np.float32(1), highest)
        return levels

    def warnings(self) -> tuple[str, ...]:
        """Pitch classes that no bin of the Fourier transform is nearest to."""
        bank = chroma_bank(*self._bank_of())
        empty = self.n_chroma - len(np.unique(bank[:, bank.max(axis=0) > 0].argmax(axis=0)))
        if not empty:
            return super().warnings()
        return (
            f"{empty} of n_chroma={self.n_chroma} pitch classes have no bin of n_fft={self.n_fft} between "
            f"fmin={self.fmin:g} and fmax={self.highest_hz:g} Hz of their own; lower n_chroma, or raise n_fft",
            *super().warnings(),
        )

    def _bank_of(self) -> tuple[int, int, int, float, int, int]:
        low, high = linear_bins(self.fmin, self.highest_hz, sr=self.sample_rate, n_fft=self.n_fft)
        return self.sample_rate, self.n_fft, self.n_chroma, self.tuning, low, high


@lru_cache(maxsize=16)
def chroma_bank(sr: int, n_fft: int, n_chroma: int, tuning: float, low: int, high: int) -> np.ndarray:
    """Filters of pitch classes: Gaussians around each bin's own pitch, C first.

    Parameters
    ----------
    sr, n_fft : int
    n_chroma : int
    tuning : float
        In pitch classes above A = 440 Hz.
    low, high : int
        First bin and end of the bins that are summed.

    Returns
    -------
    ndarray of float32, shape (n_chroma, high - low)
        ``librosa.filters.chroma(sr=sr, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)[:, low:high]``; read-only.
    """
    hz = np.linspace(0, sr, n_fft, endpoint=False)[1:]
    pitch = n_chroma * np.log2(hz / (_A0_HZ * 2.0 ** (tuning / n_chroma)))
    pitch = np.concatenate([[pitch[0] - 1.5 * n_chroma], pitch])
    width = np.concatenate([np.maximum(np.diff(pitch), 1.0), [1.0]])
    half = np.round(n_chroma / 2)
    apart = np.remainder(pitch - np.arange(n_chroma)[:, None] + half + 10 * n_chroma, n_chroma) - half
    bank = np.exp(-0.5 * (2 * apart / width) ** 2)
    bank /= np.sqrt((bank**2).sum(axis=0))
    bank *= np.exp(-0.5 * ((pitch / n_chroma - _CENTRE_OCTAVE) / _WIDTH_OCTAVES) ** 2)
    bank = np.roll(bank, -3 * (n_chroma // 12), axis=0)[:, low:high].astype(np.float32)
    bank.flags.writeable = False
    return bank


@lru_cache(maxsize=16)
def _sparse_bank(sr: int, n_fft: int, n_chroma: int, tuning: float, low: int, high: int) -> scipy.sparse.csr_array:
    """The same as a sparse matrix, whose product is the same to the last bit however many threads there are."""
    return scipy.sparse.csr_array(chroma_bank(sr, n_fft, n_chroma, tuning, low, high))
