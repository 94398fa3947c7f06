"""Waveform: the clip's envelope, peak-normalised and filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converter.raster import quantise
from converter.sound import Sound, as_sound
from converter.spec import Spec as BaseSpec
from converter.spec import colour, one_of, setting

__all__ = ["Spec", "encode"]

_MARGIN = 1.1  # waveplot: matplotlib leaves a twentieth of the range free above and below
_FINE = 4  # waveplot: parts of a pixel that a column is computed in
_STROKE = 0.69  # waveplot: half the width in pixels of the line that matplotlib draws around what it fills


@dataclass(frozen=True)
class Spec(BaseSpec):
    """Settings of the waveform, beside those of every `converter.spec.Spec`.

    Parameters
    ----------
    foreground, background : str
        Colours, by name or as #rrggbb.
    style : {"envelope", "waveplot"}
        ``envelope`` fills each column from its lowest to its highest sample, over the full height. ``waveplot`` is
        what librosa.display.waveplot drew: the magnitude, mirrored, smooth-edged, with a margin; for the preset
        ``seed``.
    """

    foreground: str = setting("#ffffff", colour)
    background: str = setting("#000000", colour)
    style: str = setting("envelope", one_of("envelope", "waveplot"))


def encode(y: np.ndarray | Sound, *, sr: int, spec: Spec) -> np.ndarray:
    """Draw the waveform of a clip; silence is a line in the middle.

    Parameters
    ----------
    y : ndarray of float, shape (samples,), or Sound
    sr : int
        Rate of `y` in Hz.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    AudioError
        No samples, not mono, or NaN.

    Examples
    --------
    >>> encode(np.zeros(100), sr=22050, spec=Spec(size=(5, 3)))[:, 0, 0].tolist()
    [0, 0, 255, 0, 0]
    """
    sound = as_sound(y, sr=sr, spec=spec)
    draw = _envelope if spec.style == "envelope" else _waveplot
    shades = draw(sound.y, *spec.size)
    low, high = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (spec.background, spec.foreground))
    mixed = np.rint(low + (high - low) * (np.arange(256) / 255)[:, None]).astype(np.uint8)
    return mixed.take(shades, axis=0)


def _envelope(y: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shades 0 or 255: each column filled from its lowest to its highest sample."""
    scale = np.abs(y).max() or 1.0
    if len(y) >= width:
        starts = np.arange(width) * len(y) // width
        top, bottom = np.maximum.reduceat(y, starts), np.minimum.reduceat(y, starts)
    else:
        top = bottom = y[np.arange(width) * len(y) // width]
    middle = (height - 1) / 2
    first = np.rint(middle - top / scale * middle).astype(int)
    last = np.rint(middle - bottom / scale * middle).astype(int)
    first[1:], last[1:] = np.minimum(first[1:], last[:-1]), np.maximum(last[1:], first[:-1])  # no gaps between columns
    row = np.arange(height)[:, None]
    return np.where((row >= first) & (row <= last), np.uint8(255), np.uint8(0))


def _waveplot(y: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shades 0 to 255: how much of each pixel the mirrored magnitude and its outline cover."""
    magnitude = np.abs(y)
    tall = magnitude * (height / 2 / _MARGIN / (magnitude.max() or 1.0))
    at = np.linspace(0, width * _FINE, len(y)) if len(y) > 1 else np.zeros(1)
    columns = width * _FINE
    reach = np.interp(np.arange(columns) + 0.5, at, tall)
    np.maximum.at(reach, np.minimum(at.astype(int), columns - 1), tall)
    outline = np.zeros(columns)
    steps = round(_STROKE * _FINE)
    padded = np.pad(reach, steps, constant_values=-np.inf)
    for step in range(2 * steps + 1):
        lift = np.sqrt(max(_STROKE**2 - ((step - steps) / _FINE) ** 2, 0.0))
        outline = np.maximum(outline, padded[step : step + columns] + lift)
    row = np.arange(height)[:, None]
    covered = np.minimum(row + 1, height / 2 + outline) - np.maximum(row, height / 2 - outline)
    share = np.clip(covered, 0, 1).reshape(height, width, _FINE).mean(axis=2)
    return quantise(share)
