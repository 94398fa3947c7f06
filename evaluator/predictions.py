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
    RowError,
    Schema,
    check,
    class_order,
    frame,
    lines_named,
    read,
    score_columns,
)

__all__ = [
    "OVERALL",
    "classes_of",
    "folder_of",
    "predictions_file",
    "prepare",
    "read_groups",
    "read_optional",
    "read_predictions",
    "score_matrix",
]

OVERALL = ("mean", "std", "pooled")
"""In place of a fold in the metrics table, where a figure is over all folds."""


def read_predictions(run_folder: str | Path) -> pd.DataFrame:
    """Read ``predictions.csv`` of a run folder, or a table given by its path; checked and sorted as by :func:`prepare`.

    Raises
    ------
    TableError
        There is none, or it breaks its schema; the message names the file.
    """
    path = predictions_file(run_folder)
    if not path.is_file():
        raise TableError(f"{path}: no predictions there; expected a run folder of study.py, or one with that table")
    table = read(path, PREDICTIONS)
    with lines_named(path):
        return prepare(table)


def predictions_file(run: str | Path) -> Path:
    """The table of a run, which is given by its folder or by the table itself."""
    path = Path(run)
    return path if path.suffix.lower() == ".csv" and not path.is_dir() else path / PREDICTIONS.name


def folder_of(run: str | Path) -> Path:
    """The folder of a run, which is given by it or by its table.

    A table with another name than ``predictions.csv`` has a folder of its own, with its name but for the suffix, in
    which nothing else need be.
    """
    path = Path(run)
    if predictions_file(path) != path:
        return path
    return path.parent if path.name == PREDICTIONS.name else path.with_suffix("")


def read_optional(run_folder: str | Path, schema: Schema) -> pd.DataFrame:
    """Read a table of a run; where there is none, a table without rows."""
    path = folder_of(run_folder) / schema.name
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
        No rows, an empty label, a fold for some rows only, a fold that has the name of a summary, a score that is
        empty for some clips of a combination or infinite, or a clip with two labels, folds or groups. In order of the
        rows as they came.
    """
    table = check(predictions, PREDICTIONS)
    if table.empty:
        raise TableError("predictions: no rows; expected one per clip, combination and seed")
    unlabelled = np.flatnonzero(table["label"] == "")
    if len(unlabelled):
        raise RowError(
            f"label is empty for {len(unlabelled)} predictions (the first in row {{0}}); "
            "expected the true class, which a prediction is held against",
            [int(unlabelled[0])],
        )
    without = np.flatnonzero(table["fold"] == "")
    if len(without) == len(table):
        table = table.assign(fold="all")
    elif len(without):
        raise RowError(
            f"fold is empty for {len(without)} of {len(table)} predictions (the first in row {{0}}); give every clip a "
            "fold, or none",
            [int(without[0])],
        )
    _check_scores(table)
    _check_alike(table)
    _check_seeds(table)
    taken = sorted(RESERVED_FOLDS.intersection(table["fold"].unique()))
    if taken:
        raise TableError(f"fold={taken[0]!r} is the name of a summary or a column; give the fold another name")
    place = {
        text: i for i, text in enumerate(sorted({*table["fold"].unique(), *table["seed"].unique()}, key=natural_key))
    }
    table = table.assign(_fold=table["fold"].map(place), _seed=table["seed"].map(place))
    table = table.sort_values([*COLUMNS, "_seed", "_fold", "clip_id"], kind="stable")
    return table.drop(columns=["_fold", "_seed"]).reset_index(drop=True)


def _check_scores(table: pd.DataFrame) -> None:
    """Every score is finite, but for classes of which a combination has none at all."""
    columns = score_columns(table)
    wrong = ~np.isfinite(table[columns].to_numpy(dtype=np.float64))
    if not wrong.any():
        return
    combination = table.groupby([*COLUMNS, "seed"]).ngroup().to_numpy()
    n = np.bincount(combination)
    for k, column in enumerate(columns):
        empty = table[column].isna().to_numpy()
        absent = np.bincount(combination, weights=empty) == n
        rows = np.flatnonzero(wrong[:, k] & ~(empty & absent[combination]))
        if len(rows):
            name = column.replace("{", "{{").replace("}", "}}")
            what = "is empty" if empty[rows[0]] else "is not a finite number"
            raise RowError(f"column '{name}' {what} in row {{0}}; expected a score per class", [int(rows[0])])


def _check_seeds(table: pd.DataFrame) -> None:
    """All seeds of a combination have the same clips; else its means over seeds would be of different clips."""
    for key, part in table.groupby(list(COLUMNS), sort=False):
        clips = part.groupby("seed", sort=False)["clip_id"].nunique()
        most = part["clip_id"].nunique()
        if (clips < most).any():
            seed = clips.idxmin()
            lacking = sorted(set(part["clip_id"]) - set(part.loc[part["seed"] == seed, "clip_id"]))
            name = " ".join(f"{column}={value!r}" for column, value in zip(COLUMNS, key, strict=True))
            raise TableError(
                f"{name}: seed {seed!r} lacks {len(lacking)} of {most} clips, the first {lacking[0]!r}; give every "
                "seed the same clips, or leave that seed out"
            )


def _check_alike(table: pd.DataFrame) -> None:
    """A clip has the same label, fold and group in all of its rows."""
    number = pd.factorize(table["clip_id"])[0]
    first = np.unique(number, return_index=True)[1][number]
    for column in ("label", "fold", "group"):
        code = pd.factorize(table[column])[0]
        other = np.flatnonzero(code != code[first])
        if len(other):
            clip = repr(table["clip_id"][other[0]]).replace("{", "{{").replace("}", "}}")
            raise RowError(
                f"clip {clip} has one {column} in row {{0}} and another in row {{1}}; give it the same in all",
                [int(first[other[0]]), int(other[0])],
            )


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
