"""Is the difference real? The best against each other combination, each against a baseline, or all pairs.

Two questions are asked of each pair, and answered apart:

- *these models, new recordings*: sign flips of whole groups (`permutation`);
- *this method, new training sets*: the corrected t over folds, or over the folds of several regroupings (`statistics`).

The best was chosen on these very clips. So that the level holds with that, p values of its pairs are adjusted in the
family of all pairs, shown or not. Pairs against a baseline, which is named beforehand, are a family of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination
from evaluator.intervals import Bootstrap
from evaluator.metrics import fold_scores
from evaluator.outcomes import Outcomes
from evaluator.permutation import LEVEL, SignFlips, sign_flips
from evaluator.statistics import ROPE, TTest, corrected_ttest, holm, paired_ttest, practical_equivalence
from evaluator.training_scores import OverFolds, OverRepeats
from harness.code_version import code_version
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_bytes
from harness.store import Store, key_of

__all__ = ["Difference", "Family", "compare", "differences_table", "families_of"]

Pair = tuple[Combination, Combination]
_KIND = "sign_flips"


@dataclass(frozen=True)
class Family:
    """Pairs whose p values are adjusted together.

    Parameters
    ----------
    name : str
        ``best``: all pairs, of which those with the best are shown; ``all``: all pairs; ``baseline``.
    pairs : tuple of (Combination, Combination)
        All of them.
    shown : tuple of (Combination, Combination)
        Those that are shown.
    """

    name: str
    pairs: tuple[Pair, ...]
    shown: tuple[Pair, ...]


@dataclass(frozen=True)
class Difference:
    """What is known about the difference in accuracy between two combinations, `a` less `b`; shares in [-1, 1].

    Parameters
    ----------
    a, b : Combination
    difference : float
        Mean over the folds that both have.
    low, high : float
        95 % bootstrap interval over groups, for this pair alone.
    folds : int
        How many folds both have. With fewer than two, and no repeats, nothing is said of new training sets.
    family : str
        As :class:`Family` names it.
    compared : int
        How many pairs the family has.
    groups : int
        In how many groups the two differ.
    p_permutation, p_permutation_adjusted : float or None
        Of new recordings, for this pair alone and in its family; as :class:`evaluator.permutation.SignFlips`.
    smallest_recordings : float or None
        The smallest difference that would have been decided for new recordings; None where the two differ in too few
        groups for any.
    repeats : int
        Over how many regroupings of the clips the corrected t is; 0: over the folds themselves.
    difference_training : float or None
        Mean over what the corrected t is over.
    t_corrected, p_corrected : float or None
        Of new training sets, for this pair alone; as :func:`evaluator.statistics.corrected_ttest`.
    p_corrected_adjusted : float or None
        After Holm over the family.
    smallest_training : float or None
        The smallest difference that would have been decided for new training sets.
    p_better, p_same, p_worse : float or None
        Probabilities that `a` is better than `b` by more than the rope, practically equal, worse, with new training
        sets.
    t_naive, p_naive : float or None
        The ordinary paired t over folds, which is wrong here.
    """

    a: Combination
    b: Combination
    difference: float
    low: float
    high: float
    folds: int
    family: str = "all"
    compared: int = 1
    groups: int = 0
    p_permutation: float | None = None
    p_permutation_adjusted: float | None = None
    smallest_recordings: float | None = None
    repeats: int = 0
    difference_training: float | None = None
    t_corrected: float | None = None
    p_corrected: float | None = None
    p_corrected_adjusted: float | None = None
    smallest_training: float | None = None
    p_better: float | None = None
    p_same: float | None = None
    p_worse: float | None = None
    t_naive: float | None = None
    p_naive: float | None = None

    @property
    def decided_recordings(self) -> bool:
        """Whether the two differ on new recordings, at a level of 5 % for the whole family."""
        return self.p_permutation_adjusted is not None and self.p_permutation_adjusted <= LEVEL

    @property
    def decided_training(self) -> bool:
        """Whether the two differ with new training sets, at a level of 5 % for the whole family."""
        return self.p_corrected_adjusted is not None and self.p_corrected_adjusted <= LEVEL

    def swapped(self) -> Difference:
        """The same difference as `b` less `a`; p values, which are two-sided, stay."""
        negative: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else -value
            for name in ("difference", "difference_training", "t_corrected", "t_naive")
        }
        return replace(
            self, a=self.b, b=self.a, low=-self.high, high=-self.low, p_better=self.p_worse, p_worse=self.p_better,
            **negative,
        )  # fmt: skip


def families_of(ranked: Sequence[Combination], baseline: str = "", *, all_pairs: bool = False) -> list[Family]:
    """What is compared: the best with each other combination, and each with the baseline encoding where one is named.

    Parameters
    ----------
    ranked : sequence of Combination
        Best first.
    baseline : str
        An encoding, or empty. A combination is held against the baseline of the same module and head, or, where there
        is none, against the best combination of the baseline encoding.
    all_pairs : bool
        Show all pairs, the better one first. That changes no p value.

    Raises
    ------
    SettingsError
        No combination has the encoding `baseline`.
    """
    every = tuple(combinations(ranked, 2))
    families = [Family("all", every, every) if all_pairs else Family("best", every, every[: len(ranked) - 1])]
    if baseline:
        base = [c for c in ranked if c.encoding == baseline]
        if not base:
            known = {c.encoding for c in ranked}
            raise SettingsError(f"baseline={baseline!r}: no such encoding; {did_you_mean(baseline, known)}")
        pairs = [(c, next((b for b in base if b[1:] == c[1:]), base[0])) for c in ranked if c.encoding != baseline]
        families.append(Family("baseline", tuple(pairs), tuple(pairs)))
    return [family for family in families if family.pairs]


def compare(
    metrics: pd.DataFrame,
    families: Sequence[Family],
    samples: Bootstrap,
    outcomes: Outcomes,
    *,
    repeats: pd.DataFrame | None = None,
    rope: float = ROPE,
    sizes: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    store: Store | None = None,
) -> list[Difference]:
    """Everything that is known about each pair that is shown.

    Parameters
    ----------
    metrics : DataFrame
        As :func:`evaluator.metrics.metrics_table` gives it; seeds are averaged per fold first.
    families : sequence of Family
        As :func:`families_of` gives them.
    samples : Bootstrap
    outcomes : Outcomes
    repeats : DataFrame, optional
        As `harness.tables.REPEATS`; where it has both of a pair, the corrected t is over its folds.
    rope : float
    sizes : sequence of mapping
        As for :func:`size_ratio`.
    seed : int
        Of the sign flips.
    store : Store, optional
        Where the outcome of sign flips is looked up and put.
    """
    over_folds = OverFolds(fold_scores(metrics), sizes)
    repeated = None if repeats is None or repeats.empty else OverRepeats(repeats)
    found = []
    for family in families:
        bare = [_of_folds(pair, over_folds, repeated, rope) for pair in family.pairs]
        with_training = _adjusted([each for each, _ in bare], [test for _, test in bare])
        shown = set(family.shown)
        done = zip(family.pairs, _with_recordings(with_training, outcomes, seed, store), strict=True)
        for pair, d in done:
            if pair in shown:
                low, high = samples.interval(*pair)
                found.append(replace(d, low=low, high=high, family=family.name, compared=len(family.pairs)))
    return found


def differences_table(differences: Sequence[Difference]) -> pd.DataFrame:
    """One row per pair, for ``differences.csv``; what could not be tested is empty. ``docs/statistics.md`` has all."""
    pair = [f"{which}_{name}" for which in "ab" for name in COLUMNS]
    figures = [name for name in Difference.__dataclass_fields__ if name not in ("a", "b", "family", "compared")]
    words = {True: "yes", False: "no"}
    rows = [
        [d.family, *d.a, *d.b, words[d.decided_recordings], words[d.decided_training], d.compared]
        + [getattr(d, name) for name in figures]
        for d in differences
    ]
    decided = ["decided_recordings", "decided_training", "compared"]
    table = pd.DataFrame(rows, columns=["family", *pair, *decided, *figures])
    numbers = [name for name in figures if name not in ("folds", "groups", "repeats")]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _of_folds(
    pair: Pair, scores: OverFolds, repeated: OverRepeats | None, rope: float
) -> tuple[Difference, TTest | None]:
    """What the folds say of one pair alone, without its interval, and the corrected t, or None."""
    a, b = pair
    gap = scores.of[a] - scores.of[b]
    both = np.isfinite(gap)
    mean = gap[both].mean() if both.any() else np.nanmean(scores.of[a]) - np.nanmean(scores.of[b])
    found = Difference(a, b, float(mean), math.nan, math.nan, int(both.sum()))
    own = scores.of_pair(a, b)
    if own is not None:
        naive = paired_ttest(own.a, own.b)
        found = replace(found, t_naive=naive.t, p_naive=naive.p)
    training = (repeated and repeated.of_pair(a, b)) or own
    if training is None:
        return found, None
    test = corrected_ttest(training.a, training.b, test_to_train=training.ratio)
    better, same, worse = practical_equivalence(training.a, training.b, rope=rope, test_to_train=training.ratio)
    return replace(
        found, repeats=training.repeats, difference_training=test.difference, t_corrected=test.t, p_corrected=test.p,
        p_better=better, p_same=same, p_worse=worse,
    ), test  # fmt: skip


def _adjusted(found: Sequence[Difference], tests: Sequence[TTest | None]) -> list[Difference]:
    """With Holm over all of them, and the smallest difference that it would have let pass."""
    adjusted = holm([d.p_corrected for d in found])
    decided = [p is not None and p <= LEVEL for p in adjusted]
    rest = len(found) - sum(decided)
    return [
        replace(
            d,
            p_corrected_adjusted=p,
            smallest_training=None if test is None else test.smallest(level=LEVEL, tests=rest + done),
        )
        for d, p, test, done in zip(found, adjusted, tests, decided, strict=True)
    ]


def _with_recordings(
    found: Sequence[Difference], outcomes: Outcomes, seed: int, store: Store | None
) -> list[Difference]:
    """With what flipped signs say of them, all together."""
    flips = _flips(*outcomes.differences([(d.a, d.b) for d in found]), seed, store)
    return [
        replace(
            d,
            groups=int(flips.groups[k]),
            p_permutation=float(flips.p[k]),
            p_permutation_adjusted=float(flips.p_adjusted[k]),
            smallest_recordings=float(flips.critical[k])
            if flips.groups[k] and np.isfinite(flips.critical[k])
            else None,
        )
        for k, d in enumerate(found)
    ]


def _flips(parts: np.ndarray, weights: np.ndarray, seed: int, store: Store | None) -> SignFlips:
    """The outcome of sign flips, from the store where the same were done before: of many pairs they take a second."""
    if store is None:
        return sign_flips(parts, weights, seed=seed)
    arrays = [np.ascontiguousarray(each, np.float64) for each in (parts, weights)]
    digests = [[list(each.shape), digest_bytes(each.data)] for each in arrays]
    key = key_of(arrays=digests, seed=seed, code=code_version(SignFlips.__module__), numpy=np.__version__)
    known: dict[str, Any] | None = store.get_json(_KIND, key)
    if known is not None:
        arrays_again: dict[str, Any] = {name: np.array(v) if isinstance(v, list) else v for name, v in known.items()}
        return SignFlips(**arrays_again)
    found = sign_flips(parts, weights, seed=seed)
    store.put_json(
        _KIND, key, {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in vars(found).items()}
    )
    return found
