"""Is the difference real? Every pair of combinations, or each against a baseline, with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from evaluator.combinations import Combination
from evaluator.metrics import fold_scores
from evaluator.statistics import (
    ROPE,
    Bootstrap,
    TTest,
    corrected_ttest,
    holm,
    paired_ttest,
    practical_equivalence,
)
from harness.errors import SettingsError, did_you_mean

__all__ = ["Difference", "compare", "differences_table", "pairs_of"]

_Odds = tuple[float | None, float | None, float | None]


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
    metrics: pd.DataFrame, pairs: Sequence[tuple[Combination, Combination]], samples: Bootstrap, *, rope: float = ROPE
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
    """
    scores = fold_scores(metrics)
    found = [_compare_one(scores.loc[tuple(a)], scores.loc[tuple(b)], rope) for a, b in pairs]
    adjusted = holm([f[1].p if f[1] else None for f in found])
    differences = []
    for (a, b), (mean, corrected, naive, odds, n), p in zip(pairs, found, adjusted, strict=True):
        low, high = samples.interval(a, b)
        differences.append(Difference(a, b, mean, low, high, corrected, naive, p, *odds, folds=n))
    return differences


def differences_table(differences: Sequence[Difference]) -> pd.DataFrame:
    """One row per pair, for ``differences.csv``; what could not be tested is empty."""
    rows = []
    for d in differences:
        row: dict[str, object] = {f"a_{k}": v for k, v in d.a._asdict().items()}
        row |= {f"b_{k}": v for k, v in d.b._asdict().items()}
        row |= {"difference": d.difference, "low": d.low, "high": d.high, "folds": d.folds}
        for name, test in (("corrected", d.corrected), ("naive", d.naive)):
            row |= {f"t_{name}": test.t if test else None, f"p_{name}": test.p if test else None}
        row |= {"p_holm": d.p_holm, "p_better": d.better, "p_same": d.same, "p_worse": d.worse}
        rows.append(row)
    columns = [*(f"{side}_{k}" for side in "ab" for k in Combination._fields), "difference", "low", "high", "folds"]
    columns += ["t_corrected", "p_corrected", "t_naive", "p_naive", "p_holm", "p_better", "p_same", "p_worse"]
    return pd.DataFrame(rows, columns=columns)


def _compare_one(a: pd.Series, b: pd.Series, rope: float) -> tuple[float, TTest | None, TTest | None, _Odds, int]:
    both = (a.notna() & b.notna()).to_numpy()
    x, y = a.to_numpy()[both], b.to_numpy()[both]
    n = int(both.sum())
    if n < 2:
        mean = float((x - y).mean()) if n else float(a.mean() - b.mean())
        return mean, None, None, (None, None, None), n
    test = corrected_ttest(x, y)
    return test.difference, test, paired_ttest(x, y), practical_equivalence(x, y, rope=rope), n


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
    corrected, naive : TTest or None
        None with fewer than two folds.
    p_holm : float or None
        The corrected p after Holm over the whole family.
    better, same, worse : float or None
        Probabilities that `a` is better than `b` by more than the rope, practically equal, worse.
    folds : int
    """

    a: Combination
    b: Combination
    difference: float
    low: float
    high: float
    corrected: TTest | None
    naive: TTest | None
    p_holm: float | None
    better: float | None
    same: float | None
    worse: float | None
    folds: int

    @property
    def significant(self) -> bool:
        """Whether the corrected p after Holm is below 0.05."""
        return self.p_holm is not None and self.p_holm < 0.05
