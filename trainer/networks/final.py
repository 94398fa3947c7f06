"""The final network: trained on all clips, for as many epochs as the median of the folds."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.head import ALL, Head
from harness.hub.base import HubModule
from harness.progress import track
from harness.shared_groups import SharedGroups
from harness.store import Store, key_of
from trainer.ablation import Combination
from trainer.fitting import HeadSettings, Trained
from trainer.head_tasks import HeadTask
from trainer.inputs import training_order
from trainer.networks import checkpoints
from trainer.networks.fitting import Fitted
from trainer.networks.folds import epoch_s, prepare, train_network
from trainer.networks.preparing import Prepared
from trainer.networks.timing import Clock, duration, measured_pace
from trainer.networks.trained import network_module
from trainer.networks.training import scores_of

__all__ = ["NetworkFit", "final_network"]


@dataclass(frozen=True)
class NetworkFit:
    """A final model that is not made yet.

    Parameters
    ----------
    contents : mapping
        All that it depends on, as JSON values.
    make : callable
        Gives its module and its head.
    """

    contents: Mapping[str, Any]
    make: Callable[[], tuple[HubModule, Head]]


def final_network(
    table: pd.DataFrame,
    best: Combination,
    trained: Trained,
    settings: HeadSettings,
    *,
    store: Store,
    shared: SharedGroups,
) -> NetworkFit:
    """The network of all clips of a table.

    Parameters
    ----------
    table, best, trained, settings, store, shared
        As for :func:`trainer.final.write_final`.
    """
    task = HeadTask(
        best.named(), training_order(table), best.module, settings.replace(head="lbfgs"), best.seed, store, shared
    )
    prepared, _ = prepare(task)
    epochs = round(statistics.median(trained.chosen.values()))
    key = key_of(network=prepared.key(ALL), epochs=epochs)

    def make() -> tuple[HubModule, Head]:
        found = checkpoints.get(store, key)
        arrays = found[0] if found else _train(prepared, epochs, key)
        weights, bias, *variables = arrays
        return network_module(best.module, variables, store=store), Head(weights, bias)

    return NetworkFit({"network": key}, make)


def _train(prepared: Prepared, epochs: int, key: str) -> list[Any]:
    """Train the network and put it into the store; give weights and bias of the last layer, then the module's."""
    if prepared.failures:
        prepared = prepared.without(prepared.failures)
    phase = prepared.final_phase()
    pace = measured_pace(prepared.network, prepared.data.images, phase.rows)
    clock = Clock({(ALL, phase.phase): epochs * epoch_s(phase, pace, prepared.settings)})
    named = f"{prepared.task.named['encoding']} through {prepared.task.named['module']}"
    what = f"final model: {named}, all clips, {epochs} epochs"
    print(f"{what}: about {duration(clock.total)}", file=sys.stderr, flush=True)
    arrays: list[Any] = []
    trained = train_network(prepared, ALL, [phase], clock, pace, None, epochs=epochs)
    for fitted in track(trained, total=epochs + 1, what="final model"):
        if isinstance(fitted, Fitted):
            scores_of(prepared.network, prepared.data.images[phase.rows], epoch=fitted.epochs)  # all finite
            arrays = [fitted.head.weights, fitted.head.bias, *fitted.weights]
            checkpoints.put(prepared.task.store, key, arrays, {"epochs": epochs})
    return arrays
