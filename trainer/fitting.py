"""Fit a head for every fold: all code that a head's numbers depend on, apart from its feature vectors.

``lbfgs`` chooses its regularisation on the validation fold, in rising order of strengths until two in a row bring
nothing (of large matrices at a loose tolerance), and is refitted on all training folds. ``sgd`` trains as
``retrain.py`` does with the same file lists: the validation fold is held out, and nothing is chosen on it.

No table or store is read here: the version of this module's code is part of every head's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from harness.protocol import Split
from harness.settings import PositiveFloat, Settings
from harness.tables import class_order
from trainer import logistic, sgd
from trainer.head import Head
from trainer.logistic import LogisticSettings, Regression
from trainer.sgd import SgdSettings

__all__ = ["HeadSettings", "Trained", "fit_final", "fit_folds"]

_LOOSE = LogisticSettings(tolerance=1e-2)  # where much is to be gained: the loss is within about 5e-5 of its minimum
_PATIENCE = 2  # strengths in a row


class HeadSettings(Settings):
    """Which head, and what it may choose from.

    Parameters
    ----------
    head : str
        ``lbfgs`` or ``sgd``.
    strengths : tuple of float
        Values of scikit-learn's C that ``lbfgs`` chooses from, each above 0.
    sgd : SgdSettings
    """

    head: Literal["lbfgs", "sgd"] = "lbfgs"
    strengths: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = logistic.STRENGTHS
    sgd: SgdSettings = SgdSettings()

    def of_head(self) -> dict[str, Any]:
        """The settings that can change the chosen head, as JSON values."""
        own = {"strengths": list(self.strengths)} if self.head == "lbfgs" else self.sgd.to_json()
        return {"head": self.head, **own}


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
    """

    heads: dict[str, Head]
    classes: list[str]
    chosen: dict[str, float] = field(default_factory=dict)


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
    if settings.head == "sgd":
        heads = {
            s.fold: sgd.fit(features[s.train], targets[s.train], len(classes), settings=settings.sgd, seed=seed)
            for s in splits
        }
        return Trained(heads, classes)
    heads, chosen = _choose_and_refit(features, targets, len(classes), splits, settings.strengths)
    return Trained(heads, classes, chosen)


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
    targets = _targets(labels, trained.classes)
    if settings.head == "sgd":
        return sgd.fit(features, targets, len(trained.classes), settings=settings.sgd, seed=seed)
    votes = sorted(trained.chosen.values())
    strength = max(votes, key=lambda c: (votes.count(c), -c))
    return logistic.fit(features, targets, len(trained.classes), strength=strength)


def _targets(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number[label] for label in labels])


def _choose_and_refit(
    features: np.ndarray, targets: np.ndarray, n_classes: int, splits: Sequence[Split], strengths: Sequence[float]
) -> tuple[dict[str, Head], dict[str, float]]:
    regression = Regression(features, targets, n_classes, [s.train for s in splits])
    heads: dict[str, Head] = {}
    chosen: dict[str, float] = {}
    for batch in regression.batches([s.train for s in splits]):
        part = splits[batch]
        trials, found = _choose(regression, part, sorted(strengths))
        refit = regression.path([s.refit for s in part], start=found)
        refit.solve(np.array([trial.strength for trial in trials]), LogisticSettings())
        heads |= {s.fold: head for s, head in zip(part, refit.heads(), strict=True)}
        chosen |= {s.fold: trial.strength for s, trial in zip(part, trials, strict=True)}
    return heads, chosen


@dataclass(frozen=True)
class _Trial:
    """A strength on the validation rows of a split; the better one is smaller."""

    wrong: int
    loss: float  # mean log loss
    strength: float
    parameters: np.ndarray

    def rank(self) -> tuple[int, float, float]:
        """Fewest wrong first, of equals the lower log loss, of equals the stronger regularisation."""
        return self.wrong, self.loss, self.strength


def _choose(
    regression: Regression, splits: Sequence[Split], strengths: Sequence[float]
) -> tuple[list[_Trial], list[Head]]:
    """The best strength of each split, tried in rising order until several in a row bring nothing, and its head."""
    path = whole = regression.path([s.train for s in splits], others=[s.validation for s in splits])
    active, trials = list(range(len(splits))), [list[_Trial]() for _ in splits]
    for strength in strengths:
        path.solve(np.full(len(active), strength), _LOOSE if regression.large else LogisticSettings())
        for f, k in enumerate(active):
            rows = splits[k].validation
            scores = path.probabilities(f, rows)
            trials[k].append(_trial(path.parameters(f), strength, scores, regression.targets[rows]))
        ongoing = [i for i, k in enumerate(active) if not _past_the_best(trials[k])]
        if not ongoing:
            break
        if len(ongoing) < len(active):
            path, active = path.only(np.array(ongoing)), [active[i] for i in ongoing]
    best = [min(of_split, key=_Trial.rank) for of_split in trials]
    return best, whole.heads([trial.parameters for trial in best])


def _trial(parameters: np.ndarray, strength: float, scores: np.ndarray, targets: np.ndarray) -> _Trial:
    wrong = int((scores.argmax(axis=1) != targets).sum())
    loss = -np.log(np.maximum(scores[np.arange(len(targets)), targets].astype(np.float64), 1e-15)).mean()
    return _Trial(wrong, float(loss), float(strength), parameters)


def _past_the_best(trials: Sequence[_Trial]) -> bool:
    """Whether the last strengths had neither fewer wrong nor a lower log loss than those before them."""
    before, last = trials[:-_PATIENCE], trials[-_PATIENCE:]
    return bool(before) and all(
        trial.wrong >= min(t.wrong for t in before) and trial.loss >= min(t.loss for t in before) for trial in last
    )
