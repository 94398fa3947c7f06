"""The final model: one combination refitted on all folds, with the folds' figures in its card."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import audio
from harness.code_version import code_version
from harness.errors import ModuleError
from harness.figures import percent, spread
from harness.files import digest_bytes
from harness.head import Head
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.model import is_whole, read_card
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.store import Store, key_of
from trainer import fitting
from trainer.ablation import Combination
from trainer.export import write_model
from trainer.fitting import HeadSettings, Trained
from trainer.fused_final import FinalFit, FusedParts, fused_fit, training_rows
from trainer.head_tasks import features_of, readable_rows
from trainer.inputs import training_order
from trainer.networks.final import final_network
from trainer.run_record import as_sentence

__all__ = ["fold_accuracies", "write_final"]


def fold_accuracies(folds: pd.DataFrame, named: Mapping[str, str]) -> dict[str, float]:
    """Accuracy (in [0, 1]) of a combination on each fold, of several seeds the mean.

    Parameters
    ----------
    folds : DataFrame
        As the evaluator gives it: a row for each combination and seed, a column for each fold.
    named : mapping of str to str
        encoding, module and head of the combination.
    """
    rows = folds[(folds[list(named)] == list(named.values())).all(axis=1)]
    return {str(fold): float(rows[fold].mean()) for fold in rows if fold not in {*named, "seed", "mean", "std"}}


def write_final(
    table: pd.DataFrame,
    best: Combination,
    trained: Trained,
    settings: HeadSettings,
    out: str | Path,
    *,
    recipe: Mapping[str, Any] | None,
    n_combinations: int,
    figure: Mapping[str, float],
    store: Store,
    notes: Sequence[str] = (),
    caveats: Sequence[str] = (),
    deviation: float | None = None,
    n_seeds: int = 1,
    load: Callable[[], HubModule] | None = None,
    fused: FusedParts | None = None,
    shared: SharedGroups = OFFICIAL,
) -> bool:
    """Refit a combination on all clips and write its model folder; one that is there already stays.

    Parameters
    ----------
    table : DataFrame
        Rows of ``images.csv`` (of ``clips.csv`` for encoding ``sound``) with absolute paths; of a fused row those of
        its first member.
    best : Combination
    trained : Trained
        Its cross-validation, whose choices are used.
    settings : HeadSettings
    out : path
        The model folder.
    recipe : mapping or None
        How the images were drawn, as :mod:`harness.recipes` describes it; None for encoding ``sound``, or where
        nobody knows.
    n_combinations : int
        Among how many it was chosen, seeds not counted: its figure is the best of so many.
    figure : mapping of str to float
        Accuracy of each fold, or of the tested part of a single split, 0 to 1; of several seeds the mean.
    store : Store
    notes : sequence of str
        What the model's card records of the clips and their folds.
    caveats : sequence of str
        Sentences that go wherever the figure is quoted: leaks, unknown groups.
    deviation : float, optional
        Over folds, as the ranking has it, where seeds are averaged; default: that of `figure`.
    n_seeds : int
        How many seeds `figure` is the mean of.
    load : callable, optional
        Gives the loaded module. Default: :func:`harness.hub.kinds.load`.
    fused : FusedParts, optional
        The members of a fused row.
    shared : SharedGroups
        What is done about groups that span folds.

    Returns
    -------
    bool
        Whether it was written.
    """
    load = load or partial(kinds.load, best.module, store=store)
    if fused:
        made = fused_fit(fused, best, trained, settings, store=store)
    elif kinds.is_network(best.module):
        made = _network_fit(table, best, trained, settings, recipe, store=store, shared=shared)
    else:
        made = _plain_fit(table, best, trained, settings, recipe, load, store=store)
    training = {
        **best.named(),
        **made.training,
        "fold": "all",
        "folds_accuracy": dict(figure),
        **({"figure_of_seeds": n_seeds, "deviation": deviation} if n_seeds > 1 else {}),
        "chosen_among": n_combinations,
        "head_settings": settings.of_head(),
        **({"notes": list(notes)} if notes else {}),
        **({"caveats": list(caveats)} if caveats else {}),
    }
    training["key"] = key_of(
        training=training, classes=trained.classes, chosen=trained.chosen, code=code_version(__name__), **made.key
    )
    if _key_of_model(out) == training["key"]:
        return False
    note = " ".join([_note(figure, deviation, n_combinations, n_seeds), *map(as_sentence, caveats)])
    tables = [task.table for task in fused.members.tasks] if fused else [table]
    sounds = next((each[["path", "start_s", "end_s"]] for each in tables if "start_s" in each), table.iloc[:0])
    longest_s = audio.longest(sounds.itertuples(index=False, name=None))
    made.write(out, head=made.fit(), classes=trained.classes, training=training, note=note, longest_s=longest_s)
    return True


def _network_fit(
    table: pd.DataFrame,
    best: Combination,
    trained: Trained,
    settings: HeadSettings,
    recipe: Mapping[str, Any] | None,
    *,
    store: Store,
    shared: SharedGroups,
) -> FinalFit:
    """The final fit of a network."""
    network = final_network(table, best, trained, settings, store=store, shared=shared)
    made: list[HubModule] = []

    def fit() -> Head:
        module, head = network.make()
        made.append(module)
        return head

    def write(out: str | Path, **given: Any) -> None:
        write_model(out, module=made[-1], recipe=recipe, **given)

    return FinalFit(fit=fit, write=write, key={"recipe": recipe, **network.contents})


def _plain_fit(
    table: pd.DataFrame,
    best: Combination,
    trained: Trained,
    settings: HeadSettings,
    recipe: Mapping[str, Any] | None,
    load: Callable[[], HubModule],
    *,
    store: Store,
) -> FinalFit:
    """The final fit of a row that is not fused."""
    ordered = training_order(table)
    features = features_of(ordered, best.module, store=store, load=load, what="final model")
    values, ordered = readable_rows(features, ordered)
    values, labels = training_rows(values, ordered)
    described = kinds.describe(best.module, store=store)

    def write(out: str | Path, **given: Any) -> None:
        write_model(out, module=kinds.check_same(load(), described), recipe=recipe, **given)

    return FinalFit(
        fit=lambda: fitting.fit_final(values, labels, trained, settings=settings, seed=best.seed),
        write=write,
        key={
            "recipe": recipe, "module": described.digest, "labels": labels,
            "features": digest_bytes(np.ascontiguousarray(values).data),
        },
    )  # fmt: skip


def _key_of_model(folder: str | Path) -> Any:
    try:
        return read_card(folder).training.get("key") if is_whole(folder) else None
    except (ModuleError, TypeError):  # none there, or one that another version wrote: written anew
        return None


def _note(figure: Mapping[str, float], deviation: float | None, n_combinations: int, n_seeds: int) -> str:
    """What the figure of the folds says of the model."""
    values = list(figure.values())
    chosen = f", chosen among {n_combinations} combinations by that very figure" if n_combinations > 1 else ""
    if len(values) == 1:
        tested = next(iter(figure))
        seeds = f", mean over {n_seeds} seeds" if n_seeds > 1 else ""
        return (
            f"Refitted on all clips, those of {tested} too. Its accuracy is estimated by the head that did not see "
            f"{tested}: {percent(values[0])} %{seeds}{chosen}."
        )
    quoted = spread(statistics.fmean(values), statistics.stdev(values) if deviation is None else deviation)
    seeds = f" and {n_seeds} seeds" if n_seeds > 1 else ""
    return (
        f"Refitted on all folds. Its accuracy is estimated by cross-validation: {quoted} % over {len(values)} "
        f"folds{seeds}{chosen}."
    )
