"""What training found before for an encoding and a module, looked up by the keys of its vectors, which are not read.

A second run of a study would read all feature vectors to compute scores that it had before; they are a hundred times as
large as the scores.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.code_version import code_version
from harness.digests import FileDigests
from harness.files import digest_json
from harness.hub import kinds
from harness.hub.handles import ModuleSpec
from harness.store import Store
from trainer.augmented_rows import originals
from trainer.crossvalidate import heads_key, known_heads, prediction_rows, training_splits
from trainer.fitting import Trained
from trainer.head_tasks import HeadTask
from trainer.reduced import rewrite_reduced
from trainer.sources import ImageMemory, image_key, image_source, module_key, rows_by_key, sound_source
from trainer.vector_tasks import items_of

__all__ = ["KnownResults", "known_results", "remember_results", "row_keys"]

_KIND = "scores"
_LARGEST = 1 << 22  # scores of a combination: of more, what is saved is little against what is stored


@dataclass(frozen=True)
class KnownResults:
    """Heads and predictions of several combinations of one encoding and module, and their reduced features."""

    results: list[tuple[Trained, pd.DataFrame]]
    reduced: tuple[str, str, str]


def row_keys(
    table: pd.DataFrame, module: ModuleSpec, *, store: Store, memory: ImageMemory | None = None
) -> list[str] | None:
    """The key of each row's vector; nothing where a file cannot be read, or where scores would not be remembered.

    Parameters
    ----------
    table : DataFrame
        As for :func:`trainer.head_tasks.features_of`.
    module : ModuleSpec
    store : Store
    memory : ImageMemory, optional
        Gets the digests of images.
    """
    if len(table) * table["label"].nunique() > _LARGEST:
        return None
    info = kinds.describe(module, store=store)
    if "image" in table:
        own = module_key(module, info)
        return [image_key(image.digest, own) for image in table["image"]]
    failures: dict[int, str] = {}
    with FileDigests(store) as digests:
        images = info.takes == "image"
        source = image_source(module, info, digests, memory=memory) if images else sound_source(module, info, digests)
        rows_of = rows_by_key(items_of(table), source, failures)
    if failures:
        return None
    keys = [""] * len(table)
    for key, rows in rows_of.items():
        for row in rows:
            keys[row] = key
    return keys


def known_results(tasks: Sequence[HeadTask], out: str | Path, *, keys: Sequence[str]) -> KnownResults | None:
    """Look up the combinations of one encoding and module; nothing unless all of them are known.

    Parameters
    ----------
    tasks : sequence of HeadTask
        Of one table and module, in training order.
    out : path
        Where the reduced features are written.
    keys : sequence of str
        As :func:`row_keys` gives them.
    """
    found = []
    for task in tasks:
        key = _key(task, keys)
        data = task.store.get(_KIND, key, ".npz")
        if data is None:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            said = json.loads(str(arrays["said"]))
            scores = {fold: arrays[f"scores_{k}"] for k, fold in enumerate(said["folds"])}
        trained = known_heads(task.store, said["heads"])
        if trained is None:
            return None
        trained.scores_key = key
        found.append((said, trained, scores))
    own, first = originals(tasks[0].table), tasks[0]
    named = {name: first.named[name] for name in ("encoding", "module")}
    reduced = rewrite_reduced(out, own, **named, key=found[0][0]["reduced"], store=first.store)
    if reduced is None:
        return None
    results = [
        (trained, prediction_rows(scores, task.table, trained.classes, named=task.named, copies=task.copies))
        for task, (_, trained, scores) in zip(tasks, found, strict=True)
    ]
    return KnownResults(results, reduced)


def remember_results(
    task: HeadTask, trained: Trained, scores: Mapping[str, np.ndarray], *, keys: Sequence[str], reduced: str
) -> None:
    """Put the scores of a combination into the store, for :func:`known_results`.

    Parameters
    ----------
    task : HeadTask
    trained : Trained
    scores : mapping of str to ndarray of float64, shape (n_fold, classes)
        By fold, as :func:`trainer.crossvalidate.tested_scores` gives them.
    keys : sequence of str
        As :func:`row_keys` gives them.
    reduced : str
        Where the store has the reduced features.
    """
    if not trained.key:
        return
    buffer = io.BytesIO()
    arrays = {f"scores_{k}": own for k, own in enumerate(scores.values())}
    arrays["said"] = np.array(json.dumps({"folds": list(scores), "heads": trained.key, "reduced": reduced}))
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    trained.scores_key = _key(task, keys)
    task.store.put(_KIND, trained.scores_key, buffer.getvalue(), ".npz")


def _key(task: HeadTask, keys: Sequence[str]) -> str:
    splits = training_splits(task.table, task.seed, task.shared)
    return heads_key(
        task.table, splits, task.settings, task.seed,
        vectors=digest_json(list(keys)), scores=code_version(__name__),
    )  # fmt: skip
