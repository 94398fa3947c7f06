"""The checkpoint of ``retrain.py``: weights, the number of steps done, and which training they belong to.

The batch of every step follows from the seed and the step's number, so this is all that a stopped training needs to
end with the weights that it would have had.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import SettingsError
from harness.files import write_bytes
from harness.head import Head
from trainer.sgd import SgdState

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: str | Path, state: SgdState, *, training: Mapping[str, Any]) -> None:
    """Write a checkpoint, atomically.

    Parameters
    ----------
    path : path
    state : SgdState
    training : mapping
        JSON values that identify the training; the number of steps is not among them.
    """
    buffer = io.BytesIO()
    np.savez(
        buffer,
        weights=state.head.weights,
        bias=state.head.bias,
        steps_done=np.int64(state.steps_done),
        training=np.array(json.dumps(dict(training), sort_keys=True)),
    )
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: str | Path, *, training: Mapping[str, Any], steps: int) -> SgdState | None:
    """Read a checkpoint; None where there is none yet.

    Parameters
    ----------
    path : path
    training : mapping
        As for :func:`save_checkpoint`.
    steps : int
        How many steps the training is to have; the checkpoint may have as many, not more.

    Raises
    ------
    SettingsError
        It is not one, belongs to another training (the line names what differs), or has more steps.
    """
    if not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            state = SgdState(int(arrays["steps_done"]), Head(arrays["weights"], arrays["bias"]))
            theirs = json.loads(str(arrays["training"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SettingsError(f"checkpoint_path={str(path)!r}: not a checkpoint ({error}); remove it") from error
    ours = json.loads(json.dumps(dict(training)))
    differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
    if differing:
        raise SettingsError(
            f"checkpoint_path={str(path)!r} belongs to another training: {', '.join(differing)} differ; "
            "leave out --resume, or give another checkpoint_path"
        )
    if state.steps_done > steps:
        raise SettingsError(
            f"--how_many_training_steps={steps}: the checkpoint {str(path)!r} has {state.steps_done} steps already; "
            f"ask for {state.steps_done} or more, or leave out --resume"
        )
    return state
