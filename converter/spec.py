"""The base of every encoding: its settings, and what it must be able to do.

An encoding is a frozen class of settings with a name and a method ``encode``; see ``docs/extending.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from PIL import ImageColor
from pydantic import PlainValidator

from converter.colour import closest_colour_maps, is_colour_map
from converter.sound import Sound, SoundSettings, as_sound
from harness.extension import SettingsExtension
from harness.settings import is_number, positive_int

__all__ = ["Colour", "ColourMap", "Encoding", "ImageSize", "Reference"]

MAX_PIXELS = 16384


def _size(value: Any) -> tuple[int, int]:
    lengths = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(lengths, (list, tuple)) or len(lengths) != 2:
        raise ValueError("must be [height, width] in pixels")
    try:
        height, width = (positive_int(length) for length in lengths)
    except ValueError:
        raise ValueError("must be [height, width] in pixels, two positive integers") from None
    if max(height, width) > MAX_PIXELS:
        raise ValueError(f"neither may be above {MAX_PIXELS} pixels")
    return height, width


def _reference(value: Any) -> str | float:
    if value in ("max", "corpus"):
        return str(value)
    if not is_number(value) or value <= 0:
        raise ValueError('must be "max", "corpus" or a number above 0')
    return float(value)


def _colour_map(value: Any) -> str:
    if not isinstance(value, str) or not is_colour_map(value):
        raise ValueError(f"no such colour map; {closest_colour_maps(str(value))}")
    return value


def _colour(value: Any) -> str:
    try:
        red, green, blue = ImageColor.getrgb(value)[:3]
    except (ValueError, AttributeError, TypeError):
        raise ValueError("must be a colour such as 'white' or '#1f77b4'") from None
    return f"#{red:02x}{green:02x}{blue:02x}"


ImageSize = Annotated[tuple[int, int], PlainValidator(_size)]
Reference = Annotated[str | float, PlainValidator(_reference)]
ColourMap = Annotated[str, PlainValidator(_colour_map)]
Colour = Annotated[str, PlainValidator(_colour)]


class Encoding(SoundSettings, SettingsExtension):
    """Settings that every encoding has.

    Parameters
    ----------
    size : (int, int)
        Height and width of the image in pixels.
    sample_rate, duration_s, pad
        See :class:`~converter.sound.SoundSettings`.

    Raises
    ------
    SettingsError
        A value out of range.
    """

    name: ClassVar[str] = ""
    """The encoding's name in tables, studies and folders."""

    size: ImageSize = (224, 224)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Say in messages which encoding it is."""
        cls.title = f"encoding {cls.name!r}" if cls.name else ""

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw a sound that has the rate and length of these settings; each encoding has its own.

        Parameters
        ----------
        sound : Sound
            Samples at ``self.sample_rate``, and a memory that all encodings of the clip share.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
        """
        raise TypeError(f"{type(self).__name__} is no encoding of its own: it has no method encode")

    def silence(self) -> np.ndarray:
        """The image of silence: black, where an encoding does not say otherwise.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
        """
        return np.zeros((*self.size, 3), np.uint8)

    def peak(self, sound: Sound) -> float:
        """The highest value of a clip, for ``ref="corpus"``; an encoding with a setting `ref` has it."""
        raise TypeError(f"{type(self).__name__} has no method peak, so it cannot take ref='corpus'")

    def draw(self, y: np.ndarray | Sequence[float] | Sound, *, sr: int) -> np.ndarray:
        """Draw samples at any rate; the same samples give the same pixels as the file that holds them.

        Parameters
        ----------
        y : ndarray of float, shape (samples,), or Sound
            Mono, in [-1, 1].
        sr : int
            Rate of `y` in Hz.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)

        Raises
        ------
        AudioError
            No samples, not mono, or NaN.
        """
        return self.encode(as_sound(y, sr=sr, settings=self))

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values, with the encoding's name."""
        return {"encoding": self.name, **super().to_json()}
