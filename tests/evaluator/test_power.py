"""The tests of differences put to the test: level and power with classifiers that are really trained, many times over.

``benchmarks/power.py`` has the simulations; ``docs/statistics.md`` the figures of more of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.power import CORRECTED, NOISE, PERMUTATION, REPEATED, among_many, of_two
from benchmarks.simulated import Design, draw_corpus, folds_by_group, heads_of, right_by

SMALL = Design(groups=60, dimensions=20, distance=0.6)
NAIVE_CLIPS, NAIVE_FOLDS = "sign flips of clips (naive)", "paired t, 5 folds (naive)"
ALL_PAIRS, BEST_ALONE = (
    "sign flips, all pairs' max-T, read at the best",
    "sign flips, max-T over the best's pairs alone (naive)",
)


def test_folds_are_stratified_by_whole_groups() -> None:
    rng = np.random.default_rng(0)
    corpus = draw_corpus(SMALL, np.zeros((5, 20)), rng)
    fold = folds_by_group(corpus, 5, rng)
    assert all(len(set(fold[corpus.group == g])) == 1 for g in range(60))
    assert set(np.bincount(fold)) == {48}
    again = folds_by_group(corpus, 5, rng)
    assert (fold != again).any()


def test_heads_are_ridge_regressions_on_the_other_folds() -> None:
    rng = np.random.default_rng(1)
    corpus = draw_corpus(SMALL, rng.standard_normal((5, 20)), rng)
    fold = folds_by_group(corpus, 5, rng)
    heads = heads_of(corpus.x, corpus.label, fold, classes=5, folds=5)
    rows = fold != 2
    x, target = corpus.x[1][rows], np.eye(5)[corpus.label[rows]]
    np.testing.assert_allclose(heads[1, 2], np.linalg.solve(x.T @ x + 3.0 * np.eye(21), x.T @ target))
    right = right_by(heads, corpus, fold)
    tested = np.flatnonzero(fold == 2)
    assert (right[tested, 1] == ((corpus.x[1][tested] @ heads[1, 2]).argmax(axis=1) == corpus.label[tested])).all()


def test_the_level_holds_where_the_naive_ways_exceed_it() -> None:
    found = of_two(SMALL, replicates=150, repeats=3, seed=1)
    assert max(found[name] for name in (PERMUTATION, CORRECTED, REPEATED.format(3))) <= 7
    assert min(found[name] for name in (NAIVE_CLIPS, NAIVE_FOLDS, "paired t, 3 x 5 folds (naive)")) >= 10


def test_the_best_of_several_is_chosen_at_the_same_level() -> None:
    equal = Design(groups=60, dimensions=20, distance=0.6, noise=(0.0,) * 6)
    found = among_many(equal, replicates=60, repeats=1, seed=1)
    assert found[ALL_PAIRS][0] <= 7
    assert found[BEST_ALONE][0] > 10


@pytest.mark.long
def test_the_level_of_all_tests_with_400_clips() -> None:
    found = of_two(Design(), replicates=500, seed=7)
    assert max(found[name] for name in (PERMUTATION, CORRECTED, REPEATED.format(10))) <= 7
    assert min(found[name] for name in (NAIVE_CLIPS, NAIVE_FOLDS)) >= 8
    assert found["paired t, 10 x 5 folds (naive)"] > 40


@pytest.mark.long
def test_the_level_of_the_best_of_twelve_and_the_power_of_both_questions() -> None:
    found = among_many(Design(noise=(0.0,) * 12), replicates=150, repeats=4, seed=8)
    mine = [ALL_PAIRS, f"{CORRECTED}, Holm over all pairs", f"{REPEATED.format(4)}, Holm over all pairs"]
    assert max(found[name][0] for name in mine) <= 7
    assert found[BEST_ALONE][0] > 10
    power = {points: of_two(Design(noise=(0.0, NOISE[points])), replicates=60, repeats=5) for points in (5, 10)}
    for name in (PERMUTATION, REPEATED.format(5)):
        assert power[5][name] < power[10][name]
    assert power[10][PERMUTATION] > power[10][CORRECTED], "five folds say little"
    for points, own in power.items():
        assert own["true difference, recordings"] == pytest.approx(points, abs=1.5)
