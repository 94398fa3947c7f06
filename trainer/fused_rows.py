"""The heads and predictions of fused rows, from what their members' rows have left in the store.

A clip that one member lacks has no fused row, and is among the failures. Nothing here loads a module: members are
cross-validated first, and their feature vectors are read one member at a time, but for ``vectors``, where all are
joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from harness.augmented_ids import is_augmented
from harness.code_version import code_version
from harness.errors import SplitError
from harness.head import heads_from_bytes, heads_to_bytes, softmax
from harness.hub import kinds
from harness.label_changes import TRAINING_LABEL, training_labels
from harness.store import key_of
from harness.tables import FAILURES, class_order, frame
from trainer import late_fusion
from trainer.ablation import Combination
from trainer.augmented_rows import is_original
from trainer.crossvalidate import HEADS, cross_validate, prediction_rows, training_splits
from trainer.fitting import Trained
from trainer.fusions import Fusion
from trainer.head_tasks import HeadTask, features_of, fit_heads
from trainer.inputs import check_classes
from trainer.late_fusion import FusedTrained, choose_weights, fuse_heads, of_classes

__all__ = ["Members", "fit_fused", "fused_rows", "fused_scores"]

_COLUMNS = ["clip_id", "path", "label", "fold", "group", TRAINING_LABEL]


class Members:
    """The members of a fused row, and the clips that all of them have.

    Parameters
    ----------
    fusion : Fusion
    tasks : sequence of HeadTask
        The members', in their order; tables in training order, without the clips that could not be read.

    Attributes
    ----------
    table : DataFrame
        The common clips, in the order of the first member: clip_id, path, label, fold, group.
    """

    def __init__(self, fusion: Fusion, tasks: Sequence[HeadTask]) -> None:
        self.fusion, self.tasks = fusion, list(tasks)
        self._row_of = [{clip: row for row, clip in enumerate(task.table["clip_id"])} for task in tasks]
        first = tasks[0].table
        common = first["clip_id"].isin(set.intersection(*map(set, self._row_of)))
        self.table = first.loc[common, [name for name in _COLUMNS if name in first]].reset_index(drop=True)

    def all_values(self, k: int) -> np.ndarray:
        """Feature vectors of member k, row by row of its own table; float32 (rows, D)."""
        task = self.tasks[k]
        load = partial(kinds.load, task.module, store=task.store)  # called where a file of vectors is damaged
        return features_of(task.table, task.module, store=task.store, load=load, what="features").values

    def values(self, k: int) -> np.ndarray:
        """Feature vectors of member k, of the common clips; float32 (n, D)."""
        found = self.all_values(k)
        rows = np.array([self._row_of[k][clip] for clip in self.table["clip_id"]], int)
        return found if np.array_equal(rows, np.arange(len(found))) else found[rows]

    def joined(self) -> np.ndarray:
        """Feature vectors of all members, end to end; float32 (n, sum of D)."""
        return np.concatenate([self.values(k) for k in range(len(self.tasks))], axis=1)

    def failures(self, named: Mapping[str, str], step: str) -> list[dict[str, object]]:
        """Clips that a member has and another one lacks: rows of ``failures.csv``."""
        found: dict[str, dict[str, object]] = {}
        what = f"{named['encoding']} through {named['module']}"
        for task in self.tasks:
            for clip, path in zip(task.table["clip_id"], task.table["path"], strict=True):
                lacking = [t.named for t, rows in zip(self.tasks, self._row_of, strict=True) if clip not in rows]
                if lacking and clip not in found and not is_augmented(clip):
                    of = ", ".join(f"{one['encoding']} through {one['module']}" for one in lacking)
                    reason = f"has no features of {of}, which this row joins"
                    found[clip] = {"clip_id": clip, "path": path, "step": f"{step}: {what}", "reason": reason}
        return list(found.values())


def fused_rows(
    fusions: Sequence[Fusion],
    tasks: Mapping[Combination, HeadTask],
    trained: Mapping[Combination, Trained],
    failed: list[pd.DataFrame],
    step: str,
) -> Iterator[tuple[Combination, HeadTask, tuple[Trained, pd.DataFrame]]]:
    """Heads and predictions of each fused row, for every head and seed of its members.

    Parameters
    ----------
    fusions : sequence of Fusion
    tasks, trained : mapping of Combination
        Of the rows that are there.
    failed : list of DataFrame
        Gets the clips that some member lacks.
    step : str
        Of the failures.

    Yields
    ------
    (Combination, HeadTask, (Trained, DataFrame))
        Its table has the clips that all members have.
    """
    for fusion in fusions:
        for head, seed in dict.fromkeys((c.head, c.seed) for c in tasks if (c.encoding, c.module) in fusion.members):
            combination, rows = fusion.combination(head, seed), fusion.rows(head, seed)
            members = Members(fusion, [tasks[c] for c in rows])
            task = replace(tasks[rows[0]], named=combination.named(), table=members.table, module=combination.module)
            failed.append(frame(members.failures(task.named, step), FAILURES))
            try:
                yield combination, task, _fitted(members, [trained[c] for c in rows], task)
            except SplitError as error:
                raise SplitError(f"{fusion.name}: with the clips that all its members have, {error}") from None


def _fitted(members: Members, trained: Sequence[Trained], task: HeadTask) -> tuple[Trained, pd.DataFrame]:
    """Heads and predictions of one fused row."""
    if members.fusion.how == "vectors":
        return fit_heads(task, members.joined())
    fused = fit_fused(members, trained, task)
    scores = fused_scores(members, fused)
    fold_of, tested = members.table["fold"].to_numpy(), is_original(members.table)
    of_folds = {fold: scores[(fold_of == fold) & tested] for fold in fused.heads}
    return fused, prediction_rows(of_folds, members.table, fused.classes, named=task.named, copies=task.copies)


def fit_fused(members: Members, trained: Sequence[Trained], task: HeadTask) -> Trained:
    """The heads of a fused row, from the store or made of its members' heads.

    Parameters
    ----------
    members : Members
    trained : sequence of Trained
        The members' cross-validations.
    task : HeadTask
        Its table has the folds, row by row of the members' common table.
    """
    if members.fusion.how == "vectors":
        return cross_validate(
            members.joined(), task.table, settings=task.settings, seed=task.seed, store=task.store, shared=task.shared
        )
    check_classes(task.table)
    labels = training_labels(task.table)
    classes = class_order(labels)
    splits = training_splits(task.table, task.seed, task.shared)
    key = key_of(
        fusion=members.fusion.how, members=[each.key for each in trained], clips=task.table["clip_id"].tolist(),
        splits=[[s.fold, s.train.tolist(), s.validation.tolist()] for s in splits],
        code=code_version(late_fusion.__name__),
    )  # fmt: skip
    data, record = task.store.get(HEADS, key, ".npz"), task.store.get_json(HEADS, key)
    if data is not None and record is not None:
        heads, classes = heads_from_bytes(data)
        return FusedTrained(heads, classes, {}, key, weights=record["weights"])
    weights = {s.fold: [1 / len(trained)] * len(trained) for s in splits}
    if members.fusion.how == "weighted":
        vectors = [partial(members.values, k) for k in range(len(trained))]
        weights = choose_weights(vectors, labels, classes, splits, trained, settings=task.settings, seed=task.seed)
    heads = {
        fold: fuse_heads([of_classes(t.heads[fold], t.classes, classes) for t in trained], own)
        for fold, own in weights.items()
    }
    task.store.put(HEADS, key, heads_to_bytes(heads, classes=classes), ".npz")
    task.store.put_json(HEADS, key, {"chosen": {}, "weights": weights})
    return FusedTrained(heads, classes, {}, key, weights=weights)


def fused_scores(members: Members, fused: Trained, folds: Sequence[str] | None = None) -> np.ndarray:
    """Scores of the common clips by the head that did not see their fold, one member in memory at a time.

    Parameters
    ----------
    members : Members
    fused : Trained
        Heads on the joined vectors.
    folds : sequence of str, optional
        Of the clips. Default: those of the members' table.

    Returns
    -------
    ndarray of float64, shape (n, classes)
        Of clips of no fold that is tested they mean nothing.
    """
    fold = members.table["fold"].to_numpy() if folds is None else np.asarray(folds, object)
    logits, start = np.zeros((len(fold), len(fused.classes))), 0
    for k in range(len(members.tasks)):
        values = members.values(k)
        stop = start + values.shape[1]
        for name, head in fused.heads.items():
            rows = np.flatnonzero(fold == name)
            logits[rows] += values[rows].astype(np.float64) @ head.weights[start:stop].astype(np.float64)
        start = stop
    for name, head in fused.heads.items():
        logits[fold == name] += head.bias
    return softmax(logits)
