"""Cross-validate one encoding and module: heads from the store or fitted, and every clip's scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from harness.balance import balanced_split
from harness.code_version import code_version
from harness.files import digest_bytes
from harness.head import heads_from_bytes, heads_to_bytes
from harness.label_changes import TRAINING_LABEL, is_trained_on, training_labels
from harness.parallel import OwnWorker
from harness.protocol import Split
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.store import Store, key_of
from harness.tables import SCORE_PREFIX, fold_order
from trainer import fitting
from trainer.augmented_rows import of_originals, original_rows, originals
from trainer.clip_scores import of_whole_clips
from trainer.fitting import HeadSettings, Trained
from trainer.inputs import check_classes, split_table

__all__ = [
    "HEADS",
    "cross_validate",
    "fold_sizes",
    "heads_key",
    "known_heads",
    "prediction_rows",
    "predictions",
    "round_significant",
    "tested_scores",
    "training_splits",
]

HEADS = "heads"
"""Where the store has heads."""

_FITTED = ("train", "validation", "refit")  # the rows of a split that a head depends on


def cross_validate(
    features: np.ndarray,
    table: pd.DataFrame,
    *,
    settings: HeadSettings,
    seed: int,
    store: Store,
    shared: SharedGroups = OFFICIAL,
    worker: OwnWorker | None = None,
) -> Trained:
    """Train a head for every fold, or one for a single split; heads that the store has are not trained again.

    Parameters
    ----------
    features : ndarray of float32, shape (n, D)
        Row by row of `table`.
    table : DataFrame
        clip_id, label, fold and group of n clips, in :func:`trainer.inputs.training_order`; with a column
        ``training_label`` heads are fitted with that, and without the clips where it is empty.
    settings : HeadSettings
    seed : int
        For ``sgd``, and for the validation rows where there are fewer than three folds.
    store : Store
    shared : SharedGroups
        What is done about groups that span folds.
    worker : OwnWorker, optional
        Fits the heads, if it is ready.

    Raises
    ------
    SplitError
        A clip without a label, one class only, too few folds, a group in several folds.
    """
    check_classes(table)
    splits = training_splits(table, seed, shared)
    of_features = {"features": digest_bytes(np.ascontiguousarray(features).data), "shape": list(features.shape)}
    key = heads_key(table, splits, settings, seed, **of_features)
    found = known_heads(store, key)
    if found is not None:
        return found
    fit = partial(fitting.fit_folds, features, training_labels(table), splits, settings=settings, seed=seed)
    trained = (worker(fit) if worker and worker.ready else fit)()
    store.put(HEADS, key, heads_to_bytes(trained.heads, classes=trained.classes), ".npz")
    store.put_json(HEADS, key, {"chosen": trained.chosen})
    trained.key = key
    return trained


def fold_sizes(
    table: pd.DataFrame, *, settings: HeadSettings, seed: int, shared: SharedGroups = OFFICIAL
) -> dict[str, dict[str, int]]:
    """How many clips the head of each fold was fitted on in the end (``train``) and tested with (``test``).

    Parameters
    ----------
    table, settings, seed, shared
        As for :func:`cross_validate`.
    """
    final = "train" if settings.head == "sgd" else "refit"  # as `trainer.fitting` fits them
    splits, labels = training_splits(table, seed, shared), training_labels(table)
    fitted, of = [balanced_split(split, labels, settings.balance, seed=seed) for split in splits], original_rows(table)
    return {s.fold: {"train": len(np.unique(of[getattr(s, final)])), "test": len(s.test)} for s in fitted}


def predictions(
    features: np.ndarray,
    table: pd.DataFrame,
    trained: Trained,
    *,
    named: dict[str, str],
    copies: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Scores of every tested clip by the head that did not see its fold: rows of ``predictions.csv``.

    All clips are tested in a cross-validation, those of the test part in a single split. A clip that was cut into tiles
    has one row, as :func:`trainer.clip_scores.of_whole_clips` gives it. Augmented sounds have none.

    Parameters
    ----------
    features, table
        As for :func:`cross_validate`.
    trained : Trained
    named : dict of str to str
        encoding, module, head and seed, the same for all rows.
    copies : mapping of str to str, optional
        Clips whose sound another fold has too, as :func:`harness.duplicates.copies_across_folds` gives them.
    """
    scores = tested_scores(features, table, trained)
    return prediction_rows(scores, table, trained.classes, named=named, copies=copies)


def tested_scores(features: np.ndarray, table: pd.DataFrame, trained: Trained) -> dict[str, np.ndarray]:
    """Scores of every tested row by the head that did not see its fold, for :func:`prediction_rows`.

    Parameters
    ----------
    features, table
        As for :func:`cross_validate`.
    trained : Trained

    Returns
    -------
    dict of str to ndarray of float64, shape (n_fold, classes)
        By fold, in the order of its rows in `table`, but for those of augmented sounds.
    """
    features, table = of_originals(features, table)
    return {fold: head.scores(features[(table["fold"] == fold).to_numpy()]) for fold, head in trained.heads.items()}


def prediction_rows(
    scores_of: Mapping[str, np.ndarray],
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    named: Mapping[str, str],
    copies: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Rows of ``predictions.csv`` from the scores of every tested fold.

    Parameters
    ----------
    scores_of : mapping of str to ndarray of float64, shape (n_fold, classes)
        By fold, in the order of its rows in `table`, but for those of augmented sounds, which have no scores.
    table, named, copies
        As for :func:`predictions`.
    classes : sequence of str
        In the order of the scores.
    """
    table = originals(table)
    table = table[table["fold"].isin(list(scores_of)).to_numpy()].reset_index(drop=True)
    scores = np.zeros((len(table), len(classes)))
    for fold, own in scores_of.items():
        scores[(table["fold"] == fold).to_numpy()] = own
    table, scores = of_whole_clips(table, scores)
    result = table[["clip_id"]].assign(**named, fold=table["fold"], group=table["group"])
    result = result.assign(copy_of=[(copies or {}).get(clip, "") for clip in table["clip_id"]], label=table["label"])
    result["predicted"] = np.array(classes, dtype=object)[scores.argmax(axis=1)]
    written = round_significant(scores)
    columns = {f"{SCORE_PREFIX}{name}": written[:, k] for k, name in enumerate(classes)}
    return result.assign(**columns)


def round_significant(values: np.ndarray, digits: int = 9) -> np.ndarray:
    """Round to significant digits, so that small scores stay above 0 and every number is short in a table.

    Parameters
    ----------
    values : ndarray of float64
    digits : int
        Nine of them tell any two numbers of float32 apart.

    Examples
    --------
    >>> round_significant(np.array([0.0, 1 / 3, 2e-12 / 3, 1.0])).tolist()
    [0.0, 0.333333333, 6.66666667e-13, 1.0]
    """
    exponent = np.floor(np.log10(np.abs(values), out=np.zeros_like(values), where=values != 0))
    power = digits - 1 - exponent
    scale = 10.0 ** np.clip(power, 0, 22)  # the powers of ten that float64 holds exactly
    rounded = np.round(values * scale) / scale
    tiny = power > 22
    rounded[tiny] = [float(f"{value:.{digits}g}") for value in values[tiny]]
    return rounded


def training_splits(table: pd.DataFrame, seed: int, shared: SharedGroups) -> list[Split]:
    """The splits of a table, without the clips that are left out of training; all are tested."""
    found, used = split_table(table, seed=seed, shared=shared), np.array(is_trained_on(table), bool)
    if used.all():
        return found
    return [replace(s, **{part: getattr(s, part)[used[getattr(s, part)]] for part in _FITTED}) for s in found]


def heads_key(
    table: pd.DataFrame, splits: Sequence[Split], settings: HeadSettings, seed: int, **of_features: object
) -> str:
    """Key of what training finds: of its rows, splits and settings, and of the features by what says which they are."""
    seeded = settings.head == "sgd" or settings.balance != "none" or len(fold_order(table["fold"])) < 3
    columns = ["clip_id", "label", "fold", "group", *([TRAINING_LABEL] if TRAINING_LABEL in table else [])]
    return key_of(
        **of_features,
        rows=digest_bytes(json.dumps(table[columns].to_numpy().tolist()).encode()),
        splits=[[s.fold, *(part.tolist() for part in (s.train, s.validation, s.test, s.refit))] for s in splits],
        settings=settings.of_head(),
        seed=seed if seeded else None,
        code=code_version(fitting.__name__),
    )


def known_heads(store: Store, key: str) -> Trained | None:
    """Heads that the store has, else nothing."""
    data, record = store.get(HEADS, key, ".npz"), store.get_json(HEADS, key)
    if data is None or record is None:
        return None
    heads, classes = heads_from_bytes(data)
    return Trained(heads, classes, record["chosen"], key)
