"""Intervals of accuracies and of their differences: a bootstrap over whole groups, within folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination, combinations_of
from evaluator.outcomes import number_groups
from evaluator.student import upper_quantile
from harness.tables import fold_order

__all__ = ["Bootstrap", "bootstrap"]

SAMPLES = 4000
_LEVEL = 0.95
_FEW = 10  # groups below which their spread says too little
_FLAT = 1e-12  # a deviation below this is rounding, not spread


@dataclass(frozen=True)
class Bootstrap:
    """Mean accuracy over folds, resampled by whole groups.

    Parameters
    ----------
    samples : dict of Combination to ndarray of float64, shape (n_samples,)
        All combinations were given the same resampled groups, so samples can be subtracted.
    accuracy : dict of Combination to float
        Mean over folds as it was measured.
    groups : int
        How many there were to draw from.
    unit : str
        What was drawn: ``groups``; where none are known ``clips``, or ``distinct sounds`` of clips with copies.
    df : int
        Degrees of freedom of the spread: groups less the strata that they were drawn within. 0 where the spread of
        the groups is not known well enough for an interval; see :func:`bootstrap`.
    """

    samples: dict[Combination, np.ndarray]
    accuracy: dict[Combination, float]
    groups: int
    unit: str
    df: int

    def interval(self, a: Combination, b: Combination | None = None) -> tuple[float, float]:
        """95 % interval of the accuracy of `a`, or of the accuracy of `a` less that of `b`.

        Student's t on either end of what was measured, with the standard deviation of the samples as its error; of an
        accuracy on the scale of its logit, which leaves the ends in [0, 1] (Korn and Graubard 1998).
        NaN, NaN where `df` is 0, or where all samples are the same, which is no certainty.
        """
        values = self.samples[a] if b is None else self.samples[a] - self.samples[b]
        error = float(values.std()) if self.df else math.nan
        if not error > _FLAT:
            return math.nan, math.nan
        half = upper_quantile((1 - _LEVEL) / 2, self.df) * error
        if b is not None:
            middle = self.accuracy[a] - self.accuracy[b]
            return max(middle - half, -1.0), min(middle + half, 1.0)
        share = self.accuracy[a]
        half, odds = half / (share * (1 - share)), math.log(share / (1 - share))
        return 1 / (1 + math.exp(half - odds)), 1 / (1 + math.exp(-half - odds))


class _Tally(NamedTuple):
    """Of one fold: groups (m,) that have clips in it, and of each its right clips (m, combinations) and all its clips.

    Those are in one column where all combinations have the same. `folds` (combinations,): for how many folds it counts.
    """

    groups: np.ndarray
    hits: np.ndarray
    n: np.ndarray
    folds: np.ndarray


def bootstrap(
    predictions: pd.DataFrame,
    groups: Mapping[str, str] | None = None,
    *,
    n_samples: int = SAMPLES,
    seed: int = 0,
) -> Bootstrap:
    """Resample whole groups with replacement within folds, and take the mean accuracy over folds each time.

    Of the n groups of a fold n - 1 are drawn, so that samples spread as the accuracies of new recordings do (of n they
    spread less by (n - 1) / n). A group with clips in several folds is drawn with the fold in which it has most of
    them. Folds of one group (one left out at a time) are drawn together, as whole folds.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it. Several seeds of a combination are averaged per clip.
    groups : mapping of str to str, optional
        From clip_id to group; a clip without one is a group of its own.
    n_samples : int
    seed : int

    Returns
    -------
    Bootstrap
        Without intervals (`df` is 0) of fewer than 10 groups, and where a single fold has one group, whose spread
        nothing shows. A fold without drawn clips, as groups may leave where they span folds, counts as it was tested.
    """
    clip, clips = pd.factorize(predictions["clip_id"])
    numbers = number_groups(list(clips), groups)
    names, right = combinations_of(predictions), (predictions["label"] == predictions["predicted"]).to_numpy()
    combination = predictions.groupby(list(COLUMNS)).ngroup().to_numpy()
    place, folds = pd.factorize(predictions["fold"])
    tallies = []
    for name in fold_order(folds):
        rows = np.flatnonzero(place == folds.get_loc(name))
        tallies.append(_tally(numbers.number[clip[rows]], combination[rows], right[rows], width=len(names)))
    strata, tallies = _strata(tallies, numbers.count)
    known = numbers.count >= _FEW and all(len(own) > 1 for own in strata)
    means = _resample(tallies, strata, numbers.count, n_samples=n_samples, rng=np.random.default_rng(seed))
    measured = np.average([_whole(own) for own in tallies], axis=0, weights=[own.folds for own in tallies])
    return Bootstrap(
        samples={name: means[:, i] for i, name in enumerate(names)},
        accuracy={name: float(measured[i]) for i, name in enumerate(names)},
        groups=numbers.count,
        unit=numbers.unit,
        df=numbers.count - len(strata) if known else 0,
    )


def _tally(group: np.ndarray, combination: np.ndarray, right: np.ndarray, *, width: int) -> _Tally:
    """What the groups of a fold have."""
    groups, row = np.unique(group, return_inverse=True)
    cell, size = row * width + combination, len(groups) * width
    hits, n = (np.bincount(cell, weights=w, minlength=size).reshape(-1, width) for w in (right.astype(float), None))
    same = (n == n[:, :1]).all()  # as where every combination was tested on every clip
    return _Tally(groups, hits, (n[:, :1] if same else n).astype(float), (n.sum(axis=0) > 0).astype(float))


def _strata(tallies: Sequence[_Tally], groups: int) -> tuple[list[np.ndarray], list[_Tally]]:
    """Groups to draw within, and folds; those of one group are one stratum, and one fold that counts for each."""
    most, home = np.zeros(groups), np.zeros(groups, dtype=int)
    for k, own in enumerate(tallies):
        clips = own.n.sum(axis=1)
        more = clips > most[own.groups]
        home[own.groups[more]], most[own.groups[more]] = k, clips[more]
    sizes = np.bincount(home, minlength=len(tallies))
    alone = np.flatnonzero(sizes == 1)
    strata = [np.flatnonzero(home == k) for k in np.flatnonzero(sizes > 1)]
    if not len(alone):
        return strata, list(tallies)
    strata.append(np.flatnonzero(np.isin(home, alone)))
    rest = [own for k, own in enumerate(tallies) if sizes[k] != 1]
    return strata, [*rest, _merged([tallies[int(k)] for k in alone], groups)]


def _merged(tallies: Sequence[_Tally], groups: int) -> _Tally:
    """Several folds as one whose accuracy is their mean: a clip counts as one of the clips of its fold."""
    width = tallies[0].hits.shape[1]
    hits, n = np.zeros((groups, width)), np.zeros((groups, width))
    for own in tallies:
        size = np.maximum(np.broadcast_to(own.n.sum(axis=0), width), 1)
        hits[own.groups] += own.hits / size
        n[own.groups] += own.n / size
    there = np.flatnonzero(n.any(axis=1))
    return _Tally(there, hits[there], n[there], np.sum([own.folds for own in tallies], axis=0))


def _whole(own: _Tally) -> np.ndarray:
    """Accuracy of each combination as it was measured; 0 where it has no clips."""
    return np.asarray(own.hits.sum(axis=0) / np.maximum(own.n.sum(axis=0), _FLAT))


def _resample(
    tallies: Sequence[_Tally], strata: Sequence[np.ndarray], groups: int, *, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean accuracy over folds of each combination, shape (n_samples, combinations); a block of samples at a time."""
    block = max(1, 4_000_000 // groups)
    means = []
    for start in range(0, n_samples, block):
        times = np.zeros((min(block, n_samples - start), groups))
        for members in strata:
            times[:, members] = _times(len(members), len(times), rng)
        total = np.zeros((len(times), tallies[0].hits.shape[1]))
        for own in tallies:
            drawn = times[:, own.groups]
            got, of = drawn @ own.hits, drawn @ own.n
            accuracy = np.divide(got, of, out=np.broadcast_to(_whole(own), got.shape).copy(), where=of > 0)
            total += accuracy * own.folds
        means.append(total / np.sum([own.folds for own in tallies], axis=0))
    return np.concatenate(means)


def _times(groups: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each group is drawn, shape (samples, groups): one fewer in all than there are groups."""
    if groups == 1:
        return np.ones((samples, 1))
    drawn = rng.integers(groups, size=(samples, groups - 1)) + groups * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * groups).reshape(samples, groups)
