"""The protocol: what trains, what chooses, what tests, and that nothing leaks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness import protocol
from harness.errors import SplitError
from harness.protocol import Split, assign_folds, check_groups, splits, validation_rows

Clips = tuple[list[str], list[str], list[str]]


def corpus(n_folds: int, *, groups_per_fold: int = 6, takes: int = 2, classes: int = 3) -> Clips:
    """Folds, groups and labels; a group is of one class and one fold, and its takes stand apart in the table."""
    folds, groups, labels = [], [], []
    for _ in range(takes):
        for fold in range(1, n_folds + 1):
            for g in range(groups_per_fold):
                folds.append(str(fold))
                groups.append(f"source {fold}-{g}")
                labels.append(f"class {g % classes}")
    return folds, groups, labels


def parts(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return split.train, split.validation, split.test


def permuted(clips: Clips, order: np.ndarray) -> Clips:
    folds, groups, labels = ([column[i] for i in order] for column in clips)
    return folds, groups, labels


@pytest.mark.parametrize("n_folds", [2, 3, 5, 10])
def test_sides_are_disjoint_and_complete(n_folds: int) -> None:
    clips = corpus(n_folds)
    found = list(splits(*clips))
    assert sorted(np.concatenate([t.test for t in found])) == list(range(len(clips[0]))), "each clip is tested once"
    for split in found:
        together = np.concatenate(parts(split))
        assert sorted(together) == list(range(len(clips[0])))
        assert all(len(rows) for rows in parts(split))
        assert {clips[0][i] for i in split.test} == {split.fold}


def test_validation_is_the_next_fold_in_natural_order() -> None:
    clips = corpus(10)
    shuffled = permuted(clips, np.random.default_rng(0).permutation(len(clips[0])))
    chosen = {split.fold: {shuffled[0][i] for i in split.validation} for split in splits(*shuffled)}
    assert list(chosen) == [str(k) for k in range(1, 11)]
    assert chosen["9"] == {"10"}, "10 comes after 9"
    assert chosen["10"] == {"1"}, "the first comes after the last"
    assert all(chosen[str(k)] == {str(k + 1)} for k in range(1, 10))


def test_folds_may_have_any_names() -> None:
    found = list(splits(["test", "fold10", "fold9"], ["", "", ""], ["a", "a", "a"]))
    assert [(t.fold, t.train.tolist(), t.validation.tolist(), t.test.tolist()) for t in found] == [
        ("fold9", [0], [1], [2]),
        ("fold10", [2], [0], [1]),
        ("test", [1], [2], [0]),
    ]


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_no_group_spans_a_split(n_folds: int) -> None:
    folds, groups, labels = corpus(n_folds)
    for split in splits(folds, groups, labels):
        train, validation, test = ({groups[i] for i in rows} for rows in parts(split))
        assert not train & validation
        assert not train & test
        assert not validation & test


def test_a_shared_group_is_refused_by_name() -> None:
    folds, groups, labels = corpus(3)
    groups[folds.index("2")] = "source 1-0"
    said = r"group 'source 1-0' is in fold '1' and in fold '2': .*override with allow_shared_groups$"
    with pytest.raises(SplitError, match=said):
        next(splits(folds, groups, labels))
    with pytest.raises(SplitError, match=said):
        check_groups(folds, groups)
    found = list(splits(folds, groups, labels, allow_shared=True))
    assert [len(t.test) for t in found] == [12, 12, 12]


def test_clips_without_a_group_stand_for_themselves() -> None:
    check_groups(["1", "2", "3"], ["", "", ""])
    two = list(splits(["1"] * 10 + ["2"] * 10, [""] * 20, ["a", "b"] * 10))
    assert [len(t.validation) for t in two] == [2, 2]


def test_fewer_than_three_folds_choose_on_a_stratified_fifth_by_groups() -> None:
    folds, groups, labels = corpus(2, groups_per_fold=30)
    for split in splits(folds, groups, labels, seed=3):
        assert len(split.validation) == len(split.test) / 5
        assert Counter(labels[i] for i in split.validation) == {f"class {c}": 4 for c in range(3)}
        assert {folds[i] for i in split.validation} == {folds[i] for i in split.train} != {split.fold}


def test_the_fifth_is_seeded() -> None:
    folds, groups, labels = corpus(2, groups_per_fold=30)

    def chosen(seed: int) -> list[list[int]]:
        return [t.validation.tolist() for t in splits(folds, groups, labels, seed=seed)]

    assert chosen(0) == chosen(0)
    assert len({str(chosen(seed)) for seed in range(5)}) == 5


def test_three_folds_do_not_look_at_the_seed() -> None:
    clips = corpus(3)
    one, two = (list(splits(*clips, seed=s)) for s in (0, 1))
    assert [t.validation.tolist() for t in one] == [t.validation.tolist() for t in two]


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_the_order_of_the_rows_only_permutes(n_folds: int) -> None:
    clips = corpus(n_folds, groups_per_fold=12)
    expected = [[set(rows.tolist()) for rows in parts(t)] for t in splits(*clips, seed=1)]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(clips[0]))
        found = splits(*permuted(clips, order), seed=1)
        assert [[set(order[rows].tolist()) for rows in parts(t)] for t in found] == expected


def test_the_validation_rows_agrees_with_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    _, groups, labels = corpus(2, groups_per_fold=15)
    rows = np.arange(10, len(groups))
    group, label = np.array(groups)[rows], np.array(labels)[rows]
    folder = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=7)
    _, expected = next(folder.split(label, label, group))
    assert validation_rows(rows, groups, labels, seed=7).tolist() == rows[expected].tolist()


def test_splits_agree_with_scikit_learn() -> None:
    from sklearn.model_selection import LeaveOneGroupOut

    folds, groups, labels = corpus(5)
    expected = [test.tolist() for _, test in LeaveOneGroupOut().split(labels, labels, groups=folds)]
    assert [t.test.tolist() for t in splits(folds, groups, labels)] == expected


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (["", "", ""], r"needs at least 2 folds, found 0; give folds in the clips table"),
        (["1", "1", "1"], r"needs at least 2 folds, found 1"),
        (["1", "2", ""], r"^1 clips have no fold; give every clip one or leave them out$"),
    ],
)
def test_folds_that_are_not_enough(folds: list[str], said: str) -> None:
    with pytest.raises(SplitError, match=said):
        next(splits(folds, ["a", "b", "c"], ["x"] * 3))


def test_two_folds_with_too_little_to_choose_on() -> None:
    with pytest.raises(SplitError, match="the training clips are of a single group"):
        next(splits(["1", "1", "2", "2"], ["a", "a", "b", "b"], ["x", "y", "x", "y"]))
    with pytest.raises(SplitError, match="or a single clip of each class"):
        next(splits(["1", "1", "2", "2"], ["a", "b", "c", "d"], ["x", "y", "x", "y"]))


def test_small_classes_do_not_stop_a_split() -> None:
    found = list(splits(["1"] * 4 + ["2"] * 4, list("abcdefgh"), ["x", "y"] * 4))
    assert [(len(t.train), len(t.validation)) for t in found] == [(2, 2), (2, 2)]


def test_assigned_folds_hold_whole_groups_stratified() -> None:
    _, groups, labels = corpus(1, groups_per_fold=60)
    folds = assign_folds(groups, labels, n_folds=5, seed=0)
    assert set(folds) == {"1", "2", "3", "4", "5"}
    check_groups(folds, groups)
    assert Counter(zip(folds, labels, strict=True)) == {
        (str(f), f"class {c}"): 8 for f in range(1, 6) for c in range(3)
    }


def test_assigned_folds_are_seeded_and_do_not_see_the_order() -> None:
    clips = corpus(1, groups_per_fold=40)
    folds = assign_folds(*clips[1:], n_folds=4, seed=2)
    assert assign_folds(*clips[1:], n_folds=4, seed=2) == folds
    assert assign_folds(*clips[1:], n_folds=4, seed=3) != folds
    order = np.random.default_rng(0).permutation(len(folds))
    assert assign_folds(*permuted(clips, order)[1:], n_folds=4, seed=2) == [folds[i] for i in order]


def test_assigned_folds_agree_with_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    _, groups, labels = corpus(1, groups_per_fold=40)
    folder = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=5)
    expected = np.empty(len(groups), object)
    for k, (_, test) in enumerate(folder.split(labels, labels, groups), start=1):
        expected[test] = str(k)
    assert assign_folds(groups, labels, n_folds=4, seed=5) == expected.tolist()


@pytest.mark.parametrize(
    ("groups", "labels", "n_folds", "said"),
    [
        ("aabb", "xyxy", 3, r"^folds=3: expected 2 to 2, the number of groups$"),
        ("abcd", "xxxx", 1, r"^folds=1: expected 2 to 4, the number of groups$"),
        ("abcdef", "xyzxyz", 3, r"^folds=3: expected 2 to 2, the number of clips of the largest class$"),
    ],
)
def test_folds_that_cannot_be_assigned(groups: str, labels: str, n_folds: int, said: str) -> None:
    with pytest.raises(SplitError, match=said):
        assign_folds(list(groups), list(labels), n_folds=n_folds)


def test_an_empty_fold_is_never_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups can be so uneven that scikit-learn leaves a fold empty."""
    sides_given = [([0, 1], np.array([], int)), ([0], np.array([1])), ([1], np.array([0]))]
    monkeypatch.setattr(protocol, "_quiet_split", lambda *_: iter(sides_given))
    with pytest.raises(SplitError, match=r"^folds=2: fold 1 stays empty, so uneven are the groups; ask for fewer$"):
        assign_folds(["a", "b"], ["x", "x"], n_folds=2)
    assert validation_rows(np.array([4, 7]), ["a"] * 7 + ["b"], ["x"] * 8, seed=0).tolist() == [7]
