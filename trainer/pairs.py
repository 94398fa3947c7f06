"""What is found of one encoding and module: where the clips lie, and heads and predictions of each combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from harness import cluster
from harness.hub.handles import ModuleSpec
from harness.parallel import OwnWorker
from harness.store_care.runs import key_numbers
from trainer.ablation import Combination
from trainer.augmented_rows import of_originals
from trainer.bottlenecks import Features
from trainer.fitting import Trained
from trainer.head_tasks import HeadTask, fit_heads, readable_rows
from trainer.inputs import training_order
from trainer.known_results import known_results, remember_results, row_keys
from trainer.reduced import write_reduced
from trainer.sources import ImageMemory

__all__ = ["FittedPair", "Pair", "Result"]

Result = tuple[Combination, HeadTask, tuple[Trained, pd.DataFrame]]
"""A combination, what was fitted, and what :func:`trainer.head_tasks.fit_heads` gave."""


@dataclass(frozen=True)
class FittedPair:
    """What was found of one encoding and module.

    Parameters
    ----------
    results : list of Result
    reduced : (str, str)
        Name and sha256 of the file of reduced features.
    used : ndarray
        Numbers of keys that the run uses, besides those of the results; see `harness.store_care.runs.key_numbers`.
    """

    results: list[Result]
    reduced: tuple[str, str]
    used: np.ndarray


@dataclass(frozen=True)
class Pair:
    """The combinations of one encoding and module.

    Parameters
    ----------
    encoding : str
    module : ModuleSpec
    out : Path
        Where the reduced features are written.
    like : HeadTask
        What the tasks of all combinations have in common.
    table : DataFrame
        In training order.
    combinations : sequence of Combination
    keys : sequence of str, optional
        Of the rows' vectors, as :func:`trainer.known_results.row_keys` gives them; without, nothing is remembered.
    """

    encoding: str
    module: ModuleSpec
    out: Path
    like: HeadTask
    table: pd.DataFrame
    combinations: Sequence[Combination]
    keys: Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        todo: Sequence[Combination],
        encoding: str,
        module: ModuleSpec,
        tables: Mapping[str, pd.DataFrame],
        like: HeadTask,
        out: Path,
        memory: ImageMemory,
    ) -> Pair:
        """Of those of `todo` that have this encoding and module; `memory` gets the digests of its images."""
        table, own = training_order(tables[encoding]), [c for c in todo if (c.encoding, c.module) == (encoding, module)]
        keys = None if cluster.current() else row_keys(table, module, store=like.store, memory=memory)
        return cls(encoding, module, out, like, table, own, keys)

    @property
    def tasks(self) -> dict[Combination, HeadTask]:
        """What is fitted for each combination."""
        task = replace(self.like, table=self.table, module=self.module)
        return {c: replace(task, named=c.named(), seed=c.seed) for c in self.combinations}

    def known(self) -> FittedPair | None:
        """What was found before; nothing unless all of it is known."""
        if self.keys is None:
            return None
        tasks = self.tasks
        found = known_results([*tasks.values()], self.out, keys=self.keys)
        if found is None:
            return None
        name, digest, key = found.reduced
        results = [(c, task, own) for (c, task), own in zip(tasks.items(), found.results, strict=True)]
        return FittedPair(results, (name, digest), key_numbers([key, *dict.fromkeys(self.keys)]))

    def readable(self, features: Features) -> tuple[Pair, np.ndarray]:
        """Without the rows that have no features, and the features; where some have none, nothing is remembered."""
        values, table = readable_rows(features, self.table)
        return (replace(self, table=table, keys=None) if features.failures else self), values

    def fit(self, values: np.ndarray, features: Features, worker: OwnWorker | None = None) -> FittedPair:
        """Write the vectors that the store does not have yet, then the reduced features, and fit the heads.

        Parameters
        ----------
        values : ndarray of float32, shape (n, D)
            Row by row of the table.
        features : Features
            That they are of.
        worker : OwnWorker, optional
            Fits the heads, if it is ready.
        """
        features.save()
        store, (own, rows) = self.like.store, of_originals(values, self.table)
        named = {"encoding": self.encoding, "module": self.module.row}
        name, digest, key = write_reduced(self.out, own, rows, **named, keys=features.keys, store=store)
        remember = partial(remember_results, keys=self.keys, reduced=key) if self.keys else None
        results = [(c, task, fit_heads(task, values, remember, worker)) for c, task in self.tasks.items()]
        return FittedPair(results, (name, digest), key_numbers([key]))
