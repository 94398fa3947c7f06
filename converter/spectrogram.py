"""What the encodings that draw a spectrogram share: their settings, their values, their shades.

Everything that two encodings of one clip may share is kept in its :class:`~converter.sound.Sound`: the Fourier
transform, the mel values, the shades.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from converter.dsp import AMIN, decibels, fft_frequencies, mel_bands, mel_frequencies, stft_power
from converter.raster import AXES, shades
from converter.sound import Sound
from converter.spec import Spec, at_least, colour_map, one_of, positive, positive_int, reference, setting
from harness.errors import SettingsError

__all__ = [
    "InColour",
    "InDecibels",
    "MelSpec",
    "SpectralSpec",
    "level_shades",
    "linear_values",
    "mel_values",
    "peak",
    "ratio_shades",
    "values",
]

_TRANSFORM = ("n_fft", "hop_length", "win_length", "fmin", "fmax", "power", "n_mels")


@dataclass(frozen=True)
class SpectralSpec(Spec):
    """Settings of a spectrogram, beside those of every :class:`~converter.spec.Spec`.

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

    n_fft: int = setting(2048, positive_int)
    hop_length: int = setting(512, positive_int)
    win_length: int = setting(0, at_least(0, whole=True))
    fmin: float = setting(0.0, at_least(0))
    fmax: float = setting(0.0, at_least(0))
    power: float = setting(2.0, positive)
    ref: str | float = setting("max", reference)
    axis: str = setting("even", one_of(*AXES))

    def check(self) -> None:
        """Check the window against the frame and the band against the rate."""
        super().check()
        nyquist = self.sample_rate / 2
        if self.n_fft < 2:
            raise SettingsError(f"n_fft={self.n_fft}: must be 2 or more")
        if self.win_length > self.n_fft:
            raise SettingsError(f"win_length={self.win_length}: must not be above n_fft={self.n_fft}")
        if self.fmax > nyquist:
            raise SettingsError(
                f"fmax={self.fmax:g}: above {nyquist:g} Hz, half of sample_rate={self.sample_rate}; "
                "lower it, or give 0 for half the rate"
            )
        if self.fmin >= self.top:
            raise SettingsError(f"fmin={self.fmin:g}: must be below fmax={self.top:g}")

    @property
    def top(self) -> float:
        """The highest frequency drawn, in Hz."""
        return self.fmax or self.sample_rate / 2

    @property
    def window(self) -> int:
        """Length of the window in samples."""
        return self.win_length or self.n_fft


@dataclass(frozen=True)
class MelSpec(SpectralSpec):
    """Settings of a mel spectrogram, beside those of :class:`SpectralSpec`.

    Parameters
    ----------
    n_mels : int
        Number of mel bands.
    """

    n_mels: int = setting(128, positive_int)


@dataclass(frozen=True)
class InDecibels(SpectralSpec):
    """What a spectrogram in decibels can be told besides.

    Parameters
    ----------
    top_db : float
        Range in dB from the darkest shade to the brightest.
    db : {"true", "amplitude"}
        ``amplitude`` takes 20 log10 of power; a quirk of the preset ``seed``.
    """

    top_db: float = setting(80.0, positive)
    db: str = setting("true", one_of("true", "amplitude"))


@dataclass(frozen=True)
class InColour(Spec):
    """What a coloured picture can be told besides.

    Parameters
    ----------
    colormap : str
        Any matplotlib colour map.
    """

    colormap: str = setting("magma", colour_map)


def values(sound: Sound, spec: SpectralSpec) -> np.ndarray:
    """The spectrogram that a spec asks for: mel bands where it has them, else the transform's own bins."""
    return mel_values(sound, spec) if isinstance(spec, MelSpec) else linear_values(sound, spec)


def linear_values(sound: Sound, spec: SpectralSpec) -> np.ndarray:
    """Magnitudes to the exponent `power` of the bins between fmin and fmax.

    Returns
    -------
    ndarray of float32, shape (bins, frames)
    """

    def make() -> np.ndarray:
        low, high = _bins(spec)
        return _raised(sound, spec)[low:high]

    return sound.once(("linear", *transform_key(spec)), make)


def mel_values(sound: Sound, spec: MelSpec) -> np.ndarray:
    """Mel bands of magnitudes to the exponent `power`, as librosa.feature.melspectrogram gives them.

    Returns
    -------
    ndarray of float32, shape (n_mels, frames)
    """

    def make() -> np.ndarray:
        S = _raised(sound, spec)
        return mel_bands(S, sr=sound.sr, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin, fmax=spec.top)

    return sound.once(("mel", *transform_key(spec)), make)


def level_shades(sound: Sound, spec: InDecibels) -> np.ndarray:
    """Shades of a spectrogram in decibels: the reference is the brightest, ``top_db`` below it and silence the darkest.

    Returns
    -------
    ndarray of uint8, shape spec.size
    """

    def make() -> np.ndarray:
        S = values(sound, spec)
        if S.max() <= AMIN ** (spec.power / 2):
            return np.zeros(spec.size, np.uint8)
        levels = decibels(S, power=spec.power, ref=_reference(S, spec), twice=spec.db == "amplitude")
        levels /= np.float32(spec.top_db)
        levels += 1
        np.clip(levels, 0, 1, out=levels)
        return shades(levels, size=spec.size, axis=spec.axis, row_hz=row_frequencies(spec))

    return sound.once(("dB", *transform_key(spec), spec.size, spec.ref, spec.axis, spec.top_db, spec.db), make)


def ratio_shades(sound: Sound, spec: SpectralSpec) -> np.ndarray:
    """Shades of a spectrogram without the logarithm: the reference is the brightest, 0 the darkest.

    Returns
    -------
    ndarray of uint8, shape spec.size
    """
    S = values(sound, spec)
    if S.max() <= AMIN ** (spec.power / 2):
        return np.zeros(spec.size, np.uint8)
    levels = np.minimum(S / np.float32(_reference(S, spec)), 1)
    return shades(levels, size=spec.size, axis=spec.axis, row_hz=row_frequencies(spec))


def peak(sound: Sound, spec: SpectralSpec) -> float:
    """The highest value of a clip's spectrogram, for the reference of a corpus."""
    return float(values(sound, spec).max())


def transform_key(spec: SpectralSpec) -> tuple[Any, ...]:
    """The settings that decide about the values of a spectrogram."""
    return tuple((f.name, getattr(spec, f.name)) for f in fields(spec) if f.name in _TRANSFORM)


def row_frequencies(spec: SpectralSpec) -> np.ndarray:
    """Frequencies in Hz that stand for the rows, lowest first."""
    if isinstance(spec, MelSpec):
        return mel_frequencies(spec.n_mels, fmin=spec.fmin, fmax=spec.top)
    low, high = _bins(spec)
    return fft_frequencies(sr=spec.sample_rate, n_fft=spec.n_fft)[low:high]


def _bins(spec: SpectralSpec) -> tuple[int, int]:
    """First bin and end of the bins from fmin to fmax; the nearest one where none lies between them."""
    hz = fft_frequencies(sr=spec.sample_rate, n_fft=spec.n_fft)
    low, high = int(np.searchsorted(hz, spec.fmin)), int(np.searchsorted(hz, spec.top, side="right"))
    if low < high:
        return low, high
    nearest = int(np.abs(hz - (spec.fmin + spec.top) / 2).argmin())
    return nearest, nearest + 1


def _raised(sound: Sound, spec: SpectralSpec) -> np.ndarray:
    frame = (spec.n_fft, spec.hop_length, spec.window)
    power = sound.once(
        ("power", *frame),
        lambda: stft_power(sound.y, n_fft=spec.n_fft, hop_length=spec.hop_length, win_length=spec.window),
    )
    if spec.power == 2:
        return power
    return sound.once(("raised", *frame, spec.power), lambda: power ** np.float32(spec.power / 2))


def _reference(S: np.ndarray, spec: SpectralSpec) -> float:
    if spec.ref == "max":
        return float(S.max())
    if isinstance(spec.ref, str):
        raise SettingsError('ref="corpus": a single clip has no corpus; give the number that run.json has for it')
    return spec.ref
