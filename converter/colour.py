"""Colours by lookup table."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

import numpy as np

__all__ = ["GRAY", "closest_colour_maps", "is_colour_map", "paint", "table"]

GRAY = "gray"
_GRAYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
_GRAYS.flags.writeable = False


def paint(shades: np.ndarray, colormap: str) -> np.ndarray:
    """Colour a matrix of shades.

    Parameters
    ----------
    shades : ndarray of uint8, shape (H, W)
    colormap : str
        Name of a matplotlib colour map; ``gray`` leaves the shades as they are.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    if colormap == GRAY:
        return np.repeat(shades[..., None], 3, axis=2)
    return table(colormap).take(shades, axis=0)


@lru_cache(maxsize=32)
def table(colormap: str) -> np.ndarray:
    """The 256 colours of a matplotlib colour map, uint8 (256, 3), read-only."""
    if colormap == GRAY:
        return _GRAYS
    from matplotlib import colormaps  # not needed for gray and the waveform

    colours = np.ascontiguousarray(colormaps[colormap](np.linspace(0, 1, 256), bytes=True)[:, :3])
    colours.flags.writeable = False
    return colours


def is_colour_map(name: str) -> bool:
    """Whether matplotlib has a colour map of that name."""
    from matplotlib import colormaps  # not needed for gray and the waveform

    return name in colormaps


def closest_colour_maps(name: str) -> str:
    """What an unknown name may have meant, in words."""
    from matplotlib import colormaps  # only for a message

    close = get_close_matches(name, list(colormaps), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else "matplotlib's list has them, e.g. 'magma'"
