"""Train and test every combination of encoding, module and seed, and write what came of it.

::

    OUT/predictions.csv         every clip, scored by the head that did not see its fold
    OUT/heads/<combination>.npz  each fold's head, small, for `export`
    OUT/run.json                step "train"
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import hub
from harness.errors import SettingsError
from harness.files import digest_file
from harness.hub.handles import ModuleSpec
from harness.record import record_step
from harness.store import Store
from harness.tables import FAILURES, PREDICTIONS, frame, write
from trainer.bottlenecks import Features, SoundPart, image_features, sound_features
from trainer.crossvalidate import HeadSettings, Trained, cross_validate, predictions, training_order
from trainer.head import save_heads

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SOUND",
    "STEP",
    "Combination",
    "Outcome",
    "combination_name",
    "combinations",
    "features_of",
    "train_all",
]

SOUND = "sound"  # the encoding of a module that takes the sound itself
STEP = "train"


@dataclass(frozen=True)
class Combination:
    """One row of the ablation: an encoding, a module, a head, a seed."""

    encoding: str
    module: ModuleSpec
    head: str
    seed: int

    def named(self) -> dict[str, str]:
        """The columns that name it in every table."""
        return {"encoding": self.encoding, "module": self.module.handle, "head": self.head, "seed": str(self.seed)}


@dataclass
class Outcome:
    """What :func:`train_all` made.

    Parameters
    ----------
    predictions : DataFrame
        As ``predictions.csv``.
    failures : DataFrame
        As ``failures.csv``.
    trained : dict of Combination to Trained
    computed : int
        Feature vectors that the store did not have.
    """

    predictions: pd.DataFrame
    failures: pd.DataFrame
    trained: dict[Combination, Trained] = field(default_factory=dict)
    computed: int = 0


def combination_name(named: Mapping[str, str]) -> str:
    """File name of a combination's heads.

    Examples
    --------
    >>> combination_name({"encoding": "gray", "module": "builtin:scattering", "head": "lbfgs", "seed": "0"})
    'gray--builtin_scattering--lbfgs--seed0'
    """
    from harness.files import digest_bytes

    module = re.sub(r"[^A-Za-z0-9.-]+", "_", named["module"]).strip("_.")
    if len(module) > 60:
        module = f"{module[-48:]}-{digest_bytes(named['module'].encode())[:8]}"
    return f"{named['encoding']}--{module}--{named['head']}--seed{named['seed']}"


def combinations(
    encodings: Sequence[str],
    modules: Sequence[ModuleSpec],
    settings: HeadSettings,
    seeds: Sequence[int],
    *,
    store: Store,
) -> list[Combination]:
    """Every image module with every picture encoding, every waveform module with the sound.

    Raises
    ------
    SettingsError
        An encoding, a module or a seed stands twice.
    ModuleError
        A module cannot be had: found out here, before any work is done.
    """
    handles = [m.handle for m in modules]
    told: dict[str, Sequence[object]] = {"encoding": encodings, "module": handles, "seed": seeds}
    for what, given in told.items():
        for name in given:
            if list(given).count(name) > 1:
                raise SettingsError(f"{what} {name!r} stands twice; each may stand once")
    found = []
    for module in modules:
        takes = hub.describe(module, store=store).takes
        names = [SOUND] if takes == "waveform" else [e for e in encodings if e != SOUND]
        found += [Combination(name, module, settings.head, seed) for name in names for seed in seeds]
    return found


def features_of(table: pd.DataFrame, module: ModuleSpec, *, store: Store, load: Any, what: str) -> Features:
    """Features of one encoding's rows: of their pictures, or of the sounds where they are rows of ``clips.csv``."""
    if "start_s" in table:
        parts = [SoundPart(Path(r.path), r.start_s, r.end_s) for r in table.itertuples()]
        return sound_features(parts, module, store=store, load=load, what=what)
    return image_features([Path(p) for p in table["path"]], module, store=store, load=load, what=what)


def train_all(
    tables: Mapping[str, pd.DataFrame],
    todo: Sequence[Combination],
    settings: HeadSettings,
    out: str | Path,
    *,
    store: Store,
    inputs: Mapping[str, str] | None = None,
) -> Outcome:
    """Cross-validate every combination and write predictions, heads and run.json.

    Parameters
    ----------
    tables : mapping of encoding to DataFrame
        Rows of ``images.csv`` with absolute paths; under ``sound`` rows of ``clips.csv``.
    todo : sequence of Combination
    settings : HeadSettings
    out : path
    store : Store
    inputs : mapping, optional
        Digests of what the tables were read from, for run.json.

    Raises
    ------
    SplitError
        A leak, too few folds, a clip without a label: before anything is computed.
    """
    import pandas as pd

    started = time.monotonic()
    out = Path(out)
    loaders = {c.module: cache(lambda m=c.module: hub.load(m, store=store)) for c in todo}
    outcome = Outcome(frame([], PREDICTIONS), frame([], FAILURES))
    parts, failed = [], []
    for encoding, module in dict.fromkeys((c.encoding, c.module) for c in todo):
        table = training_order(tables[encoding])
        what = f"{encoding} through {module.handle}"
        features = features_of(table, module, store=store, load=loaders[module], what=what)
        outcome.computed += features.computed
        failed += [_failure(table, row, what, reason) for row, reason in features.failures.items()]
        kept = [row for row in range(len(table)) if row not in features.failures]
        values, table = features.values[kept], table.iloc[kept].reset_index(drop=True)
        for c in (c for c in todo if (c.encoding, c.module) == (encoding, module)):
            trained = cross_validate(values, table, settings=settings, seed=c.seed, store=store)
            save_heads(_heads_path(out, c.named()), trained.heads, classes=trained.classes)
            parts.append(predictions(values, table, trained, named=c.named()))
            outcome.trained[c] = trained
    outcome.predictions = pd.concat(parts, ignore_index=True)
    outcome.failures = frame(failed, FAILURES)
    write(outcome.predictions, out / PREDICTIONS.name, PREDICTIONS)
    _record(out, outcome, settings, store, inputs, started, pictures=_specs(tables, todo))
    return outcome


def _heads_path(out: Path, named: Mapping[str, str]) -> Path:
    return out / "heads" / f"{combination_name(named)}.npz"


def _failure(table: pd.DataFrame, row: int, what: str, reason: str) -> dict[str, object]:
    return {"clip_id": table["clip_id"][row], "path": table["path"][row], "step": f"{STEP}: {what}", "reason": reason}


def _specs(tables: Mapping[str, pd.DataFrame], todo: Sequence[Combination]) -> dict[str, list[str]]:
    """How the pictures of each encoding were drawn, as ``images.csv`` says it."""
    named = [name for name in dict.fromkeys(c.encoding for c in todo) if "spec" in tables[name]]
    return {name: sorted(set(tables[name]["spec"])) for name in named}


def _record(
    out: Path,
    outcome: Outcome,
    settings: HeadSettings,
    store: Store,
    inputs: Mapping[str, str] | None,
    started: float,
    *,
    pictures: Mapping[str, list[str]],
) -> None:
    modules = {
        module.handle: {
            **module.overrides(),
            "base": str(module.base.resolve()),
            "info": _described(module, store),
        }
        for module in dict.fromkeys(c.module for c in outcome.trained)
    }
    chosen = {combination_name(c.named()): trained.chosen for c, trained in outcome.trained.items()}
    seeds = sorted({c.seed for c in outcome.trained})
    record_step(
        out,
        STEP,
        spec={
            **settings.to_json(),
            "seeds": seeds,
            "allow_shared_groups": settings.allow_shared_groups,
            "modules": modules,
            "pictures": dict(pictures),
            "chosen": chosen,
        },
        inputs={**(inputs or {}), PREDICTIONS.name: digest_file(out / PREDICTIONS.name)},
        seed=seeds[0] if seeds else None,
        started=started,
    )


def _described(module: ModuleSpec, store: Store) -> dict[str, Any]:
    from dataclasses import asdict

    info = hub.describe(module, store=store)
    return {**asdict(info), "preprocessing": info.preprocessing()}
