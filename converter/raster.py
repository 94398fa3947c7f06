"""From a matrix of levels to a matrix of shades: the rows and columns of an image.

Levels are float32 in [0, 1], row 0 the lowest frequency. Shades are uint8, row 0 at the top of the image.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from harness.errors import SettingsError

__all__ = ["AXES", "MIDDLE", "cell_edges", "quantise", "shades"]

AXES = ("even", "flat", "symlog")
"""``even``: rows of equal height, smoothly resized; the other two are librosa.display's (see :func:`shades`)."""
MIDDLE = 128.5 / 256
"""The level in the middle of the middle shade: what stands for zero where values have a sign."""
_LINEAR_TO_HZ = 1000.0  # librosa.display's mel axis: matplotlib's symlog with this threshold and base 2
_OFF = 1e-9  # an edge that falls on a pixel belongs to the earlier cell, as matplotlib's renderer has it


def shades(levels: np.ndarray, *, size: tuple[int, int], axis: str, row_hz: np.ndarray) -> np.ndarray:
    """Lay a spectrogram out on an image, low frequencies at the bottom.

    Parameters
    ----------
    levels : ndarray of float32, shape (rows, frames)
        In [0, 1].
    size : (int, int)
        Height and width in pixels.
    axis : {"even", "flat", "symlog"}
        ``even`` resizes with Pillow's bilinear filter, which averages where it shrinks. ``flat`` and ``symlog``
        give cells of one shade, bounded half-way between neighbouring rows, as librosa.display.specshow drew them:
        with the row numbers as axis, or with a frequency axis that is linear to 1 kHz and logarithmic above.
    row_hz : ndarray of float, shape (rows,)
        Frequency of each row; ``symlog`` needs it.

    Returns
    -------
    ndarray of uint8, shape size
    """
    if axis == "even":
        return quantise(_resize(levels, size))[::-1]
    if axis not in AXES:
        raise SettingsError(f"axis={axis!r}: must be one of {', '.join(AXES)}")
    rows, frames = levels.shape
    height, width = size
    places = _symlog(row_hz) if axis == "symlog" else np.arange(rows, dtype=np.float64)
    edges = cell_edges(places)
    from_top = edges[-1] - np.arange(height) / height * (edges[-1] - edges[0])
    row = np.clip(np.searchsorted(edges, from_top - _OFF, side="right") - 1, 0, rows - 1)
    column = np.minimum((np.arange(1, width + 1) * (frames / width) - _OFF).astype(int), frames - 1)
    return quantise(levels)[row][:, column]


def quantise(levels: np.ndarray) -> np.ndarray:
    """Levels in [0, 1] to 256 steps of equal width, as matplotlib's colour maps count them.

    Examples
    --------
    >>> quantise(np.float32([-0.1, 0.0, 0.5, 1.0])).tolist()
    [0, 0, 128, 255]
    """
    return np.clip(levels * np.float32(256), 0, 255).astype(np.uint8)


def cell_edges(places: np.ndarray) -> np.ndarray:
    """Edges of cells around places on an axis: half-way between neighbours, the outer ones at the outer places.

    Examples
    --------
    >>> cell_edges(np.array([0.0, 2.0, 6.0])).tolist()
    [0.0, 1.0, 4.0, 6.0]
    """
    return np.concatenate([places[:1], (places[1:] + places[:-1]) / 2, places[-1:]])


def _symlog(hz: np.ndarray) -> np.ndarray:
    """matplotlib's symlog scale: two octaves' height up to the threshold, then one octave each."""
    octaves = np.log2(np.maximum(hz, _LINEAR_TO_HZ) / _LINEAR_TO_HZ)
    return np.where(hz <= _LINEAR_TO_HZ, 2 * hz / _LINEAR_TO_HZ, 2 + octaves)


def _resize(levels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    image = Image.fromarray(np.ascontiguousarray(levels, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
