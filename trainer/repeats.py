"""Heads of other groupings of the clips into folds: what a method does with new training sets, many times over.

Feature vectors are there, so that only heads are fitted; those go to the store as others do, and a run that was stopped
goes on with them. ``OUT/repeats.csv`` has the accuracy of each, which the evaluator reads. The folds of the corpus are
still what figures are quoted for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from harness import cluster
from harness.augmented_ids import original_of
from harness.errors import SettingsError, SplitError
from harness.files import digest_file
from harness.hub import kinds
from harness.parallel import in_parallel
from harness.protocol import assign_folds
from harness.record import record_step
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.split_parts import part_of
from harness.store import Store
from harness.store_care.runs import record_use
from harness.tables import PREDICTIONS, REPEATS, fold_order, frame, write
from harness.written import claim
from trainer.ablation import Combination
from trainer.augmented_rows import is_original, originals
from trainer.clip_scores import of_whole_clips
from trainer.crossvalidate import cross_validate, fold_sizes
from trainer.fitting import HeadSettings, Trained
from trainer.fused_rows import Members, fit_fused, fused_scores
from trainer.fusions import Fusion
from trainer.head_tasks import HeadTask, features_of, readable_rows
from trainer.inputs import training_order

__all__ = ["STEP", "check_repeatable", "fit_repeats", "regroupings", "repeat_all"]

STEP = "repeats"


@dataclass(frozen=True)
class RepeatTask:
    """One combination, to be cross-validated over each regrouping.

    Parameters
    ----------
    heads : HeadTask
        Its table has the rows in training order; folds in it are not used.
    folds : sequence of mapping of str to str
        From clip_id to fold, for each regrouping.
    """

    heads: HeadTask
    folds: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class FusedRepeats:
    """One fused row, to be cross-validated over each regrouping.

    Parameters
    ----------
    fusion : Fusion
    heads : sequence of HeadTask
        Those of its members.
    folds : sequence of mapping of str to str
        As for :class:`RepeatTask`.
    """

    fusion: Fusion
    heads: Sequence[HeadTask]
    folds: Sequence[Mapping[str, str]]


def check_repeatable(
    folds: Sequence[str], repeats: int, *, name: str = "repeats", todo: Sequence[Combination] = ()
) -> None:
    """Check that clips can be regrouped into folds, and that all combinations can be repeated.

    Raises
    ------
    SettingsError
        There is a single split, or a combination is a network; `name` is how the setting was written.
    """
    networks = [c.module.row for c in todo if kinds.is_network(c.module)]
    if repeats and networks:
        raise SettingsError(
            f"{name}={repeats}: networks ({networks[0]}) are not trained over other groupings of the clips; "
            "give 0, or leave them out"
        )
    if repeats and any(part_of(fold) for fold in folds):
        raise SettingsError(
            f"{name}={repeats}: the clips have a single split (train, validation, test), which is not regrouped; "
            "give folds, or 0"
        )


def regroupings(table: pd.DataFrame, repeats: int) -> list[dict[str, str]]:
    """Stratified folds by group, as many as the table has, seeded 1, 2, ...

    Parameters
    ----------
    table : DataFrame
        clip_id, label, fold and group of each clip; its order does not matter.
    repeats : int

    Returns
    -------
    list of dict of str to str
        From clip_id to fold, for each regrouping.

    Raises
    ------
    SettingsError
        A single split, or clips that cannot be shared out among so many folds.
    """
    check_repeatable(table["fold"].tolist(), repeats)
    clips = originals(table).drop_duplicates("clip_id").sort_values("clip_id", kind="stable")
    groups, labels = clips["group"].tolist(), clips["label"].tolist()
    n_folds = len(fold_order(clips["fold"]))
    try:
        found = [assign_folds(groups, labels, n_folds=n_folds, seed=seed) for seed in range(1, repeats + 1)]
    except SplitError as error:
        raise SettingsError(f"repeats={repeats}: the clips cannot be regrouped; {error}") from None
    return [dict(zip(clips["clip_id"].tolist(), folds, strict=True)) for folds in found]


def repeat_all(
    tables: Mapping[str, pd.DataFrame],
    todo: Sequence[Combination],
    settings: HeadSettings,
    out: str | Path,
    *,
    repeats: int,
    store: Store,
    shared: SharedGroups = OFFICIAL,
    fusions: Sequence[Fusion] = (),
) -> pd.DataFrame:
    """Cross-validate every combination over each regrouping, and write ``repeats.csv``; with 0 remove an old one.

    Parameters
    ----------
    tables, todo, settings, out, store, shared, fusions
        As for :func:`trainer.running.train_all`, which has been called: all feature vectors are in the store.
    repeats : int
        How many regroupings.

    Returns
    -------
    DataFrame
        As `harness.tables.REPEATS`.

    Raises
    ------
    SettingsError
        As :func:`regroupings`.
    """
    started, path = time.monotonic(), Path(out) / REPEATS.name
    claim(out, [REPEATS.name])
    if not repeats:
        path.unlink(missing_ok=True)
        return frame([], REPEATS)
    check_repeatable([], repeats, todo=todo)
    folds = regroupings(pd.concat([tables[c.encoding] for c in todo], ignore_index=True), repeats)
    heads = {}
    for c in todo:
        table = training_order(tables[c.encoding])
        heads[c] = HeadTask(c.named(), table, c.module, settings, c.seed, store, shared)
    tasks = [RepeatTask(own, folds) for own in heads.values()]
    fused = [
        FusedRepeats(fusion, [heads[c] for c in fusion.rows(*row)], folds)
        for fusion in fusions
        for row in dict.fromkeys((c.head, c.seed) for c in todo)
    ]
    rows: list[dict[str, object]] = []
    keys: list[str] = []
    own_rows = in_parallel(fit_repeats, tasks, jobs=1, what="repeats", batch=1)
    for found, used in chain(own_rows, map(fit_fused_repeats, fused)):  # the members' heads come first
        rows += found
        keys += used
    table = frame(rows, REPEATS)
    write(table, path, REPEATS)
    record_use(store, out, STEP, keys)
    inputs = {PREDICTIONS.name: digest_file(Path(out) / PREDICTIONS.name)}
    record_step(out, STEP, spec={"repeats": repeats, **settings.of_head()}, inputs=inputs, seed=1, started=started)
    return table


def fit_repeats(task: RepeatTask) -> tuple[list[dict[str, object]], list[str]]:
    """One combination over each regrouping, here or by a worker, which takes the vectors from the store.

    Returns
    -------
    (list of dict, list of str)
        Rows of ``repeats.csv``; keys of the heads in the store.
    """
    own = task.heads
    load = partial(kinds.load, own.module, store=own.store)  # called where a file of vectors is damaged
    found = features_of(own.table, own.module, store=own.store, load=load, what="features")
    values, table = readable_rows(found, own.table)
    rows: list[dict[str, object]] = []
    keys = []
    with threadpool_limits(own.blas_threads if cluster.current() else None, user_api="blas"):
        for number, fold_of in enumerate(task.folds, start=1):
            scored, key = _scored(own, values, _regrouped(table, fold_of))
            rows += [{**own.named, "repeat": str(number), **each} for each in scored]
            keys.append(key)
    return rows, keys


def fit_fused_repeats(task: FusedRepeats) -> tuple[list[dict[str, object]], list[str]]:
    """One fused row over each regrouping, as :func:`fit_repeats`, from the vectors and heads of its members."""
    readable = []
    for own in task.heads:
        load = partial(kinds.load, own.module, store=own.store)
        found = features_of(own.table, own.module, store=own.store, load=load, what="features")
        readable.append(replace(own, table=readable_rows(found, own.table)[1]))
    first = readable[0]
    members, named = Members(task.fusion, readable), task.fusion.combination(first.named["head"], first.seed).named()
    rows: list[dict[str, object]] = []
    keys = []
    for number, fold_of in enumerate(task.folds, start=1):
        table = _regrouped(members.table, fold_of)
        heads = [replace(own, table=_regrouped(own.table, fold_of)) for own in readable]
        trained = (
            []
            if task.fusion.how == "vectors"
            else [_trained(own, members.all_values(k)) for k, own in enumerate(heads)]
        )
        fused = fit_fused(members, trained, replace(first, named=named, table=table))
        scores = fused_scores(members, fused, table["fold"].tolist())
        rows += [{**named, "repeat": str(number), **each} for each in _accuracies(first, table, fused, scores)]
        keys.append(fused.key)
    return rows, keys


def _regrouped(table: pd.DataFrame, fold_of: Mapping[str, str]) -> pd.DataFrame:
    return table.assign(fold=[fold_of[original_of(clip)] for clip in table["clip_id"]])


def _trained(own: HeadTask, values: np.ndarray) -> Trained:
    return cross_validate(values, own.table, settings=own.settings, seed=own.seed, store=own.store, shared=own.shared)


def _scored(own: HeadTask, values: np.ndarray, table: pd.DataFrame) -> tuple[list[dict[str, object]], str]:
    """Accuracy and sizes of each fold of one regrouping; the key of its heads."""
    trained = _trained(replace(own, table=table), values)
    fold, scores = table["fold"].to_numpy(), np.zeros((len(table), len(trained.classes)))
    for name, head in trained.heads.items():
        tested = np.flatnonzero(fold == name)
        scores[tested] = head.scores(values[tested])
    return _accuracies(own, table, trained, scores), trained.key


def _accuracies(own: HeadTask, table: pd.DataFrame, trained: Trained, scores: np.ndarray) -> list[dict[str, object]]:
    """Accuracy and sizes of each fold of one regrouping, from the scores of all clips."""
    sizes = fold_sizes(table, settings=own.settings, seed=own.seed, shared=own.shared)
    fold, tested_rows = table["fold"].to_numpy(), is_original(table)
    classes = np.array(trained.classes, dtype=object)
    rows: list[dict[str, object]] = []
    for name in trained.heads:
        tested = np.flatnonzero((fold == name) & tested_rows)
        clips, of_clips = of_whole_clips(table.iloc[tested].reset_index(drop=True), scores[tested])
        right = classes[of_clips.argmax(axis=1)] == clips["label"].to_numpy()
        rows.append({"fold": name, "accuracy": float(right.mean()), **sizes[name]})
    return rows
