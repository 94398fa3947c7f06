r"""Batched L-BFGS for multinomial logistic regression: many training problems over one design matrix, together.

For each problem f, with class scores :math:`z = W x + b`, minimise

.. math:: \sum_i w_{fi} \bigl(-\log p(y_i \mid z_{fi})\bigr) + \tfrac12 s_f \lVert W_f \rVert^2

by L-BFGS (Nocedal & Wright 2006, algorithm 7.5) with a metric of the design's own in the place of the scaled identity.
A matrix product serves all problems, and the scores are linear in the step, so that a line search costs none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from trainer.history import History, dot
from trainer.preconditioning import Preconditioner

__all__ = ["Design", "Problems", "minimise"]

_HALVINGS = 30
_ABSENT = -1e4  # added to the scores of a class that a training set does not have: its probability is 0
_CERTAIN = 0.5  # probability of the wrong classes below which the loss is computed from it
_WORTH_LEAVING_OUT = 0.8  # share of problems unsolved at which the solved ones are left out of the products
_PATIENCE = 25  # iterations that come no nearer to the minimum, after which rounding has the last word


class Design(Protocol):
    """The rows of F problems, n each, standardised for each in its own way; D weights and a bias for a class."""

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Class scores (F, K, n) for parameters (F, K, D + 1), the bias last."""

    def gradient(self, residual: np.ndarray) -> np.ndarray:
        """The adjoint: parameters (F, K, D + 1) from residuals (F, K, n)."""

    def only(self, which: np.ndarray) -> Design:
        """The design of some of the problems, by number."""

    def weights(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (F, K, D) for the columns that the problems have in common, and biases (F, K)."""

    def preconditioner(
        self, probabilities: np.ndarray, weight: np.ndarray, shrink: np.ndarray, wanted: np.ndarray
    ) -> Preconditioner:
        """For probabilities (F, K, n), weights of the rows (F, n) and penalties (F,); of the problems wanted (F,)."""

    @property
    def iterations(self) -> int:
        """How many iterations a preconditioner is good for."""


@dataclass
class Problems:
    """F training problems, and how far they have been solved.

    Parameters
    ----------
    design : Design
    targets : ndarray of int, shape (F, n)
        Class numbers of the rows of each problem.
    weight : ndarray of float, shape (F, n)
        Of each row in each problem; 0 for a row that is not in its training set.
    present : ndarray of bool, shape (F, K)
        Whether a training set has the class. Classes that it does not have take no part in its problem.
    x : ndarray of float, shape (F, K, D + 1)
        The parameters; in the beginning where to start. Those of an absent class stay as they are.
    history : History
        What is known of the curvature.
    probabilities : ndarray of float, shape (F, K, n), optional
        Of each class for all rows, at `x`.
    iterations : int
        Iterations so far.
    """

    design: Design
    targets: np.ndarray
    weight: np.ndarray
    present: np.ndarray
    x: np.ndarray
    probabilities: np.ndarray | None = None
    iterations: int = 0
    history: History = field(init=False)

    def __post_init__(self) -> None:
        """Begin without knowledge."""
        self.history = History(self.x)

    def only(self, which: np.ndarray) -> Problems:
        """Some of the problems, by number."""
        own = (each[which] for each in (self.targets, self.weight, self.present, self.x))
        part = Problems(self.design.only(which), *own)
        part.probabilities = None if self.probabilities is None else self.probabilities[which]
        part.iterations, part.history = self.iterations, self.history.only(which)
        return part


@dataclass
class _Point:
    """The objective at a point."""

    x: np.ndarray  # (F, K, D + 1)
    scores: np.ndarray  # (F, K, n)
    probabilities: np.ndarray  # (F, K, n)
    wrong: np.ndarray  # (F, n), probability of all classes but the true one
    loss: np.ndarray  # (F,), float64
    rounding: np.ndarray  # (F,), by which rounding may change the loss


@dataclass(frozen=True)
class _Part:
    """The problems that are still to be solved.

    Scores are given relative to the last class, and residuals add up to 0: one class less goes through the products.
    """

    design: Design  # of these problems
    which: np.ndarray  # their numbers

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Scores (part, K, n) for the parameters (F, K, D + 1) of all problems."""
        x = x[self.which]
        found = self.design.scores(x[:, :-1] - x[:, -1:])
        return np.concatenate([found, np.zeros_like(found, shape=(len(x), 1, found.shape[2]))], axis=1)

    def gradient(self, residual: np.ndarray) -> np.ndarray:
        """The adjoint of scores, (part, K, D + 1), for residuals (part, K, n)."""
        found = self.design.gradient(residual[:, :-1])
        return np.concatenate([found, -found.sum(axis=1, keepdims=True)], axis=1)


def minimise(problems: Problems, shrink: np.ndarray, *, tolerance: float, max_iter: int) -> None:
    r"""Go on from where the problems are until all are solved; ``problems.x`` is the solution.

    Parameters
    ----------
    problems : Problems
        Changed in place.
    shrink : ndarray of float, shape (F,)
        The penalties s.
    tolerance : float
        A problem is solved when :math:`\sqrt{g^T B g}` is below it, with the gradient g and L-BFGS's inverse Hessian
        B: its square is about twice what the loss is above its minimum, and bounds the weighted mean square error of
        the scores.
    max_iter : int
    """
    absent = np.where(problems.present, 0, _ABSENT).astype(problems.x.dtype)[..., None]
    part = _Part(problems.design, np.arange(len(shrink)))
    at = _point(problems, problems.x, part.scores(problems.x) + absent, shrink)
    gradient = _gradient(problems, part, at, shrink)
    nearest, lowest, since = np.full(len(shrink), np.inf), np.full(len(shrink), np.inf), np.zeros(len(shrink), int)
    unsolved = np.ones(len(shrink), bool)
    for iteration in range(max_iter):
        if iteration % problems.design.iterations == 0:
            precondition = problems.design.preconditioner(at.probabilities, problems.weight, shrink, unsolved)
        step = -problems.history.direction(gradient, precondition)
        slope = dot(gradient, step)
        since = np.where((-slope < 0.99 * nearest) | (at.loss < lowest - at.rounding), 0, since + 1)
        nearest, lowest = np.minimum(nearest, -slope), np.minimum(lowest, at.loss)
        unsolved &= (-slope > tolerance**2) & (since < _PATIENCE)
        if not unsolved.any():
            break
        if unsolved.sum() <= _WORTH_LEAVING_OUT * len(part.which):
            part = _Part(problems.design.only(np.flatnonzero(unsolved)), np.flatnonzero(unsolved))
        step[~unsolved] = 0
        moved = _line_search(problems, part, at, step, np.where(unsolved, slope, 0.0), shrink)
        if moved is None:
            break
        gradient_moved = gradient.copy()
        gradient_moved[part.which] = _gradient(problems, part, moved, shrink)
        problems.history.add(moved.x - at.x, gradient_moved - gradient)
        at, gradient = moved, gradient_moved
        problems.iterations += 1
    problems.x, problems.probabilities = at.x, at.probabilities


def _point(problems: Problems, x: np.ndarray, scores: np.ndarray, shrink: np.ndarray) -> _Point:
    """The objective at x; of a row that is nearly certain it is what is missing that counts, to full precision."""
    top = scores.max(axis=1, keepdims=True)
    p = np.subtract(scores, top)
    np.exp(p, out=p)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    at_true = _at(problems.targets)
    right, true = p[at_true], scores[at_true]
    p[at_true] = 0
    wrong = p.sum(axis=1)
    p[at_true] = right
    data = np.where(wrong < _CERTAIN, -np.log1p(-np.minimum(wrong, _CERTAIN)), (np.log(total) + top)[:, 0] - true)
    data *= problems.weight
    loss = data.sum(axis=1, dtype=np.float64) + 0.5 * shrink * _squares(x[..., :-1])
    size = np.einsum("fn,fn,fn->f", 1 + np.abs(true), wrong, problems.weight)
    return _Point(x, scores, p, wrong, loss, np.finfo(x.dtype).eps * (4 * np.abs(loss) + 2 * size))


def _at(targets: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where (F, K, n) has the class of each row, for class numbers (F, n)."""
    f, n = targets.shape
    return np.arange(f)[:, None], targets, np.arange(n)


def _gradient(problems: Problems, part: _Part, at: _Point, shrink: np.ndarray) -> np.ndarray:
    """Of the problems of the part."""
    which = part.which
    residual = at.probabilities[which]
    residual[_at(problems.targets[which])] = -at.wrong[which]
    residual *= problems.weight[which, None]
    gradient = part.gradient(residual)
    gradient[..., :-1] += shrink[which, None, None] * at.x[which, :, :-1]
    return gradient


def _line_search(
    problems: Problems, part: _Part, at: _Point, step: np.ndarray, slope: np.ndarray, shrink: np.ndarray
) -> _Point | None:
    """Halve each problem's step until the loss falls enough (Armijo); None where no problem can move."""
    step_scores = np.zeros_like(at.scores)
    step_scores[part.which] = part.scores(step)
    t = np.where(slope < 0, 1.0, 0.0).astype(at.x.dtype)
    for halving in range(_HALVINGS + 1):
        if not t.any():
            return None
        along = t[:, None, None]
        moved = _point(problems, at.x + along * step, at.scores + along * step_scores, shrink)
        high = (t > 0) & ~(moved.loss <= at.loss + 1e-4 * t * slope + at.rounding)
        if not high.any():
            return moved
        t = np.where(high, t * 0.5 if halving < _HALVINGS - 1 else 0.0, t).astype(at.x.dtype)
    return None


def _squares(w: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("fkd,fkd->f", w, w, dtype=np.float64)
    return result
