"""The scores that say something of new training sets: over folds, or over the folds of several regroupings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination
from harness.tables import RowError

__all__ = ["OverFolds", "OverRepeats", "Scores", "size_ratio"]


@dataclass(frozen=True)
class Scores:
    """Scores of two combinations.

    Parameters
    ----------
    a, b : ndarray of float64, shape (n,)
        Accuracy in [0, 1], on the same n folds.
    ratio : float
        Of the clips that heads were tested with to those that they were fitted on.
    repeats : int
        Over how many regroupings of the clips; 0: over the folds themselves.
    """

    a: np.ndarray
    b: np.ndarray
    ratio: float
    repeats: int


class OverFolds:
    """Accuracy on each fold, mean over seeds."""

    def __init__(self, scores: pd.DataFrame, sizes: Sequence[Mapping[str, Any]]) -> None:
        self.folds, self._sizes = list(scores), sizes
        self.of = {Combination(*name): row for name, row in zip(scores.index, scores.to_numpy(), strict=True)}

    def of_pair(self, a: Combination, b: Combination) -> Scores | None:
        """Folds that both have; of two ratios of sizes the larger, which claims less."""
        both = np.isfinite(self.of[a]) & np.isfinite(self.of[b])
        if both.sum() < 2:
            return None
        common = [fold for fold, there in zip(self.folds, both, strict=True) if there]
        ratio = max(size_ratio(c, common, self._sizes) for c in (a, b))
        return Scores(self.of[a][both], self.of[b][both], ratio, 0)


class OverRepeats:
    """Accuracy on each fold of each regrouping, mean over seeds.

    Raises
    ------
    RowError
        An accuracy outside [0, 1], or numbers of clips that are not above 0; empty ones too.
    """

    def __init__(self, repeats: pd.DataFrame) -> None:
        _check_ranges(repeats)
        index = ["repeat", "fold"]
        self._scores = repeats.pivot_table(index=index, columns=list(COLUMNS), values="accuracy", aggfunc="mean")
        sums = repeats.groupby(list(COLUMNS))[["test", "train"]].sum()
        ratios = sums["test"] / sums["train"]
        self._ratio = {Combination(*name): float(value) for name, value in ratios.items()}

    def of_pair(self, a: Combination, b: Combination) -> Scores | None:
        """The folds of regroupings that both have; None where one of them was not repeated."""
        if not {a, b} <= self._ratio.keys():
            return None
        both = self._scores[[tuple(a), tuple(b)]].dropna()
        number = both.index.get_level_values("repeat").nunique()
        x, y = both.to_numpy().T
        return Scores(x, y, max(self._ratio[a], self._ratio[b]), number) if len(both) > 1 else None


def _check_ranges(repeats: pd.DataFrame) -> None:
    """Of the first row that is wrong, what is."""
    wanted = {"accuracy": "a share from 0 to 1, as 0.85 for 85 %"}
    wanted |= dict.fromkeys(("train", "test"), "a number of clips, more than 0")
    values = repeats[list(wanted)].to_numpy(dtype=float)
    right = np.isfinite(values) & (values >= 0) & np.stack([values[:, 0] <= 1, values[:, 1] > 0, values[:, 2] > 0], 1)
    for row in np.flatnonzero(~right.all(axis=1))[:1]:
        column = int(np.argmin(right[row]))
        found = "empty" if np.isnan(values[row, column]) else f"{values[row, column]:g}"
        name = list(wanted)[column]
        raise RowError(f"line {{0}}: {name} is {found}; expected {wanted[name]}", [int(row)])


def size_ratio(combination: Combination, folds: Sequence[str], sizes: Sequence[Mapping[str, Any]] = ()) -> float:
    """Ratio of the clips that heads are tested with to those that they are fitted on, over all folds.

    Parameters
    ----------
    combination : Combination
    folds : sequence of str
        The folds that are compared, at least two.
    sizes : sequence of mapping
        As step ``train`` of ``run.json`` has them: encoding, module, head, seed, and in ``folds`` the numbers
        ``train`` and ``test`` of each fold. Where these folds are not among them, the ratio is that of folds of one
        size: heads are fitted on all others, those of ``sgd`` on all but one of them, or on four fifths of one alone.
    """
    named = combination._asdict()
    own = [each["folds"] for each in sizes if named.items() <= each.items() and set(folds) <= set(each["folds"])]
    if own:
        test, train = (sum(each[fold][part] for each in own for fold in folds) for part in ("test", "train"))
        return float(test / train)
    others = len(folds) - 1
    return 1 / (max(others - 1, 0.8) if combination.head == "sgd" else others)
