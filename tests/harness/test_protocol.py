"""The protocol: what trains, what chooses, what tests, and that nothing leaks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness import protocol
from harness.errors import SplitError
from harness.protocol import Split, assign_folds, leak_notes, splits, validation_rows
from harness.shared_groups import SharedGroups, SharedGroupsError, check_groups

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
    found = list(splits(["site", "fold10", "fold9"], ["", "", ""], ["a", "a", "a"]))
    assert [(t.fold, t.train.tolist(), t.validation.tolist(), t.test.tolist()) for t in found] == [
        ("fold9", [0], [1], [2]),
        ("fold10", [2], [0], [1]),
        ("site", [1], [2], [0]),
    ]


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_no_group_spans_a_split(n_folds: int) -> None:
    folds, groups, labels = corpus(n_folds)
    for split in splits(folds, groups, labels):
        train, validation, test = ({groups[i] for i in rows} for rows in parts(split))
        assert not train & validation
        assert not train & test
        assert not validation & test


def test_shared_groups_are_refused_by_name() -> None:
    folds, groups, labels = corpus(3)
    for k in range(5):
        groups[folds.index("2") + k] = f"source 1-{k}"
    said = (
        r"^5 groups are in several folds: source 1-0 \(folds 1, 2\), source 1-1 \(folds 1, 2\), source 1-2 "
        r"\(folds 1, 2\) \.\.\.; .*; shared_groups=\"drop\" leaves .*; shared_groups=\"allow\" goes .*; "
        r"folds=3 assigns folds by group$"
    )
    with pytest.raises(SharedGroupsError, match=said):
        next(splits(folds, groups, labels))
    with pytest.raises(SharedGroupsError, match=said):
        check_groups(folds, groups)
    found = list(splits(folds, groups, labels, shared=SharedGroups("allow")))
    assert [len(t.test) for t in found] == [12, 12, 12]


def torn_corpus() -> tuple[Clips, SharedGroups]:
    """Four folds; group "torn" has clips in folds 1 and 3, and is declared."""
    folds, groups, labels = corpus(4)
    groups[folds.index("1")] = groups[folds.index("3")] = "torn"
    return (folds, groups, labels), SharedGroups("official", {"torn": ("1", "3")})


def test_declared_exceptions_are_used_as_released() -> None:
    clips, shared = torn_corpus()
    for split in splits(*clips, shared=shared):
        assert sorted(np.concatenate(parts(split))) == list(range(len(clips[0])))
        assert split.refit.tolist() == sorted([*split.train, *split.validation])
    with pytest.raises(SharedGroupsError, match=r'shared_groups="official" uses the corpus\'s own exceptions \(1\)'):
        next(splits(*clips, shared=SharedGroups("refuse", shared.exceptions)))


def test_an_exception_holds_for_the_official_folds_only() -> None:
    (folds, groups, labels), shared = torn_corpus()
    groups[folds.index("2")] = "torn"
    with pytest.raises(SharedGroupsError, match=r"^1 group is in several folds: torn \(folds 1, 2, 3\)"):
        next(splits(folds, groups, labels, shared=shared))
    groups[folds.index("2")], groups[folds.index("4")] = "source 2-0", "source 2-0"
    with pytest.raises(SharedGroupsError, match=r"^1 group is in several folds: source 2-0 \(folds 2, 4\)"):
        next(splits(folds, groups, labels, shared=shared))


def test_drop_leaves_clips_out_where_they_would_leak_and_nowhere_else() -> None:
    (folds, groups, labels), _ = torn_corpus()
    a, b = folds.index("1"), folds.index("3")
    found = {s.fold: s for s in splits(folds, groups, labels, shared=SharedGroups("drop"))}
    assert sorted(np.concatenate([s.test for s in found.values()])) == list(range(len(folds))), "each clip is tested"

    def uses(fold: str, row: int) -> tuple[bool, ...]:
        split = found[fold]
        return tuple(row in rows for rows in (split.train, split.validation, split.test, split.refit))

    assert (uses("1", a), uses("1", b)) == ((False, False, True, False), (False, False, False, False))
    assert (uses("3", b), uses("3", a)) == ((False, False, True, False), (False, False, False, False))
    # fold 2 chooses on fold 3, so the clip in fold 1 is out of train, and back in the refit
    assert (uses("2", b), uses("2", a)) == ((False, True, False, True), (False, False, False, True))
    assert (uses("4", a), uses("4", b)) == ((False, True, False, True), (False, False, False, True))
    plain = {s.fold: s for s in splits(folds, groups, labels, shared=SharedGroups("allow"))}
    for fold, split in found.items():
        for name in ("train", "validation", "refit"):
            assert set(getattr(plain[fold], name)) - set(getattr(split, name)) <= {a, b}
    notes = leak_notes(list(found.values()), folds, groups, SharedGroups("drop"))
    assert notes[0].startswith(
        "Left out of training where they would leak: 2 clips of groups in several folds, in 4 of 4 "
    )


def test_drop_with_two_folds_and_in_a_single_split() -> None:
    for names in (("1", "2"), ("train", "test"), ("train", "validation"), ("train", "val", "test")):
        folds, groups, labels = corpus(len(names), groups_per_fold=12)
        folds = [names[int(fold) - 1] for fold in folds]
        for k in range(3):
            groups[k], groups[12 + k] = f"torn {k}", f"torn {k}"
        for split in splits(folds, groups, labels, shared=SharedGroups("drop")):
            train, validation, test, refit = (
                {groups[i] for i in rows} for rows in (split.train, split.validation, split.test, split.refit)
            )
            assert not (train & validation or train & test or validation & test or refit & test)
            assert test == {groups[i] for i in range(len(folds)) if folds[i] == split.fold}


def test_a_single_split_is_never_rotated() -> None:
    folds, groups, labels = corpus(3)
    folds = [{"1": "Train", "2": "val", "3": "testing"}[fold] for fold in folds]
    (split,) = splits(folds, groups, labels)
    assert split.fold == "testing"
    assert [{folds[i] for i in rows} for rows in parts(split)] == [{"Train"}, {"val"}, {"testing"}]
    assert sorted(np.concatenate(parts(split))) == list(range(len(folds)))
    assert {folds[i] for i in split.refit} == {"Train", "val"}


@pytest.mark.parametrize("names", [("train", "test"), ("train", "validation")])
def test_a_single_split_of_two_parts_chooses_on_a_fifth_of_train(names: tuple[str, str]) -> None:
    folds, groups, labels = corpus(2, groups_per_fold=30)
    folds = [names[int(fold) - 1] for fold in folds]
    (split,) = splits(folds, groups, labels)
    assert split.fold == names[1]
    assert {folds[i] for i in split.validation} == {folds[i] for i in split.train} == {"train"}
    assert len(split.validation) == len(split.test) / 5
    assert {folds[i] for i in split.test} == {names[1]}
    assert not {groups[i] for i in split.train} & {groups[i] for i in split.validation}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ("train", "test", "3"),
            r"^the folds are '3', 'test', 'train': '3' is no part of a train/validation/test split; ",
        ),
        (
            ("test", "validation"),
            r"^the folds are 'validation', 'test' alone: a single split needs train, and test or ",
        ),
        (("train",), r"^the folds are 'train' alone: a single split needs train, and test or validation"),
        (("train", "test", "eval"), r"'eval' and 'test' both mean test; leave one name$"),
    ],
)
def test_a_single_split_that_is_none(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(SplitError, match=said):
        next(splits(list(names), [""] * len(names), ["a"] * len(names)))


def test_groups_may_not_span_the_parts_of_a_single_split() -> None:
    with pytest.raises(SharedGroupsError, match=r"^1 group is in several folds: g \(folds test, train\)") as refused:
        next(splits(["train", "test"], ["g", "g"], ["a", "b"]))
    assert "assigns folds" not in str(refused.value)


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
