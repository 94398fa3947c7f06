"""The cross-validation protocol: which clips train, which choose, which test.

Nothing is chosen on the test fold, and no group is in two parts of a split. Hyper-parameters are chosen
on the next fold in natural order (the first after the last); with fewer than three folds, on a seeded,
stratified fifth of the training clips, by group.

Folds that are named train, validation, test make a single split, which is never rotated: fitted on train, chosen on
validation (where there is none, on the fifth), tested on test. Of train and validation alone, validation is tested.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import SplitError
from harness.shared_groups import OFFICIAL, SharedGroups, check_groups, spanning_groups
from harness.split_parts import filled_groups, parts_of
from harness.tables import fold_order

__all__ = ["Split", "assign_folds", "leak_notes", "splits", "validation_rows"]


@dataclass(frozen=True)
class Split:
    """One split; row numbers into the table, in ascending order. Train, validation and test are disjoint.

    Parameters
    ----------
    fold : str
        The fold, or the part of a single split, that is tested.
    train : ndarray of int, shape (n_train,)
        Rows to fit on while choosing.
    validation : ndarray of int, shape (n_validation,)
        Rows to choose on.
    test : ndarray of int, shape (n_test,)
        Rows of the fold itself.
    refit : ndarray of int, shape (n_refit,), optional
        Rows of the final fit; by default those of `train` and `validation`. Where clips of shared groups are dropped,
        a clip may be here that is not in `train`, as its group is in `validation`.
    """

    fold: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    refit: np.ndarray = None  # type: ignore[assignment]  # filled in below

    def __post_init__(self) -> None:
        """Fill in the rows of the final fit."""
        if self.refit is None:
            object.__setattr__(self, "refit", np.sort(np.concatenate([self.train, self.validation])))


def splits(
    folds: Sequence[str],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
    shared: SharedGroups = OFFICIAL,
) -> Iterator[Split]:
    """Give the splits of a cross-validation, in natural order of the folds, or the single split.

    Parameters
    ----------
    folds, groups, labels : sequence of str, length n
        Of each clip. An empty group stands for itself.
    seed : int
        For the validation rows where there are fewer than three folds.
    shared : SharedGroups
        What is done about groups that span folds.

    Raises
    ------
    SplitError
        Fewer than two folds, a clip without a fold, a single split without a part that it needs, or a group in
        two folds (as :class:`harness.shared_groups.SharedGroupsError`).
    """
    names = fold_order(folds)
    parts = parts_of(names)
    if parts is None and len(names) < 2:
        raise SplitError(
            f"cross-validation needs at least 2 folds, found {len(names)}; "
            "give folds in the clips table, a pattern with (?P<fold>...), or let the corpus assign them (folds=5)"
        )
    number = {name: k for k, name in enumerate(names)}  # comparing a million texts once for each fold takes seconds
    fold, group = np.array([number.get(name, -1) for name in folds], int), np.asarray(groups, dtype=object)
    if (fold < 0).any():
        raise SplitError(f"{int((fold < 0).sum())} clips have no fold; give every clip one or leave them out")
    tested = names if parts is None else [_tested(parts)]
    check_groups(folds, groups, shared)
    for name in tested:
        test = np.flatnonzero(fold == number[name])
        if parts is None and len(names) >= 3:
            validation = np.flatnonzero(fold == (number[name] + 1) % len(names))
        elif parts and len(parts) == 3:
            validation = np.flatnonzero(fold == number[parts["validation"]])
        else:
            validation = _fifth(fold == number[name], groups, labels, seed=seed, shared=shared)
        inside = np.zeros(len(fold), dtype=bool)
        inside[test] = inside[validation] = True
        split = Split(name, np.flatnonzero(~inside), validation, test)
        yield _without_leaks(split, group) if shared.policy == "drop" else split


def _tested(parts: Mapping[str, str]) -> str:
    """The name of the part of a single split that is tested."""
    if "train" not in parts or len(parts) < 2:
        listed = ", ".join(repr(name) for name in parts.values())
        raise SplitError(
            f"the folds are {listed} alone: a single split needs train, and test or validation; name the missing part, "
            "or let the corpus assign folds (folds=5)"
        )
    return parts.get("test") or parts["validation"]


def _fifth(
    tested: np.ndarray,
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int,
    shared: SharedGroups,
) -> np.ndarray:
    """Validation rows among all but those `tested` (a mask); with "drop" none of a group that is tested too."""
    rows = np.flatnonzero(~tested)
    if shared.policy == "drop":
        group = np.asarray(groups, dtype=object)
        leaking = set(group[tested]) - {""}
        rows = rows[[name not in leaking for name in group[rows]]]
    return validation_rows(rows, groups, labels, seed=seed)


def _without_leaks(split: Split, group: np.ndarray) -> Split:
    """The split without the clips that share a group with clips that it is tested, or chosen, on."""

    def apart(rows: np.ndarray, *others: np.ndarray) -> np.ndarray:
        leaking = {name for other in others for name in group[other]} - {""}
        return rows[[name not in leaking for name in group[rows]]] if len(rows) else rows

    validation, refit = apart(split.validation, split.test), apart(split.refit, split.test)
    train = apart(split.train, split.test, validation)
    if not len(train) or not len(validation):
        raise SplitError(
            f"fold {split.fold!r}: nothing is left to train on, or to choose on, without the clips of shared groups; "
            "give other folds"
        )
    return Split(split.fold, train, validation, split.test, refit)


def leak_notes(splits: Sequence[Split], folds: Sequence[str], groups: Sequence[str], shared: SharedGroups) -> list[str]:
    """What was done about groups that span folds, in words; nothing where there are none.

    Parameters
    ----------
    splits : sequence of Split
    folds, groups : sequence of str, length n
    shared : SharedGroups
    """
    spanning = spanning_groups(folds, groups)
    if not spanning:
        return []
    if shared.policy == "official":
        which = (
            "The group in several folds is"
            if len(spanning) == 1
            else f"The {len(spanning)} groups in several folds are"
        )
        return [f"{which} used as released: some clips were tested by models that trained on others of their group."]
    if shared.policy == "drop":
        rows = np.arange(len(folds))
        left = [np.setdiff1d(rows, np.concatenate([s.train, s.validation, s.test])) for s in splits]
        clips, affected = len(set(np.concatenate(left).tolist())), sum(len(out) > 0 for out in left)
        return [
            f"Left out of training where they would leak: {clips} clips of groups in several folds, in {affected} of "
            f"{len(splits)} split{'s' * (len(splits) > 1)}; every clip of a test part is still tested."
        ]
    return [
        f"Groups are shared across folds: {len(spanning)}, the first {next(iter(spanning))!r}; models were tested on "
        "recordings that they trained on, so all figures are too high."
    ]


def validation_rows(rows: np.ndarray, groups: Sequence[str], labels: Sequence[str], *, seed: int) -> np.ndarray:
    """A stratified fifth of `rows` by whole groups, seeded (scikit-learn's StratifiedGroupKFold)."""
    from sklearn.model_selection import StratifiedGroupKFold  # half a second

    group = _filled(groups)[rows]
    label = np.asarray(labels, dtype=object)[rows]
    n = min(5, len(set(group)), _most_common(label))
    if n < 2:
        raise SplitError(
            "the training clips are of a single group, or a single clip of each class; nothing is left to choose "
            "hyper-parameters on"
        )
    folder = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed)
    return rows[next(held for _, held in _quiet_split(folder, label, group) if len(held))]


def assign_folds(groups: Sequence[str], labels: Sequence[str], *, n_folds: int, seed: int = 0) -> list[str]:
    """Fold names "1" ... of a stratified group k-fold, seeded, for a corpus without folds.

    Raises
    ------
    SplitError
        Fewer groups than folds, fewer clips in every class, or groups so uneven that a fold stays empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # half a second

    group = _filled(groups)
    if n_folds < 2 or len(set(group)) < n_folds:
        raise SplitError(f"folds={n_folds}: expected 2 to {len(set(group))}, the number of groups")
    most = _most_common(labels)
    if most < n_folds:
        raise SplitError(f"folds={n_folds}: expected 2 to {most}, the number of clips of the largest class")
    folder = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    fold = np.empty(len(group), dtype=object)
    for k, (_, test) in enumerate(_quiet_split(folder, np.asarray(labels, dtype=object), group), start=1):
        if not len(test):
            raise SplitError(f"folds={n_folds}: fold {k} stays empty, so uneven are the groups; ask for fewer")
        fold[test] = str(k)
    return [str(f) for f in fold]


def _most_common(labels: Iterable[str]) -> int:
    """How many clips the largest class has."""
    return max(Counter(labels).values(), default=0)


def _filled(groups: Sequence[str]) -> np.ndarray:
    return np.asarray(filled_groups(groups), dtype=object)


def _quiet_split(folder: object, label: np.ndarray, group: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with warnings.catch_warnings():  # small classes are said elsewhere, by name
        warnings.simplefilter("ignore", UserWarning)
        yield from folder.split(np.zeros(len(label)), label, group)  # type: ignore[attr-defined]
