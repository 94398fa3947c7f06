"""One combination's heads and predictions, here or by a worker of a cluster, which takes the vectors from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info, threadpool_limits

from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.parallel import OwnWorker
from harness.shared_groups import SharedGroups
from harness.store import Store
from trainer.bottlenecks import Features, drawn_features, image_features, sound_features
from trainer.crossvalidate import cross_validate, prediction_rows, tested_scores
from trainer.fitting import HeadSettings, Trained
from trainer.logistic import threads_for
from trainer.sources import ImageMemory, SoundPart

__all__ = ["HeadTask", "blas_threads", "features_of", "fit_from_store", "fit_heads", "readable_rows"]


@dataclass(frozen=True)
class HeadTask:
    """Heads that are wanted.

    Parameters
    ----------
    named : dict of str to str
        encoding, module, head and seed, as every table has them.
    table : DataFrame
        Rows in training order, all of which have a vector.
    module : ModuleSpec
    settings : HeadSettings
    seed : int
    store : Store
    shared : SharedGroups
        What is done about groups that span folds.
    copies : mapping of str to str, optional
        As for :func:`trainer.crossvalidate.predictions`.
    blas_threads : int
        Of matrix products by a worker. Default: as here, since another number changes the last digits of a product,
        and then of the figures.
    """

    named: dict[str, str]
    table: pd.DataFrame
    module: ModuleSpec
    settings: HeadSettings
    seed: int
    store: Store
    shared: SharedGroups
    copies: Mapping[str, str] | None = None
    blas_threads: int = field(default_factory=lambda: blas_threads())


Remember = Callable[[HeadTask, Trained, Mapping[str, np.ndarray]], None]


def fit_heads(
    task: HeadTask, values: np.ndarray, remember: Remember | None = None, worker: OwnWorker | None = None
) -> tuple[Trained, pd.DataFrame]:
    """Heads from the store or fitted, and the scores of the clips that they are tested with.

    Parameters
    ----------
    task : HeadTask
    values : ndarray of float32, shape (n, D)
        Row by row of its table.
    remember : callable, optional
        Is given the task, its heads and the scores by fold.
    worker : OwnWorker, optional
        Fits them, if it is ready.

    Returns
    -------
    (Trained, DataFrame)
        The heads; rows of ``predictions.csv``.

    Raises
    ------
    SplitError
        A leak, too few folds, a clip without a label.
    """
    with threads_for(values.size):  # a second one waits for its next part at full speed
        trained = cross_validate(
            values,
            task.table,
            settings=task.settings,
            seed=task.seed,
            store=task.store,
            shared=task.shared,
            worker=worker,
        )
        scores = tested_scores(values, task.table, trained)
    if remember:
        remember(task, trained, scores)
    return trained, prediction_rows(scores, task.table, trained.classes, named=task.named, copies=task.copies)


def fit_from_store(task: HeadTask) -> tuple[Trained, pd.DataFrame]:
    """As :func:`fit_heads`, by a worker: the vectors do not travel with the task."""
    load = partial(kinds.load, task.module, store=task.store)  # called where a file of vectors is damaged
    features = features_of(task.table, task.module, store=task.store, load=load, what="features")
    with threadpool_limits(task.blas_threads, user_api="blas"):
        return fit_heads(task, features.values)


def blas_threads() -> int:
    """How many threads matrix products take in this process."""
    return max((each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"), default=1)


def features_of(
    table: pd.DataFrame,
    module: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule],
    what: str,
    memory: ImageMemory | None = None,
    save: bool = True,
) -> Features:
    """Features of one encoding's rows: of their images, or of the sounds where they are rows of ``clips.csv``.

    Where the rows have a column ``image``, these have no files; see :class:`harness.memory_images.MemoryImage`. Without
    `save` those of image files are not all in the store until :meth:`trainer.bottlenecks.Features.save` is called.
    """
    if "start_s" in table:
        parts = [SoundPart(Path(r.path), r.start_s, r.end_s) for r in table.itertuples()]
        return sound_features(parts, module, store=store, load=load, what=what)
    if "image" in table:
        return drawn_features(list(table["image"]), module, store=store, load=load, what=what)
    return image_features(table["path"].tolist(), module, store=store, load=load, what=what, memory=memory, save=save)


def readable_rows(features: Features, table: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """The feature vectors and the rows of what could be read."""
    if not features.failures:
        return features.values, table
    rows = [row for row in range(len(table)) if row not in features.failures]
    return features.values[rows], table.iloc[rows].reset_index(drop=True)
