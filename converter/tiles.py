"""Tiles: a clip cut into equal parts, each an image of its own, for encodings with ``tiles = true``.

A clip of n frames has floor(n / width) tiles of as many frames as an image is wide; what is left at its end is not
drawn. A tile is drawn from its own part of the sound alone, with a reference of its own, exactly as
``soundfold scan`` draws a window of that length in a new recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from converter.spec import Encoding
from harness.errors import AudioError

__all__ = ["Tile", "count_tiles", "cut_tiles"]

_ROUNDING = 1e-6  # frames: that 0.1 s + 0.2 s are not 0.3 s


@dataclass(frozen=True)
class Tile:
    """One tile of a clip, as an encoding draws it.

    Parameters
    ----------
    encoding : Encoding
    number : int
        From 0.
    """

    encoding: Encoding
    number: int

    @property
    def start_s(self) -> float:
        """Where it begins, in seconds after the start of the clip."""
        return self.number * self.encoding.tile_s

    @property
    def end_s(self) -> float:
        """Where it ends, in seconds after the start of the clip."""
        return (self.number + 1) * self.encoding.tile_s

    def cut(self, y: np.ndarray, sr: int) -> np.ndarray:
        """The tile's samples of a clip's."""
        part = y[round(self.start_s * sr) : round(self.end_s * sr)]
        if not len(part):
            raise AudioError(f"tile {self.number}: the sound ends before it, after {len(y) / sr:.2f} s")
        return part


def count_tiles(encoding: Encoding, seconds: float) -> int:
    """How many tiles an encoding cuts a clip into: its frames by the frames of a tile, rounded down."""
    width = int(getattr(encoding, "frames", 0))
    return (1 + int(seconds / encoding.tile_s * width + _ROUNDING)) // width


def cut_tiles(encoding: Encoding, y: np.ndarray, sr: int) -> Sequence[np.ndarray]:
    """What an encoding draws of a clip: its tiles, of which there may be none, or the whole of it."""
    if not encoding.tile_s:
        return [y]
    return [Tile(encoding, number).cut(y, sr) for number in range(count_tiles(encoding, len(y) / sr))]
