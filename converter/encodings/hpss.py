"""The encoding ``hpss``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import scipy
from pydantic import PlainValidator

from converter.rgb import RgbSpectrogram
from converter.sound import Sound
from converter.spectrogram import power_values
from harness.settings import PositiveInt, at_least

__all__ = ["Hpss", "separate"]


class Hpss(RgbSpectrogram):
    """Log-mel spectrograms of what is steady (red) and of what is abrupt (green), and of the whole (blue).

    Steady tones are magenta, clicks cyan. A spectrogram is separated by medians along time and along frequency
    (Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010; with margins: Driedger, Müller and
    Disch, ISMIR 2014), as in ``librosa.decompose.hpss``.

    Parameters
    ----------
    kernel : int
        Length of the medians, in frames along time and in bins along frequency.
    margin : float
        How many times as strong as the other a component must be; above 1 what is neither remains in blue alone.
    """

    name = "hpss"

    kernel: PositiveInt = 31
    margin: Annotated[float, PlainValidator(at_least(1))] = 1.0

    def channel_values(self, sound: Sound) -> Sequence[np.ndarray]:
        """Mel spectrograms of the steady part, the abrupt part and the whole."""
        frame = {"n_fft": self.n_fft, "hop_length": self.hop_length, "win_length": self.win_length or self.n_fft}
        squared = power_values(sound, **frame)
        parts = sound.once(
            ("hpss", *frame.values(), self.kernel, self.margin),
            lambda: separate(squared, kernel=self.kernel, margin=self.margin),
        )
        return [*(self.bands(part) for part in parts), self.values(sound)]


def separate(squared: np.ndarray, *, kernel: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Separate a spectrogram into what is steady and what is abrupt.

    Parameters
    ----------
    squared : ndarray of float32, shape (bins, frames)
        Squared magnitudes.
    kernel : int
        Length of the medians.
    margin : float
        1 or more.

    Returns
    -------
    harmonic, percussive : ndarray of float32, shape of `squared`
        The squares of ``librosa.decompose.hpss(S, kernel_size=kernel, margin=margin)`` of the magnitudes S.
    """
    along_time = _row_medians(squared, kernel)
    along_frequency = np.ascontiguousarray(_row_medians(np.ascontiguousarray(squared.T), kernel).T)
    both = 0.5 if margin == 1 else 0.0
    harmonic = _mask(along_time, along_frequency * np.float32(margin**2), both=both)
    percussive = _mask(along_frequency, along_time * np.float32(margin**2), both=both)
    return squared * harmonic**2, squared * percussive**2


def _mask(own: np.ndarray, other: np.ndarray, *, both: float) -> np.ndarray:
    """Share of one of two; `both` where there is nothing of either."""
    total = own + other
    nothing = total < np.finfo(np.float32).tiny
    share: np.ndarray = np.where(nothing, np.float32(both), own / np.where(nothing, np.float32(1), total))
    return share


def _row_medians(S: np.ndarray, kernel: int) -> np.ndarray:
    """Running medians along each row, mirrored at its ends.

    All rows are joined to one, whose medians SciPy finds ten times as fast as those of a matrix.
    """
    half = kernel // 2
    padded = np.pad(S, ((0, 0), (half, half)), mode="symmetric")
    medians = scipy.ndimage.median_filter(padded.ravel(), size=kernel, mode="nearest").reshape(padded.shape)
    return np.ascontiguousarray(medians[:, half : half + S.shape[1]])
