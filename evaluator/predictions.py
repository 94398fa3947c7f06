"""Predictions of a run: read, checked and put into one order once; then their classes and scores.

All other modules take predictions as :func:`read_predictions` or :func:`prepare` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS
from harness.errors import TableError
from harness.files import natural_key
from harness.shared_groups import IDENTICAL
from harness.split_parts import part_of
from harness.tables import (
    CLIPS,
    PREDICTIONS,
    RESERVED_FOLDS,
    SCORE_PREFIX,
    Schema,
    check,
    class_order,
    frame,
    read,
    score_columns,
)

__all__ = ["OVERALL", "classes_of", "prepare", "read_groups", "read_optional", "read_predictions", "score_matrix"]

OVERALL = ("mean", "std", "pooled")
"""In place of a fold in the metrics table, where a figure is over all folds."""


def read_predictions(run_folder: str | Path) -> pd.DataFrame:
    """Read ``predictions.csv`` of a run; checked and sorted as by :func:`prepare`.

    Raises
    ------
    TableError
        There is none, or it breaks its schema; the message names the file.
    """
    path = Path(run_folder) / PREDICTIONS.name
    if not path.is_file():
        raise TableError(f"{path}: no predictions there; expected a run folder of study.py, or one with that table")
    try:
        return prepare(read(path, PREDICTIONS))
    except TableError as error:
        raise TableError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def read_optional(run_folder: str | Path, schema: Schema) -> pd.DataFrame:
    """Read a table of a run; where there is none, a table without rows."""
    path = Path(run_folder) / schema.name
    return read(path, schema) if path.is_file() else frame([], schema)


def read_groups(run_folder: str | Path, predictions: pd.DataFrame) -> dict[str, str]:
    """The group of each clip, by the predictions themselves, and by ``clips.csv`` where they do not say.

    Clips without a group that hold the same sound are one, by column ``copy_of``.

    Parameters
    ----------
    run_folder : path
    predictions : DataFrame
        As :func:`read_predictions` gives them. Of a single split, clips of its other parts are left out.
    """
    tested = set(predictions["fold"].unique())
    clips = read_optional(run_folder, CLIPS)
    if any(part_of(fold) for fold in tested):
        clips = clips[
            clips["fold"].isin(list(tested)) | ~clips["fold"].map(lambda fold: bool(part_of(fold))).astype(bool)
        ]
    named = predictions[predictions["group"] != ""]
    groups = dict.fromkeys(predictions["clip_id"].unique().tolist(), "")
    for table in (clips, named.drop_duplicates("clip_id")):
        groups |= dict(zip(table["clip_id"].tolist(), table["group"].tolist(), strict=True))
    copies = predictions.loc[predictions["copy_of"] != "", ["clip_id", "copy_of"]].drop_duplicates()
    for clip, other in sorted(copies.itertuples(index=False, name=None)):
        if other in groups and not groups[clip]:
            groups[clip] = groups[other] = groups[other] or f"{IDENTICAL}{other}"
    return groups


def prepare(predictions: pd.DataFrame) -> pd.DataFrame:
    """Check predictions and put them into one order, whatever order they came in.

    Parameters
    ----------
    predictions : DataFrame
        As `harness.tables.PREDICTIONS`. Where no row has a fold, all rows become fold ``all``.

    Returns
    -------
    DataFrame
        Sorted by combination, seed, fold (natural order) and clip.

    Raises
    ------
    TableError
        No rows, an empty label, a fold for some rows only, or a fold that has the name of a summary.
    """
    table = check(predictions, PREDICTIONS)
    if table.empty:
        raise TableError("predictions: no rows; expected one per clip, combination and seed")
    unlabelled = table.loc[table["label"] == "", "clip_id"]
    if len(unlabelled):
        raise TableError(
            f"label is empty for {len(unlabelled)} predictions (first: {unlabelled.iloc[0]!r}); "
            "expected the true class, which a prediction is held against"
        )
    without = int((table["fold"] == "").sum())
    if without == len(table):
        table = table.assign(fold="all")
    elif without:
        raise TableError(f"fold is empty for {without} of {len(table)} predictions; give every clip a fold, or none")
    taken = sorted(RESERVED_FOLDS.intersection(table["fold"].unique()))
    if taken:
        raise TableError(f"fold={taken[0]!r} is the name of a summary or a column; give the fold another name")
    place = {
        text: i for i, text in enumerate(sorted({*table["fold"].unique(), *table["seed"].unique()}, key=natural_key))
    }
    table = table.assign(_fold=table["fold"].map(place), _seed=table["seed"].map(place))
    table = table.sort_values([*COLUMNS, "_seed", "_fold", "clip_id"], kind="stable")
    return table.drop(columns=["_fold", "_seed"]).reset_index(drop=True)


def classes_of(table: pd.DataFrame) -> list[str]:
    """All classes of predictions, sorted: those of the labels, of the score columns and of the predictions."""
    scored = [c[len(SCORE_PREFIX) :] for c in score_columns(table)]
    return class_order([*table["label"].unique(), *table["predicted"].unique(), *scored])


def score_matrix(part: pd.DataFrame, classes: Sequence[str]) -> np.ndarray | None:
    """Scores of one combination.

    Parameters
    ----------
    part : DataFrame
        Rows of one combination. A class without a score column, or with an empty one, has score 0.
    classes : sequence of str, length c

    Returns
    -------
    ndarray of float64, shape (rows, c), or None
        None where the rows have no scores at all.

    Raises
    ------
    TableError
        A score that is empty for some clips only, or infinite.
    """
    scores = np.zeros((len(part), len(classes)))
    found = False
    for i, name in enumerate(classes):
        column = SCORE_PREFIX + name
        if column not in part or part[column].isna().all():
            continue
        values = part[column].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            clip = part["clip_id"].iloc[int(np.flatnonzero(~np.isfinite(values))[0])]
            raise TableError(f"column {column!r} is not a finite number for clip {clip!r}; expected a score per class")
        scores[:, i] = values
        found = True
    return scores if found else None
