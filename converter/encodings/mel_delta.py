"""The encoding ``mel_delta``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.raster import MIDDLE
from converter.rgb import RgbSpectrogram
from converter.sound import Sound
from harness.settings import PositiveFloat, PositiveInt

__all__ = ["MelDelta", "delta"]


class MelDelta(RgbSpectrogram):
    """Log-mel spectrogram (red), how fast it changes (green), and how fast that changes (blue).

    Green and blue are middle where nothing changes, brighter where a band becomes louder (or does so faster and
    faster), darker where it becomes softer. The changes are slopes and curvatures of parabolas fitted to a few frames
    (Furui, "Speaker-independent isolated word recognition using dynamic features of speech spectrum", IEEE Trans.
    ASSP 34, 1986; Savitzky and Golay, 1964), as in ``librosa.feature.delta``, of the levels in decibels.

    Parameters
    ----------
    reach : int
        Frames before and after each frame that a change is fitted to; ``width = 2 * reach + 1`` in librosa.
    delta_db : float
        Change in dB per frame that is drawn as the brightest green, or as the darkest.
    delta2_db : float
        Change of that change in dB per frame and frame that is drawn as the brightest blue, or as the darkest.
    """

    name = "mel_delta"

    reach: PositiveInt = 4
    delta_db: PositiveFloat = 5.0
    delta2_db: PositiveFloat = 2.5

    def channel_values(self, sound: Sound) -> Sequence[np.ndarray]:
        """The mel spectrogram, which the reference is found from."""
        return [self.values(sound)]

    def channel_levels(self, sound: Sound) -> Sequence[np.ndarray]:
        """Levels in [0, 1] of the spectrogram and its changes, float32 of shape (n_mels, frames) each."""
        levels = self.levels(self.values(sound))
        scales = (self.top_db / self.delta_db, self.top_db / self.delta2_db)
        changes = [
            delta(levels, reach=self.reach, order=k) * np.float32(scale / 2) for k, scale in enumerate(scales, 1)
        ]
        return [levels, *(np.clip(each + np.float32(MIDDLE), 0, 1) for each in changes)]

    def silent_levels(self) -> tuple[float, float, float]:
        """Silence has no level and does not change."""
        return 0.0, MIDDLE, MIDDLE


def delta(S: np.ndarray, *, reach: int, order: int) -> np.ndarray:
    """Slope or curvature of each row, from polynomials fitted to ``2 * reach + 1`` frames.

    At both ends the nearest whole fit counts. Where there are fewer frames, fewer are fitted; with fewer than three
    nothing changes.

    Parameters
    ----------
    S : ndarray of float32, shape (rows, frames)
    reach : int
        Frames before and after each frame.
    order : {1, 2}
        Of the derivative and of the polynomials.

    Returns
    -------
    ndarray of float32, shape of `S`
        ``librosa.feature.delta(S, width=2 * reach + 1, order=order)``, per frame (or per frame and frame).

    Examples
    --------
    >>> delta(np.arange(5, dtype=np.float32)[None] ** 2, reach=1, order=1).tolist()
    [[2.0, 2.0, 4.0, 6.0, 6.0]]
    >>> delta(np.arange(5, dtype=np.float32)[None] ** 2, reach=1, order=2).tolist()
    [[2.0, 2.0, 2.0, 2.0, 2.0]]
    """
    frames = S.shape[1]
    reach = min(reach, (frames - 1) // 2)
    if reach < 1:
        return np.zeros_like(S)
    offsets = np.arange(-reach, reach + 1, dtype=np.float64)
    if order == 1:
        weights = offsets / (offsets**2).sum()
    else:
        bowed = offsets**2 - (offsets**2).mean()
        weights = 2 * bowed / (bowed**2).sum()
    inner = np.zeros((len(S), frames - 2 * reach), np.float32)
    for k, weight in enumerate(weights.astype(np.float32)):
        inner += weight * S[:, k : k + inner.shape[1]]
    return np.pad(inner, ((0, 0), (reach, reach)), mode="edge")
