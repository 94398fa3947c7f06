r"""Multinomial logistic regression for every fold and every regularisation strength.

For a strength C, minimise (as scikit-learn's ``LogisticRegression`` does)

.. math:: C \sum_i -\log p(y_i \mid z_i) + \tfrac12 \lVert W \rVert^2, \qquad z = (x - \mu) / \sigma

with :math:`\mu, \sigma` from the fold's own training rows and the bias free. The folds are solved together; the
strengths one after the other, from the strongest regularisation on, each from the solution of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache, cached_property

import numpy as np
from threadpoolctl import ThreadpoolController

from harness.head import Head, softmax
from harness.settings import PositiveFloat, PositiveInt, Settings
from trainer.designs import Features, Rotated, Shared
from trainer.history import HISTORY
from trainer.lbfgs import Problems, minimise
from trainer.preconditioning import Spectrum

__all__ = [
    "STRENGTHS",
    "LogisticSettings",
    "Regression",
    "StrengthPath",
    "fit",
    "fit_many",
    "takes_one_thread",
    "threads_for",
]

STRENGTHS = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0, 30.0, 100.0)
_ROTATED_UP_TO = 1200  # training rows up to which each training set is rotated into the span of its own
_ONE_THREAD_UP_TO = 4_000_000  # elements of the designs up to which a second thread costs more than it gives
_TOGETHER = 40_000_000  # scores, or parameters with their history, of the problems that are solved together
_WORTH_A_COPY = 0.6  # share of the rows below which those in use are copied out
_ABSENT = -30.0  # bias of a class that a training set does not have, against the mean of the others


class LogisticSettings(Settings):
    """Settings of the optimiser.

    Parameters
    ----------
    tolerance : float
        Distance to the solution at which a problem counts as solved, in the norm of the Hessian of the mean loss (see
        :func:`trainer.lbfgs.minimise`); above 0.
    max_iter : int
        Iterations for each strength, after which the rest is taken as it is; at least 1.
    """

    tolerance: PositiveFloat = 3e-5
    max_iter: PositiveInt = 1000


_DOUBLE = LogisticSettings(tolerance=1e-5)  # what double precision reaches in a few iterations more


class Regression:
    """A feature matrix and the classes of its rows, from which heads are fitted to training sets.

    Parameters
    ----------
    features : ndarray of float32, shape (n, D)
    targets : ndarray of int, shape (n,)
        Class numbers below `n_classes`.
    n_classes : int
    train : sequence of ndarray of int
        Training sets, for whose rows the features are scaled and preconditioned. What is in other rows changes nothing;
        a row may be there several times.

    Raises
    ------
    ValueError
        A value is NaN or infinite; a training set is empty, or has a number that is no row.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, n_classes: int, train: Sequence[np.ndarray]) -> None:
        self.targets, self.n_classes = np.asarray(targets), n_classes
        weight = _weights(train, len(targets))
        self._rows = np.flatnonzero(weight.any(axis=0))
        self.features = Features.of(features, weight)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the rows of all training sets together; a preconditioner, which changes how soon a solution is found."""
        return Spectrum.of(self.features.values, self._rows)

    def batches(self, train: Sequence[np.ndarray]) -> list[slice]:
        """Parts of the training sets that fit into memory together."""
        size = self.n_classes * max(len(self.targets), HISTORY * self.features.values.shape[1])
        together = max(1, _TOGETHER // size)
        return [slice(start, start + together) for start in range(0, len(train), together)]

    def path(
        self, train: Sequence[np.ndarray], start: Sequence[Head] | None = None, others: Sequence[np.ndarray] = ()
    ) -> StrengthPath:
        """Training sets to solve together.

        Parameters
        ----------
        train : sequence of ndarray of int
            Rows of each.
        start : sequence of Head, optional
            Near the solutions.
        others : sequence of ndarray of int
            Further rows whose probabilities will be asked for.
        """
        features, targets = self.features, self.targets
        used = np.unique(np.concatenate([*train, *others]))
        if len(used) < _WORTH_A_COPY * len(targets):
            features, targets = features.rows(used), targets[used]
            train = [np.searchsorted(used, rows) for rows in train]
        else:
            used = np.arange(len(targets))
        weight = _weights(train, len(targets))
        asked = np.searchsorted(used, np.concatenate([np.zeros(0, int), *others]))
        design = self._design(features, train, weight, asked)
        counts = np.array([np.bincount(targets[rows], minlength=self.n_classes) for rows in train])
        x = self._start(design, features, counts, start)
        of_rows = np.broadcast_to(targets, weight.shape)
        if isinstance(design, Rotated):
            of_rows, weight = targets[design.order[:, : design.weight.shape[1]]], design.weight
        problems = Problems(design, of_rows, weight.astype(design.dtype), counts > 0, x)
        return StrengthPath(features, problems, counts, used)

    def _design(
        self, features: Features, train: Sequence[np.ndarray], weight: np.ndarray, others: np.ndarray
    ) -> Rotated | Shared:
        mean, scale = features.moments(weight)
        longest = max(len(rows) for rows in train)
        if longest < features.values.shape[1] and longest <= _ROTATED_UP_TO:
            with threads_for(len(train) * len(features.values) * longest):
                return Rotated.of(features.values, train, weight, mean, scale, others)
        dtype = features.values.dtype
        return Shared(features.values, mean.astype(dtype), scale.astype(dtype), self.spectrum)

    def _start(
        self, design: Rotated | Shared, features: Features, counts: np.ndarray, heads: Sequence[Head] | None
    ) -> np.ndarray:
        """The given heads; without one, or where it lacks a class, no weights and the shares of the classes."""
        bias = np.log(np.maximum(counts, 1)) - np.log(counts.sum(axis=1, keepdims=True))
        if heads is None:
            return np.concatenate([np.zeros((*counts.shape, design.width)), bias[..., None]], axis=-1).astype(
                design.dtype
            )
        weights = np.zeros((*counts.shape, features.values.shape[1]))
        for f, head in enumerate(heads):
            absent = ~head.weights.any(axis=0) & (head.bias < head.bias.mean() + _ABSENT / 2)  # where it comes from
            if (absent & (counts[f] > 0)).any():
                continue  # far from the solution, and slower than from the beginning
            weights[f], moved = features.inner_weights(head.weights.T.astype(np.float64))
            bias[f] = np.where(absent, bias[f], head.bias + moved)
        return design.parameters(weights, bias)


class StrengthPath:
    """The heads of several training sets, from one strength to the next."""

    def __init__(self, features: Features, problems: Problems, counts: np.ndarray, rows: np.ndarray) -> None:
        self._features, self._problems, self._counts, self._rows = features, problems, counts, rows
        self._shrink: np.ndarray | None = None
        self._before: tuple[np.ndarray, np.ndarray] | None = None  # solutions and penalties one strength earlier

    @property
    def large(self) -> bool:
        """Whether the designs are large enough for single precision."""
        return bool(self._problems.x.dtype == np.float32)

    @property
    def iterations(self) -> int:
        """Iterations so far; each is one pass over the features, forth and back, for all training sets."""
        return self._problems.iterations

    def only(self, which: np.ndarray) -> StrengthPath:
        """The path of some of the training sets, by number."""
        path = StrengthPath(self._features, self._problems.only(which), self._counts[which], self._rows)
        path._shrink = None if self._shrink is None else self._shrink[which]
        path._before = None if self._before is None else (self._before[0][which], self._before[1][which])
        return path

    def solve(self, strengths: np.ndarray, settings: LogisticSettings | None = None) -> None:
        """Go on to a strength for each training set, shape (F,)."""
        settings = settings or (LogisticSettings() if self.large else _DOUBLE)
        problems, last = self._problems, self._problems.x
        shrink = (1 / (np.asarray(strengths) * self._counts.sum(axis=1))).astype(problems.x.dtype)
        if self._shrink is not None:
            problems.history.penalties_changed(shrink - self._shrink)
            if self._before is not None and not self.large:  # nothing to go by where solutions are loose
                problems.x = _extrapolated(*self._before, last, self._shrink, shrink)
            self._before = last, self._shrink
        self._shrink = shrink
        with threads_for(problems.weight.size * problems.x.shape[2]):
            minimise(problems, shrink, tolerance=settings.tolerance, max_iter=settings.max_iter)

    def probabilities(self, f: int, rows: np.ndarray) -> np.ndarray:
        """Of the classes for some rows by training set f, shape (rows, classes), after :meth:`solve`."""
        problems, rows = self._problems, np.searchsorted(self._rows, rows)
        if isinstance(problems.design, Rotated):
            scores = problems.design.scores_of(rows, problems.x[f], f).T
            return softmax(np.where(problems.present[f], scores, -np.inf))
        assert problems.probabilities is not None
        return problems.probabilities[f][:, rows].T

    def parameters(self, f: int) -> np.ndarray:
        """The parameters of training set f as they are now, for :meth:`heads`."""
        found: np.ndarray = self._problems.x[f]
        return found

    def heads(self, parameters: Sequence[np.ndarray] | None = None) -> list[Head]:
        """The heads as they are now, or of parameters for each training set."""
        x = self._problems.x if parameters is None else np.stack(parameters)
        weights, bias = self._problems.design.weights(x)
        return [self._head(*each) for each in zip(weights, bias, self._counts, strict=True)]

    def _head(self, weights: np.ndarray, bias: np.ndarray, counts: np.ndarray) -> Head:
        """The head for raw features; a class without a training row has a score that is next to nothing."""
        raw, moved = self._features.raw_weights(weights)
        raw[counts == 0] = 0
        bias = bias + moved
        bias[counts == 0] = bias[counts > 0].mean() + _ABSENT
        return Head(np.ascontiguousarray(raw.T, np.float32), bias.astype(np.float32))


def fit(
    features: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    *,
    strength: float,
    settings: LogisticSettings | None = None,
) -> Head:
    """Fit one head to all rows; see :func:`fit_many`."""
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
    """Fit a head for every training set and strength.

    Parameters
    ----------
    features, targets, n_classes, train
        As for :class:`Regression`.
    strengths : sequence of float, or ndarray of shape (training sets, J)
        C of scikit-learn: the same for all training sets, or a row for each.
    settings : LogisticSettings, optional
        Default: a tolerance of 3e-5 in single precision, 1e-5 in double.

    Returns
    -------
    list of list of Head
        By training set, then by strength.

    Raises
    ------
    ValueError
        A strength that is not above 0; else as `Regression`.
    """
    if np.ndim(strengths) == 0 or not (np.asarray(strengths) > 0).all():
        raise ValueError(f"strengths={strengths!r}: expected a sequence of values above 0")
    c = np.broadcast_to(np.asarray(strengths, np.float64), (len(train), np.shape(strengths)[-1]))
    order = np.argsort(c, axis=1, kind="stable")
    regression = Regression(features, targets, n_classes, train)
    heads: list[dict[int, Head]] = [{} for _ in train]
    for batch in regression.batches(train):
        path, numbers = regression.path(train[batch]), range(len(train))[batch]
        for at in order[batch].T:
            path.solve(c[numbers, at], settings)
            for f, j, head in zip(numbers, at, path.heads(), strict=True):
                heads[f][j] = head
    return [[found[j] for j in range(c.shape[1])] for found in heads]


def threads_for(size: int) -> AbstractContextManager[object]:
    """A context in which matrix products take as many threads as designs of so many elements are worth."""
    return _libraries().limit(limits=1 if takes_one_thread(size) else None, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that threads are limited in, looked for once: that takes milliseconds."""
    return ThreadpoolController()


def takes_one_thread(size: int) -> bool:
    """Whether heads on designs of so many elements are fitted in one thread."""
    return size <= _ONE_THREAD_UP_TO


def _extrapolated(
    x_0: np.ndarray, shrink_0: np.ndarray, x_1: np.ndarray, shrink_1: np.ndarray, shrink: np.ndarray
) -> np.ndarray:
    """Solutions (F, K, D + 1) at penalties (F,), where those at two other ones lead to; at most as far again."""
    there, further = np.log(shrink_1 / shrink_0), np.log(shrink / shrink_1)
    share = np.clip(np.divide(further, there, out=np.zeros_like(there), where=there != 0), 0, 1)
    found: np.ndarray = x_1 + share[:, None, None] * (x_1 - x_0)
    return found


def _weights(train: Sequence[np.ndarray], n: int) -> np.ndarray:
    """1 / its size for each time that a row is in a training set, shape (F, n)."""
    weight = np.zeros((len(train), n))
    for f, rows in enumerate(train):
        if not len(rows) or not 0 <= min(rows) <= max(rows) < n:
            raise ValueError(f"train[{f}]: expected numbers of rows, at least one, from 0 to {n - 1}")
        np.add.at(weight[f], rows, 1 / len(rows))
    return weight
