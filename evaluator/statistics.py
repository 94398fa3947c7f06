"""Tests on plain numbers: corrected t, Holm, practical equivalence.

The folds of a cross-validation share most of their training clips, so their scores are not independent and the
ordinary paired t-test says "significant" far too often. Nadeau and Bengio (2003, "Inference for the generalization
error", Machine Learning 52) widen its variance from 1/k to 1/k + n_test/n_train: 1/k + 1/(k - 1) for heads that are
fitted on all other folds, 1/k + 1/(k - 2) for those of ``sgd``, which hold one out.
The naive t is given only to show how much the correction matters. Scores here are shares in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.student import upper_quantile, upper_tail
from harness.errors import SettingsError

__all__ = [
    "ROPE",
    "TTest",
    "corrected_ttest",
    "holm",
    "paired_ttest",
    "practical_equivalence",
]

ROPE = 0.01
Scores = Sequence[float] | np.ndarray
_FLAT = 1e-12  # a deviation below this is rounding, not spread


@dataclass(frozen=True)
class TTest:
    """A paired t-test over folds.

    Parameters
    ----------
    difference : float
        Mean of a - b.
    t, p : float or None
        Two-sided. None where every fold has the same difference other than 0: without spread there is nothing to
        test against, and calling that certain would be wrong.
    df : int
        Degrees of freedom, folds - 1.
    error : float
        Standard error of the difference; 0 without spread.
    """

    difference: float
    t: float | None
    p: float | None
    df: int
    error: float = 0.0

    def smallest(self, *, level: float, tests: int = 1) -> float | None:
        """The smallest difference in [0, 1] that would have been significant with this spread; None without spread.

        Parameters
        ----------
        level : float
            Two-sided.
        tests : int
            By how many `p` is multiplied for being one of many.
        """
        found = upper_quantile(level / tests / 2, self.df) * self.error if self.error else None
        return found if found is not None and found <= 1 else None


def corrected_ttest(a: Scores, b: Scores, *, test_to_train: float | None = None) -> TTest:
    """Corrected resampled t-test of Nadeau and Bengio (2003), two-sided.

    Parameters
    ----------
    a, b : sequence of float, length k
        Scores of two models on the same k folds, in the same order; k is at least 2.
    test_to_train : float, optional
        Ratio of test to training clips; default 1 / (k - 1), that of k-fold cross-validation.

    Raises
    ------
    SettingsError
        Different lengths, or fewer than two folds.

    Examples
    --------
    >>> long = [74.9, 73.5, 62.9, 74.7, 76.8, 73.3, 70.5, 72.9, 76.5, 74.9]
    >>> short = [72.3, 70.0, 62.2, 73.6, 76.0, 71.2, 70.4, 70.2, 72.0, 75.9]
    >>> round(corrected_ttest(long, short).t, 2)
    2.23
    """
    k = _folds(a, b)
    return _ttest(a, b, 1 / k + (1 / (k - 1) if test_to_train is None else test_to_train))


def paired_ttest(a: Scores, b: Scores) -> TTest:
    """The ordinary paired t-test, too sure of itself on folds; parameters as :func:`corrected_ttest`."""
    return _ttest(a, b, 1 / _folds(a, b))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for being many (Holm 1979).

    Parameters
    ----------
    p_values : sequence of float or None
        None (not testable) stays None, and counts as one of the many.

    Returns
    -------
    list of float or None
        In the order given, never below the p given, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: math.inf if (p := p_values[i]) is None else p)
    adjusted: list[float | None] = [None] * len(p_values)
    worst = 0.0
    for rank, i in enumerate(order):
        p = p_values[i]
        if p is not None:
            worst = max(worst, min(1.0, (len(p_values) - rank) * p))
            adjusted[i] = worst
    return adjusted


def practical_equivalence(
    a: Scores, b: Scores, *, rope: float = ROPE, test_to_train: float | None = None
) -> tuple[float, float, float]:
    """Probabilities that `a` is better, practically the same, worse: the correlated Bayesian t-test, as baycomp has it.

    Of Corani and Benavoli (2015, "A Bayesian approach for comparing cross-validated algorithms", Machine Learning 100).

    Parameters
    ----------
    a, b : sequence of float, length k
        As :func:`corrected_ttest`.
    rope : float
        Region of practical equivalence: differences up to this count as none. Default one point.
    test_to_train : float, optional
        As :func:`corrected_ttest`.

    Returns
    -------
    better, same, worse : float
        Sum to 1.
    """
    k = _folds(a, b)
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    if difference.std() < _FLAT:
        mean = float(difference.mean())
        better, worse = float(mean > rope + _FLAT), float(mean < -rope - _FLAT)
        return better, 1 - better - worse, worse
    ratio = 1 / (k - 1) if test_to_train is None else test_to_train
    mean, scale = float(difference.mean()), float(difference.std(ddof=1)) * math.sqrt(1 / k + ratio)
    better, worse = (upper_tail((rope - sign * mean) / scale, k - 1) for sign in (1, -1))
    return better, max(0.0, 1 - better - worse), worse


def _folds(a: Scores, b: Scores) -> int:
    if len(a) != len(b) or len(a) < 2:
        raise SettingsError(f"a has {len(a)} folds, b {len(b)}: expected scores of the same folds, at least 2")
    return len(a)


def _ttest(a: Scores, b: Scores, factor: float) -> TTest:
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    mean, std, df = float(difference.mean()), float(difference.std(ddof=1)), len(difference) - 1
    if std < _FLAT:
        return TTest(mean, 0.0, 1.0, df) if abs(mean) < _FLAT else TTest(mean, None, None, df)
    error = std * math.sqrt(factor)
    t = mean / error
    return TTest(mean, t, 2 * upper_tail(abs(t), df), df, error)
