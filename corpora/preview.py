"""Small images of sounds for people to look at: level over time and frequency, in WebP. No model sees them."""

from __future__ import annotations

import io

import numpy as np
import scipy
from PIL import Image

__all__ = ["HEIGHT", "WIDTH", "preview"]

WIDTH, HEIGHT = 192, 112
"""Pixels."""
_LOWEST_HZ = 40.0
_RANGE_DB = 70.0
_WINDOW_S = 0.046
_BLOCK = 512  # frames that are transformed together
_QUALITY = 72
_COLOURS = ((0, 0, 4), (60, 15, 112), (150, 44, 128), (230, 80, 98), (254, 160, 110), (252, 253, 191))  # low to high


def preview(y: np.ndarray, sr: int) -> bytes:
    """Draw a sound: time to the right, frequency upwards on a logarithmic axis from 40 Hz, 70 dB below its loudest.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        At least one.
    sr : int
        Rate in Hz.

    Returns
    -------
    bytes
        WebP of :data:`WIDTH` x :data:`HEIGHT` pixels.
    """
    power = _band_power(y, sr)
    columns = np.linspace(0, power.shape[1], WIDTH + 1)[:-1].astype(int)
    highest = np.maximum.reduceat(power, columns, axis=1) if power.shape[1] > WIDTH else power[:, columns]
    db = 10 * np.log10(np.maximum(highest, 1e-12))
    share = np.clip(1 + (db - max(float(db.max()), -90.0)) / _RANGE_DB, 0, 1)[::-1]
    places = np.linspace(0, 1, len(_COLOURS))
    rgb = np.stack([np.interp(share, places, channel) for channel in zip(*_COLOURS, strict=True)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(rgb).astype(np.uint8)).save(buffer, format="WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()


def _band_power(y: np.ndarray, sr: int) -> np.ndarray:
    """Power in logarithmic bands, lowest first, of overlapping frames; shape (HEIGHT, frames)."""
    n = max(64, round(_WINDOW_S * sr))
    hop = max(1, min(n // 2, len(y) // WIDTH))
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, n // 2), n)[::hop]
    edges = np.geomspace(min(_LOWEST_HZ, sr / 8), sr / 2, HEIGHT + 1) * n / sr
    places = (edges[1:] + edges[:-1]) / 2
    window = np.hanning(n).astype(np.float32)
    found = np.empty((HEIGHT, len(frames)), np.float32)
    below = np.minimum(places.astype(int), n // 2 - 1)
    part = (places - below)[:, None]
    for start in range(0, len(frames), _BLOCK):
        spectra = np.abs(scipy.fft.rfft(frames[start : start + _BLOCK] * window, axis=1)).T ** 2 * (4 / n**2)
        found[:, start : start + _BLOCK] = (1 - part) * spectra[below] + part * spectra[below + 1]
    return found
