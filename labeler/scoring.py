"""Class probabilities by the files of a model folder: with TensorFlow, or without it where that gives the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModuleError
from harness.head import ALL, load_heads
from harness.hub import kinds
from harness.hub.base import run_batch
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow
from harness.model import HEAD, ModelCard

__all__ = ["Predict", "by_signature", "load_scoring"]

Predict = Callable[[np.ndarray], np.ndarray]
"""What :mod:`labeler.preprocess` prepared, a batch of it -> class probabilities, float64 (n, classes)."""


def load_scoring(folder: Path, card: ModelCard) -> Predict:
    """How a model folder scores.

    Raises
    ------
    ModuleError
        The model cannot be loaded.
    """
    return _without_tensorflow(folder, card) or _saved_model(folder, card)


def _without_tensorflow(folder: Path, card: ModelCard) -> Predict | None:
    """Scores by the module itself and the model's head, exactly as in training and five seconds sooner.

    None where the module needs TensorFlow, or the installed one is not the one that the model was trained on.
    """
    spec = ModuleSpec(handle=card.module["handle"])
    kind = kinds.kind_of(spec)
    if kind.tensorflow or not (folder / HEAD).is_file():
        return None
    module = kind.load(spec)
    if module.info.digest != card.module["digest"]:
        return None
    head = load_heads(folder / HEAD)[0][ALL]
    return lambda batch: head.scores(module(batch))


def _saved_model(folder: Path, card: ModelCard) -> Predict:
    tf = import_tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures["serving_default"]
    except Exception as error:  # at damaged files TensorFlow raises what it likes
        raise ModuleError(f"{folder}: the model cannot be loaded ({' '.join(str(error).split())[:160]})") from error
    signature.owner = loaded  # a signature alone does not hold its variables
    return by_signature(signature, card.takes)


def by_signature(signature: Callable[..., Any], takes: str) -> Predict:
    """How a model scores by a TensorFlow function of an argument named as what it takes, with output ``prediction``."""

    def prediction(x: Any) -> Any:
        return signature(**{takes: x})["prediction"]

    return lambda batch: run_batch(prediction, batch).astype(np.float64)
