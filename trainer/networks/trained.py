"""The networks of a run's folds: written into its folder, and a module with the weights of one."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.errors import SettingsError, TableError
from harness.files import digest_bytes, digest_json, safe_name, write_bytes
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.store import Store
from harness.written import inside
from trainer.ablation import combination_name
from trainer.networks import checkpoints
from trainer.networks.curves import write_history
from trainer.networks.steps import trained_variables

__all__ = ["NETWORKS", "finish_networks", "network_module", "read_weights", "with_weights", "write_network"]

NETWORKS = "networks"
_BEFORE = 3  # arrays before the module's variables: scores, weights and bias of the last layer


def _name(named: Mapping[str, str], fold: str) -> str:
    return f"{combination_name(named)}--{safe_name(fold)}.npz"


def write_network(run: str | Path, named: Mapping[str, str], fold: str, data: bytes) -> dict[str, str]:
    """Write the network of a fold into the folder of a run.

    Parameters
    ----------
    run : path
    named : mapping of str to str
        encoding, module, head and seed.
    fold : str
    data : bytes
        As the store has it.

    Returns
    -------
    dict of str to str
        The sha256 of the file by its name.
    """
    name = _name(named, fold)
    write_bytes(Path(run) / NETWORKS / name, data)
    return {name: digest_bytes(data)}


def finish_networks(
    run: str | Path, earlier: Mapping[str, str], now: Mapping[str, str], history: Sequence[dict[str, object]]
) -> None:
    """Write ``history.csv``, and remove the networks of an earlier training that this one has not written.

    Parameters
    ----------
    run : path
    earlier, now : mapping of str to str
        Networks by the name of their file.
    history : sequence of dict
        Rows of the table.
    """
    write_history(run, history)
    for name in earlier.keys() - now.keys():
        inside(Path(run) / NETWORKS, name).unlink(missing_ok=True)


def read_weights(run: str | Path, named: Mapping[str, str], fold: str, known: Mapping[str, str]) -> list[np.ndarray]:
    """The module's variables in the network of a fold.

    Raises
    ------
    SettingsError
        The run has no such network.
    TableError
        Its file is not the one that was written.
    """
    name = _name(named, fold)
    path = Path(run) / NETWORKS / name
    if name not in known or not path.is_file():
        raise SettingsError(f"{path}: no such network in this run; train again")
    data = path.read_bytes()
    try:
        arrays, _ = checkpoints.from_bytes(data) if digest_bytes(data) == known[name] else ([], {})
    except (ValueError, KeyError, zipfile.BadZipFile):
        arrays = []
    if not arrays:
        raise TableError(f"{path}: is not what the last training has written; run it again")
    return arrays[_BEFORE:]


def network_module(spec: ModuleSpec, weights: Sequence[np.ndarray], *, store: Store) -> HubModule:
    """The module of a network, loaded, with trained weights."""
    return with_weights(kinds.load(spec.frozen(), store=store, untrained=True), weights)


def with_weights(module: HubModule, weights: Sequence[np.ndarray]) -> HubModule:
    """A module with trained weights in place of its own, which are lost; its digest is that of both."""
    for v, value in zip(trained_variables(module), weights, strict=True):
        v.assign(value)
    digest = digest_json([module.info.digest, *(digest_bytes(np.ascontiguousarray(each).data) for each in weights)])
    return HubModule(replace(module.info, digest=digest), module.function, module.parts)
