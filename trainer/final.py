"""The final model: one combination refitted on all folds, with the folds' figures in its card."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import hub
from harness.errors import ModuleError
from harness.files import digest_bytes
from harness.model import read_card
from harness.recipes import picture_of
from harness.store import Store, key_of
from trainer.crossvalidate import HeadSettings, Trained, final_head, training_order
from trainer.export import write_model
from trainer.running import SOUND, Combination, features_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_final"]


def write_final(
    table: pd.DataFrame,
    best: Combination,
    trained: Trained,
    settings: HeadSettings,
    out: str | Path,
    *,
    images_folder: str | Path,
    n_combinations: int,
    figure: Mapping[str, float],
    store: Store,
) -> bool:
    """Refit a combination on all folds and write its model folder; one that is there already stays.

    Parameters
    ----------
    table : DataFrame
        Rows of ``images.csv`` (of ``clips.csv`` for encoding ``sound``) with absolute paths.
    best : Combination
    trained : Trained
        Its cross-validation, whose choices are used.
    settings : HeadSettings
    out : path
        The model folder.
    images_folder : path
        Where the ``run.json`` lies that says how the pictures were drawn.
    n_combinations : int
        Among how many it was chosen: its figure is the best of so many.
    figure : mapping of str to float
        Accuracy of each fold.
    store : Store

    Returns
    -------
    bool
        Whether it was written.
    """
    load = partial(hub.load, best.module, store=store)
    ordered = training_order(table)
    features = features_of(ordered, best.module, store=store, load=load, what="final model")
    kept = [row for row in range(len(ordered)) if row not in features.failures]
    values, ordered = features.values[kept], ordered.iloc[kept].reset_index(drop=True)
    picture = None if best.encoding == SOUND else picture_of(images_folder, best.encoding)
    training = {
        **best.named(),
        "fold": "all",
        "folds_accuracy": dict(figure),
        "chosen_among": n_combinations,
        "head_settings": settings.to_json(),
    }
    training["key"] = key_of(
        training=training, classes=trained.classes, chosen=trained.chosen, picture=picture,
        module=hub.describe(best.module, store=store).digest,
        features=digest_bytes(values.tobytes()), labels=list(ordered["label"]),
    )  # fmt: skip
    if _key_of_model(out) == training["key"]:
        return False
    head = final_head(values, ordered, trained, settings=settings, seed=best.seed)
    note = _note(figure, n_combinations)
    write_model(out, module=load(), head=head, classes=trained.classes, picture=picture, training=training, note=note)
    return True


def _key_of_model(folder: str | Path) -> Any:
    try:
        return read_card(folder).training.get("key") if (Path(folder) / "saved_model.pb").is_file() else None
    except (ModuleError, TypeError):  # none there, or one that another version wrote: written anew
        return None


def _note(figure: Mapping[str, float], n_combinations: int) -> str:
    values = list(figure.values())
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    chosen = f", chosen among {n_combinations} combinations by that very figure" if n_combinations > 1 else ""
    return (
        f"Refitted on all folds. Its accuracy is estimated by cross-validation: {100 * statistics.mean(values):.1f}"
        f"{spread} % over {len(values)} folds{chosen}."
    )
