"""Confusion matrices, the most confused pairs, the classification report. Rows: true class; columns: predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination
from evaluator.predictions import classes_of
from harness.errors import SettingsError

__all__ = ["Confusion", "confusion_matrices", "confusion_matrix", "most_confused", "over_seeds", "report_text"]

_AVERAGES = ("macro avg", "weighted avg")


@dataclass(frozen=True)
class Confusion:
    """Predictions counted by true and predicted class.

    Parameters
    ----------
    classes : tuple of str, length c
    counts : ndarray of int64, shape (c, c)
        Row: true class; column: predicted class. Its sum is the number of predictions.
    """

    classes: tuple[str, ...]
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Each row divided by its sum, shape (c, c), in [0, 1]; the row of a class that does not occur is 0."""
        support = self.counts.sum(axis=1, keepdims=True)
        return np.divide(self.counts, support, out=np.zeros(self.counts.shape), where=support > 0)

    def table(self, *, shares: bool = False) -> pd.DataFrame:
        """The matrix as a table with the true class in the first column, ``label``."""
        values = self.shares if shares else self.counts
        out = pd.DataFrame(values, columns=list(self.classes))
        out.insert(0, "label", list(self.classes), allow_duplicates=True)
        return out


def confusion_matrix(
    label: Sequence[str], predicted: Sequence[str], *, classes: Sequence[str] | None = None
) -> Confusion:
    """Count predictions by true and predicted class.

    Parameters
    ----------
    label, predicted : sequence of str, length n
    classes : sequence of str, optional
        Default: all that occur, sorted.

    Raises
    ------
    SettingsError
        A label or prediction that is not among `classes`.
    """
    order = sorted({*label, *predicted}) if classes is None else list(classes)
    unknown = sorted({*label, *predicted} - set(order))
    if unknown:
        raise SettingsError(
            f"classes={order}: expected every label and prediction among them, found {unknown[0]!r} too"
        )
    number = {name: i for i, name in enumerate(order)}
    row, column = ([number[name] for name in names] for names in (label, predicted))
    flat = np.asarray(row, dtype=np.intp) * len(order) + np.asarray(column, dtype=np.intp)
    counts = np.bincount(flat, minlength=len(order) ** 2)
    return Confusion(tuple(order), counts.reshape(len(order), len(order)))


def confusion_matrices(predictions: pd.DataFrame) -> dict[tuple[Combination, str], Confusion]:
    """Count predictions by class for each combination and seed, pooled over folds.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.

    Returns
    -------
    dict of (Combination, str) to Confusion
        By combination and seed; all over the same classes.
    """
    classes = classes_of(predictions)
    found = {}
    for (*names, seed), part in predictions.groupby([*COLUMNS, "seed"], sort=False):
        found[Combination(*names), str(seed)] = confusion_matrix(
            part["label"].tolist(), part["predicted"].tolist(), classes=classes
        )
    return found


def over_seeds(matrices: Mapping[tuple[Combination, str], Confusion], combination: Combination) -> Confusion:
    """The matrix of one combination, its seeds added up."""
    own = [m for (c, _), m in matrices.items() if c == combination]
    return Confusion(own[0].classes, np.sum([m.counts for m in own], axis=0))


def most_confused(confusion: Confusion, *, n: int = 10) -> pd.DataFrame:
    """The largest entries off the diagonal.

    Returns
    -------
    DataFrame
        Columns label, predicted, count, share (of the label's clips, in [0, 1]); at most `n` rows, most first.
    """
    shares, names = confusion.shares, confusion.classes
    rows = [
        (names[i], names[j], int(confusion.counts[i, j]), float(shares[i, j]))
        for i, j in zip(*np.nonzero(confusion.counts), strict=True)
        if i != j
    ]
    rows.sort(key=lambda row: (-row[2], -row[3], row[0], row[1]))
    return pd.DataFrame(rows[:n], columns=["label", "predicted", "count", "share"])


def report_text(confusion: Confusion) -> str:
    """Precision, recall, F1 and support of each class that occurs, laid out as scikit-learn's classification report.

    That takes a second to import, and the predictions one by one instead of their counts.
    """
    counts = confusion.counts
    support, guessed, hit = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    occurs = support + guessed > 0
    names = [name for name, there in zip(confusion.classes, occurs, strict=True) if there]
    shares = _share(hit, guessed), _share(hit, support), _share(2 * hit, support + guessed)
    figures = [values[occurs] for values in shares]
    weights, n = support[occurs], int(support.sum())
    width = max(map(len, [*names, _AVERAGES[-1]]))

    def line(name: str, values: Sequence[float], count: int) -> str:
        return f"{name:>{width}} " + "".join(f" {value:>9.3f}" for value in values) + f" {count:>9}\n"

    head = f"{'':>{width}} " + "".join(f" {title:>9}" for title in ("precision", "recall", "f1-score", "support"))
    rows = "".join(line(name, values, count) for name, count, *values in zip(names, weights, *figures, strict=True))
    accuracy = f"{'accuracy':>{width}} {'':>20} {hit.sum() / n:>9.3f} {n:>9}\n"
    averages = [
        line(name, [float(np.average(row, weights=by)) for row in figures], n)
        for name, by in zip(_AVERAGES, (None, weights), strict=True)
    ]
    return "\n".join([f"{head}\n", rows, "".join([accuracy, *averages])])


def _share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """`top` / `bottom`, 0 where that is 0."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
