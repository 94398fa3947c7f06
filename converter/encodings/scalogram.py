"""The encoding ``scalogram``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from converter.filter_bank import FilterBank, filter_bank, filtered_power, segment_length
from converter.sound import Sound
from converter.time_frequency import InColour, InDecibels, check_band
from harness.settings import PositiveInt, at_least, field_error

__all__ = ["Scalogram", "wavelet_power"]

_REACH = 5.5  # standard deviations of a Gaussian that count; its tail is 3e-7 there
_LONGEST_S = 20.0


class Scalogram(InDecibels, InColour):
    """Scalogram: the continuous wavelet transform with Morlet wavelets, rows by octaves, in dB, in colour.

    High frequencies are sharp in time, low ones in frequency. Torrence and Compo, "A practical guide to wavelet
    analysis", Bull. Amer. Meteor. Soc. 79, 1998, equations 1, 2 and 6: each wavelet has the same energy, so white noise
    is equally bright in all rows.

    Parameters
    ----------
    fmin, fmax : float
        Frequencies of the lowest and the highest row in Hz, where their wavelets respond most; ``fmax = 0``: half the
        rate.
    n_scales : int
        Number of rows, evenly spaced in octaves.
    omega0 : float
        Width of the wavelets, in radians: more is sharper in frequency, less is sharper in time; 5 or more.
    """

    name = "scalogram"

    hop_length: PositiveInt = 128
    fmin: Annotated[float, PlainValidator(at_least(1))] = 50.0
    fmax: Annotated[float, PlainValidator(at_least(0))] = 0.0
    n_scales: PositiveInt = 128
    omega0: Annotated[float, PlainValidator(at_least(5))] = 6.0

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        check_band(self.fmin, self.fmax, self.sample_rate)
        longest = 2 * _REACH * self.omega0 / (2 * np.pi * self.fmin)
        if longest > _LONGEST_S:
            raise field_error(
                "fmin",
                f"its wavelet would be {longest:.0f} s long with omega0={self.omega0:g}, the most is {_LONGEST_S:g} s; "
                "raise fmin or lower omega0",
            )
        return self

    @property
    def highest_hz(self) -> float:
        """Frequency of the highest row, in Hz."""
        return self.fmax or self.sample_rate / 2

    def row_hz(self) -> np.ndarray:
        """Frequencies in Hz of the rows of `values`, lowest first, shape (n_scales,)."""
        return np.geomspace(self.fmin, self.highest_hz, self.n_scales)

    def values(self, sound: Sound) -> np.ndarray:
        """The wavelet transform's magnitude to the exponent `power`, float32 of shape (n_scales, frames)."""
        squared = wavelet_power(
            sound.y, sr=sound.sr, hz=tuple(self.row_hz()), omega0=self.omega0, hop_length=self.hop_length
        )
        return squared if self.power == 2 else squared ** np.float32(self.power / 2)


def wavelet_power(y: np.ndarray, *, sr: int, hz: tuple[float, ...], omega0: float, hop_length: int) -> np.ndarray:
    """Squared magnitude of the continuous wavelet transform with Morlet wavelets, at every hop.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    sr : int
    hz : tuple of float
        Frequencies where the wavelets respond most; their scales are ``omega0 / (2 pi hz)`` seconds.
    omega0 : float
    hop_length : int

    Returns
    -------
    ndarray of float32, shape (len(hz), 1 + samples // hop_length)
    """
    return filtered_power(y, _bank(sr, hz, omega0, hop_length))


@lru_cache(maxsize=4)
def _bank(sr: int, hz: tuple[float, ...], omega0: float, hop_length: int) -> FilterBank:
    scales = omega0 * sr / (2 * np.pi * np.array(hz))  # in samples
    length, reach = segment_length(int(_REACH * scales.max()) + 1, hop_length=hop_length)

    def responses() -> Iterator[tuple[int, np.ndarray]]:
        for scale in scales:
            to_bins = length / (2 * np.pi * scale)
            first = max(1, int((omega0 - _REACH) * to_bins))
            bins = np.arange(first, min(length - 1, int((omega0 + _REACH) * to_bins)) + 1)  # beyond half the rate, too
            gauss = np.exp(-0.5 * (bins / to_bins - omega0) ** 2)
            yield first, np.sqrt(2 * np.pi * scale) * np.pi**-0.25 * gauss

    return filter_bank(responses(), length=length, hop_length=hop_length, reach=reach)
