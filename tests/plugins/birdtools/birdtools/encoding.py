"""The encoding ``bird_bands``."""

import numpy as np

from birdtools.bands import emphasis
from converter import ColourSpectrogram, DecibelSpectrogram, MelSpectrogram, Sound


class BirdBands(MelSpectrogram, DecibelSpectrogram, ColourSpectrogram):
    """Log-mel spectrogram that weakens what lies far from 4 kHz."""

    name = "bird_bands"

    def values(self, sound: Sound) -> np.ndarray:
        """Weighted mel bands, float32 of shape (n_mels, frames)."""
        return super().values(sound) * emphasis(self.row_hz())[:, None]
