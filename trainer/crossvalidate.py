"""Every fold of one encoding and module, by the protocol of :mod:`harness.protocol`.

``lbfgs`` chooses its regularisation on the validation fold and is refitted on all training folds. ``sgd`` trains
as ``retrain.py`` does with the same file lists: the validation fold is held out, and nothing is chosen on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SettingsError, SplitError, TableError, did_you_mean
from harness.files import digest_bytes
from harness.protocol import Split, splits
from harness.store import Store, key_of
from harness.tables import SCORE_PREFIX, class_order, fold_order
from trainer import lbfgs, sgd
from trainer.head import Head, load_heads, save_heads

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HEADS",
    "HeadSettings",
    "Trained",
    "checked_classes",
    "cross_validate",
    "final_head",
    "predictions",
    "training_order",
]

HEADS = ("lbfgs", "sgd")
_VERSION = 2  # raised when the same input gives other heads


@dataclass(frozen=True)
class HeadSettings:
    """Which head, and what it may choose from.

    Parameters
    ----------
    head : str
        ``lbfgs`` or ``sgd``.
    strengths : tuple of float
        Values of scikit-learn's C that ``lbfgs`` chooses from.
    sgd : SgdSettings
    allow_shared_groups : bool
        Go on where a group spans folds.
    """

    head: str = "lbfgs"
    strengths: tuple[float, ...] = lbfgs.STRENGTHS
    sgd: sgd.SgdSettings = field(default_factory=sgd.SgdSettings)
    allow_shared_groups: bool = False

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise SettingsError(f"head={self.head!r} is not known; {did_you_mean(self.head, HEADS)}")
        if not self.strengths or min(self.strengths) <= 0:
            raise SettingsError(f"strengths={self.strengths}: expected numbers above 0")

    def to_json(self) -> dict[str, Any]:
        """The settings that can change a head, as JSON values."""
        chosen = {"strengths": list(self.strengths)} if self.head == "lbfgs" else asdict(self.sgd)
        return {"head": self.head, **chosen}


@dataclass
class Trained:
    """A cross-validation's heads.

    Parameters
    ----------
    heads : dict of str to Head
        By fold that is tested.
    classes : list of str
        In the order of the scores.
    chosen : dict of str to float
        Regularisation strength by fold; empty for ``sgd``.
    """

    heads: dict[str, Head]
    classes: list[str]
    chosen: dict[str, float] = field(default_factory=dict)


def training_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by class, then by the file name of their picture: the order in which every head sees them."""
    keyed = table.assign(_name=[Path(p).name for p in table["path"]])
    return keyed.sort_values(["label", "_name", "clip_id"], kind="stable").drop(columns="_name").reset_index(drop=True)


def cross_validate(
    features: np.ndarray, table: pd.DataFrame, *, settings: HeadSettings, seed: int, store: Store
) -> Trained:
    """Train a head for every fold; heads that the store has are not trained again.

    Parameters
    ----------
    features : ndarray of float32, shape (n, D)
        Row by row of `table`.
    table : DataFrame
        clip_id, label, fold and group of n clips, in :func:`training_order`.
    settings : HeadSettings
    seed : int
        For ``sgd``, and for the validation side where there are fewer than three folds.
    store : Store

    Raises
    ------
    SplitError
        A clip without a label, one class only, too few folds, a group on two sides.
    """
    classes = checked_classes(table)
    turns = _turns(table, settings, seed)
    key = _key(features, table, settings, seed)
    kept = _kept(store, key)
    if kept is not None:
        return kept
    targets = np.array([classes.index(label) for label in table["label"]])
    if settings.head == "sgd":
        trained = Trained(
            {t.fold: _fit_sgd(features, targets, t.train, len(classes), settings, seed) for t in turns}, classes
        )
    else:
        heads, chosen = _choose_and_refit(features, targets, len(classes), turns, settings.strengths)
        trained = Trained(heads, classes, chosen)
    store.put_json("heads", key, {"chosen": trained.chosen})
    save_heads(store.path("heads", key, ".npz"), trained.heads, classes=classes)
    return trained


def predictions(features: np.ndarray, table: pd.DataFrame, trained: Trained, *, named: dict[str, str]) -> pd.DataFrame:
    """Scores of every clip by the head that did not see its fold: rows of ``predictions.csv``.

    Parameters
    ----------
    features, table
        As for :func:`cross_validate`.
    trained : Trained
    named : dict of str to str
        encoding, module, head and seed, the same for all rows.
    """
    scores = np.zeros((len(table), len(trained.classes)))
    for fold, head in trained.heads.items():
        rows = np.flatnonzero((table["fold"] == fold).to_numpy())
        scores[rows] = head.scores(features[rows])
    result = table[["clip_id"]].assign(**named, fold=table["fold"], label=table["label"])
    result["predicted"] = np.array(trained.classes, dtype=object)[scores.argmax(axis=1)]
    columns = {f"{SCORE_PREFIX}{name}": np.round(scores[:, k], 9) for k, name in enumerate(trained.classes)}
    return result.assign(**columns)


def final_head(
    features: np.ndarray, table: pd.DataFrame, trained: Trained, *, settings: HeadSettings, seed: int
) -> Head:
    """Refit on all folds; the strength is the one that most folds chose, the smaller of two."""
    targets = np.array([trained.classes.index(label) for label in table["label"]])
    if settings.head == "sgd":
        return _fit_sgd(features, targets, np.arange(len(table)), len(trained.classes), settings, seed)
    votes = sorted(trained.chosen.values())
    strength = max(votes, key=lambda c: (votes.count(c), -c))
    return lbfgs.fit(features, targets, len(trained.classes), strength=strength)


def checked_classes(table: pd.DataFrame) -> list[str]:
    """The classes of a table in the order of the scores.

    Raises
    ------
    SplitError
        A clip without a label, or one class only.
    """
    bare = table.index[table["label"] == ""]
    if len(bare):
        raise SplitError(f"clip {table['clip_id'][bare[0]]!r} has no label; training needs one for every clip")
    classes = class_order(table["label"])
    if len(classes) < 2:
        raise SplitError(f"training needs at least 2 classes, found {len(classes)}: {', '.join(classes) or 'none'}")
    return classes


def _turns(table: pd.DataFrame, settings: HeadSettings, seed: int) -> list[Split]:
    turns = splits(
        list(table["fold"]), list(table["group"]), list(table["label"]),
        seed=seed, allow_shared=settings.allow_shared_groups,
    )  # fmt: skip
    return list(turns)


def _choose_and_refit(
    features: np.ndarray, targets: np.ndarray, n_classes: int, turns: Sequence[Split], strengths: Sequence[float]
) -> tuple[dict[str, Head], dict[str, float]]:
    tried = lbfgs.fit_many(features, targets, n_classes, train=[t.train for t in turns], strengths=strengths)
    chosen = [_best(heads, features, targets, t.validation) for heads, t in zip(tried, turns, strict=True)]
    refitted = lbfgs.fit_many(
        features,
        targets,
        n_classes,
        train=[np.sort(np.concatenate([t.train, t.validation])) for t in turns],
        strengths=np.array([[strengths[j]] for j in chosen]),
    )
    heads = {t.fold: fitted[0] for t, fitted in zip(turns, refitted, strict=True)}
    return heads, {t.fold: float(strengths[j]) for t, j in zip(turns, chosen, strict=True)}


def _best(heads: Sequence[Head], features: np.ndarray, targets: np.ndarray, rows: np.ndarray) -> int:
    """The strength with most right on the validation side; of equals, the one with the lower log loss."""
    ranks = []
    for j, head in enumerate(heads):
        scores = head.scores(features[rows])
        right = int((scores.argmax(axis=1) == targets[rows]).sum())
        loss = -np.log(np.maximum(scores[np.arange(len(rows)), targets[rows]], 1e-15)).mean()
        ranks.append((-right, float(loss), j))
    return min(ranks)[2]


def _fit_sgd(
    features: np.ndarray, targets: np.ndarray, rows: np.ndarray, n_classes: int, settings: HeadSettings, seed: int
) -> Head:
    return sgd.fit(features[rows], targets[rows], n_classes, settings=settings.sgd, seed=seed)


def _key(features: np.ndarray, table: pd.DataFrame, settings: HeadSettings, seed: int) -> str:
    return key_of(
        features=digest_bytes(np.ascontiguousarray(features).tobytes()),
        shape=list(features.shape),
        rows=digest_bytes(json.dumps(table[["clip_id", "label", "fold", "group"]].to_numpy().tolist()).encode()),
        settings=settings.to_json(),
        seed=seed if settings.head == "sgd" or len(fold_order(table["fold"])) < 3 else None,
        version=_VERSION,
    )


def _kept(store: Store, key: str) -> Trained | None:
    chosen = store.get_json("heads", key)
    path = store.path("heads", key, ".npz")
    if chosen is None or not path.is_file():
        return None
    try:
        heads, classes = load_heads(path)
    except TableError:  # damaged: fitted again
        return None
    return Trained(heads, classes, chosen["chosen"])
