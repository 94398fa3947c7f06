"""Arithmetic on 8-bit values that the merges share: constants, fractions, luminance, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import ImageError, SettingsError, did_you_mean

__all__ = ["byte", "check_keys", "check_sizes", "luminance", "partner", "partner_name", "scaled"]

_OFF = 1e-9  # 0.29 * 100 is 28.999999999999996


def byte(name: str, value: Any) -> int:
    """A value from 0 to 255: an integer as it is, a float from 0.0 to 1.0 as a fraction, cut off as ``int`` does.

    Raises
    ------
    SettingsError
        Anything else.

    Examples
    --------
    >>> byte("of", 0.25), byte("of", 1.0), byte("of", 1), byte("of", 255)
    (63, 255, 1, 255)
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    if isinstance(value, float) and 0 <= value <= 1:
        return int(value * 255 + _OFF)
    raise SettingsError(f"{name}={value!r}: must be an integer from 0 to 255, or a fraction from 0.0 to 1.0")


def scaled(values: np.ndarray, strength: float) -> np.ndarray:
    """8-bit values times a strength from 0 to 1, cut off as ``int`` does."""
    if strength == 1:
        return values
    return np.floor(values * strength + _OFF).astype(np.uint8)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """ITU-R 601 luminance of a picture, as Pillow computes it; exact for gray.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W)
    """
    red, green, blue = (pixels[..., c].astype(np.uint32) for c in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def partner(pictures: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The picture of encoding `name`.

    Raises
    ------
    ImageError
        It is missing.
    """
    if name not in pictures:
        raise ImageError(f"encoding={name!r}: the clip has no such picture; {did_you_mean(name, pictures)}")
    return pictures[name]


def partner_name(value: Any) -> str:
    """An encoding's name as a merge's settings give it."""
    if not isinstance(value, str) or not value:
        raise SettingsError(f"encoding={value!r}: must be the name of an encoding")
    return value


def check_sizes(pictures: Mapping[str, np.ndarray], names: Sequence[str], *, sides: str) -> None:
    """Refuse pictures that do not fit together.

    Parameters
    ----------
    pictures : mapping of str to ndarray of uint8, shape (H, W, 3)
    names : sequence of str
        Those that must fit.
    sides : {"both", "height", "width"}
        What must be equal.

    Raises
    ------
    ImageError
        Naming two encodings and their sizes.
    """
    compared = {"both": slice(0, 2), "height": slice(0, 1), "width": slice(1, 2)}[sides]
    first = partner(pictures, names[0]).shape[:2]
    for name in names[1:]:
        other = partner(pictures, name).shape[:2]
        if other[compared] != first[compared]:
            raise ImageError(
                f"{names[0]} is {first[0]}x{first[1]} (height x width), {name} is {other[0]}x{other[1]}: "
                f"{'sizes' if sides == 'both' else sides + 's'} must be equal; draw them with the same size"
            )


def check_keys(how: str, settings: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse settings that a merge does not have."""
    for key in settings:
        if key not in known:
            raise SettingsError(f"{how} has no setting {key!r}; {did_you_mean(key, known)}")
