"""The modules of a model folder: installed ones that need no TensorFlow, or the functions of its SavedModel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ModuleError
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

__all__ = ["installed_module", "load_signatures"]


def installed_module(module: Mapping[str, Any]) -> HubModule | None:
    """A module as a model's card has it, loaded from where it is installed.

    None where it needs TensorFlow, or the installed one is not the one that the model was trained on.
    """
    spec = ModuleSpec(handle=module["handle"])
    kind = kinds.kind_of(spec)
    if kind.tensorflow:
        return None
    loaded = kind.load(spec)
    return loaded if loaded.info.digest == module["digest"] else None


def load_signatures(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """Functions of a model folder's SavedModel, by name.

    Raises
    ------
    ModuleError
        It cannot be loaded.
    """
    tf = import_tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
        found = {name: loaded.signatures[name] for name in names}
    except Exception as error:  # at damaged files TensorFlow raises what it likes
        raise ModuleError(f"{folder}: the model cannot be loaded ({' '.join(str(error).split())[:160]})") from error
    for signature in found.values():
        signature.owner = loaded  # a signature alone does not hold its variables
    return found
