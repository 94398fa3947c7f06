"""Colours by lookup table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["GRAY", "paint", "table"]

GRAY = "gray"


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
    from matplotlib import colormaps

    colours = np.ascontiguousarray(colormaps[colormap](np.linspace(0, 1, 256), bytes=True)[:, :3])
    colours.flags.writeable = False
    return colours
