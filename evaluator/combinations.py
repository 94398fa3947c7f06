"""What was compared: combinations of encoding, module and head, their predictions in one order, their short names.

Figures are computed per combination and seed. Everything here depends on what a table says, never on the order
of its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.errors import TableError
from harness.files import natural_key
from harness.tables import PREDICTIONS, SCORE_PREFIX, check, class_order, fold_order, score_columns

__all__ = [
    "COLUMNS",
    "OVERALL",
    "Combination",
    "classes_of",
    "combinations_of",
    "prepare",
    "score_matrix",
    "short_modules",
    "titles",
]

COLUMNS = ("encoding", "module", "head")
OVERALL = ("mean", "std", "pooled")
_KINDS = ("feature_vector", "feature-vector", "classification")


class Combination(NamedTuple):
    """One thing that was trained and tested over the folds."""

    encoding: str
    module: str
    head: str


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
    taken = sorted(set(table["fold"]) & set(OVERALL))
    if taken:
        raise TableError(f"fold={taken[0]!r} is the name of a summary in metrics.csv; give the fold another name")
    place = {fold: i for i, fold in enumerate(fold_order(table["fold"]))}
    seeds = {seed: i for i, seed in enumerate(sorted(set(table["seed"]), key=natural_key))}
    table = table.assign(_fold=table["fold"].map(place), _seed=table["seed"].map(seeds))
    table = table.sort_values([*COLUMNS, "_seed", "_fold", "clip_id"], kind="stable")
    return table.drop(columns=["_fold", "_seed"]).reset_index(drop=True)


def combinations_of(table: pd.DataFrame) -> list[Combination]:
    """The combinations in a table that has their three columns, sorted."""
    rows = table[list(COLUMNS)].drop_duplicates().itertuples(index=False)
    return sorted(Combination(*(str(v) for v in row)) for row in rows)


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


def short_modules(handles: Iterable[str]) -> dict[str, str]:
    """A short name for each handle where that stays unambiguous, else the handle.

    Examples
    --------
    >>> url = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"
    >>> list(short_modules(["builtin:scattering", url]).values())
    ['builtin:scattering', 'mobilenet_v2_100_224']
    """
    handles = sorted(set(handles))
    short = {handle: _short(handle) for handle in handles}
    names = list(short.values())
    return {h: s if names.count(s) == 1 else h for h, s in short.items()}


def _short(handle: str) -> str:
    if re.match(r"^[a-z]{2,}:(?!//)", handle):  # builtin:, keras:, kaggle:
        return handle
    parts = [p for p in re.split(r"[\\/]+", handle.split("://")[-1]) if p]
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _KINDS):
        parts.pop()
    return parts[-1] if parts else handle


def titles(combinations: Iterable[Combination]) -> dict[Combination, str]:
    """What to call each combination in a sentence: ``gray on builtin:scattering``, with the head where several are."""
    combinations = list(combinations)
    modules = short_modules(c.module for c in combinations)
    several = len({c.head for c in combinations}) > 1
    return {
        c: c.encoding + (f" on {modules[c.module]}" if c.module else "") + (f" ({c.head})" if several else "")
        for c in combinations
    }
