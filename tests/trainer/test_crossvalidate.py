"""The protocol on features: nothing is learnt or chosen on the fold that is tested, and nothing is fitted twice."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from harness.balance import balanced_rows
from harness.code_version import import_closure
from harness.errors import SettingsError, SplitError
from harness.head import Head
from harness.parallel import own_worker
from harness.shared_groups import SharedGroups
from harness.store import Store
from harness.tables import PREDICTIONS, read, score_columns, write
from trainer import crossvalidate, fitting, logistic, sgd
from trainer.crossvalidate import cross_validate, fold_sizes, predictions
from trainer.fitting import HeadSettings, Trained, fit_final, fit_folds
from trainer.inputs import split_table, training_order
from trainer.running import HEADS_IMPORT

LBFGS = HeadSettings()
SGD = HeadSettings(head="sgd", sgd=sgd.SgdSettings(steps=60))
NAMED = {"encoding": "gray", "module": "m", "head": "lbfgs", "seed": "0"}


def corpus(*, folds: int = 4, per_fold: int = 30, features: int = 20, noise: float = 3.0) -> tuple:
    """Features and table of a corpus with three classes that overlap, two clips a group."""
    rng = np.random.default_rng(3)
    n = folds * per_fold
    table = pd.DataFrame(
        {
            "clip_id": [f"{i:03}.wav" for i in range(n)],
            "path": [f"/images/gray/{'abc'[i % 3]}/{i:03}.wav.png" for i in range(n)],
            "label": ["abc"[i % 3] for i in range(n)],
            "fold": [str(1 + i // per_fold) for i in range(n)],
            "group": [f"g{i // 2}" for i in range(n)],
        }
    )
    centres = rng.standard_normal((3, features))
    values = centres[np.arange(n) % 3] + noise * rng.standard_normal((n, features))
    ordered = training_order(table)
    rows = [int(c[:3]) for c in ordered["clip_id"]]
    return values[rows].astype(np.float32), ordered


def validate(features: np.ndarray, table: pd.DataFrame, store: Store, settings: HeadSettings = LBFGS, seed: int = 0):
    """Cross-validate with the usual settings."""
    return cross_validate(features, table, settings=settings, seed=seed, store=store)


def rows_of(table: pd.DataFrame, *folds: str) -> np.ndarray:
    """Rows of some folds."""
    return np.flatnonzero(table["fold"].isin(folds).to_numpy())


def assert_same(a: Head, b: Head) -> None:
    """The same head, bit for bit."""
    assert a.weights.tobytes() == b.weights.tobytes()
    assert a.bias.tobytes() == b.bias.tobytes()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with nothing in it."""
    return Store(tmp_path / "store")


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every call of an optimiser."""
    calls: list[str] = []
    solve, one = logistic.StrengthPath.solve, sgd.fit
    monkeypatch.setattr(logistic.StrengthPath, "solve", lambda *a: (calls.append("lbfgs"), solve(*a))[1])
    monkeypatch.setattr(sgd, "fit", lambda *a, **k: (calls.append("sgd"), one(*a, **k))[1])
    return calls


def best_on(table: pd.DataFrame, features: np.ndarray, tested: str, folds: tuple[str, ...]) -> float:
    """The smallest strength within 1 % or .005 of the lowest log loss on some folds, by scikit-learn, one at a time."""
    losses = np.zeros(len(logistic.STRENGTHS))
    labels = table["label"].to_numpy()
    for fold in folds:
        train, rows = rows_of(table, *({"1", "2", "3", "4"} - {tested, fold})), rows_of(table, fold)
        mean, deviation = features[train].mean(axis=0, dtype=float), features[train].std(axis=0, dtype=float)
        for j, strength in enumerate(logistic.STRENGTHS):
            head = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000)
            head.fit((features[train] - mean) / deviation, labels[train])
            losses[j] += log_loss(labels[rows], head.predict_proba((features[rows] - mean) / deviation))
    lowest = losses.min() / len(folds)
    return logistic.STRENGTHS[np.flatnonzero(losses / len(folds) <= max(1.01 * lowest, lowest + 0.005))[0]]


def test_the_strength_is_the_best_on_the_next_fold_and_the_one_before_and_not_on_the_tested_one(store: Store) -> None:
    """As scikit-learn has it; no head that chooses has seen the fold that is tested."""
    features, table = corpus()
    targets = np.array(["abc".index(label) for label in table["label"]])
    trained = validate(features, table, store)
    neighbours = {"1": ("2", "4"), "2": ("3", "1"), "3": ("4", "2"), "4": ("1", "3")}
    others = []
    for fold, near in neighbours.items():
        assert trained.chosen[fold] == best_on(table, features, fold, near)
        others.append([best_on(table, features, fold, near[:1]), best_on(table, features, near[0], (fold,))])
        everything = rows_of(table, *({"1", "2", "3", "4"} - {fold}))
        refitted = logistic.fit(features[everything], targets[everything], 3, strength=trained.chosen[fold])
        np.testing.assert_allclose(trained.heads[fold].scores(features), refitted.scores(features), atol=1e-4)
    for which in zip(*others, strict=True):  # else this test shows nothing
        assert which != tuple(trained.chosen.values())


@pytest.mark.parametrize("settings", [LBFGS, SGD], ids=["lbfgs", "sgd"])
@pytest.mark.parametrize("folds", [2, 4])
def test_a_fold_says_nothing_to_its_own_head(settings: HeadSettings, folds: int, store: Store) -> None:
    features, table = corpus(folds=folds)
    before = validate(features, table, store, settings)
    rng = np.random.default_rng(0)
    for fold in before.heads:
        rows = rows_of(table, fold)
        other_features = features.copy()
        other_features[rows] = 100 * rng.standard_normal((len(rows), features.shape[1])).astype(np.float32)
        labels = table["label"].to_numpy(copy=True)
        labels[rows] = rng.permutation(labels[rows])
        for changed, relabelled in ((other_features, table), (features, table.assign(label=labels))):
            after = validate(changed, relabelled, store, settings)
            assert after.chosen.get(fold) == before.chosen.get(fold)
            np.testing.assert_allclose(
                after.heads[fold].scores(features), before.heads[fold].scores(features), atol=1e-4
            )


def test_the_validation_fold_does_say_something(store: Store) -> None:
    features, table = corpus(noise=0.5)
    assert min(validate(features, table, store).chosen.values()) > 0.01
    labels = table["label"].to_numpy(copy=True)
    rows = rows_of(table, "2")
    labels[rows] = np.roll(labels[rows], 10)  # all wrong: the less that is said, the better
    trained = validate(features, table.assign(label=labels), store)
    assert trained.chosen["1"] == min(logistic.STRENGTHS)
    assert trained.chosen["2"] > 0.01


def test_a_single_split_chooses_on_its_validation_rows_alone(store: Store) -> None:
    features, table = corpus()
    table["fold"] = table["fold"].map({"1": "train", "2": "train", "3": "validation", "4": "test"})
    before = validate(features, table, store)
    assert before.chosen.keys() == {"test"}
    other = features.copy()
    other[rows_of(table, "test")] = 7
    assert validate(other, table, store).chosen == before.chosen
    labels = table["label"].to_numpy(copy=True)
    rows = rows_of(table, "validation")
    labels[rows] = np.roll(labels[rows], 10)
    assert validate(features, table.assign(label=labels), store).chosen["test"] < before.chosen["test"]


def test_the_strengths_go_beyond_1_where_classes_are_far_apart(store: Store) -> None:
    features, table = corpus(noise=0.02)
    assert all(strength > 1 for strength in validate(features, table, store).chosen.values())


@pytest.mark.parametrize("copies", [3, 1000])
def test_copies_of_a_vector_leave_the_accuracy_as_it_is(copies: int, store: Store) -> None:
    """So many copies of every feature are so much less penalty; the choice makes up for it, below 1e-4, too."""
    features, table = corpus()
    once, often = (validate(values, table, store) for values in (features, np.tile(features, copies)))
    accuracies = []
    for values, trained in ((features, once), (np.tile(features, copies), often)):
        scored = predictions(values, table, trained, named=NAMED)
        accuracies.append((scored["predicted"] == scored["label"]).mean())
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.03)
    for fold, strength in once.chosen.items():
        assert 0.3 < often.chosen[fold] * copies / strength < 3.5


def test_choices_do_not_depend_on_how_many_folds_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    features, table = corpus()
    parts = split_table(table)
    whole = fit_folds(features, list(table["label"]), parts, settings=LBFGS, seed=0)
    for together in (1, 2, 3):
        monkeypatch.setattr(logistic.Regression, "batches", lambda self, train, n=together: batches(len(train), n))
        part = fit_folds(features, list(table["label"]), parts, settings=LBFGS, seed=0)
        assert part.chosen == whole.chosen
        for fold, head in whole.heads.items():
            np.testing.assert_allclose(part.heads[fold].scores(features), head.scores(features), atol=1e-4)


def batches(n: int, size: int) -> list[slice]:
    """Numbers 0 to n - 1 in parts."""
    return [slice(start, start + size) for start in range(0, n, size)]


def test_with_drop_nothing_of_a_tested_group_chooses() -> None:
    """Clips of the fold before that share a group with the tested fold are not scored for the choice."""
    features, table = corpus(noise=0.5)
    table["group"] = [f"{fold}-{k}" for k, fold in enumerate(table["fold"])]
    shared = rows_of(table, "1")[:15], rows_of(table, "2")[:15]
    for a, b in zip(*shared, strict=True):
        table.loc[[a, b], "group"] = f"both{a}"
    parts = split_table(table, shared=SharedGroups("drop"))
    labels = list(table["label"])
    before = fit_folds(features, labels, parts, settings=LBFGS, seed=0).chosen["2"]
    other = features.copy()
    other[shared[0]] = -other[shared[0]]  # of fold 1, seen when fold 2 is tested only if they leak
    assert fit_folds(other, labels, parts, settings=LBFGS, seed=0).chosen["2"] == before


@pytest.mark.parametrize(
    ("losses", "first", "stops"),
    [
        ([2.3, 2.3, 2.3], 0, False),  # nothing has moved yet
        ([2.3, 2.0, 1.0], 2, False),
        ([2.3, 1.0, 0.995], 1, False),
        ([2.3, 1.0, 1.1, 0.9], 3, False),
        ([2.3, 1.0, 1.005, 1.007], 1, True),
        ([2.3, 1.0, 1.005], 1, False),
        ([2.3, 1.0, 1.02], 1, True),
        ([0.0, 0.0], 0, False),
        ([1.0], 0, False),
        ([0.3, 0.05, 0.0229, 0.0182], 2, False),  # nearly every clip is right
        ([0.3, 0.0182, 0.0229], 1, False),
        ([0.3, 0.0182, 0.0233], 1, True),
    ],
)
def test_which_log_loss_is_taken_and_when_the_path_ends(losses: list[float], first: int, stops: bool) -> None:
    assert fitting._lowest(losses) == first
    assert fitting._past_the_lowest(losses) == stops


@pytest.mark.parametrize("ready", [False, True])
def test_a_worker_that_is_ready_fits_the_very_same_heads(store: Store, tmp_path: Path, ready: bool) -> None:
    features, table = corpus()
    here = validate(features, table, store)
    with own_worker(jobs=2, imports=HEADS_IMPORT, at_once=ready) as worker:
        begun = [worker(os.getpid)()] if ready else []
        known = {"settings": LBFGS, "seed": 0, "store": Store(tmp_path / "other")}
        there = cross_validate(features, table, worker=worker, **known)
        assert worker.ready == ready, "it is not waited for"
    assert os.getpid() not in begun
    assert there.chosen == here.chosen
    for fold, head in here.heads.items():
        assert np.array_equal(head.weights, there.heads[fold].weights)
        assert np.array_equal(head.bias, there.heads[fold].bias)


def test_head_sgd_trains_without_the_validation_fold_as_retrain_does(store: Store) -> None:
    features, table = corpus()
    trained = validate(features, table, store, SGD, seed=7)
    assert trained.chosen == {}
    rows = rows_of(table, "1", "4")  # 2 is tested, 3 validates
    targets = np.array(["abc".index(label) for label in table["label"]])
    assert_same(trained.heads["2"], sgd.fit(features[rows], targets[rows], 3, settings=SGD.sgd, seed=7))


def test_seeds(store: Store, fits: list[str]) -> None:
    features, table = corpus()
    first, other = (validate(features, table, store, SGD, seed) for seed in (0, 1))
    assert not np.array_equal(first.heads["1"].weights, other.heads["1"].weights)
    fits.clear()
    validate(features, table, store, seed=0)
    n = len(fits)
    validate(features, table, store, seed=1)  # nothing is random in it with three folds and more
    assert len(fits) == n


def test_two_folds_choose_on_a_seeded_fifth_of_the_training_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    features, table = corpus(folds=2)
    fitted: list[list[np.ndarray]] = []
    real = logistic.Regression.path
    monkeypatch.setattr(
        logistic.Regression, "path", lambda self, train, *a, **k: (fitted.append(train), real(self, train, *a, **k))[1]
    )
    first, again, other = (validate(features, table, Store(store.root / s), seed=int(s)) for s in ("00", "0", "1"))
    assert_same(first.heads["1"], again.heads["1"])
    chosen_on = [set(rows_of(table, "2")) - set(s[0]) for s in (fitted[0], fitted[2], fitted[4])]
    assert chosen_on[0] == chosen_on[1] != chosen_on[2]
    assert len(chosen_on[0]) == pytest.approx(30 / 5, abs=2)
    for chosen in (chosen_on[0], chosen_on[2]):  # whole groups
        groups = table["group"].to_numpy()
        assert not set(groups[list(chosen)]) & set(groups[list(set(rows_of(table, "2")) - chosen)])
    assert sorted(fitted[1][0]) == list(rows_of(table, "2"))  # refitted on all of it
    assert other.heads.keys() == {"1", "2"}


def test_a_class_that_only_one_fold_has(store: Store) -> None:
    features, table = corpus()
    table.loc[rows_of(table, "3")[:4], "label"] = "d"
    trained = validate(features, table, store)
    assert trained.classes == ["a", "b", "c", "d"]
    scored = predictions(features, table, trained, named=NAMED)
    assert (scored.loc[scored["fold"] == "3", "p:d"] < 0.01).all()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"group": "g7"}, r"1 group is in several folds: g7 \(folds ., .\);.*shared_groups=\"drop\""),
        ({"label": ""}, r"clip '\d+\.wav' has no label"),
        ({"fold": ""}, "1 clips have no fold"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(spoil: dict[str, str], says: str, store: Store) -> None:
    features, table = corpus()
    ((column, value),) = spoil.items()
    table.loc[rows_of(table, "4")[0], column] = value
    with pytest.raises(SplitError, match=says):
        validate(features, table, store)
    if column == "group":
        for policy in ("drop", "allow"):
            shared = SharedGroups(policy)  # type: ignore[arg-type]
            assert cross_validate(features, table, settings=LBFGS, seed=0, store=store, shared=shared).heads


def test_one_class_or_one_fold_is_refused(store: Store) -> None:
    features, table = corpus()
    with pytest.raises(SplitError, match="at least 2 classes, found 1: a"):
        validate(features, table.assign(label="a"), store)
    with pytest.raises(SplitError, match="at least 2 folds, found 1"):
        validate(features, table.assign(fold="1"), store)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(SettingsError, match="head='lbgfs': did you mean 'lbfgs'"):
        HeadSettings(head="lbgfs")
    with pytest.raises(SettingsError, match=r"strengths=\(\): must not be empty"):
        HeadSettings(strengths=())
    with pytest.raises(SettingsError, match=r"strengths=0\.0: must be a number above 0"):
        HeadSettings(strengths=(1.0, 0.0))


@pytest.mark.parametrize("settings", [LBFGS, SGD], ids=["lbfgs", "sgd"])
def test_heads_are_fitted_once_and_any_change_is_a_miss(settings: HeadSettings, store: Store, fits: list[str]) -> None:
    features, table = corpus()
    first = validate(features, table, store, settings)
    fits.clear()
    again = validate(features.copy(), table.copy(), store, settings)
    assert fits == []
    assert (again.classes, again.chosen) == (first.classes, first.chosen)
    for fold, head in first.heads.items():
        assert_same(again.heads[fold], head)

    bit = features.copy()
    bit[5, 3] = np.nextafter(bit[5, 3], np.float32(9))
    labels, folds, groups = (table[c].to_numpy(copy=True) for c in ("label", "fold", "group"))
    labels[0], folds[0] = "c", "2"
    folds[table["group"] == groups[0]] = "2"
    other = HeadSettings(strengths=(0.1, 1.0)) if settings is LBFGS else SGD.replace(sgd=sgd.SgdSettings(steps=61))
    for changed, relabelled, options in (
        (bit, table, settings),
        (features, table.assign(label=labels), settings),
        (features, table.assign(fold=folds), settings),
        (features, table, other),
    ):
        fits.clear()
        validate(changed, relabelled, store, options)
        assert fits


def test_a_damaged_entry_of_the_store_is_fitted_again(store: Store, fits: list[str]) -> None:
    features, table = corpus()
    first = validate(features, table, store)
    (entry,) = (store.root / "heads").rglob("*.npz")
    whole = entry.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        entry.write_bytes(damaged)
        fits.clear()
        assert_same(validate(features, table, store).heads["1"], first.heads["1"])
        assert fits
        assert entry.read_bytes() == whole


def test_the_order_of_the_rows_changes_nothing(tmp_path: Path) -> None:
    features, table = corpus()
    by_clip = dict(zip(table["clip_id"], features, strict=True))
    for settings in (LBFGS, SGD):
        expected = validate(features, table, Store(tmp_path / "a"), settings)
        shuffled = training_order(table.sample(frac=1, random_state=5))
        values = np.stack([by_clip[c] for c in shuffled["clip_id"]])
        got = validate(values, shuffled, Store(tmp_path / "b"), settings)
        for fold, head in expected.heads.items():
            assert_same(got.heads[fold], head)


def test_training_order_is_by_class_then_by_the_name_of_the_image() -> None:
    table = pd.DataFrame(
        {
            "clip_id": ["z", "y", "x", "w"],
            "path": ["/q/b/2.png", "/z/a/9.png", "/a/b/10.png", "/a/a/10.png"],
            "label": ["b", "a", "b", "a"],
        }
    )
    assert training_order(table)["clip_id"].tolist() == ["w", "y", "x", "z"]


def test_predictions_come_from_the_head_that_did_not_see_the_fold(store: Store, tmp_path: Path) -> None:
    features, table = corpus()
    trained = validate(features, table, store)
    scored = predictions(features, table, trained, named=NAMED)
    write(scored, tmp_path / "predictions.csv", PREDICTIONS)
    columns = score_columns(scored)
    assert columns == ["p:a", "p:b", "p:c"]
    for fold, head in trained.heads.items():
        rows = rows_of(table, fold)
        np.testing.assert_allclose(scored.loc[rows, columns], head.scores(features[rows]), atol=1e-9)
    assert scored["clip_id"].tolist() == table["clip_id"].tolist()
    assert (scored["predicted"] == scored[columns].idxmax(axis=1).str[2:]).all()
    assert 0.4 < (scored["predicted"] == scored["label"]).mean() < 1


def test_small_scores_are_written_with_all_their_digits(store: Store, tmp_path: Path) -> None:
    features, table = corpus()
    trained = validate(features, table, store)
    sure = {fold: Head(head.weights * 40, head.bias * 40) for fold, head in trained.heads.items()}
    scored = predictions(features, table, Trained(sure, trained.classes), named=NAMED)
    write(scored, tmp_path / "predictions.csv", PREDICTIONS)
    got = read(tmp_path / "predictions.csv", PREDICTIONS)
    columns, label = score_columns(got), [trained.classes.index(name) for name in got["label"]]
    scores = np.stack([sure[fold].scores(features[[row]])[0] for row, fold in enumerate(got["fold"])])
    true = scores[np.arange(len(scores)), label]
    assert true.min() < 1e-10, "nothing was shown"
    np.testing.assert_allclose(got[columns].to_numpy(), scores, rtol=1e-8)
    losses = [-np.log(values[np.arange(len(scores)), label]) for values in (got[columns].to_numpy(), scores)]
    np.testing.assert_allclose(*losses, atol=1e-8)
    cells = (tmp_path / "predictions.csv").read_text().splitlines()[1].split(",")[-len(columns) :]
    assert max(map(len, cells)) < 16, "no more digits than float32 has"


def test_the_final_head_takes_the_strength_that_most_folds_chose() -> None:
    features, table = corpus()
    targets = np.array(["abc".index(label) for label in table["label"]])
    for votes, winner in (((0.1, 1.0, 0.1, 0.01), 0.1), ((0.1, 0.01, 0.1, 0.01), 0.01)):
        trained = Trained({}, ["a", "b", "c"], dict(zip("1234", votes, strict=True)))
        head = fit_final(features, list(table["label"]), trained, settings=LBFGS, seed=0)
        assert_same(head, logistic.fit(features, targets, 3, strength=winner))
    head = fit_final(features, list(table["label"]), Trained({}, ["a", "b", "c"]), settings=SGD, seed=4)
    assert_same(head, sgd.fit(features, targets, 3, settings=SGD.sgd, seed=4))


def test_the_version_of_the_code_is_part_of_the_key(
    store: Store, fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, table = corpus()
    validate(features, table, store)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(crossvalidate, "code_version", lambda *names: asked.append(names) or "other")
    fits.clear()
    validate(features, table, store)
    assert fits
    assert asked == [("trainer.fitting",)]


def test_the_version_covers_what_computes_heads_and_nothing_that_stores_or_reads_them() -> None:
    ours = {name for name in import_closure("trainer.fitting") if name.startswith(("trainer.", "harness."))}
    assert {"trainer.fitting", "trainer.lbfgs", "trainer.sgd", "harness.head"} <= ours
    assert "harness.protocol" in ours
    assert not {"harness.store", "harness.record", "harness.audio", "trainer.crossvalidate", "trainer.running"} & ours


def test_other_splits_of_the_same_rows_are_other_heads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that splits is in no version, so the splits themselves are in the key."""
    features, rows = corpus()
    before = validate(features, rows, store)
    real = crossvalidate.split_table
    monkeypatch.setattr(
        crossvalidate,
        "split_table",
        lambda *a, **k: [
            dataclasses.replace(split, train=split.train[5:], refit=split.refit[5:]) for split in real(*a, **k)
        ],
    )
    after = validate(features, rows, store)
    assert any(not np.array_equal(before.heads[f].weights, after.heads[f].weights) for f in before.heads)


# ---- balanced training sets


@pytest.mark.parametrize("rows_per_class", [[60, 25, 15], [12, 7, 5]])
def test_repeated_rows_count_so_often(rows_per_class: list[int]) -> None:
    """Held against scikit-learn with the rows repeated: a shared design, and one that is rotated."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), rows_per_class)
    x = (rng.normal(size=(3, 40))[y] + rng.normal(size=(len(y), 40))).astype(np.float32)
    rows = balanced_rows(np.arange(len(y)), [str(k) for k in y], "up", seed=0)
    head = logistic.fit_many(x, y, 3, train=[rows, np.arange(len(y))], strengths=[0.1])[0][0]
    scaler = StandardScaler().fit(x[rows])
    model = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(scaler.transform(x[rows]), y[rows])
    np.testing.assert_allclose(head.scores(x), model.predict_proba(scaler.transform(x)), atol=2e-4)


@pytest.mark.parametrize("head", [LBFGS, SGD])
def test_balancing_changes_what_is_fitted_and_nothing_else(head: HeadSettings, store: Store) -> None:
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(3), [60, 20, 10])
    x = (0.4 * rng.normal(size=(3, 12))[y] + rng.normal(size=(90, 12))).astype(np.float32)
    table = pd.DataFrame({
        "clip_id": [f"{i}.wav" for i in range(90)], "label": [f"c{k}" for k in y],
        "fold": [str(i % 3) for i in range(90)], "group": [str(i) for i in range(90)],
    })  # fmt: skip
    named = {"encoding": "gray", "module": "m", "head": head.head, "seed": "0"}
    recall, weights = {}, {}
    for balance in ("none", "down", "up"):
        settings = head.replace(balance=balance)
        trained = cross_validate(x, table, settings=settings, seed=0, store=store)
        found = predictions(x, table, trained, named=named)
        assert sorted(found["clip_id"]) == sorted(table["clip_id"])
        smallest = found[found["label"] == "c2"]
        recall[balance] = (smallest["predicted"] == "c2").mean()
        sizes = fold_sizes(table, settings=settings, seed=0)
        folds_fitted = 2 if head.head == "lbfgs" else 1
        assert {s["train"] for s in sizes.values()} <= (
            {30 * folds_fitted} if balance != "down" else set(range(9 * folds_fitted, 12 * folds_fitted + 1, 3))
        )
        again = cross_validate(x, table, settings=settings, seed=0, store=Store(store.root / "other"))
        assert {f: h.weights.tobytes() for f, h in again.heads.items()} == {
            f: h.weights.tobytes() for f, h in trained.heads.items()
        }
        weights[balance] = trained.heads["0"].weights
    assert not np.allclose(weights["none"], weights["up"])
    assert not np.allclose(weights["none"], weights["down"])
    if head.head == "lbfgs":
        assert recall["none"] < min(recall["up"], recall["down"])
