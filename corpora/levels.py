"""Levels of a clip over all its channels: loudness, silence, DC offset, channels that cancel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["CANCELLED_DB", "FLOOR_DB", "Levels", "measure"]

FLOOR_DB = -120.0
"""The lowest level that is given, in dB of full scale."""
CANCELLED_DB = -20.0
"""Where the mean of the channels is so far below them, :mod:`harness.audio` reads the strongest channel instead."""
_QUIET_DB = -60.0
_BLOCK_S = 0.05


@dataclass(frozen=True)
class Levels:
    """What the samples of a clip are like.

    Parameters
    ----------
    channels : int
    level_db : float
        Root mean square over all channels, in dB of full scale; -120 and more.
    quiet_share : float
        Share of its time below -60 dB of full scale, in [0, 1].
    dc : float
        Mean of the samples, of the channel where that is farthest from 0; 1 is full scale. 0 where the means of short
        blocks vary by more than that: noise of low frequencies, and no offset.
    mix_db : float
        Level of the mean of the channels against that of the channels, in dB: 0 for equal ones, -3 for unrelated ones,
        -120 where they cancel; 0 for one channel.
    """

    channels: int
    level_db: float
    quiet_share: float
    dc: float
    mix_db: float


def measure(y: np.ndarray, sr: int) -> Levels:
    """Measure a sound.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,) or (samples, channels)
        At least one sample, all finite.
    sr : int
        Rate in Hz.

    Examples
    --------
    >>> y = np.sin(np.arange(8000, dtype=np.float32))
    >>> found = measure(np.stack([y, -y], axis=1), 8000)
    >>> found.channels, round(found.level_db), found.mix_db
    (2, -3, -120.0)
    """
    y = y.reshape(len(y), -1).astype(np.float64)
    power = np.square(y).mean(axis=1)
    mean = power.mean()
    mixed = float(np.square(y.mean(axis=1)).mean())
    block = max(1, min(len(y), round(_BLOCK_S * sr)))
    blocks = power[: len(power) // block * block].reshape(-1, block).mean(axis=1)
    means = y[: len(y) // block * block].reshape(-1, block, y.shape[1]).mean(axis=1)
    offsets = np.where(np.abs(y.mean(axis=0)) > means.std(axis=0), y.mean(axis=0), 0.0)
    return Levels(
        channels=y.shape[1],
        level_db=_decibels(mean),
        quiet_share=float((blocks < 10 ** (_QUIET_DB / 10)).mean()),
        dc=float(offsets[np.argmax(np.abs(offsets))]),
        mix_db=_decibels(mixed / mean) if mean > 0 and y.shape[1] > 1 else 0.0,
    )


def _decibels(power: float) -> float:
    return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB
