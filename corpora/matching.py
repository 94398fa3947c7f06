"""Pairs of sounds of which one is a copy, or another cut, of the other: candidates by equal hashes, then verified.

A candidate has several equal hashes at one offset. It is verified in the sounds themselves, by the cross-correlation of
their common part, each spectrum divided by the square root of its magnitudes so that a loud hum does not speak for
the rest. Two recordings of rain are uncorrelated however alike they sound; copies are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from corpora.fingerprint import BITS, HOP, RATE, Fingerprint, active_blocks

__all__ = ["SAME", "Candidate", "Match", "candidates", "verify"]

SAME = 0.4
"""Correlation of the common part from which two sounds count as the same; different recordings stay below 0.1."""

_FOLLOWING = 5  # among equal hashes, each is compared with so many that follow it ...
_PARTNERS = 10  # ... and each sound has so many candidates at most, unless it is one of theirs: both bound the work
_VOTES = 2  # equal hashes at one offset that make a candidate ...
_CERTAIN = 6  # ... and so many of them whatever the others say
_ERRORS = 0.42  # share of unequal bits over all common frames; 0.5 is chance
_OFFSETS = 3  # for each pair, tried from the one with the most votes
_LONGEST_S = 20.0  # of the common part
_COMMON_S, _LEAST_S = 1.0, 0.2  # or half of the shorter sound, but not less than that
_HUM = 100.0  # Hz; below, everything that hums is alike
_SLACK = 4 * HOP  # samples by which an offset may be wrong


@dataclass(frozen=True)
class Candidate:
    """Two sounds that may be the same.

    Parameters
    ----------
    a, b : int
        Numbers of the sounds, `a` less than `b`.
    offset : int
        Frames from a moment's place in `a` to its place in `b`.
    """

    a: int
    b: int
    offset: int


@dataclass(frozen=True)
class Match:
    """What two sounds have in common.

    Parameters
    ----------
    similarity : float
        Correlation of the common part, in [0, 1].
    offset_s : float
        Where the first begins in the second, in seconds.
    """

    similarity: float
    offset_s: float


def candidates(
    prints: Sequence[Fingerprint], *, wanted: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
) -> list[Candidate]:
    """Pairs of sounds with equal hashes at one offset, sorted; of a pair the three likeliest offsets at most.

    Parameters
    ----------
    prints : sequence of Fingerprint
    wanted : callable, optional
        Called with the numbers of sounds, two arrays of int64; says which pairs are of interest.
    """
    if not prints:
        return []
    reach = 2 * max(int(each.frames.max(initial=0)) for each in prints) + 1
    found, votes = np.unique(_equal_hashes(prints, reach, wanted), return_counts=True)
    total = votes.copy()  # a neighbouring offset is the same one, rounded
    adjacent = np.flatnonzero(found[1:] == found[:-1] + 1)
    total[adjacent] += votes[adjacent + 1]
    total[adjacent + 1] += votes[adjacent]
    total[np.where(total[adjacent] < total[adjacent + 1], adjacent, adjacent + 1)] = 0
    found, total = found[total >= _VOTES], total[total >= _VOTES]
    return list(_likeliest(prints, found, total, reach))


def verify(a: np.ndarray, b: np.ndarray, offset: int) -> Match | None:
    """Correlate what two sounds have in common at an offset.

    Parameters
    ----------
    a, b : ndarray of float32, shape (samples,)
        At `corpora.fingerprint.RATE`.
    offset : int
        Frames from a moment's place in `a` to its place in `b`, right to a few.

    Returns
    -------
    Match or None
        None where the common part is shorter than 1 s and than half of the shorter sound, silence apart, or where
        it is not the same.
    """
    shift = offset * HOP
    start, stop = max(0, -shift), min(len(a), len(b) - shift)
    if stop - start < _LEAST_S * RATE:
        return None
    part_a, part_b = a[start:stop], b[start + shift : stop + shift]
    common = np.flatnonzero(active_blocks(part_a) & active_blocks(part_b))
    shorter = min(active_blocks(a).sum(), active_blocks(b).sum()) * HOP / RATE
    if len(common) * HOP / RATE < max(min(_COMMON_S, shorter / 2), _LEAST_S):
        return None
    first, last = int(common[0]) * HOP, int(common[-1] + 1) * HOP
    spare = max(last - first - round(_LONGEST_S * RATE), 0) // 2
    similarity, lag = _correlation(part_a[first + spare : last - spare], part_b[first + spare : last - spare])
    return Match(similarity, (shift + lag) / RATE) if similarity >= SAME else None


def _equal_hashes(
    prints: Sequence[Fingerprint], reach: int, wanted: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
) -> np.ndarray:
    """For each two equal hashes a number that is made of the pair of sounds and the offset."""
    mixed = np.random.default_rng(0).permutation(len(prints))  # else the neighbours are those of one fold
    owner = np.repeat(mixed, [len(prints[k].frames) for k in mixed])
    frames = np.concatenate([prints[k].frames for k in mixed]).astype(np.int64)
    hashes = np.concatenate([prints[k].hashes for k in mixed]).astype(np.uint64)
    ordered = np.sort(hashes << np.uint64(32) | np.arange(len(frames), dtype=np.uint64))
    order = (ordered & np.uint64(2**32 - 1)).astype(np.int64)
    ordered >>= np.uint64(32)
    numbers = []
    for step in range(1, _FOLLOWING + 1):
        here = np.flatnonzero(ordered[:-step] == ordered[step:])
        first, second = order[here], order[here + step]
        first, second = np.where(owner[first] < owner[second], (first, second), (second, first))
        a, b = owner[first], owner[second]
        good = a != b if wanted is None else (a != b) & wanted(a, b)
        offset = frames[second[good]] - frames[first[good]]
        numbers.append((a[good] * len(prints) + b[good]) * (2 * reach) + offset + reach)
    return np.concatenate(numbers)


def _likeliest(prints: Sequence[Fingerprint], found: np.ndarray, votes: np.ndarray, reach: int) -> Iterator[Candidate]:
    """Of each sound the pairs, and of each pair the offsets, with the most votes, where the other hashes agree."""
    pairs = found // (2 * reach)
    place = _ranks(pairs, votes)
    best = np.flatnonzero(place == 0)
    a, b = np.divmod(pairs[best], len(prints))
    near = pairs[best][np.minimum(_ranks(a, votes[best]), _ranks(b, votes[best])) < _PARTNERS]
    for k in np.flatnonzero((place < _OFFSETS) & np.isin(pairs, near)):
        candidate = Candidate(*divmod(int(pairs[k]), len(prints)), int(found[k] % (2 * reach)) - reach)
        if votes[k] >= _CERTAIN or _error_rate(prints[candidate.a], prints[candidate.b], candidate.offset) < _ERRORS:
            yield candidate


def _ranks(groups: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Each entry's place within its group, from 0; the one with the most votes first."""
    order = np.lexsort((-votes, groups))
    place = np.arange(len(groups))
    starts = np.diff(groups[order], prepend=-1) > 0
    ranks = np.empty_like(place)
    ranks[order] = place - np.maximum.accumulate(np.where(starts, place, 0)) if len(place) else place
    return ranks


def _error_rate(a: Fingerprint, b: Fingerprint, offset: int) -> float:
    """Share of unequal bits over the frames that both have."""
    at = np.searchsorted(b.frames, a.frames + offset)
    at[at == len(b.frames)] = 0
    both = b.frames[at] == a.frames + offset
    if not both.any():
        return 1.0
    return float(np.bitwise_count(a.hashes[both] ^ b.hashes[at[both]]).sum() / (BITS * both.sum()))


def _correlation(a: np.ndarray, b: np.ndarray) -> tuple[float, int]:
    """Largest cross-correlation of two sounds of one length, whatever its sign, and its lag in samples.

    The correlation is that of the analytic signals: half a sample of lag, or a phase, takes little from it.
    """
    size = scipy.fft.next_fast_len(len(a) + _SLACK)
    low = round(_HUM / RATE * size)
    spectrum_a, spectrum_b = scipy.fft.rfft(a, size)[low : size // 2], scipy.fft.rfft(b, size)[low : size // 2]
    power_a, power_b = np.abs(spectrum_a), np.abs(spectrum_b)
    cross = np.zeros(size, spectrum_a.dtype)
    cross[low : size // 2] = spectrum_a.conj() * spectrum_b / np.sqrt(np.maximum(power_a * power_b, 1e-20))
    lags = np.arange(-_SLACK, _SLACK + 1)
    correlation = np.abs(scipy.fft.ifft(cross)[lags]) * size
    best = int(correlation.argmax())
    whole = float(np.sqrt(power_a.sum(dtype=float) * power_b.sum(dtype=float)))
    return min(float(correlation[best]) / max(whole, 1e-12), 1.0), int(lags[best])
