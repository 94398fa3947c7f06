"""The encoding ``multires``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from converter.rgb import RgbSpectrogram
from converter.sound import Sound
from converter.spectrogram import mel_values
from harness.settings import PositiveInt, field_error, positive_int

__all__ = ["Multires"]

_SHORTEST = 4  # samples of a window


def _three(value: Any) -> tuple[int, int, int]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ValueError("must be three positive integers, for red, green and blue")
    red, green, blue = (positive_int(each) for each in value)
    return red, green, blue


class Multires(RgbSpectrogram):
    """Three log-mel spectrograms, with a short, a middle and a long window: red, green and blue.

    A short window is sharp in time, a long one in frequency: clicks are red, steady tones blue. The windows
    are a quarter, a half and the whole of ``win_length``: 23, 46 and 93 ms with the default settings, as in Palanisamy,
    Singhania and Yao, "Rethinking CNN models for audio classification", 2020 (25, 50 and 100 ms). The shorter ones are
    filled up with zeros to n_fft, so that all have the same mel bands, and have the same energy, so that noise is
    equally bright in all of them.

    Parameters
    ----------
    divisors : (int, int, int)
        What win_length (n_fft where that is 0) is divided by for red, green and blue.
    """

    name = "multires"

    hop_length: PositiveInt = 256
    divisors: Annotated[tuple[int, int, int], PlainValidator(_three)] = (4, 2, 1)

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if min(self.windows) < _SHORTEST:
            raise field_error("divisors", f"a window would have less than {_SHORTEST} samples; lower it or raise n_fft")
        if not self.center:
            raise field_error("center", "must be true, since windows of three lengths have one centre, but three ends")
        return self

    @property
    def windows(self) -> tuple[int, ...]:
        """Lengths in samples of the windows for red, green and blue."""
        return tuple((self.win_length or self.n_fft) // divisor for divisor in self.divisors)

    def channel_values(self, sound: Sound) -> Sequence[np.ndarray]:
        """Mel spectrograms with each of the windows, all of the energy of the longest."""
        longest = self.win_length or self.n_fft
        return [self._of_window(sound, window, longest / window) for window in self.windows]

    def warnings(self) -> tuple[str, ...]:
        """Windows that hardly overlap: a Hann window is next to nothing at its ends."""
        shortest = min(self.windows)
        if self.hop_length <= shortest / 2:
            return super().warnings()
        gaps = (
            f"hop_length={self.hop_length} is above half of the shortest window ({shortest} samples): clicks "
            "between two windows are hardly drawn; lower hop_length or the divisors"
        )
        return (gaps, *super().warnings())

    def _of_window(self, sound: Sound, window: int, gain: float) -> np.ndarray:
        transform = {**self._transform(), "win_length": window}
        values = mel_values(sound, n_mels=self.n_mels, fmin=self.fmin, fmax=self.highest_hz, **transform)
        return values if gain == 1 else values * np.float32(gain ** (self.power / 2))
