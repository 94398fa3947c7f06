"""What the networks of one table have in common: its images, the module at rest, the heads to start from, keys."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from harness.balance import balanced_rows, balanced_split
from harness.code_version import code_version
from harness.errors import ModuleError
from harness.files import digest_bytes
from harness.head import Head
from harness.hub import kinds
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.network_settings import NetworkSettings
from harness.hub.preprocess import preprocessing
from harness.label_changes import TRAINING_LABEL, is_trained_on, training_labels
from harness.protocol import Split
from harness.store import Store, key_of
from harness.tables import class_order
from trainer.crossvalidate import cross_validate, training_splits
from trainer.fitting import HeadSettings, Trained
from trainer.head_tasks import HeadTask, features_of
from trainer.networks import fitting
from trainer.networks.curves import REFITTING
from trainer.networks.fitting import Phase, phases, starting_head
from trainer.networks.images import read_images
from trainer.networks.steps import Network
from trainer.networks.training import Data

__all__ = ["Prepared"]

_COLUMNS = ("clip_id", "label", "fold", "group")


@dataclass
class Prepared:
    """The images of a table for one network; what takes time is done when it is asked for.

    Parameters
    ----------
    task : HeadTask
        Its table has rows with digests only; its module is a network.
    digests : list of str
        Of the images, row by row.
    """

    task: HeadTask
    digests: list[str]

    @cached_property
    def settings(self) -> NetworkSettings:
        """How the network is trained."""
        return kinds.network_settings(self.task.module)

    @cached_property
    def info(self) -> ModuleInfo:
        """The module before it is trained."""
        return kinds.describe(self.task.module.frozen(), store=self.task.store)

    @cached_property
    def labels(self) -> list[str]:
        """What every row is trained as."""
        return training_labels(self.task.table)

    @cached_property
    def classes(self) -> list[str]:
        """In the order of the scores."""
        return class_order(self.labels)

    @cached_property
    def splits(self) -> list[Split]:
        """Rows to train on as they are balanced; validation rows as they are."""
        found = training_splits(self.task.table, self.task.seed, self.task.shared)
        return [balanced_split(s, self.labels, self.task.settings.balance, seed=self.task.seed) for s in found]

    @cached_property
    def all_rows(self) -> np.ndarray:
        """The rows that the final network is trained on."""
        rows = np.flatnonzero(is_trained_on(self.task.table))
        return balanced_rows(rows, self.labels, self.task.settings.balance, seed=self.task.seed)

    @cached_property
    def _read(self) -> tuple[np.ndarray, dict[int, str]]:
        return read_images(self.task.table, self.info, self.digests)

    @property
    def failures(self) -> dict[int, str]:
        """Rows whose image cannot be read, and why."""
        return self._read[1]

    @cached_property
    def data(self) -> Data:
        """Images and targets."""
        number = {name: k for k, name in enumerate(self.classes)}
        return Data(self._read[0], np.array([number[label] for label in self.labels]), len(self.classes))

    @cached_property
    def network(self) -> Network:
        """The network, one for all folds: it takes seconds to be compiled.

        Raises
        ------
        ModuleError
            Nothing in the module can be trained.
        """
        task = self.task
        network = _loaded(task.module.frozen(), self.info, self.settings, len(self.classes), task.store)
        if not network.body:
            raise ModuleError(
                f"module {self.task.module.handle!r} has no weights that can be trained; leave out finetune, and a "
                "head on its features is"
            )
        return network

    @cached_property
    def start(self) -> list[np.ndarray] | None:
        """The weights of the module as it comes; None where they are drawn at random."""
        return self.network.original if self.task.module.finetune else None

    def key(self, fold: str) -> str:
        """Where the store has the network of a fold, or the final one."""
        table, task = self.task.table, self.task
        columns = [*_COLUMNS, *([TRAINING_LABEL] if TRAINING_LABEL in table else [])]
        split = next((s for s in self.splits if s.fold == fold), None)
        rows = [self.all_rows] if split is None else [split.train, split.validation, split.test, split.refit]
        return key_of(
            images=self.digests, rows=digest_bytes(json.dumps(table[columns].to_numpy().tolist()).encode()),
            split=[part.tolist() for part in rows], fold=fold, seed=task.seed, module=self.info.digest,
            preprocessing=preprocessing(self.info), features=kinds.feature_code(task.module),
            settings=self.settings.to_json(), code=code_version(fitting.__name__, "trainer.fitting"),
            **({"head": HeadSettings(strengths=task.settings.strengths).of_head()} if self._fitted_start else {}),
        )  # fmt: skip

    def phases(self, split: Split) -> list[Phase]:
        """The phases of a fold's training."""
        if not self._fitted_start:
            return phases(split, self.settings, lambda _: None, None)
        strength, head = self.frozen.chosen[split.fold], self.frozen.heads[split.fold]
        return phases(split, self.settings, lambda rows: self._head(rows, strength), head)

    def final_phase(self) -> Phase:
        """The training of the final network."""
        votes = sorted(self.frozen.chosen.values()) if self._fitted_start else [0.0]
        return Phase(REFITTING, self.all_rows, None, self._head(self.all_rows, votes[(len(votes) - 1) // 2]))

    @cached_property
    def features(self) -> np.ndarray:
        """Feature vectors of the module as it comes, ndarray of float32, shape (n, features)."""
        spec, store = self.task.module.frozen(), self.task.store
        found = features_of(self.task.table, spec, store=store, load=self._at_rest, what="features")
        return found.values

    @cached_property
    def frozen(self) -> Trained:
        """The heads of the module as it comes, one for each fold."""
        settings = HeadSettings(strengths=self.task.settings.strengths, balance=self.task.settings.balance)
        seed, store, shared = self.task.seed, self.task.store, self.task.shared
        return cross_validate(self.features, self.task.table, settings=settings, seed=seed, store=store, shared=shared)

    def without(self, failures: dict[int, str]) -> Prepared:
        """The same without rows."""
        rows = [row for row in range(len(self.digests)) if row not in failures]
        table = self.task.table.iloc[rows].reset_index(drop=True)
        return Prepared(replace(self.task, table=table), [self.digests[row] for row in rows])

    @property
    def _fitted_start(self) -> bool:
        return self.settings.start == "fitted"

    def _head(self, rows: np.ndarray, strength: float) -> Head | None:
        """The last layer at the start, as the head of the module as it comes."""
        if not self._fitted_start:
            return None
        return starting_head(self.features[rows], self.data.targets[rows], len(self.classes), strength=strength)

    def _at_rest(self) -> HubModule:
        """The module as it comes."""
        self.network.begin(np.random.default_rng(0), body=self.network.original, head=None)
        return self.network.module


@lru_cache(maxsize=1)
def _loaded(spec: ModuleSpec, info: ModuleInfo, settings: NetworkSettings, n_classes: int, store: Store) -> Network:
    """A network that can be trained; the last one is remembered, since it takes many seconds to be compiled."""
    loaded = kinds.load(spec, store=store, untrained=True)
    return Network(kinds.check_same(loaded, info), n_classes, settings)
