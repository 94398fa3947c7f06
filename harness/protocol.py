"""The cross-validation protocol: which clips train, which choose, which test.

Nothing is chosen on the test fold, and no group is in two parts of a split. Hyper-parameters are chosen
on the next fold in natural order (the first after the last); with fewer than three folds, on a seeded,
stratified fifth of the training clips, by group.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import SplitError
from harness.tables import fold_order

__all__ = ["Split", "assign_folds", "check_groups", "splits", "validation_rows"]


@dataclass(frozen=True)
class Split:
    """One split of the cross-validation; row numbers into the table, disjoint.

    Parameters
    ----------
    fold : str
        The fold that is tested.
    train : ndarray of int, shape (n_train,)
        Rows to fit on while choosing.
    validation : ndarray of int, shape (n_validation,)
        Rows to choose on. The final fit is on `train` and `validation` together.
    test : ndarray of int, shape (n_test,)
        Rows of the fold itself.
    """

    fold: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def splits(
    folds: Sequence[str], groups: Sequence[str], labels: Sequence[str], *, seed: int = 0, allow_shared: bool = False
) -> Iterator[Split]:
    """Give the splits of a cross-validation, in natural order of the folds.

    Parameters
    ----------
    folds, groups, labels : sequence of str, length n
        Of each clip. An empty group stands for itself.
    seed : int
        For the validation rows where there are fewer than three folds.
    allow_shared : bool
        Go on although a group spans folds (a leak; the caller must say so in the report).

    Raises
    ------
    SplitError
        Fewer than two folds, a clip without a fold, or a group in two folds.
    """
    names = fold_order(folds)
    if len(names) < 2:
        raise SplitError(
            f"cross-validation needs at least 2 folds, found {len(names)}; "
            "give folds in the clips table, a pattern with (?P<fold>...), or let the corpus assign them (folds=5)"
        )
    fold = np.asarray(folds, dtype=object)
    if (fold == "").any():
        raise SplitError(f"{int((fold == '').sum())} clips have no fold; give every clip one or leave them out")
    if not allow_shared:
        check_groups(folds, groups)
    for k, name in enumerate(names):
        test = np.flatnonzero(fold == name)
        if len(names) >= 3:
            validation = np.flatnonzero(fold == names[(k + 1) % len(names)])
        else:
            validation = validation_rows(np.flatnonzero(fold != name), groups, labels, seed=seed)
        inside = np.zeros(len(fold), dtype=bool)
        inside[test] = inside[validation] = True
        yield Split(name, np.flatnonzero(~inside), validation, test)


def check_groups(folds: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse folds that share a group.

    Raises
    ------
    SplitError
        Naming the first such group and its folds.
    """
    first: dict[str, str] = {}
    for fold, group in zip(folds, groups, strict=True):
        if group and first.setdefault(group, fold) != fold:
            raise SplitError(
                f"group {group!r} is in fold {first[group]!r} and in fold {fold!r}: a model would be tested on "
                "recordings that it trained on; fix the folds, or override with allow_shared_groups"
            )


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
    return np.asarray([g or f"\x01row {i}" for i, g in enumerate(groups)], dtype=object)


def _quiet_split(folder: object, label: np.ndarray, group: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with warnings.catch_warnings():  # small classes are said elsewhere, by name
        warnings.simplefilter("ignore", UserWarning)
        yield from folder.split(np.zeros(len(label)), label, group)  # type: ignore[attr-defined]
