"""Feature vectors by the workers of a cluster, each of which writes those that it computes into the store.

Vectors do not pass through the scheduler or the command: of 20 million clips those of one module are 100 GB. A task
has paths and keys, and gives back a count. A file of vectors is named by its content and belongs to one writer, so that
no locks are needed, and a task that is done twice (its worker was killed) does no harm. The module is loaded by each
worker process itself, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from harness import cluster
from harness.digests import FileDigests
from harness.errors import ClusterError
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.progress import track
from harness.store import Store
from harness.threads import ahead
from harness.urls import absolute
from harness.vectors import Vectors
from trainer.sources import SoundPart, batches_of, image_source, module_key, rows_by_key, sound_source

__all__ = ["Computed", "VectorTask", "another_module", "compute_on_cluster", "compute_vectors", "items_of", "loaded"]

_ITEMS = 1024  # in a task, at most: the vectors of a task are a file of the store
_CALLS = 2  # of the module at a time
_LOADING = Lock()


@dataclass(frozen=True)
class VectorTask:
    """Vectors that a worker shall compute.

    Parameters
    ----------
    items : tuple of Path or SoundPart
        Absolute paths.
    digests, keys : tuple of str
        Of each item: of its content, and of its vector.
    spec : ModuleSpec
    module : dict
        What the module contributes to the keys; see :func:`trainer.sources.module_key`.
    store : Store
    """

    items: tuple[Any, ...]
    digests: tuple[str, ...]
    keys: tuple[str, ...]
    spec: ModuleSpec
    module: dict[str, Any]
    store: Store


@dataclass
class Computed:
    """What became of a task: how many vectors it has put into the store, and which items could not be read."""

    count: int = 0
    failures: dict[int, str] = field(default_factory=dict)


def items_of(table: pd.DataFrame) -> list[Any]:
    """What goes into a module: image files, or the sounds where the rows are those of ``clips.csv``."""
    if "start_s" in table:
        return [SoundPart(Path(absolute(r.path)), r.start_s, r.end_s) for r in table.itertuples()]
    return [Path(absolute(path)) for path in table["path"]]


def compute_on_cluster(table: pd.DataFrame, spec: ModuleSpec, *, store: Store, what: str) -> int:
    """Have the cluster put the missing vectors of a table's rows into the store; nothing without a cluster.

    Parameters
    ----------
    table : DataFrame
        As for :func:`trainer.head_tasks.features_of`, which takes the vectors from the store afterwards.
    spec : ModuleSpec
    store : Store
    what : str
        Shown before the progress bar.

    Returns
    -------
    int
        How many were computed.

    Raises
    ------
    ClusterError
        Workers may not do this, or the store here has not what they have written.
    """
    workers = cluster.current()
    if workers is None or "image" in table:  # images in memory have their vectors already
        return 0
    tasks = _missing(items_of(table), spec, store, workers.threads())
    if not tasks:
        return 0
    first = tasks[0].items[0]
    cluster.require(files=[first if isinstance(first, Path) else first.path], folders=[store.root])
    written: list[str] = []
    count = 0
    done = zip(tasks, workers.map(compute_vectors, tasks, batch=1), strict=True)
    total = sum(len(task.items) for task in tasks)
    for task, made in track(done, total=total, what=what, size=lambda each: len(each[0].items)):
        written += [key for n, key in enumerate(task.keys) if n not in made.failures]
        count += made.count
    if Vectors(store).count(written) < len(written):
        raise ClusterError(
            f"workers have written feature vectors that are not in the store here, {store.root}; all machines must "
            "share the store, under the same path or at a URL"
        )
    return count


def compute_vectors(task: VectorTask) -> Computed:
    """Compute vectors and put them into the store; what a worker does.

    Raises
    ------
    ClusterError
        The module is another one here, or computes in another precision.
    ModuleError
        It is not available here.
    """
    module = loaded(task.spec, task.store)
    if module_key(task.spec, module.info) != task.module:
        raise ClusterError(another_module(task.spec))
    made = Computed()
    digests = FileDigests(task.store)
    source = (image_source if module.info.takes == "image" else sound_source)(task.spec, module.info, digests)
    source.found.update(zip(task.items, task.digests, strict=True))

    def run(batch: tuple[list[int], np.ndarray]) -> tuple[list[int], np.ndarray]:
        rows, values = batch
        return rows, module(values)

    batches = batches_of(task.items, range(len(task.items)), source, made.failures)
    with Vectors(task.store) as vectors, ThreadPoolExecutor(_CALLS) as callers:
        for rows, values in ahead(callers, run, batches, most=_CALLS + 1):
            vectors.put([task.keys[row] for row in rows], values)
            made.count += len(rows)
    return made


def _missing(items: Sequence[Any], spec: ModuleSpec, store: Store, threads: int) -> list[VectorTask]:
    """Tasks for the vectors that the store lacks, each content once, in the chunks that one machine has as well."""
    info = kinds.describe(spec, store=store)
    vectors = Vectors(store)
    with FileDigests(store) as digests:
        source = (image_source if info.takes == "image" else sound_source)(spec, info, digests)
        rows_of = rows_by_key(items, source, {})
    wanted = list(rows_of)
    if vectors.count(wanted) == len(wanted):
        return []
    there = {wanted[k] for positions, _ in vectors.take(wanted, info.features) for k in positions}
    missing = [key for key in wanted if key not in there]
    chunks = max(1, min(_ITEMS // source.chunk, ceil(len(missing) / (4 * threads * source.chunk))))
    size = chunks * source.chunk
    spec = spec.model_copy(update={"base": spec.base.absolute()})
    tasks = []
    for keys in (missing[k : k + size] for k in range(0, len(missing), size)):
        own = [items[rows_of[key][0]] for key in keys]
        digest = [source.found[item] for item in own]
        tasks.append(VectorTask(tuple(own), tuple(digest), tuple(keys), spec, module_key(spec, info), store))
    return tasks


def another_module(spec: ModuleSpec) -> str:
    """What a worker says that has another module than the command."""
    return (
        f"has another module {spec.handle!r} than this command, or computes it in another precision; give "
        "machines the same, and the same GPU settings"
    )


def loaded(spec: ModuleSpec, store: Store) -> HubModule:
    """The module, loaded once in a process, whichever of its threads asks first."""
    with _LOADING:
        return _load(spec, str(store.root))


@lru_cache(maxsize=4)
def _load(spec: ModuleSpec, root: str) -> HubModule:
    return kinds.load(spec, store=Store(root))
