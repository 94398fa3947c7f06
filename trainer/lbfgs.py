r"""Multinomial logistic regression to convergence, many problems at once.

For every fold and every regularisation strength C, minimise (as scikit-learn's ``LogisticRegression`` does)

.. math:: C \sum_i -\log p(y_i \mid z_i) + \tfrac12 \lVert W \rVert^2, \qquad z = (x - \mu) / \sigma

with :math:`\mu, \sigma` from the fold's own training rows and the bias free. Four things make it fast:

- the folds and strengths of one feature matrix are one batched L-BFGS (Nocedal & Wright 2006, algorithm 7.5);
- the solution lies in the span of the training rows, so with fewer rows than features the problem is first
  rotated into that span (exact: the penalty does not change under rotation);
- in that span the columns are orthogonal, so the Hessian is close to its diagonal, which is cheap and preconditions
  every step;
- logits are linear in the step, so a line search costs no matrix product.

BLAS is held to one thread where the matrices are small: waking others costs more than they give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from harness.settings import PositiveFloat, PositiveInt, Settings
from trainer.head import Head, softmax

__all__ = ["STRENGTHS", "LogisticSettings", "fit", "fit_many"]

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
_MEMORY = 8
_SINGLE_ABOVE = 4_000_000  # elements of a design matrix from which single precision is used
_TOGETHER = 60_000_000  # elements of the matrices that are worked on together, half a gigabyte
_PATIENCE = 20  # iterations without a lower loss after which a problem is as good as its precision allows


class LogisticSettings(Settings):
    """Settings of the optimiser.

    Parameters
    ----------
    tolerance : float
        Largest element of the mean loss's gradient at which a problem counts as solved; above 0.
    max_iter : int
        Iterations after which the rest is taken as it is; at least 1.
    """

    tolerance: PositiveFloat = 1e-6
    max_iter: PositiveInt = 1000


def fit(
    features: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    *,
    strength: float,
    settings: LogisticSettings | None = None,
) -> Head:
    """Fit one head; see :func:`fit_many`."""
    rows = np.arange(len(targets))
    return fit_many(features, targets, n_classes, train=[rows], strengths=[strength], settings=settings)[0][0]


def fit_many(
    features: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    *,
    train: Sequence[np.ndarray],
    strengths: Sequence[float] | np.ndarray,
    settings: LogisticSettings | None = None,
) -> list[list[Head]]:
    """Fit a head for every training set and strength, all together.

    Parameters
    ----------
    features : ndarray of float32, shape (n, D)
    targets : ndarray of int, shape (n,)
        Class numbers below `n_classes`.
    n_classes : int
    train : sequence of ndarray of int
        Rows of each training set.
    strengths : sequence of float, or ndarray of shape (training sets, J)
        C of scikit-learn: the same for all training sets, or a row for each.
    settings : LogisticSettings, optional

    Returns
    -------
    list of list of Head
        By training set, then by strength.
    """
    settings = settings or LogisticSettings()
    c = np.broadcast_to(np.asarray(strengths, np.float64), (len(train), np.shape(strengths)[-1]))
    heads: list[list[Head]] = []
    size = max(len(rows) for rows in train) * min(max(len(rows) for rows in train), features.shape[1])
    together = max(1, _TOGETHER // max(size, 1))  # problems
    with threadpool_limits(1 if size <= _SINGLE_ABOVE else None, user_api="blas"):
        for start in range(0, len(train), together):
            problems = [_Problem.of(features, targets, rows) for rows in train[start : start + together]]
            heads += _solve(problems, n_classes, c[start : start + together], settings)
    return heads


@dataclass
class _Problem:
    """One training set, standardised and, where that is smaller, rotated into the span of its rows."""

    design: np.ndarray  # (n, r), without the bias column
    targets: np.ndarray  # (n,)
    mean: np.ndarray  # (D,)
    scale: np.ndarray  # (D,), 1 / sigma, 0 for a constant feature
    back: np.ndarray | None  # (D, r): span to standardised features; None: the identity

    @classmethod
    def of(cls, features: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> _Problem:
        x = features[rows].astype(np.float64)
        mean, sigma = x.mean(axis=0), x.std(axis=0)
        scale = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 1e-7 * np.maximum(1.0, np.abs(mean)))
        z = (x - mean) * scale
        if len(rows) >= features.shape[1]:
            return cls(z, targets[rows], mean, scale, None)
        eigenvalues, vectors = np.linalg.eigh(z @ z.T)
        spanning = eigenvalues > 1e-10 * max(eigenvalues[-1], 1e-300)
        root, basis = np.sqrt(eigenvalues[spanning]), vectors[:, spanning]
        return cls(basis * root, targets[rows], mean, scale, z.T @ (basis / root))

    def head(self, solution: np.ndarray) -> Head:
        """Head for the raw features from a solution (at least r + 1, K): r rows, padding, the bias."""
        inner = solution[: self.design.shape[1]]
        standardised = inner if self.back is None else self.back @ inner
        weights = standardised * self.scale[:, None]
        return Head(weights.astype(np.float32), (solution[-1] - self.mean @ weights).astype(np.float32))


def _solve(problems: list[_Problem], n_classes: int, c: np.ndarray, settings: LogisticSettings) -> list[list[Head]]:
    n = max(len(p.targets) for p in problems)
    r = max(p.design.shape[1] for p in problems)
    dtype = np.float32 if n * r > _SINGLE_ABOVE else np.float64
    design = np.zeros((len(problems), n, r + 1), dtype)
    onehot = np.zeros((len(problems), n, 1, n_classes), dtype)
    weight = np.zeros((len(problems), n, 1), dtype)
    for f, problem in enumerate(problems):
        rows = len(problem.targets)
        design[f, :rows, : problem.design.shape[1]] = problem.design
        design[f, :rows, -1] = 1.0
        onehot[f, np.arange(rows), 0, problem.targets] = 1.0
        weight[f, :rows] = 1.0 / rows
    penalty = 1.0 / (c * np.array([[len(p.targets)] for p in problems]))
    solution = _Lbfgs(design, onehot, weight, penalty.astype(dtype), settings).run()
    return [
        [problem.head(solution[f, j].astype(np.float64)) for j in range(c.shape[1])]
        for f, problem in enumerate(problems)
    ]


_Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


class _Lbfgs:
    """Batched L-BFGS over F training sets x J strengths; parameters are (F, J, r + 1, K)."""

    def __init__(
        self,
        design: np.ndarray,
        onehot: np.ndarray,
        weight: np.ndarray,
        penalty: np.ndarray,
        settings: LogisticSettings,
    ) -> None:
        self.design, self.onehot, self.weight, self.settings = design, onehot, weight, settings
        self.shape = (*penalty.shape, design.shape[2], onehot.shape[-1])
        self.shrink = np.broadcast_to(penalty[:, :, None, None], (*penalty.shape, design.shape[2], 1)).copy()
        self.shrink[:, :, -1] = 0  # the bias is free
        self.squared = design**2

    def run(self) -> np.ndarray:
        solution = np.zeros(self.shape, self.design.dtype)
        strengths = np.arange(self.shape[1])  # those still worked on
        x = solution.copy()
        logits = self._logits(x)
        loss, gradient = self._loss(x, logits), self._gradient(x, logits)
        pairs: list[_Pair] = []
        lowest, since = loss, np.zeros(self.shape[:2], int)
        for _ in range(self.settings.max_iter):
            since = np.where(loss < lowest * (1 - 4 * np.finfo(x.dtype).eps), 0, since + 1)
            lowest = np.minimum(lowest, loss)
            unsolved = (np.abs(gradient).max(axis=(2, 3)) > self.settings.tolerance) & (since < _PATIENCE)
            active = unsolved.any(axis=0)
            if not active.all():  # a strength that is solved for every training set is set aside
                solution[:, strengths[~active]] = x[:, ~active]
                strengths, unsolved, x, loss = strengths[active], unsolved[:, active], x[:, active], loss[:, active]
                logits, gradient = logits[:, :, active], gradient[:, active]
                lowest, since = lowest[:, active], since[:, active]
                pairs = [(s[:, active], y[:, active], rho[:, active]) for s, y, rho in pairs]
                self.shrink = self.shrink[:, active]
                self.shape = (self.shape[0], int(active.sum()), *self.shape[2:])
            if not active.any():
                break
            step = self._direction(gradient, pairs, self._metric(logits)) * unsolved[:, :, None, None]
            moved = self._line_search(x, logits, loss, gradient, step)
            if moved is None:
                break
            x_new, logits, loss = moved
            gradient_new = self._gradient(x_new, logits)
            pairs = [*pairs[-(_MEMORY - 1) :], _pair(x_new - x, gradient_new - gradient)]
            x, gradient = x_new, gradient_new
        solution[:, strengths] = x
        return solution

    def _logits(self, x: np.ndarray) -> np.ndarray:
        f, j, r, k = self.shape
        flat = x.transpose(0, 2, 1, 3).reshape(f, r, j * k)
        return (self.design @ flat).reshape(f, -1, j, k)

    def _loss(self, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
        top = logits.max(axis=-1, keepdims=True)
        log_sum = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
        data = ((log_sum - (logits * self.onehot).sum(axis=-1)) * self.weight).sum(axis=1, dtype=np.float64)
        total: np.ndarray = data + 0.5 * (self.shrink * x * x).sum(axis=(2, 3), dtype=np.float64)
        return total

    def _gradient(self, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
        f, j, r, k = self.shape
        residual = (softmax(logits) - self.onehot) * self.weight[..., None]
        data = self.design.transpose(0, 2, 1) @ residual.reshape(f, -1, j * k)
        return data.reshape(f, r, j, k).transpose(0, 2, 1, 3) + self.shrink * x

    def _metric(self, logits: np.ndarray) -> np.ndarray:
        """1 / the Hessian's diagonal, (F, J, r + 1, K)."""
        f, j, r, k = self.shape
        p = softmax(logits)
        curvature = (p * (1 - p) * self.weight[..., None]).reshape(f, -1, j * k)
        data = (self.squared.transpose(0, 2, 1) @ curvature).reshape(f, r, j, k).transpose(0, 2, 1, 3)
        return np.asarray(1.0 / (data + self.shrink + np.finfo(data.dtype).tiny))

    @staticmethod
    def _direction(gradient: np.ndarray, pairs: list[_Pair], metric: np.ndarray) -> np.ndarray:
        q = gradient.copy()
        alphas = []
        for s, y, rho in reversed(pairs):
            alpha = rho * _dot(s, q)
            q -= alpha[:, :, None, None] * y
            alphas.append(alpha)
        q *= metric
        if pairs:
            s, y, rho = pairs[-1]
            length = np.maximum(_dot(y, metric * y), np.finfo(y.dtype).tiny)
            q *= np.where(rho > 0, _dot(s, y) / length, 1.0)[:, :, None, None]
        for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
            q += (alpha - rho * _dot(y, q))[:, :, None, None] * s
        return -q

    def _line_search(
        self, x: np.ndarray, logits: np.ndarray, loss: np.ndarray, gradient: np.ndarray, step: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Halve each problem's step until the loss falls enough (Armijo); problems that cannot move stay."""
        slope = _dot(gradient, step)
        moved_logits = self._logits(step)
        noise = np.finfo(x.dtype).eps * np.abs(loss)  # a rise that may be rounding alone
        t = np.where(slope < 0, 1.0, 0.0).astype(x.dtype)
        for _ in range(30):
            x_new = x + t[:, :, None, None] * step
            logits_new = logits + t[:, None, :, None] * moved_logits
            loss_new = self._loss(x_new, logits_new)
            high = (t > 0) & ~(loss_new <= loss + 1e-4 * t * slope + noise)
            if not high.any():
                return None if not t.any() else (x_new, logits_new, loss_new)
            t = np.where(high, t * 0.5, t)
        t = np.where(high, 0.0, t).astype(x.dtype)
        if not t.any():
            return None
        x_new, logits_new = x + t[:, :, None, None] * step, logits + t[:, None, :, None] * moved_logits
        return x_new, logits_new, self._loss(x_new, logits_new)


def _pair(s: np.ndarray, y: np.ndarray) -> _Pair:
    """A step, the change of the gradient along it, and 1 / their product; 0 where that says nothing."""
    curvature = _dot(s, y)
    good = curvature > np.finfo(s.dtype).eps * _dot(y, y)
    return s, y, np.divide(1.0, curvature, out=np.zeros_like(curvature), where=good)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    f, j = a.shape[:2]
    result: np.ndarray = np.einsum("fjd,fjd->fj", a.reshape(f, j, -1), b.reshape(f, j, -1))
    return result
