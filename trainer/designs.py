"""Design matrices of training problems over one feature matrix.

Cross-validation fits many heads to nearly the same rows. All of them share

- the features, standardised once; a problem has its own mean and deviation, by which its weights are corrected;
- copies of a column, of which one is enough: m equal columns with an L2 penalty are one column, times the root of m
  (a gray image has three equal channels, and its vector of features three equal parts);
- the eigenvectors of the covariance, in which the Hessian is close to its diagonal.

Where the rows are few, each problem is rotated into the span of its own rows instead (exact: the penalty does not
change under rotation), which has fewer dimensions than there are features.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainer.preconditioning import Preconditioner, RotatedNewton, Spectrum, SubspaceNewton

__all__ = ["Features", "Rotated", "Shared"]

_CHUNK = 100_000  # elements of the feature matrix that are converted at once: what a cache holds
_SINGLE_ABOVE = 2_000_000  # elements of a feature matrix from which single precision is used
_REACH = 1e-30  # 1 / the largest value in deviations
_ROUNDING = 1e-7  # deviation over distance from the first row that rounding alone can give
_TINY = 1e-30  # deviation below which weights would not fit into single precision


@dataclass(frozen=True)
class Features:
    """A feature matrix, standardised over all its rows, without the copies of a column.

    Parameters
    ----------
    values : ndarray of float, shape (n, D)
        Single precision where the matrix is large. A column with m copies is there once, times the root of m.
    mean, scale : ndarray of float64, shape (D,)
        The raw column is ``values / (scale * sqrt(copies)) + mean``; 0 for a constant.
    column : ndarray of int, shape (D_raw,)
        The column of `values` for each raw one.
    copies : ndarray of int, shape (D,)
        How many raw columns each of them is.
    """

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    column: np.ndarray
    copies: np.ndarray

    @classmethod
    def of(cls, raw: np.ndarray, weight: np.ndarray) -> Features:
        """Standardise raw features.

        Parameters
        ----------
        raw : ndarray of float32, shape (n, D_raw)
        weight : ndarray of float64, shape (F, n)
            Of each row in each training set. A column is standardised by the training set in which its deviation is
            smallest, so that rows of another size in one fold do not take the others' precision.

        Raises
        ------
        ValueError
            A value is NaN or infinite.
        """
        first, column, copies = _distinct_columns(raw)
        low, high = raw.min(axis=0)[first].astype(np.float64), raw.max(axis=0)[first].astype(np.float64)
        if not np.isfinite(high - low).all():
            raise ValueError("the features hold NaN or infinite values; leave out those rows")
        means, scales = _moments(raw, weight, first)
        narrowest = scales.argmax(axis=0)[None]
        mean, scale = (np.take_along_axis(each, narrowest, axis=0)[0] for each in (means, scales))
        reach = np.maximum(high - mean, mean - low) * scale
        scale = scale / np.exp2(np.ceil(np.log2(np.maximum(reach * _REACH, 1))))  # which rounds nothing
        values = np.empty((len(raw), len(first)), np.float32 if raw.size > _SINGLE_ABOVE else np.float64)
        for rows in _chunks(raw):
            values[rows] = (_columns(raw[rows], first) - mean) * (scale * np.sqrt(copies))
        return cls(values, mean, scale, column, copies)

    def moments(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and 1 / deviation (0 for a constant), times the root of the copies, for row weights (F, n)."""
        mean, scale = _moments(self.values, weight, None)
        return mean, scale * np.sqrt(self.copies)

    def rows(self, which: np.ndarray) -> Features:
        """Some of the rows, standardised as all of them were."""
        return replace(self, values=self.values[which])

    def raw_weights(self, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights for raw columns (..., D_raw), and what they add to the bias, from weights for `values` (..., D)."""
        per_column = inner * (self.scale * np.sqrt(self.copies))
        return (per_column / self.copies)[..., self.column], -(per_column @ self.mean)

    def inner_weights(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of :meth:`raw_weights`: weights (..., D), and what they add to the bias."""
        total = np.zeros((*raw.shape[:-1], len(self.copies)))
        np.add.at(np.moveaxis(total, -1, 0), self.column, np.moveaxis(raw, -1, 0))
        spread = self.scale * np.sqrt(self.copies)
        return np.divide(total, spread, out=np.zeros_like(total), where=spread > 0), total @ self.mean


@dataclass(frozen=True)
class Shared:
    """One matrix for all problems; each standardises its columns by its own rows.

    Parameters
    ----------
    values : ndarray of float, shape (n, D)
    mean, scale : ndarray of float, shape (F, D)
        As :meth:`Features.moments` gives them.
    spectrum : Spectrum
        Of `values`.
    """

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    spectrum: Spectrum

    iterations = 12  # that a preconditioner is good for

    @property
    def dtype(self) -> np.dtype:
        """Of the computations."""
        return self.values.dtype

    @property
    def width(self) -> int:
        """How many weights a class has."""
        return self.values.shape[1]

    def only(self, which: np.ndarray) -> Shared:
        """See `trainer.lbfgs.Design`."""
        return replace(self, mean=self.mean[which], scale=self.scale[which])

    def scores(self, x: np.ndarray) -> np.ndarray:
        """See `trainer.lbfgs.Design`."""
        f, k, _ = x.shape
        weights = x[..., :-1] * self.scale[:, None]
        bias = x[..., -1] - (weights @ self.mean[..., None])[..., 0]
        scores: np.ndarray = (weights.reshape(f * k, -1) @ self.values.T).reshape(f, k, -1)
        scores += bias[..., None]
        return scores

    def gradient(self, residual: np.ndarray) -> np.ndarray:
        """See `trainer.lbfgs.Design`."""
        f, k, n = residual.shape
        out = np.empty((f, k, self.values.shape[1] + 1), residual.dtype)
        out[..., -1] = residual.sum(axis=-1)
        inner = (residual.reshape(f * k, n) @ self.values).reshape(f, k, -1)
        inner -= out[..., -1:] * self.mean[:, None]
        np.multiply(inner, self.scale[:, None], out=out[..., :-1])
        return out

    def preconditioner(
        self, probabilities: np.ndarray, weight: np.ndarray, shrink: np.ndarray, wanted: np.ndarray
    ) -> Preconditioner:
        """See `trainer.lbfgs.Design`."""
        return SubspaceNewton.of(self.spectrum, self.values, self.mean, probabilities, weight, shrink, wanted)

    def weights(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (F, K, D) and biases (F, K) for `values`."""
        weights = x[..., :-1].astype(np.float64) * self.scale[:, None]
        return weights, x[..., -1] - (weights @ self.mean[..., None].astype(np.float64))[..., 0]

    def parameters(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`weights`: parameters (F, K, D + 1)."""
        scale = self.scale[:, None]
        inner = np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0)
        bias = bias + ((inner * scale) @ self.mean[..., None])[..., 0]
        return np.concatenate([inner, bias[..., None]], axis=-1).astype(self.values.dtype)


@dataclass(frozen=True)
class Rotated:
    """A matrix for each problem, rotated into the span of its own training rows; the columns are orthogonal there.

    Always in double precision: the matrices are small, and in single precision rounding takes longer than it saves.

    Parameters
    ----------
    designs : tuple of F ndarray of float64, shape (n, r)
        Rows in the axes of each problem, those with the largest variances last; padded with zeros. A problem's own
        rows are the first.
    order : ndarray of int, shape (F, n)
        Which rows of `values` they are. The problems are solved with the first m of each, as many as the longest has.
    variances : ndarray of float64, shape (F, r)
        Mean square of each column over the training rows.
    weight : ndarray of float64, shape (F, m)
        Of each of these rows; 0 where a problem has fewer of its own.
    values : ndarray of float, shape (n, D)
    mean, scale : ndarray of float64, shape (F, D)
        As for `Shared`.
    """

    designs: tuple[np.ndarray, ...]
    order: np.ndarray
    variances: np.ndarray
    weight: np.ndarray
    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    iterations = 12  # that a preconditioner is good for
    dtype = np.dtype(np.float64)

    @property
    def width(self) -> int:
        """How many weights a class has."""
        return self.variances.shape[1]

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        train: Sequence[np.ndarray],
        weight: np.ndarray,
        mean: np.ndarray,
        scale: np.ndarray,
        others: np.ndarray,
    ) -> Rotated:
        """Rotate values (n, D) for each of F training sets.

        Parameters
        ----------
        values : ndarray of float, shape (n, D)
        train : sequence of ndarray of int
        weight : ndarray of float64, shape (F, n)
        mean, scale : ndarray of float64, shape (F, D)
            The moments of each.
        others : ndarray of int
            Further rows whose scores are wanted; those of all others are not.
        """
        width, most = max(len(rows) for rows in train), max(np.count_nonzero(each) for each in weight)
        designs, order = tuple(np.zeros((len(values), width)) for _ in train), np.argsort(weight == 0, kind="stable")
        variances, room = np.zeros((len(train), width)), np.empty(values.shape)
        is_other = np.zeros(len(values), bool)
        is_other[others] = True
        for f, rows in enumerate(train):
            place = np.argsort(order[f])
            wanted = np.flatnonzero((weight[f] > 0) | is_other)
            z = np.subtract(values if len(wanted) == len(values) else values[wanted], mean[f], out=room[: len(wanted)])
            z *= scale[f]
            products = (z @ z.T)[:, np.searchsorted(wanted, rows)]  # of a matrix with itself: half the work
            squares, basis = np.linalg.eigh(products[np.searchsorted(wanted, rows)])
            spanning = np.flatnonzero(squares > 1e-10 * max(squares[-1], 1e-300))
            own = slice(width - len(spanning), width)
            designs[f][place[wanted], own] = products @ (basis[:, spanning] / np.sqrt(squares[spanning]))
            variances[f, own] = squares[spanning] / len(rows)
        own_weight = np.take_along_axis(weight, order[:, :most], axis=1)
        return cls(designs, order, variances, own_weight, values, mean, scale)

    def only(self, which: np.ndarray) -> Rotated:
        """See `trainer.lbfgs.Design`."""
        own = {name: getattr(self, name)[which] for name in ("order", "variances", "weight", "mean", "scale")}
        return replace(self, designs=tuple(self.designs[f] for f in which), **own)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """See `trainer.lbfgs.Design`."""
        scores = np.stack([own[:, :-1] @ design.T for own, design in zip(x, self._own, strict=True)])
        scores += x[..., -1:]
        return scores

    def gradient(self, residual: np.ndarray) -> np.ndarray:
        """See `trainer.lbfgs.Design`."""
        inner = np.stack([own @ design for own, design in zip(residual, self._own, strict=True)])
        return np.concatenate([inner, residual.sum(axis=-1, keepdims=True)], axis=-1)

    def preconditioner(
        self, probabilities: np.ndarray, weight: np.ndarray, shrink: np.ndarray, wanted: np.ndarray
    ) -> Preconditioner:
        """See `trainer.lbfgs.Design`."""
        return RotatedNewton.of(self._own, self.variances, probabilities, weight, shrink, wanted)

    def weights(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (F, K, D) and biases (F, K) for the shared values."""
        inner = self._per_variance(x[..., :-1])
        of_rows = np.stack([own @ design.T for own, design in zip(inner, self._own, strict=True)])
        of_rows = self._of_values(of_rows * self.weight[:, None])
        weights = of_rows @ self.values - of_rows.sum(axis=-1, keepdims=True) * self.mean[:, None]
        weights *= self.scale[:, None] ** 2
        return weights, x[..., -1] - (weights @ self.mean[..., None])[..., 0]

    def parameters(self, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """The nearest parameters (F, K, r + 1) to these weights (F, K, D) and biases (F, K)."""
        at_mean = weights @ self.mean[..., None]
        of_rows = weights @ self.values.T - at_mean
        of_rows = (
            np.take_along_axis(of_rows, self.order[:, None, : self.weight.shape[1]], axis=2) * self.weight[:, None]
        )
        inner = np.stack([own @ design for own, design in zip(of_rows, self._own, strict=True)])
        return np.concatenate([self._per_variance(inner), (bias + at_mean[..., 0])[..., None]], axis=-1)

    def scores_of(self, rows: np.ndarray, x: np.ndarray, f: int) -> np.ndarray:
        """Class scores (K, rows) of rows of `values`, own or others, for parameters (K, D + 1) of problem f."""
        place = np.argsort(self.order[f])[rows]
        scores: np.ndarray = x[:, :-1] @ self.designs[f][place].T + x[:, -1:]
        return scores

    @property
    def _own(self) -> list[np.ndarray]:
        """The designs of the rows that the problems are solved with."""
        return [design[: self.weight.shape[1]] for design in self.designs]

    def _of_values(self, of_own: np.ndarray) -> np.ndarray:
        """What is given for the first rows of each problem, (F, K, m), for the rows of `values`, (F, K, n)."""
        found = np.zeros((*of_own.shape[:2], len(self.values)))
        np.put_along_axis(found, self.order[:, None, : of_own.shape[2]], of_own, axis=2)
        return found

    def _per_variance(self, inner: np.ndarray) -> np.ndarray:
        """Over the variances: the axes are the weighted sums of the training rows by the design over its variances."""
        variances = self.variances[:, None]
        return np.divide(inner, variances, out=np.zeros_like(inner), where=variances > 0)


def _distinct_columns(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first of each set of equal columns (D,), the set of each column (D_raw,), and the sizes of the sets (D,)."""
    some = np.ascontiguousarray(raw[np.linspace(0, len(raw) - 1, min(len(raw), 16)).astype(int)].T)
    width = raw.shape[1]
    keys = [row.tobytes() for row in some]
    times = Counter(keys)
    if len(times) == width:
        every = np.arange(width)
        return every, every, np.ones(width, int)
    alike = np.array([k for k, key in enumerate(keys) if times[key] > 1])
    for start in range(0, len(alike), 64):
        block = np.ascontiguousarray(raw[:, alike[start : start + 64]].T)
        for k, row in zip(alike[start : start + 64], block, strict=True):
            keys[k] = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    number: dict[bytes, int] = {}
    column = np.array([number.setdefault(key, len(number)) for key in keys])
    first = np.full(len(number), width)
    np.minimum.at(first, column, np.arange(width))
    return first, column, np.bincount(column)


def _moments(values: np.ndarray, weight: np.ndarray, columns: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1 / deviation (0 for a constant) of the columns, (F, D), for row weights (F, n) that sum to 1."""
    width = values.shape[1] if columns is None else len(columns)
    shift = values[:1].astype(np.float64) if columns is None else values[:1, columns].astype(np.float64)
    mean, square = np.zeros((len(weight), width)), np.zeros((len(weight), width))
    for rows in _chunks(values):
        x = (values[rows] if columns is None else _columns(values[rows], columns)) - shift
        mean += weight[:, rows] @ x
        square += weight[:, rows] @ (x * x)
    sigma = np.sqrt(np.maximum(square - mean * mean, 0))
    known = sigma > np.maximum(_ROUNDING * np.abs(mean), _TINY)
    return mean + shift, np.divide(1.0, sigma, out=np.zeros_like(sigma), where=known)


def _columns(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    return values if len(which) == values.shape[1] else values[:, which]


def _chunks(values: np.ndarray) -> list[slice]:
    step = max(1, _CHUNK // max(values.shape[1], 1))
    return [slice(start, start + step) for start in range(0, len(values), step)]
