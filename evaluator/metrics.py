"""From predictions to figures: per fold, their mean and deviation over folds, and pooled.

Conventions
-----------
- Figures are per combination of encoding, module, head and seed.
- ``mean`` and ``std`` (ddof=1) are over folds; ``pooled`` is over all test predictions together.
- A class that has no clip in a fold has no figures there; a figure that is not defined (the precision of a class that
  was never predicted, the deviation over one fold) is left out of the table, never 0 and never NaN.
- Macro figures are over the classes that occur among the labels, mean and deviation over the folds that have
  the figure.
- Log loss and calibration error need scores that are probabilities; where they are not, they are left out.

All figures agree with scikit-learn's (the tests hold them against it); they are computed for all classes at once, as
scikit-learn's overhead per call would otherwise be most of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS
from evaluator.predictions import OVERALL, classes_of, score_matrix
from harness.tables import METRICS, check, fold_order

__all__ = [
    "BINS",
    "Figures",
    "are_probabilities",
    "average_precision_and_auroc",
    "calibration_error",
    "figures",
    "fold_scores",
    "log_loss",
    "metrics_table",
]

BINS = 15
_TOGETHER = 2_000_000  # scores that are ranked at once


@dataclass(frozen=True)
class Figures:
    """Figures of one set of predictions.

    Parameters
    ----------
    overall : dict of str to float
        Only what is defined.
    per_class : dict of str to ndarray of float64, shape (classes,)
        NaN marks what is not defined.
    """

    overall: dict[str, float]
    per_class: dict[str, np.ndarray]


def metrics_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """All figures of all combinations, as a tidy table.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.

    Returns
    -------
    DataFrame
        As `harness.tables.METRICS`; ``class`` is empty for overall figures; shares are in [0, 1].

    Raises
    ------
    TableError
        A score that is empty for some clips only, or infinite.
    """
    classes = classes_of(predictions)
    rows: list[tuple[object, ...]] = []
    for key, part in predictions.groupby([*COLUMNS, "seed"], sort=False):
        rows += [(*key, *row) for row in _rows(part, classes)]
    return check(pd.DataFrame(rows, columns=list(METRICS.columns)), METRICS)


def figures(label: np.ndarray, predicted: np.ndarray, scores: np.ndarray | None, *, n_classes: int) -> Figures:
    """Figures of one set of predictions.

    Parameters
    ----------
    label, predicted : ndarray of int, shape (n,)
        Class numbers, 0 to `n_classes` - 1; n is at least 1.
    scores : ndarray of float64, shape (n, n_classes), or None
        Without scores there is no log loss, calibration error, AP and AUROC.
    n_classes : int
    """
    counts = np.bincount(label * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    hit, support, guessed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    occurs = support > 0
    recall = _divide(hit, support)
    f1 = _divide(2 * hit, np.where(occurs, support + guessed, 0))
    per_class = {"recall": recall, "precision": np.where(occurs, _divide(hit, guessed), np.nan), "f1": f1}
    overall = {
        "accuracy": float(hit.sum() / len(label)),
        "balanced_accuracy": float(recall[occurs].mean()),
        "macro_f1": float(f1[occurs].mean()),
        "weighted_f1": float(np.average(f1[occurs], weights=support[occurs])),
    }
    if scores is not None:
        if are_probabilities(scores):
            overall["log_loss"] = log_loss(label, scores)
            overall["calibration_error"] = calibration_error(label, predicted, scores)
        ap, auroc = average_precision_and_auroc(label, scores)
        per_class |= {"ap": ap, "auroc": auroc}
        overall["macro_ap"] = float(np.nanmean(ap))
        if np.isfinite(auroc).any():
            overall["macro_auroc"] = float(np.nanmean(auroc))
    return Figures(overall, per_class)


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether every row is at least 0 and sums to 1, within a thousandth."""
    return bool((scores >= -1e-6).all() and (np.abs(scores.sum(axis=1) - 1) < 1e-3).all())


def log_loss(label: np.ndarray, scores: np.ndarray) -> float:
    """Mean negative log probability of the true class, in nats, clipped as scikit-learn does.

    Parameters
    ----------
    label : ndarray of int, shape (n,)
    scores : ndarray of float64, shape (n, classes)
        Probabilities.
    """
    given = scores[np.arange(len(label)), label]
    eps = np.finfo(np.float64).eps
    return float(-np.log(np.clip(given, eps, 1 - eps)).mean())


def calibration_error(label: np.ndarray, predicted: np.ndarray, scores: np.ndarray, *, bins: int = BINS) -> float:
    """Expected calibration error in [0, 1]: the gap between confidence and accuracy, over bins of equal width.

    Confidence is the probability of the predicted class (Guo et al. 2017).

    Parameters
    ----------
    label, predicted : ndarray of int, shape (n,)
    scores : ndarray of float64, shape (n, classes)
        Probabilities.
    bins : int
        A bin holds its upper edge, not its lower one.
    """
    confidence = scores[np.arange(len(label)), predicted]
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=(predicted == label) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(label))


def average_precision_and_auroc(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average precision and area under the ROC curve of each class against all others, ties counted as one threshold.

    Parameters
    ----------
    label : ndarray of int, shape (n,)
    scores : ndarray of float64, shape (n, classes)
        Any finite scores; higher is more likely.

    Returns
    -------
    ap, auroc : ndarray of float64, shape (classes,)
        NaN where a class does not occur; `auroc` also where nothing else does.
    """
    width = max(1, _TOGETHER // len(scores))  # ten arrays of the scores' shape would be the evaluation's memory
    parts = [slice(k, k + width) for k in range(0, scores.shape[1], width)]
    found = [_ap_and_auroc(label, scores[:, part], np.arange(scores.shape[1])[part]) for part in parts]
    ap, auroc = (np.concatenate(each) for each in zip(*found, strict=True))
    return ap, auroc


def _ap_and_auroc(label: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of some classes, whose columns `scores` has."""
    n, n_classes = scores.shape
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=0)
    positive = label[order] == classes
    hits = np.cumsum(positive, axis=0)
    row = np.arange(n)[:, None]
    last = np.ones((n, n_classes), dtype=bool)  # the last row of a run of equal scores
    last[:-1] = ranked[:-1] != ranked[1:]
    end = np.minimum.accumulate(np.where(last, row, n)[::-1], axis=0)[::-1]
    hits_at_end = np.take_along_axis(hits, end, axis=0)
    start = np.maximum.accumulate(np.where(np.vstack([last[:1] | True, last[:-1]]), row, 0), axis=0)
    hits_before = np.take_along_axis(hits, start, axis=0) - np.take_along_axis(positive, start, axis=0)
    n_positive = hits[-1]
    ap = _divide((positive * hits_at_end / (end + 1)).sum(axis=0), n_positive)
    auroc = _divide((~positive * (hits_before + hits_at_end) / 2).sum(axis=0), n_positive * (n - n_positive))
    return ap, auroc


def fold_scores(metrics: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on each fold, averaged over seeds.

    Parameters
    ----------
    metrics : DataFrame
        As :func:`metrics_table` gives it.

    Returns
    -------
    DataFrame of float64, shape (combinations, folds)
        Indexed by encoding, module, head; folds in natural order; NaN where a combination lacks a fold.
    """
    chosen = metrics[(metrics["metric"] == "accuracy") & ~metrics["fold"].isin(OVERALL)]
    wide = chosen.pivot_table(index=list(COLUMNS), columns="fold", values="value", aggfunc="mean", sort=True)
    return wide[fold_order(chosen["fold"])]


def _rows(part: pd.DataFrame, classes: Sequence[str]) -> list[tuple[str, str, str, float]]:
    """Rows (fold, class, metric, value) of one combination and seed."""
    number = {name: i for i, name in enumerate(classes)}
    label = part["label"].map(number).to_numpy(dtype=np.intp)
    predicted = part["predicted"].map(number).to_numpy(dtype=np.intp)
    scores = score_matrix(part, classes)
    place, names = pd.factorize(part["fold"])

    def of(rows: np.ndarray | slice) -> Figures:
        own = None if scores is None else scores[rows]
        return figures(label[rows], predicted[rows], own, n_classes=len(classes))

    folds = fold_order(names)
    by_fold = [of(np.flatnonzero(place == names.get_loc(name))) for name in folds]
    pooled = of(slice(None))
    rows: list[tuple[str, str, str, float]] = []
    for metric in pooled.overall:
        values = np.array([f.overall.get(metric, np.nan) for f in by_fold])[:, None]
        rows += _with_summary(metric, [""], folds, values, np.array([pooled.overall[metric]]))
    for metric, whole in pooled.per_class.items():
        rows += _with_summary(metric, classes, folds, np.array([f.per_class[metric] for f in by_fold]), whole)
    return rows


def _with_summary(
    metric: str, classes: Sequence[str], folds: Sequence[str], values: np.ndarray, pooled: np.ndarray
) -> list[tuple[str, str, str, float]]:
    """Rows of one figure: `values` (folds, classes), their mean and deviation over folds, `pooled` (classes,)."""
    here = np.isfinite(values)
    n = here.sum(axis=0)
    mean = _divide(np.where(here, values, 0).sum(axis=0), n)
    spread = np.where(here, (values - mean) ** 2, 0).sum(axis=0)
    std = np.sqrt(_divide(spread, n - 1))
    lines = [*zip(folds, values, strict=True), ("mean", mean), ("std", std), ("pooled", pooled)]
    return [
        (fold, name, metric, float(value))
        for fold, line in lines
        for name, value in zip(classes, line, strict=True)
        if np.isfinite(value)
    ]


def _divide(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """`top` / `bottom`, NaN where `bottom` is not positive."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
