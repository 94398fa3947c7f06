"""The encoding ``cqt``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Self

import numpy as np
import scipy
from pydantic import PlainValidator, model_validator

from converter.filter_bank import FilterBank, filter_bank, filtered_power, segment_length
from converter.sound import Sound
from converter.time_frequency import InColour, InDecibels
from harness.settings import Count, PositiveInt, at_least, field_error

__all__ = ["Cqt", "cqt_power"]

_LOBES = 48  # of a filter's spectrum that count: what is left out is 100 dB below a tone's own row
_HANN_BANDWIDTH = 1.50018310546875  # in bins; librosa.filters.window_bandwidth("hann")
_LONGEST_S = 20.0


class Cqt(InDecibels, InColour):
    """Constant-Q transform: pitches in rows of equal height, in dB, in colour.

    Each row is the sound behind a filter whose length is a fixed number of its own periods, so an octave has the same
    height everywhere, and a melody or a call that is higher looks the same, higher up. The filters are complex tones
    under Hann windows, scaled by the root of their lengths, as in ``librosa.cqt``; the formula is that of Schörkhuber
    and Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010.

    Parameters
    ----------
    fmin : float
        Frequency of the lowest row in Hz; C1 by default.
    n_bins : int
        Number of rows; 0: as many as fit below half the rate.
    bins_per_octave : int
        Rows in an octave.
    """

    name = "cqt"

    fmin: Annotated[float, PlainValidator(at_least(1))] = 32.7032
    n_bins: Count = 0
    bins_per_octave: PositiveInt = 12

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        fit = _fitting(self.fmin, self.bins_per_octave, self.sample_rate)
        nyquist = self.sample_rate / 2
        longest = _quality(self.bins_per_octave) / self.fmin
        if longest > _LONGEST_S:
            raise field_error(
                "fmin",
                f"its filter would be {longest:.0f} s long at bins_per_octave={self.bins_per_octave}, the most is "
                f"{_LONGEST_S:g} s; raise fmin or lower bins_per_octave",
            )
        if not fit:
            raise field_error(
                "fmin", f"too high for sample_rate={self.sample_rate}: its filter would reach {nyquist:g} Hz"
            )
        if self.n_bins > fit:
            top = self.fmin * 2 ** ((self.n_bins - 1) / self.bins_per_octave)
            raise field_error(
                "n_bins",
                f"its highest filter, at {top:.0f} Hz, would reach {nyquist:g} Hz, half of "
                f"sample_rate={self.sample_rate}; at most {fit} fit with fmin={self.fmin:g} and "
                f"bins_per_octave={self.bins_per_octave}, and 0 takes as many as fit",
            )
        return self

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.n_bins or _fitting(self.fmin, self.bins_per_octave, self.sample_rate)

    def row_hz(self) -> np.ndarray:
        """Frequencies in Hz of the rows of `values`, lowest first, shape (rows,)."""
        hz: np.ndarray = self.fmin * 2.0 ** (np.arange(self.rows) / self.bins_per_octave)
        return hz

    def values(self, sound: Sound) -> np.ndarray:
        """The constant-Q transform, ``abs(librosa.cqt(...)) ** power``, float32 of shape (rows, frames)."""
        made_with = (self.fmin, self.rows, self.bins_per_octave, self.hop_length)
        squared = sound.once(
            ("cqt", *made_with),
            lambda: cqt_power(
                sound.y,
                sr=sound.sr,
                fmin=self.fmin,
                n_bins=self.rows,
                bins_per_octave=self.bins_per_octave,
                hop_length=self.hop_length,
            ),
        )
        return squared if self.power == 2 else squared ** np.float32(self.power / 2)


def cqt_power(y: np.ndarray, *, sr: int, fmin: float, n_bins: int, bins_per_octave: int, hop_length: int) -> np.ndarray:
    """Squared magnitude of the constant-Q transform.

    ``abs(librosa.cqt(...)) ** 2``, but computed at the sound's own rate for all octaves: librosa halves the rate for
    each octave further down, and leaves out the smallest hundredth of each filter (``sparsity``).

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)

    Returns
    -------
    ndarray of float32, shape (n_bins, 1 + samples // hop_length)
    """
    return filtered_power(y, _bank(sr, fmin, n_bins, bins_per_octave, hop_length))


@lru_cache(maxsize=4)
def _bank(sr: int, fmin: float, n_bins: int, bins_per_octave: int, hop_length: int) -> FilterBank:
    quality = _quality(bins_per_octave)
    length, reach = segment_length(int(quality * sr / fmin / 2) + 2, hop_length=hop_length)

    def responses() -> Iterator[tuple[int, np.ndarray]]:
        for hz in fmin * 2.0 ** (np.arange(n_bins) / bins_per_octave):
            samples = quality * sr / hz
            time = np.arange(-samples // 2, samples // 2)
            window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(time)) / len(time))
            wavelet = np.zeros(length, np.complex128)
            wavelet[time.astype(int)] = np.sqrt(samples) / window.sum() * window * np.exp(2j * np.pi * hz / sr * time)
            half = int(min(np.ceil(_LOBES * length / samples), length // 2 - 1))
            first = round(hz / sr * length) - half
            yield first, scipy.fft.fft(wavelet)[np.arange(first, first + 2 * half + 1) % length]

    return filter_bank(responses(), length=length, hop_length=hop_length, reach=reach)


def _quality(bins_per_octave: int) -> float:
    """Periods in a filter: its frequency over its bandwidth, which is that between its neighbours."""
    apart = 2.0 ** (2 / bins_per_octave)
    return (apart + 1) / (apart - 1)


def _fitting(fmin: float, bins_per_octave: int, sr: int) -> int:
    """How many rows have filters that end below half the rate."""
    highest = sr / 2 / (1 + 0.5 * _HANN_BANDWIDTH / _quality(bins_per_octave))
    return max(0, int(np.floor(np.log2(highest / fmin) * bins_per_octave)) + 1)
