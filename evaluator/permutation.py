"""Paired sign-flip permutation by whole groups, with max-T over the pairs compared: these models, new recordings.

If two models are equally good on the recordings that they may meet, a recording on which the first is better by some
amount is as likely as one on which the second is. So the difference that each group contributes to the accuracies may
have its sign flipped, and how often flipped data differ as much as the real ones is p. A group's clips are flipped
together, as they are not independent, and all pairs with the same signs, so that the largest of many statistics has
the distribution that it has (max-T, Westfall and Young 1993). The statistic is the difference in accuracy as it is
reported (mean over folds) over the root of its groups' sum of squares, which flips do not change: for one pair that
is the same test as the plain difference, for several it gives each the same say. The maximum is stepped down
(free step-down, Romano and Wolf 2005): pairs that are decided leave the family of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["DRAWS", "LEVEL", "SignFlips", "sign_flips"]

DRAWS = 10_000
LEVEL = 0.05
_MORE = 10  # times as many are drawn at most where a p is near the level
_NEAR = 3.0  # standard errors of p by drawing
_NUMBERS = 30_000_000  # of flipped statistics at most
_ALL = 14  # groups up to which all signs are tried: 2**13 of them, as the other half mirrors them
_UNITS = 20_000  # flipped at most: of more groups some are flipped together
_TIE = 1e-9
_BLOCK = 4_000_000
_MANY = 60  # pairs from which a basis of them is worth finding


@dataclass(frozen=True)
class SignFlips:
    """What flipping signs says of each pair; arrays have shape (pairs,).

    Parameters
    ----------
    difference : ndarray of float64
        In accuracy, in [-1, 1].
    groups : ndarray of int
        In how many groups the two differ.
    p : ndarray of float64
        Two-sided, for the pair alone.
    p_adjusted : ndarray of float64
        After max-T over all pairs, stepped down.
    critical : ndarray of float64
        The smallest difference that would have been decided, given the decisions on the other pairs; NaN where the two
        differ in too few groups for any.
    draws : int
        How many signs were drawn; 0 where all were tried.
    """

    difference: np.ndarray
    groups: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray
    critical: np.ndarray
    draws: int


def sign_flips(
    parts: np.ndarray, weights: np.ndarray, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> SignFlips:
    """Test every pair.

    Parameters
    ----------
    parts, weights : ndarray of float64, shapes (groups, pairs) and (groups, pairs) or (groups, 1)
        As :meth:`evaluator.outcomes.Outcomes.differences` gives them.
    draws : int
        Of signs, where there are too many to try all. While a p of `p_adjusted` is within three standard errors (of
        its being drawn) of `level`, as many again are drawn, up to ten times as many.
    seed : int
    level : float
        Of the whole family of pairs.
    """
    parts = np.where(np.abs(parts) < _TIE / max(len(parts), 1), 0.0, parts)
    differ = parts != 0
    scale = np.sqrt((parts**2).sum(axis=0))
    scaled = np.divide(parts, scale, out=np.zeros_like(parts), where=scale > 0)
    observed = np.abs(scaled.sum(axis=0))
    batches, exact = _flipped(scaled[differ.any(axis=1)], draws, np.random.default_rng(seed))
    extra = 0 if exact else 1
    flipped = np.empty((0, parts.shape[1]))
    for batch in batches:
        flipped = np.concatenate([flipped, batch])
        n = len(flipped) + extra
        p_adjusted = _stepped_down(flipped, observed, extra)
        near = np.abs(p_adjusted - level) <= _NEAR * np.sqrt(level * (1 - level) / n)
        if not near.any():
            break
    p = ((flipped >= observed - _TIE).sum(axis=0) + extra) / n
    for k in np.flatnonzero((differ.sum(axis=0) <= _ALL) & (not exact)):
        all_signs, _ = _flipped(scaled[differ[:, k], k : k + 1], draws, np.random.default_rng(seed))
        p[k] = (next(all_signs) >= observed[k] - _TIE).mean()
    p_adjusted = np.maximum(p_adjusted, p)
    limit = _limits(flipped, p_adjusted <= level, extra, level)
    return SignFlips(
        difference=parts.sum(axis=0),
        groups=differ.sum(axis=0),
        p=p,
        p_adjusted=p_adjusted,
        critical=_smallest(parts, weights, limit),
        draws=0 if exact else len(flipped),
    )


def _flipped(scaled: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[Iterator[np.ndarray], bool]:
    """Absolute statistics of flipped data, each of shape (flips, pairs), and whether the first are all there are.

    Each time as many as there have been by then, up to ten times `draws`.
    """
    exact = len(scaled) <= _ALL
    if len(scaled) > _UNITS:
        together = rng.integers(_UNITS, size=len(scaled))
        scaled = np.stack([np.bincount(together, weights=v, minlength=_UNITS) for v in scaled.T], axis=1)
    basis, back = _basis(scaled)

    def of_signs(signs: Iterator[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.abs(_pairs(block @ basis, back)) for block in signs])

    def drawn() -> Iterator[np.ndarray]:
        most = max(draws, min(_MORE * draws, _NUMBERS // scaled.shape[1]))
        done = 0
        while done < most:
            size = min(done or draws, most - done)
            yield of_signs(_random_signs(len(scaled), size, rng))
            done += size

    return (iter([of_signs(_every_sign(len(scaled)))]) if exact else drawn()), exact


def _basis(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Columns that span all pairs: pairs of k combinations need k of them, not k (k - 1) / 2."""
    if scaled.shape[1] < _MANY or len(scaled) < _MANY:
        return scaled, None
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    chosen = vectors[:, values > 1e-12 * max(values[-1], 1e-300)]
    return scaled @ chosen, chosen.T


def _pairs(sums: np.ndarray, back: np.ndarray | None) -> np.ndarray:
    return sums if back is None else sums @ back


def _every_sign(groups: int) -> Iterator[np.ndarray]:
    """All signs of some groups but the first, whose other sign gives the same absolute statistics."""
    numbers = np.arange(2 ** max(groups - 1, 0))
    bits = (numbers[:, None] >> np.arange(max(groups - 1, 0))) & 1
    yield np.hstack([np.ones((len(bits), min(groups, 1))), 1.0 - 2 * bits])


def _random_signs(groups: int, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Random signs, shape (some draws, groups) a block."""
    size = max(1, _BLOCK // groups)
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes(rows * groups // 8 + 1), dtype=np.uint8), count=rows * groups)
        yield 1.0 - 2 * bits.reshape(rows, groups)


def _stepped_down(flipped: np.ndarray, observed: np.ndarray, extra: int) -> np.ndarray:
    """p of each pair by the largest statistic of it and of those with smaller ones, never below that of a larger."""
    order = np.argsort(-observed, kind="stable")
    p, worst, largest = np.empty(len(order)), 0.0, np.zeros(len(flipped))
    steps = []
    for k in order[::-1]:
        largest = np.maximum(largest, flipped[:, k])
        steps.append((np.count_nonzero(largest >= observed[k] - _TIE) + extra) / (len(flipped) + extra))
    for k, step in zip(order, reversed(steps), strict=True):
        p[k] = worst = max(worst, step)
    return p


def _limits(flipped: np.ndarray, decided: np.ndarray, extra: int, level: float) -> np.ndarray:
    """The statistic that a pair must exceed, given the decisions on the others; infinite where none would do."""
    allowed = int(np.floor(level * (len(flipped) + extra) + 1e-9)) - extra
    if allowed < 1:
        return np.full(flipped.shape[1], np.inf)
    open_pairs = flipped[:, ~decided].max(axis=1, initial=0.0)

    def exceeded(largest: np.ndarray) -> float:
        return float(np.partition(largest, len(largest) - allowed - 1)[len(largest) - allowed - 1])

    common = exceeded(open_pairs)
    return np.array(
        [exceeded(np.maximum(open_pairs, flipped[:, k])) if done else common for k, done in enumerate(decided)]
    )


def _smallest(parts: np.ndarray, weights: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The difference at which the statistic reaches `limit`, were all groups better by the same amount more or less.

    With e the groups' parts less their share w of the difference, the statistic at a difference of x is
    x / sqrt(sum (e + w x)^2).
    """
    total = parts.sum(axis=0)
    rest = parts - weights * total
    sign = np.where(total < 0, -1.0, 1.0)
    a, b, c = (rest**2).sum(axis=0), sign * (rest * weights).sum(axis=0), (weights**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        square = limit**2
        # x^2 (1 - square c) - 2 square b x - square a = 0
        first = 1 - square * c
        root = (square * b + np.sqrt(square**2 * b**2 + first * square * a)) / first
    return np.where(np.isfinite(root) & (first > 0) & (root <= 1), root, np.nan)
