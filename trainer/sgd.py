"""The head as the old retrain.py trains it: plain gradient descent on class-balanced batches.

Weights start from a truncated normal of deviation 0.001, biases from zero. Each step draws a batch with
replacement: a class uniformly among the classes that have rows, then one of its rows uniformly; the loss is the
mean softmax cross entropy. Classes without rows are never drawn.

The batch of a step depends on the seed and the number of the step alone, so a training that was stopped goes on
from its weights and the number of steps done. The same rows in the same order give the same head, bit for bit,
whoever calls: rows are in class order, and within a class by the file name of their images. BLAS is held to one
thread, which is also the fastest for matrices of this size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from harness.errors import DivergedError, SettingsError, SplitError
from harness.head import Head, softmax
from harness.settings import Count, PositiveFloat, PositiveInt, Settings

__all__ = ["BalancedRows", "SgdSettings", "SgdState", "Step", "cross_entropy", "descend", "first_head", "fit"]

_STDDEV = 0.001
_BLOCK = 64  # steps whose rows are drawn together
_JUDGED, _WORSE = 20, 10.0  # last steps, and how many times the cross entropy of guessing theirs may be
_WEIGHTS, _ROWS = 0, 1  # what a generator is for; goes into its seed


class SgdSettings(Settings):
    """How plain gradient descent trains a head.

    Parameters
    ----------
    steps : int
        At least 0.
    learning_rate : float
        Above 0.
    train_batch_size : int
        Rows a step, at least 1.
    """

    steps: Count = 4000
    learning_rate: PositiveFloat = 0.01
    train_batch_size: PositiveInt = 100


@dataclass(frozen=True, eq=False)
class SgdState:
    """The state of a training: all that it needs to go on.

    Parameters
    ----------
    steps_done : int
    head : Head
        After that many steps.
    """

    steps_done: int
    head: Head


@dataclass(frozen=True, eq=False)
class Step:
    """One step, as `on_step` sees it; the arrays are used again by the next step.

    Parameters
    ----------
    number : int
        From 0.
    head : Head
        After the step.
    features : ndarray of float32, shape (train_batch_size, features)
    targets : ndarray of int64, shape (train_batch_size,)
    scores : ndarray of float32, shape (train_batch_size, classes)
        Of the head before the step.
    """

    number: int
    head: Head
    features: np.ndarray
    targets: np.ndarray
    scores: np.ndarray


def fit(
    features: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    *,
    settings: SgdSettings | None = None,
    seed: int = 0,
    on_step: Callable[[Step], None] | None = None,
    start: SgdState | None = None,
) -> Head:
    """Train a head on feature vectors in memory.

    Parameters
    ----------
    features : ndarray of float32, shape (n, features)
        Rows in class order, within a class by the file name of their images.
    targets : ndarray of int, shape (n,)
        Class numbers from 0.
    n_classes : int
        Also of classes that have no rows.
    settings : SgdSettings, optional
    seed : int
        Of the first weights and of every batch; 0 or more.
    on_step : callable, optional
        Called after each step.
    start : SgdState, optional
        Go on from there.

    Raises
    ------
    SplitError
        No rows.
    """
    features = np.ascontiguousarray(features, dtype=np.float32)
    if features.ndim != 2 or len(features) != len(targets):
        raise SettingsError(f"features {features.shape} and targets {np.shape(targets)}: expected (n, D) and (n,)")
    settings = settings or SgdSettings()
    batch = np.empty((settings.train_batch_size, features.shape[1]), np.float32)

    def read(rows: np.ndarray, number: int) -> np.ndarray:
        return np.take(features, rows, axis=0, out=batch, mode="clip")

    return descend(
        read, targets, n_classes, features.shape[1], settings=settings, seed=seed, on_step=on_step, start=start
    )


def descend(
    read: Callable[[np.ndarray, int], np.ndarray],
    targets: np.ndarray,
    n_classes: int,
    n_features: int,
    *,
    settings: SgdSettings,
    seed: int,
    on_step: Callable[[Step], None] | None = None,
    start: SgdState | None = None,
) -> Head:
    """Train a head on batches that `read` makes: ``read(rows, number of the step)`` gives their feature vectors.

    Other parameters as in :func:`fit`.

    Raises
    ------
    DivergedError
        Weights are not finite, or the cross entropy of the last batches is far above that of guessing.
    """
    draw = BalancedRows(targets)
    start = start or SgdState(0, first_head(n_features, n_classes, seed=seed))
    weights, bias = start.head.weights.astype(np.float32), start.head.bias.astype(np.float32)
    with np.errstate(over="ignore"):
        rate = np.float32(settings.learning_rate / settings.train_batch_size)
    last: list[float] = []
    block = np.empty((0, 0), np.int64)
    with threadpool_limits(limits=1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        for number in range(start.steps_done, settings.steps):
            if number % _BLOCK == 0 or not len(block):
                rng = np.random.default_rng([seed, _ROWS, number // _BLOCK])
                block = draw((_BLOCK, settings.train_batch_size), rng)
            rows = block[number % _BLOCK]
            batch, wanted = read(rows, number), draw.targets[rows]
            scores = softmax(batch @ weights + bias)
            error = scores.copy()
            error[np.arange(len(rows)), wanted] -= 1
            error *= rate
            weights -= batch.T @ error
            bias -= error.sum(axis=0)
            if on_step:
                on_step(Step(number, Head(weights, bias), batch, wanted, scores))
            if settings.steps - number <= _JUDGED:
                last.append(cross_entropy(scores, wanted))
            if number % _BLOCK == _BLOCK - 1 or number == settings.steps - 1:
                _check_converging(weights, bias, last, settings, number)
    return Head(weights, bias)


def _check_converging(
    weights: np.ndarray, bias: np.ndarray, last: Sequence[float], settings: SgdSettings, number: int
) -> None:
    """Refuse weights that are not finite, and last batches that are classified far worse than by guessing."""
    finite = np.isfinite(bias).all() and np.isfinite(weights).all()
    guessing = float(np.log(max(len(bias), 2)))
    if finite and (not last or np.mean(last) <= _WORSE * guessing):
        return
    worse = f"the cross entropy is {np.mean(last or 0):.3g}, that of guessing {guessing:.2g}"
    raise DivergedError(
        f"training has diverged by step {number + 1}: {worse if finite else 'weights are not finite'}; learning rate "
        f"{settings.learning_rate:g} is too large for these features, give a smaller one"
    )


def first_head(n_features: int, n_classes: int, *, seed: int) -> Head:
    """The head before the first step: weights truncated at two deviations, zero biases."""
    rng = np.random.default_rng([seed, _WEIGHTS])
    values = rng.standard_normal((n_features, n_classes))
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return Head((values * _STDDEV).astype(np.float32), np.zeros(n_classes, np.float32))


def cross_entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross entropy of class probabilities, in nats.

    Examples
    --------
    >>> round(cross_entropy(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0])), 6)
    0.346574
    """
    right = scores[np.arange(len(targets)), targets].astype(np.float64)
    return float(-np.log(np.maximum(right, 1e-38)).mean())


class BalancedRows:
    """Draw rows with replacement: a class uniformly, then one of its rows uniformly.

    Parameters
    ----------
    targets : ndarray of int, shape (n,)
        Class numbers; any order.
    """

    def __init__(self, targets: np.ndarray) -> None:
        self.targets = np.asarray(targets, dtype=np.int64)
        if not len(self.targets):
            raise SplitError("no rows to draw from; expected at least one")
        self._order = np.argsort(self.targets, kind="stable")
        _, self._first, self._count = np.unique(self.targets[self._order], return_index=True, return_counts=True)

    def __call__(self, shape: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Row numbers, int64, of the shape asked for."""
        drawn = rng.integers(0, len(self._count), shape)
        rows: np.ndarray = self._order[self._first[drawn] + rng.integers(0, self._count[drawn])]
        return rows
