"""Two encodings in one file: one that builds on the spectrograms, one that builds on nothing but `Encoding`."""

import numpy as np

from converter import DecibelSpectrogram, Encoding, MelSpectrogram, Reference, Sound, level
from harness.settings import PositiveFloat


class Delta(MelSpectrogram, DecibelSpectrogram):
    """Change of a log-mel spectrogram from frame to frame, in gray; no change is the middle gray.

    Parameters
    ----------
    gain : float
        What the change is multiplied by.
    """

    name = "delta"

    gain: PositiveFloat = 4.0

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Levels in [0, 1]; 0.5 where nothing changes."""
        levels = super().levels(values)
        change = np.diff(levels, axis=1, prepend=levels[:, :1])
        return np.clip(0.5 + self.gain * change, 0, 1, dtype=np.float32)

    def silent_level(self) -> float:
        """Silence does not change."""
        return 0.5


class Loudness(Encoding):
    """Peak of each column in dB, as one shade from top to bottom.

    Parameters
    ----------
    ref : "max", "corpus" or float
        The magnitude that white stands for.
    top_db : float
        Range in dB from black to white.
    """

    name = "loudness"

    ref: Reference = "max"
    top_db: PositiveFloat = 60.0

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw the loudness of each column."""
        height, width = self.size
        peaks = np.maximum.reduceat(np.abs(sound.y), np.arange(width) * len(sound.y) // width)
        levels = level(peaks, power=1.0, ref=self.ref, top_db=self.top_db)
        return np.tile(np.rint(levels * 255).astype(np.uint8)[:, None], (height, 1, 3))

    def peak(self, sound: Sound) -> float:
        """The highest magnitude."""
        return float(np.abs(sound.y).max())
