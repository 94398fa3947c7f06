"""What the merge methods share: names of images, arithmetic on 8-bit values, the check of sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import PlainValidator

from harness.errors import ImageError, did_you_mean

__all__ = ["Names", "byte", "check_sizes", "image_of", "luminance", "scaled"]

_OFF = 1e-9  # 0.29 * 100 is 28.999999999999996


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise ValueError("must be two encodings or more")
    for name in value:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is not the name of an encoding")
    return tuple(value)


Names = Annotated[tuple[str, ...], PlainValidator(_names)]
"""The names of two encodings or more."""


def byte(value: Any) -> int:
    """A value from 0 to 255: an integer as it is, a float from 0.0 to 1.0 as a fraction, cut off as ``int`` does.

    Raises
    ------
    ValueError
        Anything else.

    Examples
    --------
    >>> byte(0.25), byte(1.0), byte(1), byte(255)
    (63, 255, 1, 255)
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    if isinstance(value, float) and 0 <= value <= 1:
        return int(value * 255 + _OFF)
    raise ValueError(f"{value!r} must be an integer from 0 to 255, or a fraction from 0.0 to 1.0")


def scaled(values: np.ndarray, strength: float) -> np.ndarray:
    """8-bit values times a strength from 0 to 1, cut off as ``int`` does."""
    if strength == 1:
        return values
    return np.floor(values * strength + _OFF).astype(np.uint8)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """ITU-R 601 luminance of an image, as Pillow computes it; exact for gray.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W)
    """
    red, green, blue = (pixels[..., c].astype(np.uint32) for c in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def image_of(images: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The image of encoding `name`.

    Raises
    ------
    ImageError
        It is missing.
    """
    if name not in images:
        raise ImageError(f"encoding={name!r}: the clip has no such image; {did_you_mean(name, images)}")
    return images[name]


def check_sizes(
    images: Mapping[str, np.ndarray], names: Sequence[str], *, equal: Literal["sizes", "heights", "widths"]
) -> None:
    """Refuse images that do not fit together.

    Parameters
    ----------
    images : mapping of str to ndarray of uint8, shape (H, W, 3)
    names : sequence of str
        Those that must fit.
    equal : {"sizes", "heights", "widths"}
        What must be equal.

    Raises
    ------
    ImageError
        Naming two encodings and their sizes.
    """
    compared = {"sizes": slice(0, 2), "heights": slice(0, 1), "widths": slice(1, 2)}[equal]
    first = image_of(images, names[0]).shape[:2]
    for name in names[1:]:
        other = image_of(images, name).shape[:2]
        if other[compared] != first[compared]:
            raise ImageError(
                f"{names[0]} is {first[0]}x{first[1]} (height x width), {name} is {other[0]}x{other[1]}: "
                f"{equal} must be equal; draw them with the same size"
            )
