"""What the encodings that draw a spectrogram share: their settings, their values, their levels and shades.

Its `values` are magnitudes to some exponent, as librosa gives them; how they become an image is in
:mod:`converter.time_frequency`. An encoding is a class put together from the ones here; it overrides the step that is
its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from converter.dsp import fft_frequencies, mel_bands, mel_bank, mel_frequencies, stft_power
from converter.levels import level
from converter.raster import shades
from converter.sound import Sound
from converter.time_frequency import InColour, InDecibels, TimeFrequency, check_band
from harness.settings import Count, PositiveInt, at_least, field_error

__all__ = [
    "ColourSpectrogram",
    "DecibelSpectrogram",
    "MelSpectrogram",
    "Spectrogram",
    "linear_bins",
    "linear_values",
    "mel_values",
    "power_values",
]


class Spectrogram(TimeFrequency):
    """Settings of a spectrogram, in addition to those of :class:`~converter.time_frequency.TimeFrequency`.

    Parameters
    ----------
    n_fft : int
        Length of a frame, in samples.
    win_length : int
        Length of the Hann window within a frame; 0: the whole frame.
    center : bool
        Whether frame k is centred on sample ``k * hop_length``, with silence before the first sample and after the
        last, as in librosa. Otherwise its window begins there, and the last one ends within the sound, as in
        tf.signal.stft.
    fmin, fmax : float
        Lowest and highest frequency drawn, in Hz; ``fmax = 0``: half the rate.
    axis : str
        ``even``: rows of equal height. ``flat`` and ``symlog`` are librosa.display's cells; see
        :func:`converter.raster.shades`.
    """

    n_fft: PositiveInt = 2048
    win_length: Count = 0
    center: bool = True
    fmin: Annotated[float, PlainValidator(at_least(0))] = 0.0
    fmax: Annotated[float, PlainValidator(at_least(0))] = 0.0
    axis: Literal["even", "flat", "symlog"] = "even"

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        if self.n_fft < 2:
            raise field_error("n_fft", "must be 2 or more")
        if self.win_length > self.n_fft:
            raise field_error("win_length", f"must not be above n_fft={self.n_fft}")
        check_band(self.fmin, self.fmax, self.sample_rate)
        return self

    @property
    def centred(self) -> bool:
        """Whether frames are centred: `center`."""
        return self.center

    @property
    def n_samples(self) -> int:
        """Number of samples that every clip is padded or cropped to; 0: each is as long as it is."""
        if self.center or not self.frames:
            return super().n_samples
        return (self.frames - 1) * self.hop_length + (self.win_length or self.n_fft)

    @property
    def n_frames(self) -> int:
        """Number of frames of every clip; 0: each has as many as it is long."""
        if self.center or not self.n_samples:
            return super().n_frames
        return 1 + max(0, self.n_samples - (self.win_length or self.n_fft)) // self.hop_length

    @property
    def highest_hz(self) -> float:
        """The highest frequency drawn, in Hz."""
        return self.fmax or self.sample_rate / 2

    def values(self, sound: Sound) -> np.ndarray:
        """The spectrogram itself: here the bins of the Fourier transform from fmin to fmax.

        Returns
        -------
        ndarray of float32, shape (rows, frames)
            Magnitudes to the exponent `power`, lowest frequency in row 0.
        """
        return linear_values(sound, fmin=self.fmin, fmax=self.highest_hz, **self._transform())

    def row_hz(self) -> np.ndarray:
        """Frequencies in Hz of the rows of `values`, lowest first, shape (rows,)."""
        low, high = linear_bins(self.fmin, self.highest_hz, sr=self.sample_rate, n_fft=self.n_fft)
        return fft_frequencies(sr=self.sample_rate, n_fft=self.n_fft)[low:high]

    def layout(self, levels: np.ndarray) -> np.ndarray:
        """Levels (rows, frames) laid out on the image along `axis`: shades, uint8 of shape `size`."""
        return shades(levels, size=self.size, axis=self.axis, row_hz=self.row_hz())

    def _transform(self) -> dict[str, Any]:
        window = self.win_length or self.n_fft
        return {"n_fft": self.n_fft, "hop_length": self.hop_length, "win_length": window, "power": self.power}


class MelSpectrogram(Spectrogram):
    """Settings of a mel spectrogram, in addition to those of :class:`Spectrogram`.

    Parameters
    ----------
    n_mels : int
        Number of mel bands.
    """

    n_mels: PositiveInt = 128

    def values(self, sound: Sound) -> np.ndarray:
        """Mel bands, float32 of shape (n_mels, frames)."""
        return mel_values(sound, n_mels=self.n_mels, fmin=self.fmin, fmax=self.highest_hz, **self._transform())

    def row_hz(self) -> np.ndarray:
        """Frequencies in Hz that stand for the mel bands, shape (n_mels,)."""
        return mel_frequencies(self.n_mels, fmin=self.fmin, fmax=self.highest_hz)

    def warnings(self) -> tuple[str, ...]:
        """Mel bands so narrow that no bin of the Fourier transform falls into them: their rows are black always."""
        band = {"n_mels": self.n_mels, "fmin": self.fmin, "fmax": self.highest_hz}
        empty = int((mel_bank(sr=self.sample_rate, n_fft=self.n_fft, **band).max(axis=1) == 0).sum())
        if not empty:
            return super().warnings()
        return (
            f"{empty} of n_mels={self.n_mels} mel bands are empty: between fmin={self.fmin:g} and "
            f"fmax={self.highest_hz:g} Hz they are narrower than the {self.sample_rate / self.n_fft:.3g} Hz between "
            f"bins of n_fft={self.n_fft}; lower n_mels, or raise n_fft",
            *super().warnings(),
        )


class DecibelSpectrogram(InDecibels, Spectrogram):
    """Settings of a spectrogram in decibels, in addition to those of :class:`Spectrogram`.

    Parameters
    ----------
    db : {"true", "amplitude"}
        ``amplitude`` takes 20 log10 of power; a quirk of the preset ``seed``.
    """

    db: Literal["true", "amplitude"] = "true"

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in decibels below the reference; see :func:`converter.levels.level`."""
        return self.levels_below(values, self.ref)

    def levels_below(self, values: np.ndarray, ref: str | float) -> np.ndarray:
        """Levels in decibels below another reference than that of the settings."""
        return level(
            values,
            power=self.power,
            ref=ref,
            top_db=self.top_db,
            db_of_power=self.db,
            silent=self.silent_level(),
        )


class ColourSpectrogram(InColour, Spectrogram):
    """Settings of a spectrogram in colour, in addition to those of :class:`Spectrogram`."""


def linear_values(
    sound: Sound, *, fmin: float, fmax: float, n_fft: int, hop_length: int, win_length: int, power: float
) -> np.ndarray:
    """Magnitudes to the exponent `power` of the bins from `fmin` to `fmax` (in Hz), computed once for a sound.

    Returns
    -------
    ndarray of float32, shape (bins, frames)
    """
    transform = (n_fft, hop_length, win_length, power)

    def make() -> np.ndarray:
        low, high = linear_bins(fmin, fmax, sr=sound.sr, n_fft=n_fft)
        return _raised(sound, *transform)[low:high]

    return sound.once(("linear", fmin, fmax, *transform), make)


def mel_values(
    sound: Sound,
    *,
    n_mels: int,
    fmin: float,
    fmax: float,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float,
) -> np.ndarray:
    """Mel bands of magnitudes to the exponent `power`, as librosa.feature.melspectrogram; once for a sound.

    Returns
    -------
    ndarray of float32, shape (n_mels, frames)
    """
    transform = (n_fft, hop_length, win_length, power)

    def make() -> np.ndarray:
        return mel_bands(_raised(sound, *transform), sr=sound.sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)

    return sound.once(("mel", n_mels, fmin, fmax, *transform), make)


def linear_bins(fmin: float, fmax: float, *, sr: int, n_fft: int) -> tuple[int, int]:
    """First bin and end of the bins from fmin to fmax; the nearest one where none lies between them."""
    hz = fft_frequencies(sr=sr, n_fft=n_fft)
    low, high = int(np.searchsorted(hz, fmin)), int(np.searchsorted(hz, fmax, side="right"))
    if low < high:
        return low, high
    nearest = int(np.abs(hz - (fmin + fmax) / 2).argmin())
    return nearest, nearest + 1


def power_values(sound: Sound, *, n_fft: int, hop_length: int, win_length: int) -> np.ndarray:
    """Squared magnitudes of the short-time Fourier transform, once for a sound.

    Returns
    -------
    ndarray of float32, shape (1 + n_fft // 2, frames)
    """
    frame = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length}
    return sound.once(("squared", *frame.values()), lambda: stft_power(sound.y, **frame, center=sound.centred))


def _raised(sound: Sound, n_fft: int, hop_length: int, win_length: int, power: float) -> np.ndarray:
    squared = power_values(sound, n_fft=n_fft, hop_length=hop_length, win_length=win_length)
    if power == 2:
        return squared
    return sound.once(("raised", n_fft, hop_length, win_length, power), lambda: squared ** np.float32(power / 2))
