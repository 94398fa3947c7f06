"""What the encodings share that draw a matrix of rows (frequencies, pitches, coefficients) and frames.

Such an encoding goes from `values` over `levels` in [0, 1], where reference, decibels and silence are treated, and
`shades` (uint8, of the image's size) to colours. It overrides the step that is its own. What begins with a short-time
Fourier transform is in :mod:`converter.spectrogram`.
"""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from converter.colour import GRAY, paint, table
from converter.levels import level
from converter.raster import quantise, shades
from converter.sound import Sound
from converter.spec import MAX_PIXELS, ColourMap, Encoding, Reference
from harness.audio import MOST_SAMPLES
from harness.image import encode_shades
from harness.settings import Count, PositiveFloat, PositiveInt, field_error

__all__ = ["InColour", "InDecibels", "TimeFrequency", "check_band"]

_STEPS = (FunctionType, property, classmethod, staticmethod, int, float, str)
_NOT_OF_SHADES = frozenset({"name", "title", "palette", "encode", "png", "silence", "warnings"})


class TimeFrequency(Encoding):
    """Settings of a matrix of rows and frames, in addition to those of every :class:`~converter.spec.Encoding`.

    Parameters
    ----------
    hop_length : int
        Step between frames, in samples.
    frames : int
        Number of frames that every clip is padded (with silence) or cropped to, as `pad` and `crop` say; 0: as
        `duration_s` says.
    tiles : bool
        Whether a clip is cut into as many tiles of `frames` frames (of the image's width, where those are 0) as it has,
        each an image of its own; what is left at its end is not drawn.
    power : float
        Exponent of the magnitudes: 1 for magnitude, 2 for power. Decibels follow it.
    ref : "max", "corpus" or float
        What the brightest shade stands for: the clip's own maximum, the maximum of all clips converted together, or
        an absolute value (of magnitude ** power; a full-scale sine has the magnitude n_fft / 4 in a spectrogram).
    """

    hop_length: PositiveInt = 512
    frames: Count = 0
    tiles: bool = False
    power: PositiveFloat = 2.0
    ref: Reference = "max"

    @model_validator(mode="after")
    def _check_frames(self) -> Self:
        if self.tiles and not self.frames:
            self.__dict__["frames"] = self.size[1]
        if self.frames and self.duration_s:
            raise field_error("frames", f"is a length of its own; leave out duration_s={self.duration_s:g}, or give 0")
        if self.n_samples > MOST_SAMPLES:
            raise field_error("frames", f"with hop_length={self.hop_length}: more than {MOST_SAMPLES:,} samples")
        return self

    @property
    def n_samples(self) -> int:
        """Number of samples that every clip is padded or cropped to; 0: each is as long as it is."""
        return max(1, self.frames * self.hop_length - 1) if self.frames else super().n_samples

    @property
    def n_frames(self) -> int:
        """Number of frames of every clip; 0: each has as many as it is long."""
        return 1 + self.n_samples // self.hop_length if self.n_samples else 0

    @property
    def tile_s(self) -> float:
        """Length in seconds of the tiles that a clip is cut into; 0: a clip is one image."""
        return self.frames * self.hop_length / self.sample_rate if self.tiles else 0.0

    def exact_size(self) -> tuple[int, int]:
        """Rows and frames of every clip, for ``size = "exact"``."""
        if self.tiles and not self.frames:
            raise field_error("size", "needs frames, the width of a tile")
        if not self.n_frames:
            raise field_error("size", "needs frames or duration_s, so that all images have one size")
        size = (len(self.row_hz()), self.n_frames)
        if max(size) > MAX_PIXELS:
            raise field_error("size", f"{size[0]} rows and {size[1]} frames, neither may be above {MAX_PIXELS}")
        return size

    def row_hz(self) -> np.ndarray:
        """Frequencies in Hz of the rows of `values`, or their numbers, lowest first, shape (rows,)."""
        raise TypeError(f"{type(self).__name__} is no encoding of its own: it has no method row_hz")

    def values(self, sound: Sound) -> np.ndarray:
        """The matrix itself; each encoding has its own.

        Returns
        -------
        ndarray of float32, shape (rows, frames)
            Magnitudes to the exponent `power`, lowest frequency in row 0.
        """
        raise TypeError(f"{type(self).__name__} is no encoding of its own: it has no method values")

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in [0, 1] of the values, float32 of the same shape; see :func:`converter.levels.level`."""
        return level(values, power=self.power, ref=self.ref, top_db=None, silent=self.silent_level())

    def silent_level(self) -> float:
        """Level of silence: 0, where an encoding does not say otherwise."""
        return 0.0

    def palette(self) -> str:
        """Name of the colour map."""
        return GRAY

    def layout(self, levels: np.ndarray) -> np.ndarray:
        """Levels (rows, frames) laid out on the image: shades, uint8 of shape `size`, row 0 at the bottom."""
        return shades(levels, size=self.size, axis="even", row_hz=np.empty(0))

    def shades(self, sound: Sound) -> np.ndarray:
        """Shades of the image, uint8 of shape `size`; shared by encodings that differ in colour only."""
        settings = tuple((name, value) for name, value in self if name != "colormap")
        return sound.once(
            ("shades", _steps(type(self)), settings), lambda: self.layout(self.levels(self.values(sound)))
        )

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw the matrix; see :meth:`Encoding.encode`."""
        return paint(self.shades(sound), self.palette())

    def png(self, sound: Sound) -> bytes:
        """As :meth:`Encoding.png`; from shades, without pixels, unless a class draws in a way of its own."""
        if type(self).encode is not TimeFrequency.encode:
            return super().png(sound)
        return encode_shades(self._checked(self.shades, sound, self.size), table(self.palette()))

    def silence(self) -> np.ndarray:
        """The image of silence: one colour, that of the silent level."""
        return paint(quantise(np.full(self.size, self.silent_level(), np.float32)), self.palette())

    def peak(self, sound: Sound) -> float:
        """The highest value of a clip, for the reference of a corpus."""
        return float(self.values(sound).max())


class InDecibels(TimeFrequency):
    """Settings of a matrix that is drawn in decibels.

    Parameters
    ----------
    top_db : float
        Range in dB from the darkest shade to the brightest.
    """

    top_db: PositiveFloat = 80.0

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in decibels below the reference; see :func:`converter.levels.level`."""
        return level(values, power=self.power, ref=self.ref, top_db=self.top_db, silent=self.silent_level())


class InColour(TimeFrequency):
    """Settings of a matrix that is drawn in colour.

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
def _steps(cls: type[TimeFrequency]) -> frozenset[tuple[str, Any]]:
    """All that a class draws shades with: its methods and constants but those about colour and name."""
    members = {name: member for base in reversed(cls.__mro__) for name, member in vars(base).items()}
    return frozenset(
        (name, member)
        for name, member in members.items()
        if isinstance(member, _STEPS) and not name.startswith("__") and name not in _NOT_OF_SHADES
    )


def check_band(fmin: float, fmax: float, sample_rate: int) -> None:
    """Check the lowest and the highest frequency of an encoding, in Hz; `fmax` 0 stands for half the rate.

    Raises
    ------
    PydanticCustomError
        As :func:`harness.settings.field_error`, to be raised in a validator.
    """
    nyquist = sample_rate / 2
    if fmax > nyquist:
        raise field_error(
            "fmax", f"above {nyquist:g} Hz, half of sample_rate={sample_rate}; lower it, or give 0 for half the rate"
        )
    if fmin >= (fmax or nyquist):
        raise field_error("fmin", f"must be below fmax={fmax or nyquist:g}")
