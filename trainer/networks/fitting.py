"""Fit the network of one fold, or the final one: all that its numbers depend on, apart from the images.

The number of epochs is chosen on the validation fold: a network is trained on the other training folds, and the epoch
is taken that is best on the validation fold. Then a new one is trained on all training folds, for as many epochs
(``patience = 0``: for all of them, and nothing is chosen). Nothing is chosen on the fold that is tested. Both start
from the same weights, of a module that is fine-tuned from its own; its last layer is the head that
`trainer.logistic` fits to the same rows on the module as it comes: on all training folds the very one that the row
without fine-tuning has. Another fit is as good, but stops elsewhere; where a feature is nearly constant in the training
rows, its raw weight is large, and scores of other clips may differ in the third decimal.

Batch normalisation, where a module has it, stays as it is in a module at rest: its statistics are not those of the few
clips of a batch, and do not change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.head import Head
from harness.hub.network_settings import NetworkSettings
from harness.protocol import Split
from harness.store import Store
from trainer import logistic
from trainer.networks import checkpoints
from trainer.networks.curves import CHOOSING, REFITTING
from trainer.networks.steps import Network
from trainer.networks.training import Data, Figures, Progress, run_epochs

__all__ = ["Fitted", "Phase", "Report", "fit_network", "phases", "starting_head"]

_SAVED_S = 2.0  # from one checkpoint to the next, at least
_HEAD_PARTS = 2  # weights and bias
_SEEDS = {CHOOSING: 0, REFITTING: 1}

Report = Callable[[str, Progress, int, float], None]


@dataclass(frozen=True)
class Phase:
    """One of the two trainings of a network.

    Parameters
    ----------
    phase : str
        ``choose`` or ``refit``.
    rows : ndarray of int
        To train on.
    validation : ndarray of int, optional
        To choose the number of epochs on.
    head : Head, optional
        The last layer at the start; default: drawn at random.
    """

    phase: str
    rows: np.ndarray
    validation: np.ndarray | None = None
    head: Head | None = None


@dataclass(frozen=True)
class Fitted:
    """A network that is trained.

    Parameters
    ----------
    weights : list of ndarray
        The module's variables.
    head : Head
        The last layer.
    epochs : int
        How many it was trained for.
    history : dict of str to list
        By phase, of every epoch the figures by part.
    """

    weights: list[np.ndarray]
    head: Head
    epochs: int
    history: dict[str, list[dict[str, Figures]]]


def phases(
    split: Split, settings: NetworkSettings, head_of: Callable[[np.ndarray], Head | None], refit: Head | None
) -> list[Phase]:
    """What a fold's network is trained on, one after the other.

    Parameters
    ----------
    split : Split
    settings : NetworkSettings
    head_of : callable
        Of rows to train on the last layer at the start.
    refit : Head, optional
        The same for all training folds.
    """
    last = Phase(REFITTING, split.refit, None, refit)
    if not settings.patience:
        return [last]
    return [Phase(CHOOSING, split.train, split.validation, head_of(split.train)), last]


def starting_head(features: np.ndarray, targets: np.ndarray, n_classes: int, *, strength: float) -> Head:
    """The last layer that training starts from: the head that is fitted to the features of the module as it comes."""
    with logistic.threads_for(features.size):
        return logistic.fit(features, targets, n_classes, strength=strength)


def fit_network(
    network: Network,
    data: Data,
    parts: list[Phase],
    *,
    start: list[np.ndarray] | None,
    epochs: int,
    seed: int,
    store: Store,
    key: str,
    report: Report,
) -> Iterator[Fitted | None]:
    """Train a network, from its last checkpoint where there is one; the checkpoint is removed at the end.

    Parameters
    ----------
    network : Network
    data : Data
    parts : list of Phase
        One after the other.
    start : list of ndarray, optional
        The module's variables at the start; default: drawn at random.
    epochs : int
        Most epochs of a phase.
    seed : int
    store : Store
        For checkpoints.
    key : str
        Of the checkpoint.
    report : callable
        Is called after every epoch with the phase, its progress, how many epochs it has at most, and the seconds that
        the epoch took.

    Yields
    ------
    Fitted or None
        None after every epoch, and at the end the network.
    """
    found = checkpoints.get(store, key)
    arrays, record = found or ([], {})
    histories: dict[str, Any] = record.get("histories", {})
    phase, chosen, saved = record.get("phase", parts[0].phase), record.get("chosen", 0), time.monotonic()
    for part in parts[[each.phase for each in parts].index(phase) :]:
        most = chosen if part.phase == REFITTING and chosen else epochs
        if part.phase == phase and arrays:
            network.restore(arrays)
            progress = Progress(record["epoch"], record["best"], histories[phase])
        else:
            network.begin(np.random.default_rng([seed, 2]), body=start, head=part.head)
            progress = Progress()
        histories[part.phase] = progress.history
        seeds = (seed, _SEEDS[part.phase])
        began = time.monotonic()
        for _ in run_epochs(
            network, data, part.rows, epochs=most, seeds=seeds, progress=progress, validation=part.validation
        ):
            report(part.phase, progress, most, time.monotonic() - began)
            if time.monotonic() - saved > _SAVED_S:
                said = {"phase": part.phase, "chosen": chosen, "epoch": progress.epoch, "best": progress.best}
                checkpoints.put(store, key, network.state(), {**said, "histories": histories})
                saved = time.monotonic()
            yield None
            began = time.monotonic()
        chosen = progress.best or progress.epoch
        arrays = []
    weights = network.weights()
    yield Fitted(weights[:-_HEAD_PARTS], network.head(), chosen, histories)
    store.remove(checkpoints.KIND, key, ".npz")
