"""Levels in [0, 1] of a spectrogram: how reference, decibels and silence are treated, for every encoding alike."""

from __future__ import annotations

from typing import Literal

import numpy as np

from converter.dsp import AMIN, decibels
from harness.errors import SettingsError
from harness.settings import is_number

__all__ = ["is_silent", "level"]


def is_silent(S: np.ndarray, *, power: float = 2.0) -> bool:
    """Whether nothing in a spectrogram is above the smallest value that decibels are taken of.

    Parameters
    ----------
    S : ndarray of float32
        Magnitudes to the exponent `power`, not negative.
    power : float
    """
    return bool(S.max() <= AMIN ** (power / 2))


def level(
    S: np.ndarray,
    *,
    power: float = 2.0,
    ref: str | float = "max",
    top_db: float | None = 80.0,
    db_of_power: Literal["true", "amplitude"] = "true",
    silent: float = 0.0,
) -> np.ndarray:
    """Level of a spectrogram between 0 and 1: the reference is 1, and silence is treated.

    Parameters
    ----------
    S : ndarray of float32
        Magnitudes to the exponent `power`, not negative.
    power : float
        The exponent: 1 for magnitudes (20 log10), 2 for power (10 log10).
    ref : "max" or float
        What level 1 stands for: the highest value of `S`, or a value of one's own.
    top_db : float, optional
        Range in dB: what lies this far below the reference is 0. None: no logarithm, levels are ratios.
    db_of_power : {"true", "amplitude"}
        ``amplitude`` takes 20 log10 whatever `S` is; a quirk of the preset ``seed``.
    silent : float
        Level everywhere where `S` is silent.

    Returns
    -------
    ndarray of float32, shape of `S`
        In [0, 1].

    Raises
    ------
    SettingsError
        No values, NaN, a wrong reference; ``ref="corpus"``: one clip alone does not know its corpus.

    Examples
    --------
    >>> level(np.float32([1.0, 1e-4, 0.0])).round(6).tolist()
    [1.0, 0.5, 0.0]
    >>> level(np.float32([1.0, 0.25]), top_db=None, ref=0.5).tolist()
    [1.0, 0.5]
    """
    S = np.asarray(S, np.float32)
    if not S.size or np.isnan(S).any():
        raise SettingsError(f"S has shape {S.shape}: expected a spectrogram without NaN, at least one value")
    if ref not in ("max", "corpus") and not (is_number(ref) and float(ref) > 0):
        raise SettingsError(f'ref={ref!r}: must be "max" or a number above 0')
    if is_silent(S, power=power):
        return np.full(S.shape, silent, np.float32)
    if ref == "corpus":
        raise SettingsError('ref="corpus": a single clip has no corpus; give the number that run.json has for it')
    reference = float(S.max()) if ref == "max" else float(ref)
    if top_db is None:
        ratio: np.ndarray = np.minimum(S / np.float32(reference), 1)
        return ratio
    levels = decibels(S, power=power, ref=reference, twice=db_of_power == "amplitude")
    levels /= np.float32(top_db)
    levels += 1
    return np.clip(levels, 0, 1, out=levels)
