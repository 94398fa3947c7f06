"""Is the difference real? Every pair of combinations, or each against a baseline, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluator.combinations import Combination
from evaluator.metrics import fold_scores
from evaluator.statistics import ROPE, Bootstrap, corrected_ttest, holm, paired_ttest, practical_equivalence
from harness.errors import SettingsError, did_you_mean

__all__ = ["Difference", "compare", "differences_table", "pairs_of", "size_ratio"]


@dataclass(frozen=True)
class Difference:
    """What is known about the difference in accuracy between two combinations, `a` less `b`.

    Parameters
    ----------
    a, b : Combination
    difference : float
        Mean over the folds that both have.
    low, high : float
        95 % bootstrap interval over groups.
    folds : int
        How many folds both have. With fewer than two there is no test: what follows is None.
    t_corrected, p_corrected, t_naive, p_naive : float or None
        As :func:`evaluator.statistics.corrected_ttest` and :func:`evaluator.statistics.paired_ttest` give them.
    p_holm : float or None
        The corrected p after Holm over the whole family.
    p_better, p_same, p_worse : float or None
        Probabilities that `a` is better than `b` by more than the rope, practically equal, worse.
    """

    a: Combination
    b: Combination
    difference: float
    low: float
    high: float
    folds: int
    t_corrected: float | None = None
    p_corrected: float | None = None
    t_naive: float | None = None
    p_naive: float | None = None
    p_holm: float | None = None
    p_better: float | None = None
    p_same: float | None = None
    p_worse: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p after Holm is below 0.05."""
        return self.p_holm is not None and self.p_holm < 0.05

    def swapped(self) -> Difference:
        """The same difference as `b` less `a`; p values, which are two-sided, stay."""
        t_corrected, t_naive = (None if t is None else -t for t in (self.t_corrected, self.t_naive))
        return replace(
            self, a=self.b, b=self.a, difference=-self.difference, low=-self.high, high=-self.low,
            t_corrected=t_corrected, t_naive=t_naive, p_better=self.p_worse, p_worse=self.p_better,
        )  # fmt: skip


def pairs_of(ranked: Sequence[Combination], baseline: str) -> list[tuple[Combination, Combination]]:
    """Pairs to compare: all of them, the better one first, or each combination with the baseline encoding.

    Parameters
    ----------
    ranked : sequence of Combination
        Best first.
    baseline : str
        An encoding; empty for all pairs. A combination is held against the baseline of the same module and head,
        or, where there is none, against the best combination of the baseline encoding.

    Raises
    ------
    SettingsError
        No combination has that encoding.
    """
    if not baseline:
        return [(a, b) for i, a in enumerate(ranked) for b in ranked[i + 1 :]]
    base = [c for c in ranked if c.encoding == baseline]
    if not base:
        raise SettingsError(
            f"baseline={baseline!r}: no such encoding; {did_you_mean(baseline, {c[0] for c in ranked})}"
        )
    return [(c, next((b for b in base if b[1:] == c[1:]), base[0])) for c in ranked if c.encoding != baseline]


def compare(
    metrics: pd.DataFrame,
    pairs: Sequence[tuple[Combination, Combination]],
    samples: Bootstrap,
    *,
    rope: float = ROPE,
    sizes: Sequence[Mapping[str, Any]] = (),
) -> list[Difference]:
    """Everything that is known about each pair; Holm is over all of `pairs`.

    Parameters
    ----------
    metrics : DataFrame
        As :func:`evaluator.metrics.metrics_table` gives it; seeds are averaged per fold first.
    pairs : sequence of (Combination, Combination)
        As :func:`pairs_of` gives them.
    samples : Bootstrap
    rope : float
    sizes : sequence of mapping
        As for :func:`size_ratio`.
    """
    scores = fold_scores(metrics)
    of = {Combination(*name): row for name, row in zip(scores.index, scores.to_numpy(), strict=True)}
    found = [_difference(a, b, list(scores), of, samples, rope, sizes) for a, b in pairs]
    adjusted = holm([d.p_corrected for d in found])
    return [replace(d, p_holm=p) for d, p in zip(found, adjusted, strict=True)]


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


def differences_table(differences: Sequence[Difference]) -> pd.DataFrame:
    """One row per pair, for ``differences.csv``; what could not be tested is empty."""
    pair = [f"{which}_{name}" for which in "ab" for name in Combination._fields]
    figures = [name for name in Difference.__dataclass_fields__ if name not in ("a", "b")]
    rows = [[*d.a, *d.b, *(getattr(d, name) for name in figures)] for d in differences]
    return pd.DataFrame(rows, columns=[*pair, *figures])


def _difference(
    a: Combination,
    b: Combination,
    folds: Sequence[str],
    scores: Mapping[Combination, np.ndarray],
    samples: Bootstrap,
    rope: float,
    sizes: Sequence[Mapping[str, Any]],
) -> Difference:
    """What the folds say of one pair alone; of two ratios of sizes the larger, which claims less."""
    low, high = samples.interval(a, b)
    both = np.isfinite(scores[a]) & np.isfinite(scores[b])
    x, y = scores[a][both], scores[b][both]
    if len(x) < 2:
        mean = (x - y).mean() if len(x) else np.nanmean(scores[a]) - np.nanmean(scores[b])
        return Difference(a, b, float(mean), low, high, len(x))
    common = [fold for fold, there in zip(folds, both, strict=True) if there]
    ratio = max(size_ratio(c, common, sizes) for c in (a, b))
    corrected, naive = corrected_ttest(x, y, test_to_train=ratio), paired_ttest(x, y)
    tests = (corrected.t, corrected.p, naive.t, naive.p, None)
    chances = practical_equivalence(x, y, rope=rope, test_to_train=ratio)
    return Difference(a, b, corrected.difference, low, high, len(x), *tests, *chances)
