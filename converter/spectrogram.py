"""What the encodings that draw a spectrogram share: their settings, their values, their levels and shades.

A spectrogram goes from `values` (magnitudes to some exponent, as librosa gives them) over `levels` in [0, 1], where
reference, decibels and silence are treated, and `shades` (uint8, of the image's size) to colours. An encoding
is a class put together from the ones here; it overrides the step that is its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import PlainValidator, model_validator
from typing_extensions import Self

from converter.colour import GRAY, paint
from converter.dsp import AMIN, decibels, fft_frequencies, mel_bands, mel_frequencies, stft_power
from converter.raster import quantise, shades
from converter.sound import Sound
from converter.spec import ColourMap, Encoding, Reference
from harness.errors import SettingsError
from harness.settings import Count, PositiveFloat, PositiveInt, at_least, field_error

__all__ = [
    "ColourSpectrogram",
    "DecibelSpectrogram",
    "MelSpectrogram",
    "Spectrogram",
    "is_silent",
    "level",
    "linear_values",
    "mel_values",
]


def is_silent(S: np.ndarray, *, power: float = 2.0) -> bool:
    """Whether nothing in a spectrogram is above the smallest value that decibels are taken of.

    Parameters
    ----------
    S : ndarray of float32
        Magnitudes to the exponent `power`, not negative.
    power : float
    """
    return bool(S.max() <= AMIN ** (power / 2))


def level(
    S: np.ndarray,
    *,
    power: float = 2.0,
    ref: str | float = "max",
    top_db: float | None = 80.0,
    db_of_power: Literal["true", "amplitude"] = "true",
    silent: float = 0.0,
) -> np.ndarray:
    """Level of a spectrogram between 0 and 1: the reference is 1, and silence is treated.

    Parameters
    ----------
    S : ndarray of float32
        Magnitudes to the exponent `power`, not negative.
    power : float
        The exponent: 1 for magnitudes (20 log10), 2 for power (10 log10).
    ref : "max" or float
        What level 1 stands for: the highest value of `S`, or a value of one's own.
    top_db : float, optional
        Range in dB: what lies this far below the reference is 0. None: no logarithm, levels are ratios.
    db_of_power : {"true", "amplitude"}
        ``amplitude`` takes 20 log10 whatever `S` is; a quirk of the preset ``seed``.
    silent : float
        Level everywhere where `S` is silent.

    Returns
    -------
    ndarray of float32, shape of `S`
        In [0, 1].

    Raises
    ------
    SettingsError
        ``ref="corpus"``: one clip alone does not know its corpus.

    Examples
    --------
    >>> level(np.float32([1.0, 1e-4, 0.0])).round(6).tolist()
    [1.0, 0.5, 0.0]
    >>> level(np.float32([1.0, 0.25]), top_db=None, ref=0.5).tolist()
    [1.0, 0.5]
    """
    if is_silent(S, power=power):
        return np.full(S.shape, silent, np.float32)
    if ref == "corpus":
        raise SettingsError('ref="corpus": a single clip has no corpus; give the number that run.json has for it')
    reference = float(S.max()) if ref == "max" else float(ref)
    if top_db is None:
        ratio: np.ndarray = np.minimum(S / np.float32(reference), 1)
        return ratio
    levels = decibels(S, power=power, ref=reference, twice=db_of_power == "amplitude")
    levels /= np.float32(top_db)
    levels += 1
    return np.clip(levels, 0, 1, out=levels)


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
        """Levels in [0, 1] of the values, float32 of the same shape; see :func:`level`."""
        return level(values, power=self.power, ref=self.ref, top_db=None, silent=self.silent_level())

    def silent_level(self) -> float:
        """Level of silence: 0, where an encoding does not say otherwise."""
        return 0.0

    def palette(self) -> str:
        """Name of the colour map."""
        return GRAY

    def shades(self, sound: Sound) -> np.ndarray:
        """Shades of the image, uint8 of shape `size`; shared by encodings that differ in colour only."""
        cls = type(self)
        settings = tuple((name, value) for name, value in self if name != "colormap")
        key = ("shades", cls.values, cls.levels, cls.row_hz, cls.silent_level, settings)
        return sound.once(
            key,
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
        """Levels in decibels below the reference; see :func:`level`."""
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
