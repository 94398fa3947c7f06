"""The folder of a model: whether one may be written there, and writing it whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import SettingsError, SoundfoldError
from harness.files import atomic_folder
from harness.head import ALL, Head, save_heads
from harness.hub.tensorflow import import_tensorflow
from harness.model import CARD, HEAD, ModelCard, model_files, write_card
from harness.written import check_only

__all__ = ["check_model_folder", "save_model"]


def check_model_folder(folder: str | Path) -> None:
    """Refuse to put a model in the place of a folder that holds something else.

    Raises
    ------
    SettingsError
        The folder is there, is not empty, and is not a model, or not a model alone.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CARD).is_file():
        raise SettingsError(
            f"{folder}: holds files that are not a model (no {CARD}), and would be replaced; remove it, or give "
            "another folder"
        )
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: a file; expected a folder for the model")
    check_only(folder, model_files(folder))


def save_model(folder: str | Path, exported: Any, signatures: Mapping[str, Any], head: Head, card: ModelCard) -> None:
    """Write a SavedModel, its head and its card, whole or not at all; an older model is replaced.

    Parameters
    ----------
    folder : path
    exported : tf.Module
        What holds the variables.
    signatures : mapping of str to tf.function
    head : Head
    card : ModelCard

    Raises
    ------
    SoundfoldError
        TensorFlow cannot write, as where the disk is full.
    """
    tf = import_tensorflow()
    with atomic_folder(folder) as part:
        try:
            tf.saved_model.save(exported, str(part), signatures=dict(signatures))
        except tf.errors.OpError as error:  # a full disk, and what else the system says
            reason = re.search(r"; ([^;\[\]]+) \[Op:", str(error))
            raise SoundfoldError(f"{folder}: {reason[1] if reason else ' '.join(str(error).split())}") from error
        save_heads(part / HEAD, {ALL: head}, classes=card.classes)  # for modules that need no TensorFlow
        write_card(part, card)
