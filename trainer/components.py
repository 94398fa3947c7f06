"""Principal components of feature vectors, to show clips; no head and no figure depends on them.

Every column is standardised first, so that a few large features do not make the whole map. Up to some hundred clips or
features the components are exact (of the Gram matrix); beyond that they are those of a randomised SVD, seeded.
"""

from __future__ import annotations

import numpy as np

__all__ = ["MOST", "principal_components"]

MOST = 64
"""How many components there are at most."""

_EXACT = 600  # clips, or features, up to which the Gram matrix is decomposed
_MORE = 16  # columns of the random matrix beyond the components wanted
_PASSES = 3  # of subspace iteration
_ROWS = 1024  # at a time, where a copy is needed
_LARGEST = 60_000.0  # that float16 holds


def principal_components(values: np.ndarray, *, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """Reduce feature vectors to their principal components.

    Parameters
    ----------
    values : ndarray of float32, shape (n, D)
        Features that are the same for all clips do not count.
    most : int
        How many components are wanted at most.

    Returns
    -------
    coordinates : ndarray of float16, shape (n, k)
        The largest component first; k is at most `most`, n and D. The entry of each that is largest in size is
        positive. All 0 where features are not finite.
    share : ndarray of float64, shape (k,)
        Share of the variance of the standardised features, in [0, 1].
    """
    n, width = values.shape
    k = min(most, n, width)
    mean, scale = _standardisation(values)
    total = float(n * np.count_nonzero(scale))
    if total == 0 or not np.isfinite(mean).all():
        return np.zeros((n, k), np.float16), np.zeros(k)
    exact = min(n, width) <= _EXACT
    scores = _exact((values - mean) * scale, k) if exact else _randomised(values, mean, scale, k)
    largest = scores[np.abs(scores).argmax(axis=0), np.arange(k)]
    scores *= np.where(largest < 0, -1.0, 1.0).astype(scores.dtype)
    share = np.square(scores, dtype=np.float64).sum(axis=0) / total
    return np.clip(scores, -_LARGEST, _LARGEST).astype(np.float16), share


def _standardisation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1 / deviation of each column, float32 (D,); 0 for one that does not vary."""
    mean = values.mean(axis=0, dtype=np.float64)
    centre, squares = mean.astype(values.dtype), np.zeros(values.shape[1])
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(values), _ROWS):
            rows = values[start : start + _ROWS] - centre
            squares += np.einsum("ij,ij->j", rows, rows)
        deviation = np.sqrt(squares / max(len(values), 1))
        varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return mean.astype(np.float32), scale.astype(np.float32)


def _exact(standardised: np.ndarray, k: int) -> np.ndarray:
    """Scores (n, k) by the smaller of the two Gram matrices."""
    n, width = standardised.shape
    if n <= width:
        values, vectors = np.linalg.eigh((standardised @ standardised.T).astype(np.float64))
        scores = vectors[:, ::-1][:, :k] * np.sqrt(np.maximum(values[::-1][:k], 0))
    else:
        vectors = np.linalg.eigh((standardised.T @ standardised).astype(np.float64))[1]
        scores = standardised @ vectors[:, ::-1][:, :k].astype(np.float32)
    return np.asarray(scores, np.float32)


def _randomised(values: np.ndarray, mean: np.ndarray, scale: np.ndarray, k: int) -> np.ndarray:
    """Scores (n, k) by a randomised SVD of the standardised features, of which no copy is made."""
    offset = mean * scale

    def forward(right: np.ndarray) -> np.ndarray:
        product: np.ndarray = values @ (scale[:, None] * right) - offset @ right
        return product

    right = np.random.default_rng(0).standard_normal((values.shape[1], min(k + _MORE, *values.shape)), dtype=np.float32)
    for _ in range(_PASSES):
        left = forward(right)
        right = np.linalg.qr(scale[:, None] * (values.T @ left) - np.outer(offset, left.sum(axis=0)))[0]
    found = forward(right)
    vectors = np.linalg.eigh((found.T @ found).astype(np.float64))[1]
    return np.asarray(found @ vectors[:, ::-1][:, :k].astype(np.float32), np.float32)
