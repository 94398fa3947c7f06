"""The encoding ``stereo``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from converter.dsp import stft_power
from converter.rgb import RgbSpectrogram
from converter.sound import Sound

__all__ = ["Stereo"]


class Stereo(RgbSpectrogram):
    """Log-mel spectrograms of the middle (red) and of the difference (green) of two channels, and of both (blue).

    The middle is half the sum of left and right, the difference half of left minus right (Blumlein, British patent
    394325, 1933); blue is the sum of their powers, which is the mean power of left and right. What is equal on both
    channels is magenta, what is on one alone white, what is of opposite polarity cyan. A sound of one channel has no
    difference; of more than two the first two count.
    """

    name = "stereo"
    all_channels: ClassVar[bool] = True

    def channel_values(self, sound: Sound) -> Sequence[np.ndarray]:
        """Mel spectrograms of the middle, the difference and both."""
        left, right = sound.channels[0], sound.channels[min(1, len(sound.channels) - 1)]
        middle = self._squared(sound, "middle", (left + right) / 2)
        difference = self._squared(sound, "difference", (left - right) / 2)
        return [self.bands(each) for each in (middle, difference, middle + difference)]

    def _squared(self, sound: Sound, what: str, y: np.ndarray) -> np.ndarray:
        frame = {"n_fft": self.n_fft, "hop_length": self.hop_length, "win_length": self.win_length or self.n_fft}
        return sound.once((what, *frame.values()), lambda: stft_power(y, **frame, center=sound.centred))
