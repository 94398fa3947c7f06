"""The fingerprint of a sound: hashes of short frames that another gain, cut, rate or codec leaves as they are.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): a hash has one bit for each pair
of neighbouring bands, the sign of the difference between their changes of level from one moment to the next. So it
says nothing of gain, polarity or a microphone's tone. With the hashes goes the sound itself, at 8 kHz in mu-law bytes,
in which a candidate pair is verified.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import scipy

from harness.audio import resample

__all__ = ["BITS", "HOP", "RATE", "Fingerprint", "active_blocks", "fingerprint", "from_mu_law", "to_mu_law"]

RATE = 8000
"""Samples per second that every sound is brought to."""
HOP = 32
"""Samples from frame to frame."""
BITS = 24
"""Bits of a hash."""

_WINDOW = 512
_AHEAD = 8  # frames from one moment to the next
_LOW, _HIGH = 200.0, 3500.0  # Hz
_ACTIVE_DB = -60.0  # against the loudest frame
_SILENT = 1e-4  # three steps of 16 bits
_STEADY_DB = 0.1  # changes of level that may be rounding


@dataclass(frozen=True)
class Fingerprint:
    """What is known of one clip's sound.

    Parameters
    ----------
    samples : str
        Rate and digest of the samples: the same for all lossless files of them.
    sr : int
        Rate in Hz.
    duration_s : float
        Length in seconds.
    peak : float
        Largest magnitude of a sample.
    clipped : int
        Samples at full scale, in runs of three and more.
    frames : ndarray of int32, shape (n,)
        Numbers of the frames that have a hash, ascending.
    hashes : ndarray of uint32, shape (n,)
        Their hashes; 24 bits.
    """

    samples: str
    sr: int
    duration_s: float
    peak: float
    clipped: int
    frames: np.ndarray
    hashes: np.ndarray

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear in it: all samples below -80 dB of full scale."""
        return self.peak < _SILENT


def fingerprint(y: np.ndarray, sr: int) -> tuple[Fingerprint, np.ndarray]:
    """Fingerprint a sound.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        Mono, finite, at least one.
    sr : int
        Rate of `y` in Hz.

    Returns
    -------
    Fingerprint
    ndarray of uint8, shape (samples at `RATE`,)
        The sound at its full level, for :func:`from_mu_law`.
    """
    peak = float(np.abs(y).max())
    low = resample(y / max(peak, _SILENT), sr, RATE)
    frames, hashes = _no_hashes() if peak < _SILENT else _hashes(low)
    samples = f"{sr}:" + hashlib.sha256(np.ascontiguousarray(y).data).hexdigest()
    return Fingerprint(samples, sr, len(y) / sr, peak, _clipped(y), frames, hashes), to_mu_law(low)


def to_mu_law(y: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as mu-law bytes: a rounding error of about -38 dB at any level.

    Examples
    --------
    >>> from_mu_law(to_mu_law(np.array([-1.0, 0.01, 0.5]))).round(2)
    array([-1.  ,  0.01,  0.5 ], dtype=float32)
    """
    y = np.clip(y, -1.0, 1.0)
    law = np.sign(y) * np.log1p(255 * np.abs(y)) / math.log(256)
    rounded: np.ndarray = np.rint(127.5 + 127.5 * law).astype(np.uint8)
    return rounded


def from_mu_law(data: np.ndarray) -> np.ndarray:
    """Samples of mu-law bytes, float32 in [-1, 1]."""
    law = (np.arange(256) - 127.5) / 127.5
    levels = (np.sign(law) * np.expm1(np.abs(law) * math.log(256)) / 255).astype(np.float32)
    decoded: np.ndarray = levels[data]
    return decoded


def active_blocks(y: np.ndarray) -> np.ndarray:
    """Which blocks of `HOP` samples are above -60 dB of the loudest.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)

    Returns
    -------
    ndarray of bool, shape (samples // HOP,)
    """
    blocks = y[: len(y) // HOP * HOP].reshape(-1, HOP)
    energy = np.einsum("ij,ij->i", blocks, blocks) / HOP
    active: np.ndarray = energy > max(float(energy.max(initial=0.0)) * 10 ** (_ACTIVE_DB / 10), 1e-12)
    return active


def _clipped(y: np.ndarray) -> int:
    """Samples at full scale, in runs of three and more."""
    full = np.abs(y) >= 0.999
    if not full.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], full, [0]])))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= 3].sum())


def _hashes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames and their hashes; of equal ones in a row the first."""
    levels, power = _levels(y)
    if len(levels) <= _AHEAD:
        return _no_hashes()
    change = levels[_AHEAD:] - levels[:-_AHEAD]
    tilt = change[:, 1:] - change[:, :-1]
    hashes = (tilt > 0) @ (1 << np.arange(BITS, dtype=np.uint32))
    loud = np.minimum(power[_AHEAD:], power[:-_AHEAD]) > float(power.max()) * 10 ** (_ACTIVE_DB / 10)
    good = loud & (np.median(np.abs(tilt), axis=1) > _STEADY_DB)
    good[1:] &= hashes[1:] != hashes[:-1]
    frames = np.flatnonzero(good)
    return frames.astype(np.int32), hashes[frames].astype(np.uint32)


def _no_hashes() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0, np.int32), np.zeros(0, np.uint32)


def _levels(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels of the bands in dB, shape (frames, BITS + 1), and the power of all of them together."""
    if len(y) < _WINDOW:
        return np.zeros((0, BITS + 1), np.float32), np.zeros(0, np.float32)
    edges = _band_edges()
    window = np.hanning(_WINDOW).astype(np.float32)
    parts = np.lib.stride_tricks.sliding_window_view(y, _WINDOW)[::HOP]
    power = np.empty((len(parts), BITS + 1), np.float32)
    for start in range(0, len(parts), 256):  # in the processor's cache
        spectra = scipy.fft.rfft(parts[start : start + 256] * window)[:, edges[0] : edges[-1]]
        energy = spectra.real**2 + spectra.imag**2
        power[start : start + 256] = np.add.reduceat(energy, edges[:-1] - edges[0], axis=1)
    return 10 * np.log10(power + 1e-10), power.sum(axis=1)


def _band_edges() -> np.ndarray:
    """First bins of the bands, and the end of the last: logarithmic, each two bins wide or more."""
    wanted = np.geomspace(_LOW, _HIGH, BITS + 2) * _WINDOW / RATE
    edges = [round(float(wanted[0]))]
    for edge in wanted[1:]:
        edges.append(max(round(float(edge)), edges[-1] + 2))
    return np.array(edges)
