"""The base of every encoding: its settings, and what it must be able to do.

An encoding is a frozen class of settings with a name and a method ``encode``; see ``docs/extending.md``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from PIL import ImageColor
from pydantic import PlainValidator, model_validator

from converter.colour import closest_colour_maps, is_colour_map
from converter.sound import Sound, SoundSettings, as_sound
from harness.errors import SettingsError, SoundfoldError
from harness.extension import SettingsExtension
from harness.image import encode_png
from harness.settings import field_error, is_number, positive_int

__all__ = ["EXACT", "Colour", "ColourMap", "Encoding", "ImageSize", "Reference"]

EXACT = "exact"
"""A size that is as many rows and frames as an encoding has."""
MAX_PIXELS = 16384


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, str) and value == EXACT:
        return value  # type: ignore[return-value]  # until the encoding knows its rows and frames
    lengths = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(lengths, (list, tuple)) or len(lengths) != 2:
        raise ValueError(f"must be [height, width] in pixels, or {EXACT!r}")
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
        Height and width of the image in pixels; or ``"exact"``: a pixel for each row and frame, for encodings that have
        these and sounds of one length (`frames` or `duration_s`), so that nothing is resized.

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
        if cls.name:
            cls.__doc__ = _with_all_settings(cls)

    @model_validator(mode="after")
    def _resolve_size(self) -> Self:
        """Put rows and frames in the place of ``"exact"``."""
        size: Any = self.size
        if size == EXACT:
            self.__dict__["size"] = self.exact_size()
        return self

    def exact_size(self) -> tuple[int, int]:
        """Rows and frames of every clip; encodings that have none refuse.

        Raises
        ------
        PydanticCustomError
            For the validator of `size`.
        """
        raise field_error("size", f"{self.name or 'it'} has no rows and frames; give [height, width] in pixels")

    @property
    def tile_s(self) -> float:
        """Length in seconds of the tiles that a clip is cut into, each an image of its own; 0: a clip is one image."""
        return 0.0

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

    def warnings(self) -> tuple[str, ...]:
        """What a user of these settings should know, a sentence each: settings that are possible, but hardly meant."""
        return ()

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
        return self.checked(as_sound(y, sr=sr, settings=self))

    def checked(self, sound: Sound) -> np.ndarray:
        """Draw a sound by :meth:`encode`, and check what that gives.

        Raises
        ------
        SettingsError
            The encoding fails, or gives something else than uint8 of shape (H, W, 3).
        """
        return self._checked(self.encode, sound, (*self.size, 3))

    def png(self, sound: Sound) -> bytes:
        """Draw a sound as the PNG of :meth:`checked`; it raises the same errors."""
        return encode_png(self.checked(sound))

    def _checked(self, draw: Callable[[Sound], Any], sound: Sound, shape: tuple[int, ...]) -> np.ndarray:
        try:
            pixels = draw(sound)
        except SoundfoldError:
            raise
        except Exception as error:  # whatever somebody's encoding raises
            reason = f"{type(error).__name__}: {error}"
            raise SettingsError(f"encoding {self.name!r}: its method encode failed ({reason})") from error
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != shape:
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            expected = f"an array of uint8, shape {shape}"
            raise SettingsError(f"encoding {self.name!r}: its method encode gave {got}, expected {expected}")
        return pixels

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values, with the encoding's name."""
        return {"encoding": self.name, **super().to_json()}


def _with_all_settings(cls: type[Encoding]) -> str:
    """The docstring of an encoding with the settings that it inherits, for ``help`` in a notebook."""
    start = "Parameters\n----------\n"
    own = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    parts = [own.partition(start)[2].partition("\n\n")[0]]
    for base in cls.__mro__[1:]:
        parts.append(inspect.cleandoc(base.__dict__.get("__doc__") or "").partition(start)[2].partition("\n\n")[0])
        if base.__dict__.get("name"):  # an encoding whose docstring has them all
            break
    lines = [line for part in parts for line in part.splitlines()]
    return "\n".join([own.partition(start)[0].rstrip(), "", *start.splitlines(), *lines, ""])
