"""A spectrogram that scrolls through a terminal: a column every tenth of a second, mel bands from low to high."""

from __future__ import annotations

import numpy as np

__all__ = ["Strip"]

_COLUMN_S = 0.1
_BANDS = 64
_RANGE_DB = 60.0
_LOUDEST_DB = -40.0  # the least that is drawn in the brightest colour
_LOWEST_HZ = 30.0


class Strip:
    """The last columns of a spectrogram.

    Parameters
    ----------
    sr : int
        Rate of the sound in Hz.
    columns : int
        How many are remembered.
    """

    def __init__(self, sr: int, *, columns: int = 400) -> None:
        self._length = max(64, round(_COLUMN_S * sr))
        self._hann = np.hanning(self._length).astype(np.float32)
        mels = np.linspace(_mel(_LOWEST_HZ), _mel(sr / 2), _BANDS + 1)
        self._hertz = 700 * (10 ** (mels / 2595) - 1)
        bins = np.rint(self._hertz * self._length / sr).astype(int)
        self._edges = np.minimum(bins[:-1], self._length // 2)
        self._db = np.full((_BANDS, columns), SILENCE_DB, np.float32)
        self._rest = np.zeros(0, np.float32)

    def add(self, y: np.ndarray) -> None:
        """Append samples; a column for each tenth of a second."""
        y = np.concatenate([self._rest, y])
        whole = len(y) // self._length
        self._rest = y[whole * self._length :]
        for k in range(max(0, whole - self._db.shape[1]), whole):
            part = y[k * self._length : (k + 1) * self._length] * self._hann
            power = np.abs(np.fft.rfft(part)) ** 2 / float(np.sum(self._hann)) ** 2 * 4
            bands = np.add.reduceat(power, self._edges)
            self._db = np.roll(self._db, -1, axis=1)
            self._db[:, -1] = 10 * np.log10(np.maximum(bands, 1e-12))

    def levels(self, height: int, width: int) -> np.ndarray:
        """The newest columns at a size in cells, high frequencies at the top.

        Returns
        -------
        ndarray of float, shape (height, width)
            In [0, 1] over 60 dB below the loudest that is seen.
        """
        seen = self._db[:, -width:]
        rows = [each.max(axis=0) for each in np.array_split(seen, height)][::-1]
        top = max(float(seen.max()), _LOUDEST_DB)
        return np.clip((np.stack(rows) - top) / _RANGE_DB + 1, 0.0, 1.0)

    def hertz(self, height: int) -> list[float]:
        """The highest frequency of each row in Hz, from the top."""
        return [float(self._hertz[part[-1] + 1]) for part in np.array_split(np.arange(_BANDS), height)][::-1]


SILENCE_DB = -120.0


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))
