"""Tests of differences: the published fixture, hand examples, and the cases without spread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from baycomp.single import CorrelatedTTest, Posterior
from scipy import stats

from evaluator.combinations import Combination
from evaluator.comparisons import Difference, Family, compare, differences_table, families_of
from evaluator.intervals import bootstrap
from evaluator.metrics import metrics_table
from evaluator.outcomes import outcomes_of
from evaluator.predictions import prepare
from evaluator.statistics import corrected_ttest, holm, paired_ttest, practical_equivalence
from evaluator.student import upper_quantile, upper_tail
from evaluator.training_scores import size_ratio
from harness.errors import SettingsError
from harness.tables import PREDICTIONS, REPEATS, frame

# UrbanSound8K, accuracy per fold in %, published by Piczak (2015) for long and short windows
LONG = [74.9, 73.5, 62.9, 74.7, 76.8, 73.3, 70.5, 72.9, 76.5, 74.9]
SHORT = [72.3, 70.0, 62.2, 73.6, 76.0, 71.2, 70.4, 70.2, 72.0, 75.9]

A, B, C = (Combination(e, "m", "lbfgs") for e in ("gray", "logmel", "waveform"))


def test_piczaks_folds() -> None:
    naive, corrected = paired_ttest(LONG, SHORT), corrected_ttest(LONG, SHORT)
    assert round(naive.difference, 2) == 1.71
    assert (round(naive.t, 2), round(naive.p, 2)) == (3.24, 0.01)
    assert (round(corrected.t, 2), round(corrected.p, 3)) == (2.23, 0.053)
    assert corrected.df == 9


def test_the_naive_t_is_scipys() -> None:
    found, wanted = paired_ttest(LONG, SHORT), stats.ttest_rel(LONG, SHORT)
    assert (found.t, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))


def test_two_folds_by_hand() -> None:
    found = corrected_ttest([0.8, 0.9], [0.7, 0.6])
    # differences 0.1 and 0.3: mean 0.2, variance 0.02, factor 1/2 + 1/1
    assert found.t == pytest.approx(0.2 / np.sqrt(0.02 * 1.5))
    assert found.p == pytest.approx(2 * stats.t.sf(found.t, 1))


def test_no_spread_is_not_certainty() -> None:
    same = corrected_ttest([0.8, 0.7, 0.9], [0.8, 0.7, 0.9])
    assert (same.t, same.p) == (0.0, 1.0)
    shifted = corrected_ttest([0.8, 0.7, 0.9], [0.75, 0.65, 0.85])
    assert (shifted.t, shifted.p) == (None, None)
    assert shifted.difference == pytest.approx(0.05)


def test_folds_must_match() -> None:
    with pytest.raises(SettingsError, match="a has 2 folds, b 3"):
        corrected_ttest([0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(SettingsError, match="at least 2"):
        paired_ttest([0.1], [0.2])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.02, None, 0.5]) == [pytest.approx(0.06), None, 1.0]
    assert holm([]) == []


def test_practical_equivalence() -> None:
    a, b = np.array(LONG) / 100, np.array(SHORT) / 100
    better, same, worse = practical_equivalence(a, b)
    assert better + same + worse == pytest.approx(1)
    assert better > 0.7 > same > worse
    assert practical_equivalence(b, a) == pytest.approx((worse, same, better))
    spread = np.sqrt(np.var(a - b, ddof=1) * (1 / 10 + 1 / 9))
    assert better == pytest.approx(stats.t.sf(0.01, 9, (a - b).mean(), spread))
    assert practical_equivalence([0.8, 0.7], [0.795, 0.695]) == (0.0, 1.0, 0.0)
    assert practical_equivalence([0.8, 0.7], [0.7, 0.6]) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("ratio", [None, 1 / 4, 0.125])
def test_practical_equivalence_is_baycomps(ratio: float | None) -> None:
    a, b = np.array(LONG) / 100, np.array(SHORT) / 100
    folds = 1 + 1 / (ratio or 1 / 9)
    mean, variance, df = CorrelatedTTest.compute_statistics(b, a, runs=len(a) / folds)
    worse, same, better = Posterior(mean, variance, df, 0.01).probs()
    assert practical_equivalence(a, b, test_to_train=ratio) == pytest.approx((better, same, worse), rel=1e-12)


@pytest.mark.parametrize("df", [1, 2, 4, 9, 30, 999])
def test_students_tail_is_scipys(df: int) -> None:
    t = np.array([0, 1e-3, 0.3, 0.999, 1, 1.7, 2.9, 5, 12, 40, 1e3, 1e9])
    for values in (t, -t):
        assert [upper_tail(value, df) for value in values] == pytest.approx(stats.t.sf(values, df), rel=1e-11)
    assert (upper_tail(np.inf, df), upper_tail(-np.inf, df)) == (0, 1)
    assert np.isnan(upper_tail(np.nan, df))
    for p in (0.5, 0.1, 0.025, 0.05 / 132, 1e-9):
        assert upper_quantile(p, df) == pytest.approx(stats.t.isf(p, df), rel=1e-9, abs=1e-9)


def test_the_smallest_difference_is_just_significant() -> None:
    a, b = np.array(LONG) / 100, np.array(SHORT) / 100
    smallest = corrected_ttest(a, b).smallest(level=0.05, tests=3)
    assert smallest is not None
    shift = smallest - (a - b).mean()
    assert corrected_ttest(a + shift, b).p == pytest.approx(0.05 / 3)
    assert corrected_ttest([0.8, 0.7], [0.8, 0.7]).smallest(level=0.05) is None


def outcomes(right: dict[str, list[int]], folds: list[str]) -> pd.DataFrame:
    """Prepared predictions of two classes, right where `right` has 1."""
    rows = [
        {"clip_id": f"{i:03d}.wav", "encoding": e, "module": "m", "head": "lbfgs", "seed": "0", "fold": folds[i],
         "label": "ab"[i % 2], "predicted": "ab"[i % 2 if ok else 1 - i % 2]}
        for e, values in right.items()
        for i, ok in enumerate(values)
    ]  # fmt: skip
    return prepare(frame(rows, PREDICTIONS))


def test_the_bootstrap_is_seeded_and_holds_the_mean_over_folds() -> None:
    rng = np.random.default_rng(0)
    table = outcomes({"gray": list(rng.integers(0, 2, 200))}, [str(i % 4) for i in range(200)])
    first, again, other = bootstrap(table, seed=1), bootstrap(table, seed=1), bootstrap(table, seed=2)
    assert np.array_equal(first.samples[A], again.samples[A])
    assert not np.array_equal(first.samples[A], other.samples[A])
    low, high = first.interval(A)
    mean = metrics_table(table).query("metric == 'accuracy' and fold == 'mean'")["value"].iloc[0]
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.1)


def test_clips_of_one_group_move_together() -> None:
    rng = np.random.default_rng(0)
    twins = list(np.repeat(rng.integers(0, 2, 100), 2))
    table = outcomes({"gray": twins}, [str(i // 2 % 5) for i in range(200)])
    groups = {f"{i:03d}.wav": f"source {i // 2}" for i in range(200)}
    apart, together = bootstrap(table), bootstrap(table, groups)
    assert (apart.unit, together.unit) == ("clips", "groups")
    copies = bootstrap(table, dict.fromkeys(["000.wav", "001.wav"], "same sound as 000.wav"))
    assert (copies.unit, copies.groups) == ("distinct sounds", apart.groups - 1)
    width = [high - low for low, high in (apart.interval(A), together.interval(A))]
    assert (apart.groups, together.groups) == (200, 100)
    assert width[1] / width[0] == pytest.approx(np.sqrt(2), rel=0.1)


def test_the_bootstrap_is_what_its_definition_gives() -> None:
    """Groups are drawn within folds, one fewer than there are; a combination lacks clips."""
    rng = np.random.default_rng(5)
    n, folds = 60, [str(i // 2 % 3) for i in range(60)]
    table = outcomes({"gray": list(rng.integers(0, 2, n)), "logmel": list(rng.integers(0, 2, n))}, folds)
    table = table[(table["encoding"] == "gray") | (table["clip_id"] > "004.wav")].reset_index(drop=True)
    of_clip = {f"{i:03d}.wav": f"g{i // 2:02d}" for i in range(n)}
    found = bootstrap(table, of_clip, n_samples=20, seed=7)
    assert (found.groups, found.df) == (30, 30 - 3)
    right = (table["label"] == table["predicted"]).astype(float)
    again, groups = np.random.default_rng(7), np.arange(30)
    drawn = [groups[groups % 3 == k][again.integers(10, size=(20, 9))] for k in range(3)]
    for combination in (A, B):
        own = table["encoding"] == combination.encoding
        for k in range(20):
            times = table["clip_id"].map(lambda c, k=k: sum((d[k] == int(of_clip[c][1:])).sum() for d in drawn))
            cells = [own & (table["fold"] == fold) for fold in ("0", "1", "2")]
            shares = [(right * times)[cell].sum() / times[cell].sum() for cell in cells]
            assert found.samples[combination][k] == pytest.approx(np.mean(shares))


def test_every_fold_counts_in_every_sample() -> None:
    """Of three folds the smallest has two clips, both wrong: no sample is the mean of the other two."""
    right = [1] * 90 + [0] * 10 + [1] * 90 + [0] * 10 + [0] * 2
    found = bootstrap(outcomes({"gray": right}, ["1"] * 100 + ["2"] * 100 + ["3"] * 2))
    assert found.samples[A].max() <= 2 / 3
    assert np.mean(found.samples[A]) == pytest.approx(0.6, abs=0.002)


def test_groups_that_span_folds_leave_the_mean_where_it_is() -> None:
    rng = np.random.default_rng(2)
    table = outcomes({"gray": list(rng.integers(0, 2, 120))}, [str(i % 5) for i in range(120)])
    found = bootstrap(table, {f"{i:03d}.wav": f"g{i // 3}" for i in range(120)})
    mean = metrics_table(table).query("metric == 'accuracy' and fold == 'mean'")["value"].iloc[0]
    assert np.mean(found.samples[A]) == pytest.approx(mean, abs=0.01)


def test_folds_of_one_group_are_drawn_as_whole_folds() -> None:
    """One speaker left out at a time: the interval is that of a mean of independent shares."""
    shares = np.array([2, 3, 4, 4, 5, 5, 6, 6, 7, 8, 9, 10])
    right = [int(i < share) for share in shares for i in range(10)]
    table = outcomes({"gray": right}, [str(i // 10) for i in range(120)])
    found = bootstrap(table, {f"{i:03d}.wav": f"speaker {i // 10}" for i in range(120)})
    low, high = found.interval(A)
    half = stats.t.isf(0.025, 11) * shares.std(ddof=1) / 10 / np.sqrt(12)
    assert (low, high) == pytest.approx((shares.mean() / 10 - half, shares.mean() / 10 + half), abs=0.015)


def test_there_is_no_interval_where_the_spread_is_not_known() -> None:
    mixed = [1, 0] * 10
    few = bootstrap(outcomes({"gray": mixed[:9]}, list("123456789")))
    single = bootstrap(outcomes({"gray": mixed}, ["1"] * 19 + ["2"]))
    every = bootstrap(outcomes({"gray": [1] * 20, "logmel": mixed}, list("1122") * 5))
    for lacking in (few.interval(A), single.interval(A), every.interval(A), every.interval(B, B)):
        assert np.isnan(lacking).all()
    assert np.isfinite(every.interval(A, B)).all()


def test_intervals_cover_what_they_should() -> None:
    groups, share = 30, 0.8
    rng = np.random.default_rng(1)
    folds = [str(i % 5) for i in range(groups)]
    rows = {f"e{k}": list((rng.random(groups) < share).astype(int)) for k in range(120)}
    found = bootstrap(outcomes(rows, folds), n_samples=1000)
    ends = [found.interval(Combination(name, "m", "lbfgs")) for name in rows]
    covered = [low - 1e-9 <= share <= high + 1e-9 for low, high in ends]
    assert np.mean(covered) > 0.9


def test_differences_are_bootstrapped_in_pairs() -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 2, 200)
    logmel = gray.copy()
    logmel[:10] = 0
    table = outcomes({"gray": list(gray), "logmel": list(logmel)}, [str(i % 5) for i in range(200)])
    low, high = bootstrap(table).interval(A, B)
    assert -0.001 < low < 0.02 < high < 0.05


def test_the_best_is_compared_with_each_other_one_in_the_family_of_all_pairs() -> None:
    every = ((A, B), (A, C), (B, C))
    assert families_of([A, B, C]) == [Family("best", every, every[:2])]
    assert families_of([A, B, C], all_pairs=True) == [Family("all", every, every)]
    assert families_of([A]) == []


def test_pairs_with_a_baseline_are_a_family_of_their_own() -> None:
    declared = ((A, B), (C, B))
    assert families_of([A, B, C], "logmel")[1] == Family("baseline", declared, declared)
    other = Combination("sound", "yamnet", "lbfgs")
    better = Combination("logmel", "n", "lbfgs")
    assert families_of([better, A, other, B], "logmel")[1].shown == ((A, B), (other, better))
    with pytest.raises(SettingsError, match=r"baseline='gry': no such encoding; did you mean 'gray'"):
        families_of([A, B], "gry")


def compared(
    table: pd.DataFrame, pairs: list[tuple[Combination, Combination]], *, repeats: pd.DataFrame | None = None
) -> list[Difference]:
    family = Family("all", tuple(pairs), tuple(pairs))
    return compare(metrics_table(table), [family], bootstrap(table), outcomes_of(table), repeats=repeats)


def test_compare_puts_it_together(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({A: 0.95, B: 0.9, C: 0.2}, n=500, folds=10)
    metrics = metrics_table(table)
    found = compared(table, [(A, B), (A, C), (B, C)])
    assert [d.decided_training for d in found] == [False, True, True]
    assert [d.decided_recordings for d in found] == [True, True, True]
    wide = metrics.query("metric == 'accuracy'").pivot(index="fold", columns="encoding", values="value")
    wide = wide.loc[[str(i + 1) for i in range(10)]]
    wanted = corrected_ttest(wide["gray"], wide["logmel"])
    assert (found[0].t_corrected, found[0].p_corrected) == pytest.approx((wanted.t, wanted.p))
    assert found[0].p_corrected_adjusted == pytest.approx(wanted.p)
    assert found[1].low < found[1].difference < found[1].high
    swapped = found[0].swapped()
    assert (swapped.a, swapped.b, swapped.swapped()) == (B, A, found[0])
    assert (swapped.difference, swapped.low, swapped.p_better) == (-wanted.difference, -found[0].high, found[0].p_worse)
    out = differences_table(found)
    assert list(out["b_encoding"]) == ["logmel", "waveform", "waveform"]
    assert (out["p_naive"] < out["p_corrected"]).all()
    assert list(out["decided_training"]) == ["no", "yes", "yes"]


def test_the_ratio_of_sizes_is_that_of_what_was_trained() -> None:
    sgd, folds = Combination("gray", "m", "sgd"), list("12345")
    assert size_ratio(A, folds) == pytest.approx(1 / 4)
    assert size_ratio(sgd, folds) == pytest.approx(1 / 3)
    assert [size_ratio(c, ["1", "2"]) for c in (A, sgd)] == pytest.approx([1, 1 / 0.8])
    sizes = {fold: {"train": 60 - 10 * k, "test": 20 + 10 * k} for k, fold in enumerate("123")}
    recorded = [{**sgd._asdict(), "seed": "0", "folds": sizes}]
    assert size_ratio(sgd, list("123"), recorded) == pytest.approx((20 + 30 + 40) / (60 + 50 + 40))
    assert size_ratio(sgd, folds, recorded) == pytest.approx(1 / 3), "recorded of other folds"
    assert size_ratio(A, list("123"), recorded) == pytest.approx(1 / 2)


def test_a_head_that_holds_a_fold_out_is_tested_by_what_it_trained_on(
    make_predictions: Callable[..., pd.DataFrame],
) -> None:
    x, y = Combination("gray", "m", "sgd"), Combination("logmel", "m", "sgd")
    table = make_predictions({x: 0.9, y: 0.7}, n=500)
    metrics = metrics_table(table)
    wide = metrics.query("metric == 'accuracy'").pivot(index="fold", columns="encoding", values="value")
    of_folds = [wide.loc[list("12345"), name].to_numpy() for name in ("gray", "logmel")]
    difference = of_folds[0] - of_folds[1]
    t = difference.mean() / np.sqrt(difference.var(ddof=1) * (1 / 5 + 1 / 3))
    (found,) = compared(table, [(x, y)])
    assert (found.t_corrected, found.p_corrected) == pytest.approx((t, 2 * stats.t.sf(abs(t), 4)))
    posterior = stats.t(4, difference.mean(), difference.mean() / t)
    assert (found.p_worse, found.p_better) == pytest.approx((posterior.cdf(-0.01), posterior.sf(0.01)))
    sizes = [{**c._asdict(), "seed": "0", "folds": {f: {"train": 10, "test": 30} for f in "12345"}} for c in (x, y)]
    family = Family("all", ((x, y),), ((x, y),))
    (found,) = compare(metrics, [family], bootstrap(table), outcomes_of(table), sizes=sizes)
    assert found.t_corrected == pytest.approx(corrected_ttest(*of_folds, test_to_train=3).t)


def test_one_fold_has_no_test(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({A: 0.9, B: 0.5}, folds=1)
    (found,) = compared(table, [(A, B)])
    assert (found.folds, found.p_corrected) == (1, None)
    assert found.p_corrected_adjusted is None
    assert not found.decided_training
    assert found.p_permutation is not None
    assert found.difference > 0


def test_seeds_are_averaged_before_folds_are_compared(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({A: 0.9, B: 0.7}, seeds=("0", "1", "2"))
    metrics = metrics_table(table)
    (found,) = compared(table, [(A, B)])
    folds = metrics[(metrics["metric"] == "accuracy") & metrics["fold"].isin(list("12345"))]
    mean = folds.groupby(["encoding", "fold"])["value"].mean()
    assert found.folds == 5
    assert found.t_corrected == pytest.approx(corrected_ttest(mean["gray"], mean["logmel"]).t)


def test_the_corrected_t_is_over_repeats_where_there_are_any(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({A: 0.9, B: 0.7, C: 0.5})
    rng = np.random.default_rng(0)
    scores = {(c, seed): rng.random((3, 5)) / 5 + 0.6 for c in (A, B) for seed in ("0", "1")}
    rows = [
        {**c._asdict(), "seed": seed, "repeat": str(r), "fold": str(f), "accuracy": own[r, f], "train": 78, "test": 22}
        for (c, seed), own in scores.items()
        for r in range(3)
        for f in range(5)
    ]
    repeats = frame(rows, REPEATS)
    first, second = compared(table, [(A, B), (A, C)], repeats=repeats)
    a, b = ((scores[c, "0"] + scores[c, "1"]).ravel() / 2 for c in (A, B))
    wanted = corrected_ttest(a, b, test_to_train=22 / 78)
    assert (first.t_corrected, first.p_corrected) == pytest.approx((wanted.t, wanted.p))
    assert (first.repeats, first.difference_training) == (3, pytest.approx((a - b).mean()))
    assert first.p_better == pytest.approx(practical_equivalence(a, b, test_to_train=22 / 78)[0])
    assert first.difference > 0.1, "that of the folds is still what is quoted"
    assert second.repeats == 0, "one of the two was not repeated"


def test_holm_and_the_smallest_difference_agree(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({A: 0.97, B: 0.8, C: 0.2}, n=600, folds=10)
    found = compared(table, [(A, B), (A, C), (B, C)])
    assert len({d.decided_training for d in found}) == 1
    near = make_predictions({A: 0.85, B: 0.83, C: 0.3}, n=600, folds=10)
    for d in [*found, *compared(near, [(A, B), (A, C), (B, C)])]:
        assert d.smallest_training is not None
        assert d.smallest_recordings is not None
        assert d.decided_training == (abs(d.difference) >= d.smallest_training)
        assert d.decided_recordings == (abs(d.difference) > d.smallest_recordings)
