"""One clip's samples, ready to be drawn, with a memory for what several encodings of it share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from pydantic import PlainValidator, model_validator

from harness.audio import resample, to_mono
from harness.errors import AudioError, SettingsError
from harness.settings import PositiveInt, Settings, at_least, field_error

__all__ = ["Sound", "SoundSettings", "as_sound", "fit_length"]

T = TypeVar("T")
_CROP_OF_PAD = {"end": "start", "start": "end", "centre": "centre", "repeat": "start"}
_EQUAL = 1e-9  # powers that differ by less are equal but for rounding


class SoundSettings(Settings):
    """Rate and length that a sound is brought to before it is drawn.

    Parameters
    ----------
    sample_rate : int
        Rate in Hz that the sound is brought to.
    duration_s : float
        Length in seconds that every clip is padded (with silence) or cropped to. 0: each clip as long as it is,
        stretched to the width.
    pad : str
        Where a shorter clip is padded: ``end`` (silence after it), ``start`` (silence before it), ``centre`` (both),
        ``repeat`` (again and again until full).
    crop : str
        What remains of a longer clip: its ``start``, ``centre`` or ``end``, or the ``loudest`` part of that length, the
        one with the most power (of equals in a row the middle one). ``auto``: its end where it would be padded at the
        start, its centre where at both ends, else its start.
    """

    all_channels: ClassVar[bool] = False
    """Whether all channels of a sound are used; otherwise its mono mix."""

    sample_rate: PositiveInt = 22050
    duration_s: Annotated[float, PlainValidator(at_least(0))] = 0.0
    pad: Literal["end", "start", "centre", "repeat"] = "end"
    crop: Literal["auto", "start", "centre", "end", "loudest"] = "auto"

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.duration_s and round(self.duration_s * self.sample_rate) < 1:
            raise field_error("duration_s", f"shorter than one sample at {self.sample_rate} Hz")
        return self

    @property
    def n_samples(self) -> int:
        """Number of samples that every clip is padded or cropped to; 0: each is as long as it is."""
        return round(self.duration_s * self.sample_rate)

    @property
    def centred(self) -> bool:
        """Whether a sound's frames are centred on its samples; otherwise the first one begins with the sound."""
        return True

    def sound_key(self) -> tuple[Any, ...]:
        """What decides about the samples and their frames; equal for encodings that can share a :class:`Sound`."""
        shape = (self.pad, self.crop) if self.n_samples else ()
        flags = {"all channels": self.all_channels, "not centred": not self.centred}
        return (self.sample_rate, self.n_samples, *shape, *(name for name, is_so in flags.items() if is_so))


def as_sound(y: np.ndarray | Sequence[float] | Sound, *, sr: int, settings: SoundSettings) -> Sound:
    """Bring samples to the rate and length that an encoding asks for.

    Parameters
    ----------
    y : ndarray of float, shape (samples,), or Sound
        Mono samples in [-1, 1]; a :class:`Sound` that was made for the same rate and length is used as it is. Settings
        with `all_channels` take samples of shape (samples, channels), too.
    sr : int
        Rate of `y` in Hz.
    settings : SoundSettings
        An encoding, usually.

    Raises
    ------
    AudioError
        No samples, not mono, or NaN.
    SettingsError
        A sound that was made for another rate or length.
    """
    key = settings.sound_key()
    if isinstance(y, Sound):
        if y.key != key:
            raise SettingsError(f"sound made for {y.key}, expected one for {key} (rate in Hz, samples, ...)")
        return y
    if not isinstance(sr, (int, np.integer)) or sr <= 0:
        raise SettingsError(f"sr={sr!r}: must be a positive integer, the rate of the samples in Hz")
    try:
        y = np.asarray(y)
    except ValueError:
        raise AudioError("y is ragged: expected mono samples, shape (samples,)") from None
    if y.dtype.kind != "f" and y.size:
        raise AudioError(
            f"y has dtype {y.dtype}: expected float samples in [-1, 1]; divide integers by their full scale"
        )
    if (y.ndim != 1 and not (settings.all_channels and y.ndim == 2)) or y.size == 0:
        raise AudioError(f"y has shape {y.shape}: expected mono samples, at least one")
    if not np.isfinite(y).all():
        raise AudioError("y holds samples that are NaN or infinite")
    y = resample(np.ascontiguousarray(y, dtype=np.float32), sr, settings.sample_rate)
    if settings.n_samples:
        y = fit_length(y, settings.n_samples, pad=settings.pad, crop=settings.crop)
    channels = y.reshape(len(y), -1).T
    return Sound(to_mono(y), settings.sample_rate, key=key, channels=channels, centred=settings.centred)


def fit_length(y: np.ndarray, length: int, *, pad: str = "end", crop: str = "auto") -> np.ndarray:
    """Pad or crop samples (samples,) or (samples, channels) to a length; `pad`, `crop` as in :class:`SoundSettings`.

    Examples
    --------
    >>> fit_length(np.array([1.0, 2.0]), 5, pad="repeat")
    array([1., 2., 1., 2., 1.])
    >>> fit_length(np.array([1.0, 2.0, 3.0]), 5, pad="centre")
    array([0., 1., 2., 3., 0.])
    >>> fit_length(np.array([0.1, 0.1, -0.9, 0.5, 0.0]), 2, crop="loudest")
    array([-0.9,  0.5])
    """
    spare = length - len(y)
    if spare < 0:
        start = _start_of_crop(y, length, _CROP_OF_PAD[pad] if crop == "auto" else crop)
        return y[start : start + length]
    if pad == "repeat":
        return np.resize(y, (length, *y.shape[1:]))
    before = {"end": 0, "start": spare, "centre": spare // 2}[pad]
    return np.pad(y, [(before, spare - before), *[(0, 0)] * (y.ndim - 1)])


def _start_of_crop(y: np.ndarray, length: int, crop: str) -> int:
    """The first sample of what remains."""
    spare = len(y) - length
    if crop != "loudest":
        return {"start": 0, "centre": -(-spare // 2), "end": spare}[crop]
    power = np.cumsum(np.square(y.reshape(len(y), -1), dtype=np.float64).sum(axis=1))
    power[length:] -= power[:-length].copy()
    loudest = power[length - 1 :] >= power[length - 1 :].max() * (1 - _EQUAL)
    first = int(np.argmax(loudest))
    others = np.flatnonzero(~loudest[first:])
    return first + ((int(others[0]) if len(others) else len(loudest) - first) - 1) // 2


class Sound:
    """Samples at one rate, and what was computed from them so far.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        Mono, finite, at least one.
    sr : int
        In Hz.
    key : tuple
        What the samples were made for; see :meth:`SoundSettings.sound_key`.
    channels : ndarray of float32, shape (channels, samples), optional
        For an encoding with `all_channels`; default: `y` alone.
    centred : bool
        Whether its frames are centred on its samples; see :func:`converter.dsp.stft_power`.
    """

    def __init__(
        self,
        y: np.ndarray,
        sr: int,
        *,
        key: tuple[Any, ...],
        channels: np.ndarray | None = None,
        centred: bool = True,
    ) -> None:
        self.y = y
        self.channels = y[None] if channels is None else channels
        self.sr = sr
        self.key = key
        self.centred = centred
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, computed at the first call with this `key` only; nobody may change it."""
        if key not in self._known:
            self._known[key] = make()
        value: T = self._known[key]
        return value
