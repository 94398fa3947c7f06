r"""Preconditioners of logistic regression: what takes the place of the scaled identity in L-BFGS.

The Hessian of a problem is :math:`\sum_i w_i (\operatorname{diag} p_i - p_i p_i^T) \otimes x_i x_i^T` and the penalty.
Few directions of the features have most of their variance: in these the Hessian of all classes together is inverted
as it is, in the others it is taken for its diagonal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

__all__ = ["Preconditioner", "RotatedNewton", "Spectrum", "SubspaceNewton", "mean_curvature"]

Preconditioner = Callable[[np.ndarray], np.ndarray]
"""About the inverse Hessian times gradients (F, K, D + 1), the bias last."""

_SAMPLE = 2000  # rows that the eigenvectors are computed from
_OUTLYING = 8.0  # deviations beyond which a value counts as this many for the eigenvectors
_RANK = 300  # eigenvectors at most
_FLAT = 1e-10  # curvature below which a class counts as having this one
_NEWTON = 30  # directions whose Hessian is inverted as it is, at most
_NEWTON_SIZE = 600  # rows of such a Hessian, at most
_ROTATED_NEWTON = 10  # as _NEWTON, where a problem is small
_ROTATED_NEWTON_SIZE = 200
_NEWTON_SAMPLE = 3000  # rows that it is computed from
_COMMON = 1e-2  # of the curvature of the biases, added to it: all biases together change no score


def mean_curvature(probabilities: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of p (1 - p) over a training set, (F, K), from probabilities (F, K, n) and row weights (F, n)."""
    curvature: np.ndarray = ((probabilities * (1 - probabilities)) @ weight[..., None])[..., 0]
    return np.maximum(curvature, _FLAT)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvectors of a covariance, as many as matter.

    Parameters
    ----------
    vectors : ndarray of float, shape (D, k)
    variances : ndarray of float, shape (k,)
    rest : float
        Mean variance of the directions that have no vector.
    """

    vectors: np.ndarray
    variances: np.ndarray
    rest: float

    @classmethod
    def of(cls, values: np.ndarray, rows: np.ndarray) -> Spectrum:
        """The spectrum of centred values (n, D) in some rows, or a sample of these where they are many."""
        n, width = len(rows), values.shape[1]
        sample = np.linspace(0, n - 1, min(n, max(_SAMPLE, 2 * width if width <= _RANK else 0))).astype(int)
        x = np.clip(values[rows[sample]], -_OUTLYING, _OUTLYING)
        total = float(np.einsum("nd,nd->", x, x, dtype=np.float64)) / len(x)
        if width <= len(x):
            rank = min(width, _RANK)
            variances, vectors = _largest((x.T @ x) / len(x), rank)
        else:
            rank = min(len(x), _RANK)
            variances, vectors = _largest((x @ x.T) / len(x), rank)
            safe = np.maximum(variances, 1e-7 * max(float(variances[-1]), 1e-30))
            vectors = x.T @ (vectors / np.sqrt(safe * len(x)))
        rest = (total - float(variances.sum())) / max(width - rank, 1)
        return cls(np.ascontiguousarray(vectors), np.maximum(variances, 0), max(rest, 1e-6 * total / width, 1e-30))


@dataclass(frozen=True)
class SubspaceNewton:
    """The inverse of the Hessian in the leading directions of the features, and of its diagonal in the others.

    Parameters
    ----------
    leading : ndarray of float, shape (D, r)
        Orthonormal directions.
    inverse : ndarray of float, shape (F, K (r + 1), K (r + 1))
        Of the Hessian in these and in the biases; (F, K, 1) where classes are so many that its diagonal must do.
    following : ndarray of float, shape (D, m)
        Further directions, orthonormal and orthogonal to the leading ones.
    diagonal : ndarray of float, shape (F, K, m)
        The inverse of the Hessian's diagonal in the following directions, less that in the rest.
    rest : ndarray of float, shape (F, K, 1)
        The inverse of the Hessian's diagonal in all other directions.
    """

    leading: np.ndarray
    inverse: np.ndarray
    following: np.ndarray
    diagonal: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(
        cls,
        spectrum: Spectrum,
        values: np.ndarray,
        mean: np.ndarray,
        probabilities: np.ndarray,
        weight: np.ndarray,
        shrink: np.ndarray,
        wanted: np.ndarray,
    ) -> SubspaceNewton:
        """Make the preconditioner of F problems at a point.

        Parameters
        ----------
        spectrum : Spectrum
            Of the features.
        values : ndarray of float, shape (n, D)
            The features.
        mean : ndarray of float, shape (F, D)
            Of the features in each training set.
        probabilities : ndarray of float, shape (F, K, n)
        weight : ndarray of float, shape (F, n)
            Of each row in each problem; 0 for a row that is not in its training set.
        shrink : ndarray of float, shape (F,)
            The penalties.
        wanted : ndarray of bool, shape (F,)
            The problems whose gradients will be given; those of the others give nothing in the leading directions.
        """
        n_classes = probabilities.shape[1]
        rank = max(0, min(_NEWTON, _NEWTON_SIZE // n_classes - 1, spectrum.vectors.shape[1]))
        split = spectrum.vectors.shape[1] - rank
        leading, following = (np.ascontiguousarray(part) for part in np.split(spectrum.vectors, [split], axis=1)[::-1])
        penalty, curvature = shrink[:, None, None], mean_curvature(probabilities, weight)[..., None]
        rest = 1 / (curvature * spectrum.rest + penalty)
        inverse = 1 / curvature
        if n_classes <= _NEWTON_SIZE:
            x, centre = values @ leading, mean @ leading
            inverse = np.zeros((len(wanted), n_classes * (rank + 1), n_classes * (rank + 1)), values.dtype)
            for f in np.flatnonzero(wanted):
                inverse[f] = _inverse_hessian(x, centre[f], probabilities[f], weight[f], shrink[f])
        diagonal = 1 / (curvature * spectrum.variances[:split] + penalty) - rest
        return cls(leading, inverse, following, diagonal, rest)

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        """About the inverse Hessian times a gradient (F, K, D + 1)."""
        f, k, _ = gradient.shape
        weights = gradient[..., :-1]
        along = (weights.reshape(f * k, -1) @ self.leading).reshape(f, k, -1)
        newton = np.concatenate([along, gradient[..., -1:]], axis=-1)
        diagonal = self.inverse.shape[2] == 1  # of biases alone
        newton = newton * self.inverse if diagonal else (self.inverse @ newton.reshape(f, -1, 1)).reshape(f, k, -1)
        out = np.empty_like(gradient)
        np.multiply(weights, self.rest, out=out[..., :-1])
        inner = (newton[..., :-1] - along * self.rest).reshape(f * k, -1) @ self.leading.T
        out[..., :-1] += inner.reshape(weights.shape)
        if self.following.shape[1]:
            along = (weights.reshape(f * k, -1) @ self.following).reshape(f, k, -1)
            along *= self.diagonal
            out[..., :-1] += (along.reshape(f * k, -1) @ self.following.T).reshape(weights.shape)
        out[..., -1] = newton[..., -1]
        return out


@dataclass(frozen=True)
class RotatedNewton:
    """As `SubspaceNewton`, where the columns of each problem are orthogonal directions themselves.

    Parameters
    ----------
    inverse : ndarray of float, shape (F, K (r + 1), K (r + 1))
        Of the Hessian in the last r columns and in the biases; r = 0 where classes are many.
    diagonal : ndarray of float, shape (F, K, D)
        The inverse of the Hessian's diagonal.
    """

    inverse: np.ndarray
    diagonal: np.ndarray

    @classmethod
    def of(
        cls,
        designs: Sequence[np.ndarray],
        variances: np.ndarray,
        probabilities: np.ndarray,
        weight: np.ndarray,
        shrink: np.ndarray,
        wanted: np.ndarray,
    ) -> RotatedNewton:
        """Make the preconditioner of F problems at a point.

        Parameters
        ----------
        designs : sequence of F ndarray of float, shape (n, D)
        variances : ndarray of float, shape (F, D)
            Of the columns, which are centred and orthogonal; the largest are the last.
        probabilities, weight, shrink, wanted
            As for `SubspaceNewton`.
        """
        n_classes, width = probabilities.shape[1], variances.shape[1]
        rank = max(0, min(_ROTATED_NEWTON, _ROTATED_NEWTON_SIZE // n_classes - 1, width))
        curvature = mean_curvature(probabilities, weight)[..., None]
        inverse = 1 / curvature
        if n_classes <= _ROTATED_NEWTON_SIZE:
            inverse = np.zeros((len(wanted), n_classes * (rank + 1), n_classes * (rank + 1)))
            for f in np.flatnonzero(wanted):
                x = designs[int(f)][:, width - rank :]
                inverse[f] = _inverse_hessian(x, np.zeros(rank), probabilities[f], weight[f], shrink[f])
        return cls(inverse, 1 / (curvature * variances[:, None] + shrink[:, None, None]))

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        """About the inverse Hessian times a gradient (F, K, D + 1)."""
        f, k, _ = gradient.shape
        out = np.empty_like(gradient)
        np.multiply(gradient[..., :-1], self.diagonal, out=out[..., :-1])
        if self.inverse.shape[2] == 1:  # of biases alone
            out[..., -1:] = gradient[..., -1:] * self.inverse
            return out
        newton = slice(gradient.shape[2] - self.inverse.shape[2] // k, None)
        out[..., newton] = (self.inverse @ gradient[..., newton].reshape(f, -1, 1)).reshape(f, k, -1)
        return out


def _inverse_hessian(
    values: np.ndarray, centre: np.ndarray, probabilities: np.ndarray, weight: np.ndarray, shrink: float
) -> np.ndarray:
    """Of one problem in the leading directions and the biases, from a sample of its rows; class by class.

    Parameters
    ----------
    values : ndarray of float, shape (n, r)
        In the leading directions.
    centre : ndarray of float, shape (r,)
        Their mean.
    probabilities : ndarray of float, shape (K, n)
    weight : ndarray of float, shape (n,)
    shrink : float
    """
    rows = np.flatnonzero(weight)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _NEWTON_SAMPLE)).astype(int)]
    x = np.ones((len(rows), values.shape[1] + 1), values.dtype)
    x[:, :-1] = values[rows] - centre
    share = weight[rows] / weight[rows].sum()
    p = probabilities[:, rows]
    k, width = len(p), x.shape[1]
    mixed = (np.sqrt(share) * p)[..., None] * x  # (K, rows, r + 1)
    mixed = mixed.transpose(1, 0, 2).reshape(len(rows), k * width)
    hessian = -(mixed.T @ mixed).astype(np.float64)
    for c in range(k):
        own = slice(c * width, (c + 1) * width)
        hessian[own, own] += x.T @ ((share * p[c])[:, None] * x)
    diagonal = np.full((k, width), float(shrink))
    diagonal[:, -1] = _COMMON * max(float((p * (1 - p) @ share).mean()), _FLAT)
    hessian[np.diag_indices_from(hessian)] += diagonal.ravel()
    return np.linalg.inv(hessian).astype(values.dtype)


def _largest(symmetric: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues and their vectors."""
    size = len(symmetric)
    found: tuple[np.ndarray, np.ndarray] = scipy.linalg.eigh(
        symmetric, overwrite_a=True, check_finite=False, subset_by_index=(size - rank, size - 1), driver="evr"
    )
    return found
