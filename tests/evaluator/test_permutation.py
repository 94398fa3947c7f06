"""Sign flips of whole groups: exact cases by hand, the definition tried out, groups and not clips."""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import pandas as pd
import pytest

from evaluator.combinations import Combination
from evaluator.metrics import metrics_table
from evaluator.outcomes import Outcomes, number_groups, outcomes_of
from evaluator.permutation import sign_flips
from evaluator.predictions import prepare
from harness.tables import PREDICTIONS, frame

A, B, C = (Combination(e, "m", "lbfgs") for e in ("gray", "logmel", "waveform"))
ONE = np.ones((1, 1))


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_few_groups_are_tried_exactly() -> None:
    found = sign_flips(column(0.1, 0.1, 0.1, 0.1, 0.1, 0.1), np.full((6, 1), 1 / 6))
    assert found.draws == 0
    assert found.p[0] == found.p_adjusted[0] == 2 / 2**6
    found = sign_flips(column(3, 2, -1, 0, 0), np.full((5, 1), 0.2))
    assert found.groups[0] == 3
    assert found.p[0] == 4 / 8  # 4 and 6 either way, of 8 sums
    assert np.isnan(found.critical[0]), "three groups can decide nothing"


def test_all_signs_are_scipys_permutation_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(3).standard_normal(11) + 0.5
    wanted = stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flips(values[:, None], ONE / 11).p[0] == pytest.approx(wanted)


def test_random_signs_come_near_all_signs() -> None:
    values = np.array([1.0] * 11 + [-1.0] * 5 + [0.0])
    every = np.abs(np.array(list(product([-1, 1], repeat=np.count_nonzero(values)))) @ values[values != 0])
    found = sign_flips(values[:, None], ONE / 17)
    assert found.draws == 10_000
    assert found.groups[0] == 16
    assert found.p[0] == pytest.approx((every >= abs(values.sum()) - 1e-9).mean(), abs=0.01)
    again = sign_flips(values[:, None], ONE / 17)
    assert again.p[0] == found.p[0]
    assert sign_flips(values[:, None], ONE / 17, seed=1).p[0] != found.p[0]


def test_more_signs_are_drawn_where_a_decision_is_near() -> None:
    """The same decision by every seed, of a pair whose p is .0527."""
    values = np.array([1.0] * 64 + [-1.0] * 43)  # p by the binomial distribution
    true = 2 * sum(comb(107, k) for k in range(64, 108)) / 2**107
    assert 0.05 < true < 0.06
    parts = values[:, None] / 107
    found = [sign_flips(parts, ONE / 107, seed=seed) for seed in range(3)]
    assert all(each.draws > 10_000 for each in found)
    assert all(each.p_adjusted[0] > 0.05 for each in found)
    assert found[0].p[0] == sign_flips(parts, ONE / 107, seed=0).p[0]
    assert sign_flips(np.ones((107, 1)) / 107, ONE / 107).draws == 10_000, "far from any doubt"


def stepped_down_by_definition(parts: np.ndarray) -> list[float]:
    """Westfall and Young's free step-down, all signs, one pair after the other."""
    scaled = parts / np.sqrt((parts**2).sum(axis=0))
    every = np.abs(np.array(list(product([-1, 1], repeat=len(parts)))) @ scaled)
    observed = np.abs(scaled.sum(axis=0))
    p = {}
    left = list(range(parts.shape[1]))
    worst = 0.0
    while left:
        first = max(left, key=lambda k: observed[k])
        worst = max(worst, float((every[:, left].max(axis=1) >= observed[first] - 1e-9).mean()))
        p[first] = worst
        left.remove(first)
    return [p[k] for k in sorted(p)]


def test_max_t_is_what_its_definition_gives() -> None:
    rng = np.random.default_rng(8)
    outcomes = rng.random((10, 4)) + np.array([0.6, 0.2, 0, 0])
    pairs = list(combinations(range(4), 2))
    parts = np.stack([outcomes[:, a] - outcomes[:, b] for a, b in pairs], axis=1) / 10
    found = sign_flips(parts, np.full((10, 1), 0.1))
    assert list(found.p_adjusted) == pytest.approx(stepped_down_by_definition(parts))
    assert (found.p_adjusted >= found.p).all()


def test_a_difference_is_decided_from_the_critical_one_on() -> None:
    rng = np.random.default_rng(2)
    base = rng.random((120, 6)) + np.array([0.3, 0.15, 0.1, 0, 0, 0])
    pairs = list(combinations(range(6), 2))
    parts = np.stack([base[:, a] - base[:, b] for a, b in pairs], axis=1) / 120
    found = sign_flips(parts, np.full((120, 1), 1 / 120))
    decided = found.p_adjusted <= 0.05
    assert 0 < decided.sum() < len(pairs)
    assert ((np.abs(found.difference) > found.critical) == decided).all()


def test_many_pairs_by_a_basis_are_the_same_pairs() -> None:
    """66 pairs of 12 combinations; each alone has the p that it has among others."""
    rng = np.random.default_rng(4)
    base = rng.integers(0, 2, (200, 12)).astype(float)
    pairs = list(combinations(range(12), 2))
    parts = np.stack([base[:, a] - base[:, b] for a, b in pairs], axis=1) / 200
    weights = np.full((200, 1), 1 / 200)
    together, few = sign_flips(parts, weights), sign_flips(parts[:, :20], weights)
    assert together.difference == pytest.approx(parts.sum(axis=0))
    assert together.p[:20] == pytest.approx(few.p, abs=0.03)
    assert (together.p_adjusted[:20] >= few.p_adjusted - 0.02).all()


def outcomes(right: dict[str, list[int]], folds: list[str], groups: list[str] | None = None) -> Outcomes:
    rows = [
        {"clip_id": f"{i:03d}.wav", "encoding": e, "module": "m", "head": "lbfgs", "seed": "0", "fold": folds[i],
         "label": "ab"[i % 2], "predicted": "ab"[i % 2 if ok else 1 - i % 2]}
        for e, values in right.items()
        for i, ok in enumerate(values)
    ]  # fmt: skip
    table = prepare(frame(rows, PREDICTIONS))
    return outcomes_of(table, {f"{i:03d}.wav": g for i, g in enumerate(groups or [])})


def test_clips_of_a_group_are_flipped_together() -> None:
    """Twelve clips of two recordings decide nothing, of twelve recordings they do."""
    right = {"gray": [1] * 12, "logmel": [0] * 12}
    folds = [str(i % 3) for i in range(12)]
    apart = sign_flips(*outcomes(right, folds).differences([(A, B)]))
    assert apart.p[0] == 2 / 2**12
    together = sign_flips(*outcomes(right, folds, [f"g{i % 2}" for i in range(12)]).differences([(A, B)]))
    assert together.groups[0] == 2
    assert together.p[0] == 2 / 2**2


def test_parts_of_groups_sum_to_the_difference_as_it_is_reported() -> None:
    """Mean over folds of one size and another, and clips that one of the two does not have."""
    rng = np.random.default_rng(0)
    folds = ["1"] * 7 + ["2"] * 3 + ["3"] * 14
    found = outcomes({e: list(rng.integers(0, 2, 24)) for e in ("gray", "logmel", "waveform")}, folds)
    parts, weights = found.differences([(A, B), (A, C)])
    fold = np.array(folds)
    for k, other in enumerate((1, 2)):
        gap = found.right[:, 0] - found.right[:, other]
        assert parts[:, k].sum() == pytest.approx(np.mean([gap[fold == f].mean() for f in "123"]))
    assert weights.sum() == pytest.approx(1)
    found.right[[0, 7, 8], 1] = np.nan
    parts, weights = found.differences([(A, B), (A, C)])
    gap = found.right[:, 0] - found.right[:, 1]
    assert parts[:, 0].sum() == pytest.approx(np.mean([np.nanmean(gap[fold == f]) for f in "123"]))
    assert weights.sum(axis=0) == pytest.approx(1)
    assert not parts[found.groups.number[0], 0]


def test_seeds_are_averaged_per_clip() -> None:
    rows = [
        {"clip_id": c, "encoding": "gray", "seed": s, "label": "a", "predicted": guess}
        for c, s, guess in (("x", "0", "a"), ("x", "1", "b"), ("y", "0", "a"), ("y", "1", "a"))
    ]
    table = prepare(frame(rows, PREDICTIONS))
    assert outcomes_of(table).right[:, 0].tolist() == [0.5, 1.0]
    assert metrics_table(table).query("metric == 'accuracy' and fold == 'pooled'")["value"].mean() == 0.75


def test_groups_are_numbered_and_named() -> None:
    found = number_groups(["x", "y", "z"], {"x": "g", "z": "g"})
    assert (found.number[0] == found.number[2] != found.number[1], found.count, found.unit) == (True, 2, "groups")
    copies = number_groups(["x", "y"], {"x": "same sound as y", "y": "same sound as y"})
    assert (copies.count, copies.unit) == (1, "distinct sounds")
    assert pd.Series(number_groups(["x", "y"]).number).is_unique


def test_rows_that_never_differ_or_share_no_clip_are_not_decided() -> None:
    folds = ["1", "2"] * 10
    same = outcomes({"gray": [1] * 20, "logmel": [1] * 20}, folds)
    found = sign_flips(*same.differences([(A, B)]))
    assert (found.p[0], found.p_adjusted[0], found.groups[0], found.difference[0]) == (1, 1, 0, 0)
    assert np.isnan(found.critical[0])
    same.right[:10, 0] = np.nan
    same.right[10:, 1] = np.nan
    apart = sign_flips(*same.differences([(A, B)]))
    assert (apart.p_adjusted[0], apart.groups[0]) == (1, 0)


def test_of_more_groups_than_can_be_flipped_some_are_flipped_together() -> None:
    rng = np.random.default_rng(0)
    parts = rng.integers(-1, 2, (30_000, 1)) / 30_000
    parts[:600] = 1 / 30_000
    found = sign_flips(parts, np.full((30_000, 1), 1 / 30_000), draws=200)
    z = parts.sum() / np.sqrt((parts**2).sum())
    assert z > 3
    assert found.p[0] == pytest.approx(1 / (found.draws + 1))
    assert found.critical[0] / found.difference[0] == pytest.approx(2 / z, rel=0.15)
