"""The merge method ``channels``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PlainValidator, field_validator

from harness.errors import SettingsError
from harness.settings import Settings
from merger.pixels import byte, check_sizes, image_of, luminance, scaled
from merger.spec import MergeMethod

__all__ = ["Channel", "Channels"]


def _threshold(value: Any) -> int:
    return -1 if value is False or value == -1 else byte(value)


class Channel(Settings):
    """What one channel shows: the luminance of an image, then binarised, then inverted, then weakened.

    Parameters
    ----------
    encoding : str
        The image; empty: `constant`.
    constant : int
        0 to 255, or a fraction from 0.0 to 1.0.
    strength : float
        0 to 1; values are multiplied by it and cut off as ``int`` does.
    invert : bool
        255 minus the value.
    binarise : int
        Values above this (0 to 255, or a fraction) become 255, others 0; -1 or false: left as they are.
    """

    title = "a channel"

    encoding: str = ""
    constant: Annotated[int, PlainValidator(byte)] = 0
    strength: float = Field(default=1.0, ge=0, le=1)
    invert: bool = False
    binarise: Annotated[int, PlainValidator(_threshold)] = -1

    def to_json(self) -> Any:
        """The shortest way to say it in a study: a number, or a table."""
        if not self.encoding:
            return self.constant
        said: dict[str, Any] = {"encoding": self.encoding, "strength": self.strength, "invert": self.invert}
        return said | ({} if self.binarise < 0 else {"binarise": self.binarise})

    def values(self, gray: Mapping[str, np.ndarray], size: tuple[int, ...]) -> np.ndarray:
        """The channel's values, uint8 of shape `size`, from the luminance of each image."""
        if not self.encoding:
            return np.full(size, self.constant, np.uint8)
        values = image_of(gray, self.encoding)
        if self.binarise >= 0:
            values = np.where(values > self.binarise, np.uint8(255), np.uint8(0))
        if self.invert:
            values = 255 - values
        return scaled(values, self.strength)


def _channel(value: Any) -> Channel:
    if isinstance(value, Channel):
        return value
    if isinstance(value, (int, float)):
        return Channel(constant=byte(value))
    if isinstance(value, str) and value:
        return Channel(encoding=value)
    if isinstance(value, Mapping) and value.get("encoding"):
        return Channel.read(value)
    raise ValueError(f"{value!r} is not an encoding, a constant or a table with an encoding")


class Channels(MergeMethod):
    """Each of red, green, blue (and alpha) is an encoding or a constant, with strength, inversion, binarisation.

    Parameters
    ----------
    of : tuple of Channel
        Red, green, blue and perhaps alpha; given as names of encodings, constants or tables.

    Examples
    --------
    >>> merged = Channels(of=["gray", 0.25, {"encoding": "gray", "invert": True}])
    >>> merged.merge({"gray": np.full((1, 1, 3), 200, np.uint8)}).tolist()
    [[[200, 63, 55]]]
    """

    name = "channels"

    of: tuple[Channel, ...]

    @field_validator("of", mode="plain")
    @classmethod
    def _read(cls, value: Any) -> tuple[Channel, ...]:
        if not isinstance(value, (list, tuple)) or len(value) not in (3, 4):
            raise ValueError("channels takes three (red, green, blue) or four (and alpha)")
        try:
            channels = tuple(_channel(each) for each in value)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        if not any(channel.encoding for channel in channels):
            raise ValueError("at least one channel must be an encoding")
        return channels

    @property
    def partners(self) -> tuple[str, ...]:
        """The encodings that it needs, each once."""
        return tuple(dict.fromkeys(channel.encoding for channel in self.of if channel.encoding))

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """Put images of one size into the channels, shape (H, W, 3) or (H, W, 4)."""
        check_sizes(images, self.partners, equal="sizes")
        size = images[self.partners[0]].shape[:2]
        gray = {name: luminance(images[name]) for name in self.partners}
        return np.stack([channel.values(gray, size) for channel in self.of], axis=-1)
