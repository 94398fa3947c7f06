"""The final model of a fused row: its members' heads refitted on all clips and joined, or one head on the vectors.

The weights of a weighted row are the mean of those of the folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from harness.files import digest_bytes
from harness.head import Head
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.label_changes import is_trained_on, training_labels
from harness.store import Store
from trainer import fitting
from trainer.ablation import Combination
from trainer.fitting import HeadSettings, Trained
from trainer.fused_model import FusedPart, write_fused_model
from trainer.fused_rows import Members
from trainer.late_fusion import FusedTrained, fuse_heads, mean_weights, of_classes
from trainer.running import Outcome

__all__ = ["FinalFit", "FusedParts", "fused_fit", "fused_parts", "training_rows"]


@dataclass(frozen=True)
class FinalFit:
    """What a final model is made of.

    Parameters
    ----------
    fit : callable
        Gives the head.
    write : callable
        Writes the model folder, given the folder, head, classes, training, note and longest_s.
    key : dict
        What its key has of vectors, labels, modules and recipes.
    training : dict
        What its card has besides the row's name.
    """

    fit: Callable[[], Head]
    write: Callable[..., Any]
    key: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FusedParts:
    """The members of a fused row, for its final model.

    Parameters
    ----------
    members : Members
    trained : sequence of Trained
        Their cross-validations.
    recipes : sequence of mapping or None
        How the images of each are drawn.
    loads : sequence of callable
        Each gives a loaded module.
    """

    members: Members
    trained: Sequence[Trained]
    recipes: Sequence[Mapping[str, Any] | None]
    loads: Sequence[Callable[[], HubModule]]


def training_rows(values: np.ndarray, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Vectors and labels of the rows that are trained on."""
    used, labels = np.array(is_trained_on(table), bool), training_labels(table)
    if used.all():
        return values, labels
    return values[used], [label for label, one in zip(labels, used, strict=True) if one]


def fused_fit(
    parts: FusedParts, best: Combination, trained: Trained, settings: HeadSettings, *, store: Store
) -> FinalFit:
    """The final fit of a fused row.

    Parameters
    ----------
    parts : FusedParts
    best : Combination
        The fused row.
    trained : Trained
        Its cross-validation.
    settings, store
        As for :func:`trainer.final.write_final`.
    """
    members, tasks = parts.members, parts.members.tasks
    infos = [kinds.describe(task.module, store=store) for task in tasks]
    labels = training_rows(np.empty((len(members.table), 0)), members.table)[1]
    weights = mean_weights(trained.weights) if isinstance(trained, FusedTrained) else []

    def values_of(k: int) -> np.ndarray:
        return training_rows(members.values(k), members.table)[0]

    def fit() -> Head:
        refit = partial(fitting.fit_final, labels=labels, settings=settings, seed=best.seed)
        if not weights:
            return refit(training_rows(members.joined(), members.table)[0], trained=trained)
        heads = [refit(values_of(k), trained=own) for k, own in enumerate(parts.trained)]
        own_classes = [own.classes for own in parts.trained]
        chosen = [of_classes(head, own, trained.classes) for head, own in zip(heads, own_classes, strict=True)]
        return fuse_heads(chosen, weights)

    def write(out: Any, **given: Any) -> None:
        modules = [kinds.check_same(load(), info) for load, info in zip(parts.loads, infos, strict=True)]
        names = [task.named["encoding"] for task in tasks]
        written = [FusedPart(*each) for each in zip(names, modules, parts.recipes, strict=True)]
        write_fused_model(out, members=written, handle=best.module.handle, **given)

    named = [{"encoding": task.named["encoding"], "module": task.named["module"]} for task in tasks]
    key = {
        "recipe": list(parts.recipes), "module": [info.digest for info in infos], "labels": labels,
        "features": [digest_bytes(np.ascontiguousarray(values_of(k)).data) for k in range(len(tasks))],
        "members": [[own.classes, own.chosen] for own in parts.trained],
    }  # fmt: skip
    return FinalFit(fit, write, key, {"members": named, **({"weights": weights} if weights else {})})


def fused_parts(
    outcome: Outcome, best: Combination, recipe_of: Callable[[str], Mapping[str, Any] | None]
) -> FusedParts | None:
    """The members of the best row of a training, for its final model; None where that row is not fused.

    Parameters
    ----------
    outcome : Outcome
        As :func:`trainer.running.train_all` gives it.
    best : Combination
    recipe_of : callable
        Of an encoding how its images are drawn, None for ``sound``.
    """
    fusion = next((each for each in outcome.fusions if each.combination(best.head, best.seed) == best), None)
    if fusion is None:
        return None
    rows = fusion.rows(best.head, best.seed)
    return FusedParts(
        Members(fusion, [outcome.tasks[c] for c in rows]),
        [outcome.trained[c] for c in rows],
        [recipe_of(c.encoding) for c in rows],
        [outcome.loaders[c.module] for c in rows],
    )
