"""What the encodings that draw a spectrogram share: their settings, their values, their levels and shades.

A spectrogram goes from `values` (magnitudes to some exponent, as librosa gives them) over `levels` in [0, 1], where
reference, decibels and silence are treated, and `shades` (uint8, of the image's size) to colours. An encoding
is a class put together from the ones here; it overrides the step that is its own.
"""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from converter.colour import GRAY, paint
from converter.dsp import fft_frequencies, mel_bands, mel_frequencies, stft_power
from converter.levels import level
from converter.raster import quantise, shades
from converter.sound import Sound
from converter.spec import ColourMap, Encoding, Reference
from harness.settings import Count, PositiveFloat, PositiveInt, at_least, field_error

__all__ = [
    "ColourSpectrogram",
    "DecibelSpectrogram",
    "MelSpectrogram",
    "Spectrogram",
    "linear_values",
    "mel_values",
]

_STEPS = (FunctionType, property, classmethod, staticmethod, int, float, str)
_NOT_OF_SHADES = frozenset({"name", "title", "palette", "encode", "silence"})


class Spectrogram(Encoding):
    """Settings of a spectrogram, in addition to those of every :class:`~converter.spec.Encoding`.

    Parameters
    ----------
    n_fft, hop_length : int
        Length of a frame and step between frames, in samples.
    win_length : int
        Length of the Hann window within a frame; 0: the whole frame.
    fmin, fmax : float
        Lowest and highest frequency drawn, in Hz; ``fmax = 0``: half the rate.
    power : float
        Exponent of the magnitudes: 1 for magnitude, 2 for power. Decibels follow it.
    ref : "max", "corpus" or float
        What the brightest shade stands for: the clip's own maximum, the maximum of all clips converted together, or
        an absolute value (of magnitude ** power; a full-scale sine has the magnitude n_fft / 4).
    axis : str
        ``even``: rows of equal height. ``flat`` and ``symlog`` are librosa.display's cells; see
        :func:`converter.raster.shades`.
    """

    n_fft: PositiveInt = 2048
    hop_length: PositiveInt = 512
    win_length: Count = 0
    fmin: Annotated[float, PlainValidator(at_least(0))] = 0.0
    fmax: Annotated[float, PlainValidator(at_least(0))] = 0.0
    power: PositiveFloat = 2.0
    ref: Reference = "max"
    axis: Literal["even", "flat", "symlog"] = "even"

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        nyquist = self.sample_rate / 2
        if self.n_fft < 2:
            raise field_error("n_fft", "must be 2 or more")
        if self.win_length > self.n_fft:
            raise field_error("win_length", f"must not be above n_fft={self.n_fft}")
        if self.fmax > nyquist:
            raise field_error(
                "fmax",
                f"above {nyquist:g} Hz, half of sample_rate={self.sample_rate}; lower it, or give 0 for half the rate",
            )
        if self.fmin >= self.highest_hz:
            raise field_error("fmin", f"must be below fmax={self.highest_hz:g}")
        return self

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
        low, high = _bins(self.fmin, self.highest_hz, sr=self.sample_rate, n_fft=self.n_fft)
        return fft_frequencies(sr=self.sample_rate, n_fft=self.n_fft)[low:high]

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in [0, 1] of the values, float32 of the same shape; see :func:`converter.levels.level`."""
        return level(values, power=self.power, ref=self.ref, top_db=None, silent=self.silent_level())

    def silent_level(self) -> float:
        """Level of silence: 0, where an encoding does not say otherwise."""
        return 0.0

    def palette(self) -> str:
        """Name of the colour map."""
        return GRAY

    def shades(self, sound: Sound) -> np.ndarray:
        """Shades of the image, uint8 of shape `size`; shared by encodings that differ in colour only."""
        settings = tuple((name, value) for name, value in self if name != "colormap")
        return sound.once(
            ("shades", _steps(type(self)), settings),
            lambda: shades(self.levels(self.values(sound)), size=self.size, axis=self.axis, row_hz=self.row_hz()),
        )

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw the spectrogram; see :meth:`Encoding.encode`."""
        return paint(self.shades(sound), self.palette())

    def silence(self) -> np.ndarray:
        """The image of silence: one colour, that of the silent level."""
        return paint(quantise(np.full(self.size, self.silent_level(), np.float32)), self.palette())

    def peak(self, sound: Sound) -> float:
        """The highest value of a clip's spectrogram, for the reference of a corpus."""
        return float(self.values(sound).max())

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


class DecibelSpectrogram(Spectrogram):
    """Settings of a spectrogram in decibels, in addition to those of :class:`Spectrogram`.

    Parameters
    ----------
    top_db : float
        Range in dB from the darkest shade to the brightest.
    db : {"true", "amplitude"}
        ``amplitude`` takes 20 log10 of power; a quirk of the preset ``seed``.
    """

    top_db: PositiveFloat = 80.0
    db: Literal["true", "amplitude"] = "true"

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in decibels below the reference; see :func:`converter.levels.level`."""
        return level(
            values,
            power=self.power,
            ref=self.ref,
            top_db=self.top_db,
            db_of_power=self.db,
            silent=self.silent_level(),
        )


class ColourSpectrogram(Spectrogram):
    """Settings of a spectrogram in colour, in addition to those of :class:`Spectrogram`.

    Parameters
    ----------
    colormap : str
        Any matplotlib colour map.
    """

    colormap: ColourMap = "magma"

    def palette(self) -> str:
        """The colour map."""
        return self.colormap


@lru_cache(maxsize=64)
def _steps(cls: type[Spectrogram]) -> frozenset[tuple[str, Any]]:
    """All that a class draws shades with: its methods and constants but those about colour and name."""
    members = {name: member for base in reversed(cls.__mro__) for name, member in vars(base).items()}
    return frozenset(
        (name, member)
        for name, member in members.items()
        if isinstance(member, _STEPS) and not name.startswith("__") and name not in _NOT_OF_SHADES
    )


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
        low, high = _bins(fmin, fmax, sr=sound.sr, n_fft=n_fft)
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


def _bins(fmin: float, fmax: float, *, sr: int, n_fft: int) -> tuple[int, int]:
    """First bin and end of the bins from fmin to fmax; the nearest one where none lies between them."""
    hz = fft_frequencies(sr=sr, n_fft=n_fft)
    low, high = int(np.searchsorted(hz, fmin)), int(np.searchsorted(hz, fmax, side="right"))
    if low < high:
        return low, high
    nearest = int(np.abs(hz - (fmin + fmax) / 2).argmin())
    return nearest, nearest + 1


def _raised(sound: Sound, n_fft: int, hop_length: int, win_length: int, power: float) -> np.ndarray:
    frame = (n_fft, hop_length, win_length)
    squared = sound.once(
        ("squared", *frame), lambda: stft_power(sound.y, n_fft=n_fft, hop_length=hop_length, win_length=win_length)
    )
    if power == 2:
        return squared
    return sound.once(("raised", *frame, power), lambda: squared ** np.float32(power / 2))
