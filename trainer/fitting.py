"""Fit a head for every fold: all code that a head's numbers depend on, apart from its feature vectors.

``lbfgs`` chooses its regularisation by the log loss on the fold after the tested one and the fold before it, each
scored by a head that has seen neither (in a single split on the validation rows): the smallest strength whose log loss
is within one per cent of the lowest, or within 0.005 (where nearly all clips are classified rightly the log loss goes
on falling with ever larger weights, and next to nothing is gained). Strengths are tried in rising order until one is
worse than the best by more than that, or two in a row are worse at all (on large matrices at a loose tolerance); then
the head is refitted on all training folds. ``sgd`` trains as ``retrain.py`` does with the same file lists: the
validation fold is held out, and nothing is chosen on it. Where classes are balanced, it is the rows to fit on that
are; strengths are judged on rows as they are.

No table or store is read here: the version of this module's code is part of every head's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from harness.balance import Balance, balanced_rows, balanced_split
from harness.errors import DivergedError
from harness.head import Head
from harness.protocol import Split
from harness.settings import PositiveFloat, Settings
from harness.tables import class_order
from trainer import logistic, sgd
from trainer.logistic import LogisticSettings, Regression, StrengthPath
from trainer.sgd import SgdSettings

__all__ = ["HeadSettings", "Trained", "fit_final", "fit_folds"]

_CHOOSING = LogisticSettings(tolerance=3e-4)  # of choosing: a tenth of it takes longer and chooses the same
_LOOSE = LogisticSettings(tolerance=1e-2)  # where much is to be gained: the loss is within about 5e-5 of its minimum
_STRENGTHS = (1e-15, 1e15)  # beyond which numbers overflow
_PATIENCE = 2  # strengths in a row
_Judges = dict[int, np.ndarray]  # by the number of a split whose head is judged: on which rows
_AS_GOOD = (0.01, 0.005)  # as a share, and in nats: log losses differ by less, the stronger regularisation is taken


def _check_strength(value: float) -> float:
    if not _STRENGTHS[0] <= value <= _STRENGTHS[1]:
        raise ValueError(f"must be {_STRENGTHS[0]:g} to {_STRENGTHS[1]:g}")
    return value


_Strength = Annotated[PositiveFloat, AfterValidator(_check_strength)]


class HeadSettings(Settings):
    """Which head, and what it may choose from.

    Parameters
    ----------
    head : str
        ``lbfgs`` or ``sgd``.
    strengths : tuple of float
        Values of scikit-learn's C that ``lbfgs`` chooses from, each 1e-15 to 1e15.
    sgd : SgdSettings
    balance : str
        Whether classes have equally many training rows; see `harness.balance`.
    """

    head: Literal["lbfgs", "sgd"] = "lbfgs"
    strengths: Annotated[tuple[_Strength, ...], Field(min_length=1)] = logistic.STRENGTHS
    sgd: SgdSettings = SgdSettings()
    balance: Balance = "none"

    def of_head(self) -> dict[str, Any]:
        """The settings that can change the chosen head, as JSON values."""
        own = {"strengths": list(self.strengths)} if self.head == "lbfgs" else self.sgd.to_json()
        return {"head": self.head, **own, **({"balance": self.balance} if self.balance != "none" else {})}


@dataclass
class Trained:
    """A cross-validation's heads.

    Parameters
    ----------
    heads : dict of str to Head
        By the fold that is tested.
    classes : list of str
        In the order of the scores.
    chosen : dict of str to float
        Regularisation strength by fold; empty for ``sgd``.
    key : str
        Where the store has them.
    scores_key : str
        Where the store has the scores that they gave.
    """

    heads: dict[str, Head]
    classes: list[str]
    chosen: dict[str, float] = field(default_factory=dict)
    key: str = ""
    scores_key: str = ""


def fit_folds(
    features: np.ndarray, labels: Sequence[str], splits: Sequence[Split], *, settings: HeadSettings, seed: int
) -> Trained:
    """Fit a head for every split of a cross-validation.

    Parameters
    ----------
    features : ndarray of float32, shape (n, D)
    labels : sequence of str, length n
        None is empty.
    splits : sequence of Split
    settings : HeadSettings
    seed : int
        For ``sgd``.
    """
    classes = class_order(labels)
    targets = _targets(labels, classes)
    fitted = [balanced_split(s, labels, settings.balance, seed=seed) for s in splits]
    if settings.head == "sgd":
        heads = {
            s.fold: sgd.fit(features[s.train], targets[s.train], len(classes), settings=settings.sgd, seed=seed)
            for s in fitted
        }
        return Trained(heads, classes)
    judges = [_judges(split, splits, targets) for split in splits]
    with logistic.threads_for(features.size):  # the last digits depend on their number
        heads, chosen = _choose_and_refit(features, targets, len(classes), fitted, judges, settings.strengths)
    return Trained({fold: _finite(head) for fold, head in heads.items()}, classes, chosen)


def fit_final(
    features: np.ndarray, labels: Sequence[str], trained: Trained, *, settings: HeadSettings, seed: int
) -> Head:
    """Fit a head on all rows; the strength is the one that most folds chose, of equals the smallest.

    Parameters
    ----------
    features, labels, settings, seed
        As for :func:`fit_folds`.
    trained : Trained
        The cross-validation whose classes and choices are used.
    """
    rows = balanced_rows(np.arange(len(labels)), labels, settings.balance, seed=seed)
    features, targets = features[rows], _targets(labels, trained.classes)[rows]
    if settings.head == "sgd":
        return sgd.fit(features, targets, len(trained.classes), settings=settings.sgd, seed=seed)
    votes = sorted(trained.chosen.values())
    strength = max(votes, key=lambda c: (votes.count(c), -c))
    with logistic.threads_for(features.size):
        return _finite(logistic.fit(features, targets, len(trained.classes), strength=strength))


def _finite(head: Head) -> Head:
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias).all()):
        raise DivergedError("training has diverged: weights are not finite; are the module's features of a usual size?")
    return head


def _targets(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number[label] for label in labels])


def _choose_and_refit(
    features: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    splits: Sequence[Split],
    judges: list[_Judges],
    strengths: Sequence[float],
) -> tuple[dict[str, Head], dict[str, float]]:
    regression = Regression(features, targets, n_classes, [s.train for s in splits])
    heads: dict[str, Head] = {}
    chosen: dict[str, float] = {}
    for batch in regression.batches([s.train for s in splits]):
        part = splits[batch]
        found, start = _choose(regression, splits, range(len(splits))[batch], judges, sorted(strengths))
        refit = regression.path([s.refit for s in part], start=start)
        refit.solve(np.array(found))
        heads |= {s.fold: head for s, head in zip(part, refit.heads(), strict=True)}
        chosen |= {s.fold: strength for s, strength in zip(part, found, strict=True)}
    return heads, chosen


def _judges(split: Split, splits: Sequence[Split], targets: np.ndarray) -> _Judges:
    """The heads that choose a split's strength, and the rows that they are judged on.

    A head counts that was fitted to none of the rows tested here: in a cross-validation that of the split itself, on
    the next fold, and that of the split before, which lacks the same two folds the other way round, on the fold
    before. Rows of a class that a head cannot know say nothing.
    """
    allowed = np.zeros(len(targets), bool)
    allowed[split.refit] = True
    found = {}
    for k, other in enumerate(splits):
        if other is split or allowed[other.train].all():
            rows = np.union1d(other.validation, other.test)
            known = np.isin(targets[rows], targets[other.train])
            found[k] = rows[allowed[rows] & known]
    return found


def _choose(
    regression: Regression, splits: Sequence[Split], part: Sequence[int], judges: list[_Judges], strengths: list[float]
) -> tuple[list[float], list[Head]]:
    """The strength of each split of a part, and its head on the rows for choosing.

    Strengths are tried in rising order until the log loss has been above the lowest several times in a row.
    """
    active = sorted({k for s in part for k in judges[s]})
    others = [rows for s in part for rows in judges[s].values()]
    path = whole = regression.path([splits[k].train for k in active], others=others)
    own = np.array([active.index(s) for s in part])
    losses, parameters = ({s: list[Any]() for s in part} for _ in range(2))
    ongoing = list(part)
    for strength in strengths:
        path.solve(np.full(len(active), strength), _LOOSE if path.large else _CHOOSING)
        at = {k: f for f, k in enumerate(active)}
        for s in ongoing:
            losses[s].append(_log_loss(path, regression.targets, {at[k]: rows for k, rows in judges[s].items()}))
            parameters[s].append(path.parameters(at[s]))
        ongoing = [s for s in ongoing if not _past_the_lowest(losses[s])]
        wanted = {k for s in ongoing for k in judges[s]}
        if not wanted:
            break
        if len(wanted) < len(active):
            path, active = path.only(np.array([at[k] for k in sorted(wanted)])), sorted(wanted)
    best = [_lowest(losses[s]) for s in part]
    heads = whole.only(own).heads([parameters[s][j] for s, j in zip(part, best, strict=True)])
    return [float(strengths[j]) for j in best], heads


def _log_loss(path: StrengthPath, targets: np.ndarray, judged: _Judges) -> float:
    """Mean log loss over the rows of all heads, by their numbers on the path."""
    found = [path.probabilities(f, rows)[np.arange(len(rows)), targets[rows]] for f, rows in judged.items()]
    right = np.concatenate(found).astype(np.float64)
    return float(-np.log(np.maximum(right, 1e-15)).sum() / max(len(right), 1))


def _lowest(losses: Sequence[float]) -> int:
    """The number of the first log loss that is as good as the lowest."""
    return int(np.flatnonzero(np.array(losses) <= _as_good(min(losses)))[0])


def _as_good(lowest: float) -> float:
    """The largest log loss that counts as good as the lowest."""
    share, nats = _AS_GOOD
    return max(lowest * (1 + share), lowest + nats)


def _past_the_lowest(losses: Sequence[float]) -> bool:
    """Whether the last log loss was clearly above the lowest, or the last ones were all above those before them."""
    before, last = losses[:-_PATIENCE], losses[-_PATIENCE:]
    return losses[-1] > _as_good(min(losses)) or (bool(before) and min(last) > min(before))
