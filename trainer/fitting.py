"""Fit a head for every fold: all code that a head's numbers depend on, apart from its feature vectors.

``lbfgs`` chooses its regularisation on the validation fold and is refitted on all training folds. ``sgd`` trains as
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
from trainer import lbfgs, sgd
from trainer.head import Head
from trainer.sgd import SgdSettings

__all__ = ["HeadSettings", "Trained", "fit_final", "fit_folds"]


class HeadSettings(Settings):
    """Which head, and what it may choose from.

    Parameters
    ----------
    head : str
        ``lbfgs`` or ``sgd``.
    strengths : tuple of float
        Values of scikit-learn's C that ``lbfgs`` chooses from, each above 0.
    sgd : SgdSettings
    allow_shared_groups : bool
        Go on where a group spans folds.
    """

    head: Literal["lbfgs", "sgd"] = "lbfgs"
    strengths: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = lbfgs.STRENGTHS
    sgd: SgdSettings = SgdSettings()
    allow_shared_groups: bool = False

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
    return lbfgs.fit(features, targets, len(trained.classes), strength=strength)


def _targets(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number[label] for label in labels])


def _choose_and_refit(
    features: np.ndarray, targets: np.ndarray, n_classes: int, splits: Sequence[Split], strengths: Sequence[float]
) -> tuple[dict[str, Head], dict[str, float]]:
    tried = lbfgs.fit_many(features, targets, n_classes, train=[s.train for s in splits], strengths=strengths)
    best = [_best(heads, features, targets, s.validation) for heads, s in zip(tried, splits, strict=True)]
    refitted = lbfgs.fit_many(
        features,
        targets,
        n_classes,
        train=[np.sort(np.concatenate([s.train, s.validation])) for s in splits],
        strengths=np.array([[strengths[j]] for j in best]),
    )
    heads = {s.fold: fitted[0] for s, fitted in zip(splits, refitted, strict=True)}
    return heads, {s.fold: float(strengths[j]) for s, j in zip(splits, best, strict=True)}


def _best(heads: Sequence[Head], features: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> int:
    """The strength with most right on the validation rows; of equals, the one with the lower log loss."""
    ranks = []
    for j, head in enumerate(heads):
        scores = head.scores(features[rows])
        right = int((scores.argmax(axis=1) == targets[rows]).sum())
        loss = -np.log(np.maximum(scores[np.arange(len(rows)), targets[rows]], 1e-15)).mean()
        ranks.append((-right, float(loss), j))
    return min(ranks)[2]
