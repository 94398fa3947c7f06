"""Spectra in float32: short-time Fourier transform, mel filter bank, decibels.

Agrees with librosa (its conventions, its defaults: Hann window, centred frames padded with zeros, Slaney's mel scale
and area normalisation), without its start-up time. Matrices are (rows, frames), lowest frequency in row 0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy

__all__ = ["AMIN", "decibels", "fft_frequencies", "mel_bands", "mel_bank", "mel_frequencies", "stft_power"]

AMIN = 1e-10
"""The smallest power that decibels are taken of, as in librosa."""
_BLOCK = 32  # frames at a time: what fits the processor's cache is transformed more than twice as fast
_MEL_STEP_HZ = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def stft_power(y: np.ndarray, *, n_fft: int, hop_length: int, win_length: int, center: bool = True) -> np.ndarray:
    """Squared magnitude of the short-time Fourier transform.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    n_fft, hop_length, win_length : int
        In samples; ``win_length <= n_fft``.
    center : bool
        Whether frames are centred on the samples, as librosa's default is. Otherwise the first window begins with the
        sound and the last one ends within it, as in ``tf.signal.stft``: there are
        ``1 + (samples - win_length) // hop_length``, of a sound that is shorter than a window one.

    Returns
    -------
    ndarray of float32, shape (1 + n_fft // 2, 1 + samples // hop_length)
        ``abs(librosa.stft(y, ...)) ** 2``.
    """
    if center:
        padded = np.pad(y, n_fft // 2)
    else:
        before = (n_fft - win_length) // 2  # where the window lies in a frame
        padded = np.pad(y, (before, max(0, win_length - len(y)) + n_fft - win_length - before))
    if len(padded) < n_fft:  # an odd n_fft and a single sample
        padded = np.pad(padded, (0, n_fft - len(padded)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    window = _hann(n_fft, win_length)
    power = np.empty((1 + n_fft // 2, len(frames)), np.float32)
    for start in range(0, len(frames), _BLOCK):
        spectrum = scipy.fft.rfft(frames[start : start + _BLOCK] * window, axis=1)
        block = spectrum.real * spectrum.real
        block += spectrum.imag * spectrum.imag
        power[:, start : start + _BLOCK] = block.T
    return power


def decibels(S: np.ndarray, *, power: float, ref: float, twice: bool = False) -> np.ndarray:
    """Level in decibels of a spectrogram whose values are magnitudes to some exponent.

    Parameters
    ----------
    S : ndarray of float32
        Not negative.
    power : float
        The exponent: 1 for magnitudes (20 log10), 2 for power (10 log10).
    ref : float
        The value of `S` that is 0 dB.
    twice : bool
        Take 20 log10 of `S` whatever it is. Wrong for power; only the preset ``seed`` asks for it.

    Returns
    -------
    ndarray of float32
        In dB; values of `S` below ``AMIN ** (power / 2)`` count as that.

    Examples
    --------
    >>> decibels(np.float32([1.0, 10.0]), power=2.0, ref=1.0).round(3).tolist()
    [0.0, 10.0]
    >>> decibels(np.float32([1.0, 10.0]), power=1.0, ref=1.0).round(3).tolist()
    [0.0, 20.0]
    """
    exponent = 1.0 if twice else power
    factor = np.float32(20.0 / exponent / np.log(10.0))
    S_db: np.ndarray = np.maximum(S, np.float32(AMIN ** (exponent / 2)), dtype=np.float32)
    np.log(S_db, out=S_db)
    S_db *= factor
    S_db -= np.float32(20.0 / exponent * np.log10(max(ref, AMIN ** (exponent / 2))))
    return S_db


@lru_cache(maxsize=32)
def mel_bank(*, sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Triangular filters, evenly spaced on Slaney's mel scale, each of unit area.

    Returns
    -------
    ndarray of float32, shape (n_mels, 1 + n_fft // 2)
        ``librosa.filters.mel(...)``; read-only.
    """
    edges = mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax)
    bins = fft_frequencies(sr=sr, n_fft=n_fft)
    width = np.diff(edges)
    rising = (bins - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins) / width[1:, None]
    bank = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    bank = bank.astype(np.float32)
    bank.flags.writeable = False
    return bank


def mel_frequencies(n: int, *, fmin: float, fmax: float) -> np.ndarray:
    """`n` frequencies in Hz from `fmin` to `fmax`, evenly spaced on Slaney's mel scale (linear to 1 kHz, then log).

    Examples
    --------
    >>> mel_frequencies(3, fmin=0, fmax=1000).round(6).tolist()
    [0.0, 500.0, 1000.0]
    """
    low, high = (_hz_to_mel(f) for f in (fmin, fmax))
    mels = np.linspace(low, high, n)
    log_from = _LOG_FROM_HZ / _MEL_STEP_HZ
    hz = np.where(mels < log_from, mels * _MEL_STEP_HZ, _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - log_from)))
    return np.asarray(hz)


def fft_frequencies(*, sr: int, n_fft: int) -> np.ndarray:
    """Centre frequencies in Hz of the bins of a real Fourier transform, shape (1 + n_fft // 2,)."""
    return np.arange(1 + n_fft // 2) * (sr / n_fft)


def _hz_to_mel(hz: float) -> float:
    if hz < _LOG_FROM_HZ:
        return hz / _MEL_STEP_HZ
    return float(_LOG_FROM_HZ / _MEL_STEP_HZ + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def mel_bands(S: np.ndarray, *, sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Sum the bins of a spectrogram into mel bands.

    Most of a filter bank is zeros, so the product is a sparse one: faster than a dense one, and the same to the last
    bit however many threads the machine gives.

    Parameters
    ----------
    S : ndarray of float32, shape (1 + n_fft // 2, frames)

    Returns
    -------
    ndarray of float32, shape (n_mels, frames)
    """
    bands: np.ndarray = _sparse_bank(sr, n_fft, n_mels, fmin, fmax) @ S
    return bands


@lru_cache(maxsize=32)
def _sparse_bank(sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array(mel_bank(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax))


@lru_cache(maxsize=8)
def _hann(n_fft: int, win_length: int) -> np.ndarray:
    """Periodic Hann window in the middle of `n_fft` samples."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    before = (n_fft - win_length) // 2
    return np.pad(window, (before, n_fft - win_length - before)).astype(np.float32)
