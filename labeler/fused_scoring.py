"""The class probabilities of a fused model: each module once for every input, and the head on all their features.

Features are joined and scored as in training; modules that need no TensorFlow run without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModuleError
from harness.head import ALL, Head, load_heads
from harness.hub.base import run_batch
from harness.model import HEAD, ModelCard
from harness.model_members import ModelMember
from labeler.model_modules import installed_module, load_signatures

__all__ = ["FusedScoring", "load_fused"]

Features = Callable[[np.ndarray], np.ndarray]
"""Images, uint8 (n, H, W, 3), or waveforms, float32 (n, samples) -> features, float32 (n, D)."""


class FusedScoring:
    """How a fused model scores.

    Parameters
    ----------
    members : list of ModelMember
    features : dict of str to callable
        By the members' signatures.
    head : Head
        On the features of all members, joined.
    """

    def __init__(self, members: list[ModelMember], features: dict[str, Features], head: Head) -> None:
        self._members, self._features, self._head = members, features, head

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Class probabilities of records as :func:`labeler.preprocess.prepare_samples` makes them; float64."""
        parts = [self._features[each.signature](np.ascontiguousarray(batch[each.input])) for each in self._members]
        return self._head.scores(np.concatenate(parts, axis=1))


def load_fused(folder: Path, card: ModelCard) -> FusedScoring:
    """Load the modules of a fused model, each once, and its head.

    Raises
    ------
    ModuleError
        The model cannot be loaded, or its head is not one for its modules.
    """
    members = card.parts
    modules = {each.signature: each.module for each in members}
    features: dict[str, Features] = {}
    for name, module in modules.items():
        installed = installed_module(module)
        if installed is not None:
            features[name] = installed
    rest = [name for name in modules if name not in features]
    for name, signature in (load_signatures(folder, rest) if rest else {}).items():
        features[name] = partial(run_batch, partial(_features, signature, modules[name]["takes"]))
    head = load_heads(folder / HEAD)[0][ALL]
    width = sum(each.info.features for each in members)
    if head.weights.shape != (width, len(card.classes)):
        raise ModuleError(f"{folder / HEAD}: not the head of this model; train or export it again")
    return FusedScoring(members, features, head)


def _features(signature: Callable[..., Any], takes: str, x: Any) -> Any:
    return signature(**{takes: x})["features"]
