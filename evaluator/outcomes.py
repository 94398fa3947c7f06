"""Right and wrong, clip by clip, with whole groups: what is resampled or flipped to ask about new recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination, combinations_of
from harness.shared_groups import groups_known

__all__ = ["GroupNumbers", "Outcomes", "number_groups", "outcomes_of"]


@dataclass(frozen=True)
class GroupNumbers:
    """Clips as numbers of their groups.

    Parameters
    ----------
    number : ndarray of int, shape (clips,)
        From 0.
    count : int
        How many groups there are.
    unit : str
        What a group is: ``groups``; where none are known ``clips``, or ``distinct sounds`` of clips with copies.
    """

    number: np.ndarray
    count: int
    unit: str


@dataclass(frozen=True)
class Outcomes:
    """Share of right predictions of each clip, over seeds, by every combination.

    Parameters
    ----------
    names : tuple of Combination
    right : ndarray of float64, shape (clips, combinations)
        In [0, 1]; NaN where a combination was not tested on the clip.
    fold : ndarray of int, shape (clips,)
    groups : GroupNumbers
    """

    names: tuple[Combination, ...]
    right: np.ndarray
    fold: np.ndarray
    groups: GroupNumbers

    def differences(self, pairs: Sequence[tuple[Combination, Combination]]) -> tuple[np.ndarray, np.ndarray]:
        """What each group contributes to the difference in accuracy of each pair.

        Parameters
        ----------
        pairs : sequence of (Combination, Combination)

        Returns
        -------
        parts : ndarray of float64, shape (groups, pairs)
            Their sum over groups is the mean over folds of the difference in accuracy, on the clips that both have.
        weights : ndarray of float64, shape (groups, pairs)
            What a group would contribute if all its clips were right by the first and wrong by the second; sum 1.
            One column where all pairs have the same clips.
        """
        place = {name: k for k, name in enumerate(self.names)}
        left, right = (np.array([place[pair[i]] for pair in pairs], dtype=int) for i in (0, 1))
        there = np.isfinite(self.right)
        if there.all():
            weight = _clip_weights(self.fold, np.ones(len(self.fold), dtype=bool))
            sums = self._by_group(self.right * weight[:, None])
            return sums[:, left] - sums[:, right], self._by_group(weight[:, None])
        parts, weights = (np.zeros((self.groups.count, len(pairs))) for _ in range(2))
        for k, (a, b) in enumerate(zip(left, right, strict=True)):
            both = there[:, a] & there[:, b]
            weight = _clip_weights(self.fold, both)
            gap = np.where(both, self.right[:, a] - self.right[:, b], 0.0)
            parts[:, k] = self._by_group((gap * weight)[:, None])[:, 0]
            weights[:, k] = self._by_group(weight[:, None])[:, 0]
        return parts, weights

    def _by_group(self, values: np.ndarray) -> np.ndarray:
        """Sums over the clips of each group, shape (groups, columns)."""
        columns = [np.bincount(self.groups.number, weights=v, minlength=self.groups.count) for v in values.T]
        return np.stack(columns, axis=1)


def outcomes_of(predictions: pd.DataFrame, groups: Mapping[str, str] | None = None) -> Outcomes:
    """Right and wrong of predictions, clip by clip.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it. Several seeds of a combination are averaged per clip.
    groups : mapping of str to str, optional
        From clip_id to group; a clip without one is a group of its own.
    """
    clip, clips = pd.factorize(predictions["clip_id"])
    names = tuple(combinations_of(predictions))
    column = predictions.groupby(list(COLUMNS)).ngroup().to_numpy()
    cell, size = clip * len(names) + column, len(clips) * len(names)
    right = (predictions["label"] == predictions["predicted"]).to_numpy(dtype=float)
    hits, tries = (np.bincount(cell, weights=w, minlength=size).reshape(-1, len(names)) for w in (right, None))
    share = np.divide(hits, tries, out=np.full(hits.shape, np.nan), where=tries > 0)
    fold = np.empty(len(clips), dtype=int)
    fold[clip] = pd.factorize(predictions["fold"])[0]
    return Outcomes(names, share, fold, number_groups(list(clips), groups))


def number_groups(clips: Sequence[str], groups: Mapping[str, str] | None = None) -> GroupNumbers:
    """Number the groups of clips.

    Parameters
    ----------
    clips : sequence of str
        Distinct clip_ids.
    groups : mapping of str to str, optional
        From clip_id to group; a clip without one is a group of its own.
    """
    known = groups or {}
    of_clip = [known.get(name, "") for name in clips]
    filled = [own or f"\x01{name}" for own, name in zip(of_clip, clips, strict=True)]
    number, distinct = pd.factorize(pd.Series(filled, dtype=object), sort=True)
    unit = "groups" if groups_known(of_clip) else "clips"
    if unit == "clips" and len(distinct) < len(clips):
        unit = "distinct sounds"
    return GroupNumbers(number, len(distinct), unit)


def _clip_weights(fold: np.ndarray, used: np.ndarray) -> np.ndarray:
    """What a clip counts in the mean over folds of accuracy on the clips `used`; 0 for others."""
    sizes = np.bincount(fold[used], minlength=int(fold.max()) + 1)
    folds = np.count_nonzero(sizes)
    return np.where(used, 1.0 / np.maximum(folds * sizes[fold], 1), 0.0)
