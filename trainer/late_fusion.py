"""Fuse heads: the mean of log scores, or their weighted mean; all code that the numbers of fused heads depend on.

With linear heads a weighted mean of log scores is a linear head too, on the feature vectors joined end to end: the
members' weights and biases, each times its member's weight.

The weights of a fold lie on the simplex (at least 0, sum 1) and minimise the log loss of its validation clips, which
are scored by heads that were fitted to the split's training clips alone, at the strength that each member has chosen.
The clips that the fold tests are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.balance import balanced_split
from harness.head import Head, softmax
from harness.protocol import Split
from trainer import logistic, sgd
from trainer.fitting import HeadSettings, Trained

__all__ = ["FusedTrained", "choose_weights", "fuse_heads", "mean_weights", "of_classes", "simplex_weights"]

_ITERATIONS = 300
_TOLERANCE = 1e-9  # of the log loss, in nats


@dataclass
class FusedTrained(Trained):
    """The heads of a fused row.

    Parameters
    ----------
    weights : dict of str to list of float
        Of the members, by fold; empty where one head was fitted on the vectors.
    """

    weights: dict[str, list[float]] = field(default_factory=dict)


def fuse_heads(heads: Sequence[Head], weights: Sequence[float]) -> Head:
    """The head on joined feature vectors that gives the weighted mean of the members' log scores, scaled to sum to 1.

    Parameters
    ----------
    heads : sequence of Head
        Of the same classes in the same order.
    weights : sequence of float
    """
    parts = [weight * head.weights.astype(np.float64) for weight, head in zip(weights, heads, strict=True)]
    biases = [weight * head.bias.astype(np.float64) for weight, head in zip(weights, heads, strict=True)]
    return Head(np.concatenate(parts).astype(np.float32), np.sum(biases, axis=0).astype(np.float32))


def of_classes(head: Head, classes: Sequence[str], wanted: Sequence[str]) -> Head:
    """The head for some of its classes, in another order."""
    if list(classes) == list(wanted):
        return head
    columns = [list(classes).index(name) for name in wanted]
    return Head(np.ascontiguousarray(head.weights[:, columns]), head.bias[columns])


def mean_weights(weights: Mapping[str, Sequence[float]]) -> list[float]:
    """The mean over folds: of the final head, which is fitted to all clips."""
    return [float(each) for each in np.mean(list(weights.values()), axis=0)]


def choose_weights(
    members: Sequence[Callable[[], np.ndarray]],
    labels: Sequence[str],
    classes: Sequence[str],
    splits: Sequence[Split],
    trained: Sequence[Trained],
    *,
    settings: HeadSettings,
    seed: int,
) -> dict[str, list[float]]:
    """Choose the weights of the members for each fold.

    Parameters
    ----------
    members : sequence of callable
        Each gives a member's feature vectors, float32 (n, D); one is in memory at a time.
    labels : sequence of str, length n
        None is empty.
    classes : sequence of str
        All of `labels`, in the order of the scores.
    splits : sequence of Split
        Of the n rows.
    trained : sequence of Trained
        The members' cross-validations, whose chosen strengths are used.
    settings, seed
        As for :func:`trainer.fitting.fit_folds`.
    """
    number = {name: k for k, name in enumerate(classes)}
    targets = np.array([number.get(label, -1) for label in labels])
    fitted = [balanced_split(split, labels, settings.balance, seed=seed) for split in splits]
    judged = [s.validation[np.isin(targets[s.validation], targets[s.train])] for s in splits]
    scores: list[list[np.ndarray]] = [[] for _ in splits]
    for features, own in zip(members, trained, strict=True):
        values = features()
        heads = _train_heads(values, targets, len(classes), fitted, own, settings=settings, seed=seed)
        for of_fold, head, rows in zip(scores, heads, judged, strict=True):
            of_fold.append(_log_scores(values[rows], head))
    return {
        s.fold: simplex_weights(np.stack(found), targets[rows]).tolist()
        for s, found, rows in zip(splits, scores, judged, strict=True)
    }


def _train_heads(
    values: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    splits: Sequence[Split],
    trained: Trained,
    *,
    settings: HeadSettings,
    seed: int,
) -> list[Head]:
    """The head of each split, fitted to its training rows alone."""
    train = [s.train for s in splits]
    if settings.head == "sgd":
        return [sgd.fit(values[rows], targets[rows], n_classes, settings=settings.sgd, seed=seed) for rows in train]
    strengths = np.array([[trained.chosen[s.fold]] for s in splits])
    with logistic.threads_for(values.size):  # the last digits depend on their number
        found = logistic.fit_many(values, targets, n_classes, train=train, strengths=strengths)
    return [heads[0] for heads in found]


def _log_scores(values: np.ndarray, head: Head) -> np.ndarray:
    """Logarithms of the class probabilities, float64 (n, classes)."""
    logits = values.astype(np.float64) @ head.weights.astype(np.float64) + head.bias
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def simplex_weights(log_scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weights, at least 0 and of sum 1, whose mean of log scores has the lowest log loss; a convex problem.

    Parameters
    ----------
    log_scores : ndarray of float64, shape (members, n, classes)
    targets : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (members,)
        Equal weights where there are no rows.

    Examples
    --------
    >>> right, wrong = np.log([[0.8, 0.2]]), np.log([[0.3, 0.7]])
    >>> simplex_weights(np.stack([right, wrong]), np.array([0])).round(6).tolist()
    [1.0, 0.0]
    """
    from scipy.optimize import minimize  # half a second, which every training would wait

    n_members, n = log_scores.shape[:2]
    equal = np.full(n_members, 1 / n_members)
    if not n:
        return equal
    of_target = log_scores[:, np.arange(n), targets]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.tensordot(weights, log_scores, axes=1)
        highest = logits.max(axis=1)
        total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
        expected = (softmax(logits)[None] * log_scores).sum(axis=2)
        return float((total - weights @ of_target).mean()), (expected - of_target).mean(axis=1)

    found = minimize(
        loss, equal, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * n_members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": _ITERATIONS, "ftol": _TOLERANCE},
    )  # fmt: skip
    weights = np.clip(found.x, 0.0, None)
    if not np.isfinite(weights).all() or weights.sum() <= 0:
        return equal
    weights = weights / weights.sum()
    return weights if loss(weights)[0] <= loss(equal)[0] else equal
