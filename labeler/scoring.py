"""Class probabilities by the files of a model folder: with TensorFlow, or without it where that gives the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.head import ALL, load_heads
from harness.model import HEAD, ModelCard
from labeler.fused_scoring import load_fused
from labeler.model_modules import installed_module, load_signatures
from labeler.signatures import Predict, Signature

__all__ = ["by_signature", "load_scoring"]


def load_scoring(folder: Path, card: ModelCard) -> Predict:
    """How a model folder scores.

    Raises
    ------
    ModuleError
        The model cannot be loaded.
    """
    if card.members:
        return load_fused(folder, card)
    return _without_tensorflow(folder, card) or _saved_model(folder, card)


def _without_tensorflow(folder: Path, card: ModelCard) -> Predict | None:
    """Scores by the module itself and the model's head, exactly as in training and five seconds sooner.

    None where the module needs TensorFlow, or the installed one is not the one that the model was trained on.
    """
    module = installed_module(card.module) if (folder / HEAD).is_file() else None
    if module is None:
        return None
    head = load_heads(folder / HEAD)[0][ALL]
    return lambda batch: head.scores(module(batch))


def _saved_model(folder: Path, card: ModelCard) -> Predict:
    return by_signature(load_signatures(folder, ["serving_default"])["serving_default"], card.takes)


def by_signature(signature: Callable[..., Any], takes: str) -> Signature:
    """How a model scores by a TensorFlow function of an argument named as what it takes, with output ``prediction``."""
    return Signature(signature, takes)
