"""Cross-validate one encoding and network: every fold's network from the store, or trained; the clips' scores."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.head import Head
from harness.hub.network_settings import NetworkSettings
from harness.progress import track
from harness.protocol import Split
from harness.store import key_of
from trainer.crossvalidate import prediction_rows
from trainer.fitting import Trained
from trainer.head_tasks import HeadTask
from trainer.networks import checkpoints
from trainer.networks.curves import CHOOSING, REFITTING, Epoch, OnEpoch, history_rows
from trainer.networks.fitting import Fitted, Phase, fit_network
from trainer.networks.images import digests_of
from trainer.networks.preparing import Prepared
from trainer.networks.timing import Clock, Pace, duration, measured_pace
from trainer.networks.trained import write_network
from trainer.networks.training import Progress, scores_of

__all__ = ["NetworkRun", "cross_validate_network", "prepare", "train_network"]

_CHECKPOINT = "checkpoint"


@dataclass
class NetworkRun:
    """A combination's networks.

    Parameters
    ----------
    trained : Trained
        The last layers; ``chosen`` has the number of epochs of each fold.
    predictions : DataFrame
        Rows of ``predictions.csv``.
    table : DataFrame
        The rows that could be read.
    keys : list of str
        Where the store has the networks.
    digests : dict of str to str
        sha256 of the files of the networks, by their names in the folder ``networks`` of the run.
    failures : dict of int to str
        Rows of the task's table that could not be read, and why.
    history : list of dict
        Rows of ``history.csv``.
    """

    trained: Trained
    predictions: pd.DataFrame
    table: pd.DataFrame
    keys: list[str]
    digests: dict[str, str] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    history: list[dict[str, object]] = field(default_factory=list)


def cross_validate_network(task: HeadTask, out: str | Path, *, on_epoch: OnEpoch | None = None) -> NetworkRun:
    """Networks of all folds, from the store or trained; they are written into the folder of the run.

    Parameters
    ----------
    task : HeadTask
        Its module is a network, its table in training order.
    out : path
        Folder of ``predictions.csv``.
    on_epoch : callable, optional
        Is called with every epoch that is trained.

    Raises
    ------
    ModuleError
        The module is not available, or has no weights that can be trained.
    DivergedError
        A loss, a weight or a score is not finite.
    """
    prepared, failures = prepare(task)
    found: dict[str, bytes] = {}
    for split in prepared.splits:
        data = task.store.get(checkpoints.KIND, prepared.key(split.fold), ".npz")
        if data is not None:
            found[split.fold] = data
    missing = [split for split in prepared.splits if split.fold not in found]
    if missing and prepared.failures:
        rows = [row for row in range(len(task.table)) if row not in failures]
        failures |= {rows[row]: why for row, why in prepared.failures.items()}
        readable = task.table.drop(index=list(failures)).reset_index(drop=True)
        return replace(cross_validate_network(replace(task, table=readable), out, on_epoch=on_epoch), failures=failures)
    for fold, data in _train_folds(prepared, missing, on_epoch):
        found[fold] = data
    return _collected(prepared, {s.fold: found[s.fold] for s in prepared.splits}, out, failures)


def prepare(task: HeadTask) -> tuple[Prepared, dict[int, str]]:
    """The images of a task's table that can be found, and of the other rows why not."""
    digests, failures = digests_of(task.table, store=task.store)
    rows = [row for row in range(len(digests)) if row not in failures]
    table = task.table.iloc[rows].reset_index(drop=True)
    return Prepared(replace(task, table=table), [digests[row] for row in rows]), failures


def _collected(prepared: Prepared, found: Mapping[str, bytes], out: str | Path, failures: dict[int, str]) -> NetworkRun:
    """The networks of all folds, read and written into the folder of the run."""
    task, classes = prepared.task, prepared.classes
    scores, heads, chosen, histories = {}, {}, {}, {}
    digests: dict[str, str] = {}
    for fold, data in found.items():
        (scores[fold], weights, bias, *_), record = checkpoints.from_bytes(data)
        heads[fold], chosen[fold], histories[fold] = Head(weights, bias), record["epochs"], record["history"]
        digests |= write_network(out, task.named, fold, data)
    keys = [prepared.key(fold) for fold in found]
    trained = Trained(heads, classes, chosen, keys[0])
    rows = prediction_rows(scores, task.table, classes, named=task.named, copies=task.copies)
    history = list(history_rows(task.named, histories))
    return NetworkRun(trained, rows, task.table, keys, digests, failures, history)


def _train_folds(prepared: Prepared, missing: list[Split], on_epoch: OnEpoch | None) -> Iterator[tuple[str, bytes]]:
    """Train the networks that the store does not have, one after the other, and put them there."""
    if not missing:
        return
    todo = {split.fold: prepared.phases(split) for split in missing}
    settings, what = prepared.settings, f"{prepared.task.named['encoding']} through {prepared.task.named['module']}"
    epochs = f"up to {settings.epochs}" if settings.patience else str(settings.epochs)
    clock, pace = _clock(
        prepared, missing, todo, f"{what}, seed {prepared.task.seed}: {len(todo)} folds x {epochs} epochs"
    )
    done: dict[str, bytes] = {}

    def seconds() -> Iterator[float]:
        for split in missing:
            for fitted in train_network(prepared, split.fold, todo[split.fold], clock, pace, on_epoch):
                yield clock.taken()
                if isinstance(fitted, Fitted):
                    done[split.fold] = _put(prepared, split, fitted)

    for _ in track(seconds(), total=math.ceil(clock.total), what=f"{what}, seconds", size=round):
        pass
    yield from done.items()


def _clock(prepared: Prepared, missing: list[Split], todo: Mapping[str, list[Phase]], what: str) -> tuple[Clock, Pace]:
    """Measure a step, and say how long all of it will take."""
    settings, planned = prepared.settings, {}
    pace = measured_pace(prepared.network, prepared.data.images, todo[missing[0].fold][0].rows)
    for split in missing:
        for phase in todo[split.fold]:
            planned[split.fold, phase.phase] = settings.epochs * epoch_s(phase, pace, settings)
        planned[split.fold, REFITTING] += pace.scoring_s(len(split.test))
    clock = Clock(planned)
    print(f"{what}, {pace.step_s:.2g} s a step: at most {duration(clock.total)}", file=sys.stderr, flush=True)
    return clock, pace


def epoch_s(phase: Phase, pace: Pace, settings: NetworkSettings) -> float:
    """Seconds of an epoch of a phase, by the measured pace."""
    return pace.epoch_s(len(phase.rows), 0 if phase.validation is None else len(phase.validation), settings)


def train_network(
    prepared: Prepared,
    fold: str,
    phases: list[Phase],
    clock: Clock,
    pace: Pace,
    on_epoch: OnEpoch | None,
    *,
    epochs: int = 0,
) -> Iterator[Fitted | None]:
    """Train one network, and note what is left; other parameters as :func:`trainer.networks.fitting.fit_network`."""
    settings, most = prepared.settings, epochs or prepared.settings.epochs
    planned = {phase.phase: epoch_s(phase, pace, settings) for phase in phases}

    def report(phase: str, progress: Progress, of: int, seconds: float) -> None:
        if progress.epoch > settings.warmup_epochs:  # those before it are shorter
            clock.took(seconds, planned[phase])
        clock.left((fold, phase), (of - progress.epoch) * planned[phase])
        if phase == REFITTING:
            clock.left((fold, CHOOSING), 0)
        elif progress.is_over(of, settings.patience):
            clock.left((fold, CHOOSING), 0)
            clock.left((fold, REFITTING), progress.best * planned[REFITTING])
        if on_epoch:
            figures = progress.history[-1]
            on_epoch(Epoch(prepared.task.named, fold, phase, progress.epoch, of, figures, clock.seconds_left()))

    yield from fit_network(
        prepared.network, prepared.data, phases, start=prepared.start, epochs=most, seed=prepared.task.seed,
        store=prepared.task.store.local, key=key_of(checkpoint=prepared.key(fold), epochs=most), report=report,
    )  # fmt: skip


def _put(prepared: Prepared, split: Split, fitted: Fitted) -> bytes:
    """Put a network into the store, with the scores of the clips that it is tested with; give the entry."""
    scores = scores_of(prepared.network, prepared.data.images[split.test], epoch=fitted.epochs)
    arrays: list[np.ndarray] = [scores, fitted.head.weights, fitted.head.bias, *fitted.weights]
    record: dict[str, Any] = {"epochs": fitted.epochs, "history": fitted.history, "classes": prepared.classes}
    data = checkpoints.to_bytes(arrays, record)
    prepared.task.store.put(checkpoints.KIND, prepared.key(split.fold), data, ".npz")
    return data
