"""Banks of wavelets: long filters that are laid on a sound at every hop, by Fourier transforms of fixed length.

A constant-Q transform and a scalogram have a filter for each row. A sound is cut into segments that overlap by the
longest filter. The spectrum of a segment is multiplied by that of a filter where the filter passes anything, and folded
before it is transformed back, which is to take every `hop_length`-th sample of the filtered sound. The cost does not
depend on how long the filters are, and filters are made once whatever the lengths of the clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy

__all__ = ["FilterBank", "filter_bank", "filtered_power", "segment_length"]

_SHORTEST = 1 << 15  # samples of a segment
_FILTERS = 3  # a segment has the length of so many of the longest filters, or more


@dataclass(frozen=True)
class FilterBank:
    """Filters for one rate and one hop.

    Parameters
    ----------
    length, hop_length : int
        Of a segment, and between frames, in samples; the one is a multiple of the other.
    reach : int
        Samples before and after a frame's centre that its filters take in, a multiple of `hop_length`.
    rows : tuple of (int, ndarray of float32 or complex64, shape (folds, length // hop_length))
        For each filter its first bin, a multiple of ``length // hop_length``, and its transfer function from there on.
    """

    length: int
    hop_length: int
    reach: int
    rows: tuple[tuple[int, np.ndarray], ...]


def segment_length(reach: int, *, hop_length: int) -> tuple[int, int]:
    """Length of a segment and its overlap at each end, in samples, for filters that reach so far from their centres."""
    reach = -(-reach // hop_length) * hop_length
    frames = scipy.fft.next_fast_len(-(-max(_SHORTEST, 2 * _FILTERS * reach) // hop_length))
    return frames * hop_length, reach


def filter_bank(responses: Iterable[tuple[int, np.ndarray]], *, length: int, hop_length: int, reach: int) -> FilterBank:
    """Make a bank of transfer functions.

    Parameters
    ----------
    responses : iterable of (int, ndarray of float or complex, shape (bins,))
        For each filter the first bin (of `length` in the whole circle; negative below 0 Hz) that it passes, and its
        transfer function from there on.
    length, hop_length, reach : int
        As :func:`segment_length` gives them.
    """
    folded = length // hop_length
    rows = []
    for first, response in responses:
        start = first // folded * folded
        blocks = -(-(first - start + len(response)) // folded)
        padded = np.zeros(blocks * folded, np.result_type(response.dtype, np.float32))
        padded[first - start : first - start + len(response)] = response
        small = np.complex64 if np.iscomplexobj(padded) else np.float32
        rows.append((start, padded.reshape(blocks, folded).astype(small)))
    return FilterBank(length, hop_length, reach, tuple(rows))


def filtered_power(y: np.ndarray, bank: FilterBank) -> np.ndarray:
    """Squared magnitude of a sound behind each filter, at every hop; silence lies before and after the sound.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    bank : FilterBank

    Returns
    -------
    ndarray of float32, shape (filters, 1 + samples // hop_length)
    """
    frames = 1 + len(y) // bank.hop_length
    each = (bank.length - 2 * bank.reach) // bank.hop_length
    power = np.empty((len(bank.rows), frames), np.float32)
    first = bank.reach // bank.hop_length
    for start, segment in _segments(y, bank, step=each * bank.hop_length):
        begin = start // bank.hop_length
        some = min(each, frames - begin)
        values = _filtered(segment, bank)[:, first : first + some]
        power[:, begin : begin + some] = values.real * values.real + values.imag * values.imag
    return power


def _segments(y: np.ndarray, bank: FilterBank, *, step: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(y) // bank.hop_length * bank.hop_length + 1, step):
        segment = np.zeros(bank.length, np.float32)
        low, high = start - bank.reach, min(start - bank.reach + bank.length, len(y))
        segment[max(-low, 0) : high - low] = y[max(low, 0) : high]
        yield start, segment


def _filtered(segment: np.ndarray, bank: FilterBank) -> np.ndarray:
    """The complex output of each filter at every hop of a segment, shape (filters, length // hop_length)."""
    half, folded = bank.length // 2, bank.length // bank.hop_length
    below = -(-half // folded) * folded  # bins below 0 Hz, whole folds
    spectrum = scipy.fft.fft(segment)
    spectrum = np.concatenate([spectrum[bank.length - below :], spectrum])
    out = np.empty((len(bank.rows), folded), np.complex64)
    for k, (start, response) in enumerate(bank.rows):
        part = spectrum[below + start : below + start + response.size].reshape(response.shape)
        np.einsum("ij,ij->j", part, response, out=out[k])
    result: np.ndarray = scipy.fft.ifft(out, axis=1)
    result /= np.float32(bank.hop_length)
    return result
