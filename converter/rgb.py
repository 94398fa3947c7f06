"""What the encodings share whose red, green and blue are three mel spectrograms of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.dsp import mel_bands
from converter.raster import quantise
from converter.sound import Sound
from converter.spectrogram import DecibelSpectrogram, MelSpectrogram

__all__ = ["RgbSpectrogram"]


class RgbSpectrogram(MelSpectrogram, DecibelSpectrogram):
    """Settings of an image whose channels are three log-mel spectrograms; all three have one reference."""

    def channel_values(self, sound: Sound) -> Sequence[np.ndarray]:
        """The mel spectrograms for red, green and blue, float32 of shape (n_mels, frames) each."""
        raise TypeError(f"{type(self).__name__} is no encoding of its own: it has no method channel_values")

    def channel_levels(self, sound: Sound) -> Sequence[np.ndarray]:
        """Levels in [0, 1] for red, green and blue, float32 of shape (n_mels, frames) each."""
        values = self.channel_values(sound)
        highest = max(float(each.max()) for each in values)
        ref = highest if self.ref == "max" and highest > 0 else self.ref
        return [self.levels_below(each, ref) for each in values]

    def bands(self, squared: np.ndarray) -> np.ndarray:
        """Mel bands of squared magnitudes (1 + n_fft // 2, frames), float32 of shape (n_mels, frames)."""
        S = squared if self.power == 2 else squared ** np.float32(self.power / 2)
        return mel_bands(
            S, sr=self.sample_rate, n_fft=self.n_fft, n_mels=self.n_mels, fmin=self.fmin, fmax=self.highest_hz
        )

    def silent_levels(self) -> tuple[float, float, float]:
        """Levels of silence in red, green and blue: 0, where an encoding does not say otherwise."""
        return 0.0, 0.0, 0.0

    def encode(self, sound: Sound) -> np.ndarray:
        """Draw the three channels; see :meth:`Encoding.encode`."""
        return np.stack([self.layout(levels) for levels in self.channel_levels(sound)], axis=-1)

    def silence(self) -> np.ndarray:
        """The image of silence: one colour, that of the silent levels."""
        return np.tile(quantise(np.array(self.silent_levels(), np.float32)), (*self.size, 1))

    def peak(self, sound: Sound) -> float:
        """The highest value in any channel of a clip, for the reference of a corpus."""
        return max(float(each.max()) for each in self.channel_values(sound))
