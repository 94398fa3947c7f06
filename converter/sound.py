"""One clip's samples, ready to be drawn, with a memory for what several encodings of it share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

from converter.spec import Spec
from harness.audio import resample
from harness.errors import AudioError, SettingsError

__all__ = ["Sound", "as_sound", "fit_length", "sound_key"]

T = TypeVar("T")


def as_sound(y: np.ndarray | Sound, *, sr: int, spec: Spec) -> Sound:
    """Give the samples at the rate and of the length that a spec asks for.

    Parameters
    ----------
    y : ndarray of float, shape (samples,), or Sound
        Mono samples in [-1, 1]; a :class:`Sound` that was made for the same rate and length is used as it is.
    sr : int
        Rate of `y` in Hz.
    spec : Spec

    Raises
    ------
    AudioError
        No samples, not mono, or NaN.
    SettingsError
        A sound that was made for another rate or length.
    """
    if isinstance(y, Sound):
        if y.key != sound_key(spec):
            raise SettingsError(f"spec={spec.encoding!r}: wants {sound_key(spec)}, the sound was made for {y.key}")
        return y
    if not isinstance(sr, (int, np.integer)) or sr <= 0:
        raise SettingsError(f"sr={sr!r}: must be a positive integer, the rate of the samples in Hz")
    y = np.asarray(y)
    if y.ndim != 1 or y.size == 0:
        raise AudioError(f"y has shape {y.shape}: expected mono samples, at least one")
    if not np.isfinite(y).all():
        raise AudioError("y holds samples that are NaN or infinite")
    y = resample(np.ascontiguousarray(y, dtype=np.float32), sr, spec.sample_rate)
    if spec.duration_s:
        y = fit_length(y, round(spec.duration_s * spec.sample_rate), pad=spec.pad)
    return Sound(y, spec.sample_rate, key=sound_key(spec))


def sound_key(spec: Spec) -> tuple[Any, ...]:
    """What of a spec decides about the samples; equal for encodings that can share a :class:`Sound`."""
    return (spec.sample_rate, spec.duration_s, spec.pad if spec.duration_s else "")


def fit_length(y: np.ndarray, length: int, *, pad: str = "end") -> np.ndarray:
    """Pad or crop samples to a length; `pad` as in :class:`~converter.spec.Spec`.

    Examples
    --------
    >>> fit_length(np.array([1.0, 2.0]), 5, pad="repeat")
    array([1., 2., 1., 2., 1.])
    >>> fit_length(np.array([1.0, 2.0, 3.0]), 5, pad="centre")
    array([0., 1., 2., 3., 0.])
    """
    spare = length - len(y)
    if pad == "repeat":
        return np.resize(y, length) if spare > 0 else y[:length]
    before = {"end": 0, "start": spare, "centre": spare // 2}[pad]
    if spare >= 0:
        return np.pad(y, (before, spare - before))
    return y[-before : length - before]


class Sound:
    """Samples at one rate, and what was computed from them so far.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        Mono, finite, at least one.
    sr : int
        In Hz.
    key : tuple
        What the samples were made for; see :func:`sound_key`.
    """

    def __init__(self, y: np.ndarray, sr: int, *, key: tuple[Any, ...]) -> None:
        self.y = y
        self.sr = sr
        self.key = key
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, computed at the first call with this `key` only; nobody may change it."""
        if key not in self._known:
            self._known[key] = make()
        value: T = self._known[key]
        return value
