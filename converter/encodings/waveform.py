"""The encoding ``waveform``."""

from __future__ import annotations

from typing import Literal

import numpy as np

from converter.raster import quantise
from converter.sound import Sound
from converter.spec import Colour, Encoding

__all__ = ["Waveform"]

_MARGIN = 1.1  # waveplot: matplotlib leaves a twentieth of the range free above and below
_FINE = 4  # waveplot: parts of a pixel that a column is computed in
_STROKE = 0.69  # waveplot: half the width in pixels of the line that matplotlib draws around what it fills


class Waveform(Encoding):
    """Waveform: the clip's envelope, peak-normalised and filled.

    Parameters
    ----------
    foreground, background : str
        Colours, by name or as #rrggbb.
    style : {"envelope", "waveplot"}
        ``envelope`` fills each column from its lowest to its highest sample, over the full height. ``waveplot`` is
        what librosa.display.waveplot drew: the magnitude, mirrored, smooth-edged, with a margin; for the preset
        ``seed``.
    """

    name = "waveform"

    foreground: Colour = "#ffffff"
    background: Colour = "#000000"
    style: Literal["envelope", "waveplot"] = "envelope"

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw the waveform; silence is a line in the middle.

        Examples
        --------
        >>> Waveform(size=(5, 3)).draw(np.zeros(100), sr=22050)[:, 0, 0].tolist()
        [0, 0, 255, 0, 0]
        """
        shades = _envelope if self.style == "envelope" else _waveplot
        return self._coloured(shades(sound.y, *self.size))

    def silence(self) -> np.ndarray:
        """The image of silence: a line in the middle."""
        height, width = self.size
        if self.style == "envelope":
            column = (np.arange(height) == round((height - 1) / 2)).astype(float)
        else:
            row = np.arange(height)
            covered = np.minimum(row + 1, height / 2 + _STROKE) - np.maximum(row, height / 2 - _STROKE)
            column = np.clip(covered, 0, 1)
        return self._coloured(np.repeat(quantise(column)[:, None], width, axis=1))

    def _coloured(self, shades: np.ndarray) -> np.ndarray:
        low, high = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (self.background, self.foreground))
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
