"""Sounds changed at random before they are drawn: gain, noise, shift, pitch, stretch, by audiomentations.

What is changed how is decided by the seed, the clip's sound and the number of the copy alone, so that every process
draws the same image in whatever order. All channels are changed alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from converter.sound import Sound, as_sound
from converter.spec import Encoding
from harness import audio, image
from harness.code_version import code_version
from harness.errors import AudioError, SettingsError
from harness.settings import Namer, Settings, field_error, in_section
from harness.store import key_of

__all__ = ["AugmentSettings", "SoundChange", "augment_from_study", "augment_version", "change_sound", "draw_changed"]

Probability = Annotated[float, Field(gt=0, le=1)]
Transform = Literal["gain", "noise", "shift", "pitch", "stretch"]


class _Range(Settings):
    """A range from which a number is drawn, and how often the transform is applied at all."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        low, high = [name for name in type(self).model_fields if name != "probability"]
        if getattr(self, low) > getattr(self, high):
            raise field_error(low, f"must not be above {high}={getattr(self, high):g}")
        return self


class GainRange(_Range):
    """Louder or softer, in dB."""

    min_db: float = Field(default=-6.0, ge=-60, le=60)
    max_db: float = Field(default=6.0, ge=-60, le=60)
    probability: Probability = 0.5


class NoiseRange(_Range):
    """White noise, by the ratio of the sound to it in dB."""

    min_snr_db: float = Field(default=10.0, ge=-60, le=120)
    max_snr_db: float = Field(default=40.0, ge=-60, le=120)
    probability: Probability = 0.5


class ShiftRange(_Range):
    """Moved in time, in parts of the clip's length; what leaves at one end comes in again at the other."""

    min_part: float = Field(default=-0.25, ge=-1, le=1)
    max_part: float = Field(default=0.25, ge=-1, le=1)
    probability: Probability = 0.5


class PitchRange(_Range):
    """Higher or lower, in semitones."""

    min_semitones: float = Field(default=-2.0, ge=-12, le=12)
    max_semitones: float = Field(default=2.0, ge=-12, le=12)
    probability: Probability = 0.5


class StretchRange(_Range):
    """Slower (below 1) or faster, at the same pitch; cut, or filled up with silence, to the clip's length."""

    min_rate: float = Field(default=0.9, ge=0.5, le=2)
    max_rate: float = Field(default=1.1, ge=0.5, le=2)
    probability: Probability = 0.5


class AugmentSettings(Settings):
    """``[convert.augment]``: how many changed sounds of each clip are drawn for training, and what is changed.

    Parameters
    ----------
    copies : int
        1 to 100.
    transforms : list of str
        Applied in this order, each with its own probability.
    seed : int
    gain, noise, shift, pitch, stretch
        The range of each transform.
    """

    copies: int = Field(default=2, ge=1, le=100)
    transforms: list[Transform] = Field(default=["gain", "noise", "shift", "pitch", "stretch"], min_length=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    gain: GainRange = Field(default=GainRange(), strict=False)
    noise: NoiseRange = Field(default=NoiseRange(), strict=False)
    shift: ShiftRange = Field(default=ShiftRange(), strict=False)
    pitch: PitchRange = Field(default=PitchRange(), strict=False)
    stretch: StretchRange = Field(default=StretchRange(), strict=False)

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        if len(set(self.transforms)) < len(self.transforms):
            raise field_error("transforms", "must name each transform once")
        return self

    def of_sound(self) -> dict[str, Any]:
        """What decides about one changed sound, as JSON values: not how many there are."""
        ranges: dict[str, Any] = {name: getattr(self, name).to_json() for name in self.transforms}
        return {"transforms": list(self.transforms), "seed": self.seed, **ranges}


def augment_from_study(
    table: Mapping[str, Any], encodings: Mapping[str, Encoding], *, name_of: Namer | None = None
) -> AugmentSettings:
    """The settings of ``[convert.augment]``, or of ``--augment``.

    Parameters
    ----------
    table : mapping
    encodings : mapping of str to Encoding
        What is drawn.
    name_of : callable, optional
        How the settings were written. Default: as in ``[convert.augment]``.

    Raises
    ------
    SettingsError
        A wrong setting, an encoding that cuts clips into tiles, or audiomentations is not installed.
    """
    name_of = name_of or in_section("convert.augment")
    settings = AugmentSettings.read(table, name_of=name_of)
    for name, encoding in encodings.items():
        if encoding.tile_s:
            raise SettingsError(
                f"{name_of('copies')}={settings.copies}: encoding {name!r} cuts clips into tiles, which are not "
                "augmented; leave out tiles = true, or this"
            )
    augment_version(settings, name=f"{name_of('copies')}={settings.copies}")
    return settings


def augment_version(settings: AugmentSettings, *, name: str = "augment") -> dict[str, Any]:
    """What the settings and the code that changes sounds add to the digest of a sound.

    Raises
    ------
    SettingsError
        audiomentations is not installed; `name` is how it was asked for.
    """
    try:
        versions = {package: version(package) for package in ("audiomentations", "python-stretch")}
    except PackageNotFoundError as error:
        raise SettingsError(
            f"{name}: needs the package {error.name}, which is not installed; pip install 'soundfold[augment]'"
        ) from None
    return {"augment": settings.of_sound(), "versions": versions, "code": code_version(__name__)}


@dataclass(frozen=True)
class SoundChange:
    """What is done to one sound.

    Parameters
    ----------
    settings : AugmentSettings
    seed : int
        In [0, 2**32).
    """

    settings: AugmentSettings
    seed: int

    @classmethod
    def of(cls, settings: AugmentSettings, digest: str, copy: int) -> SoundChange:
        """The change of a sound with this digest in one of its copies, which are counted from 0."""
        return cls(settings, int(key_of(sound=digest, copy=copy, seed=settings.seed)[:8], 16))


def change_sound(y: np.ndarray, sr: int, change: SoundChange) -> np.ndarray:
    """Change a sound.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,) or (samples, channels)
    sr : int
        In Hz.
    change : SoundChange

    Returns
    -------
    ndarray of float32
        As long as `y`; the same for the same `y` and change.

    Raises
    ------
    AudioError
        The sound cannot be changed so.
    """
    with _seeded(change.seed):
        samples = np.ascontiguousarray(y.T)
        for transform in _transforms(change.settings):
            try:
                samples = transform(samples=samples, sample_rate=sr)
            except Exception as error:  # whatever audiomentations raises is about this sound
                raise AudioError(f"{type(transform).__name__} failed: {' '.join(str(error).split())}") from None
    if samples.shape != y.T.shape or not np.isfinite(samples).all():
        raise AudioError("the augmented sound is not finite, or of another length")
    return np.ascontiguousarray(samples.T, dtype=np.float32)


def draw_changed(
    path: str | Path,
    encodings: Sequence[Encoding],
    *,
    start_s: float,
    end_s: float,
    digest: str,
    change: SoundChange,
) -> Iterator[bytes]:
    """A PNG for each encoding of a clip's changed sound; other parameters as for :func:`converter.drawing.draw_pngs`.

    The sound is changed once, with all its channels, whichever of the encodings are wanted.
    """
    y, sr = audio.read(path, start_s=start_s, end_s=end_s, digest=digest, mono=False)
    try:
        y = change_sound(y, sr, change)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None
    mono = audio.to_mono(y)
    sounds: dict[tuple[Any, ...], Sound] = {}
    for spec in encodings:
        key = spec.sound_key()
        if key not in sounds:
            sounds[key] = as_sound(y if spec.all_channels else mono, sr=sr, settings=spec)
        yield image.encode_png(spec.checked(sounds[key]))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the generators that audiomentations draws from, Python's and NumPy's own; afterwards they are as before."""
    before, before_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)  # noqa: NPY002


def _transforms(settings: AugmentSettings) -> list[Any]:
    import audiomentations as am  # an extra, and seconds

    gain, noise, shift = settings.gain, settings.noise, settings.shift
    pitch, stretch = settings.pitch, settings.stretch
    made = {
        "gain": lambda: am.Gain(gain.min_db, gain.max_db, p=gain.probability),
        "noise": lambda: am.AddGaussianSNR(noise.min_snr_db, noise.max_snr_db, p=noise.probability),
        "shift": lambda: am.Shift(shift.min_part, shift.max_part, shift_unit="fraction", p=shift.probability),
        "pitch": lambda: am.PitchShift(pitch.min_semitones, pitch.max_semitones, p=pitch.probability),
        "stretch": lambda: am.TimeStretch(stretch.min_rate, stretch.max_rate, p=stretch.probability),
    }
    return [made[name]() for name in settings.transforms]
