"""The class probabilities of a fused model: each module once for every input, and the head on all their features.

Features are joined and scored as in training; modules that need no TensorFlow run without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from harness.errors import ModuleError
from harness.head import ALL, Head, load_heads
from harness.model import HEAD, ModelCard
from harness.model_members import ModelMember
from labeler.model_modules import installed_module, load_signatures
from labeler.signatures import COPIES, Predict, Signature, first_alike

__all__ = ["FusedScoring", "load_fused"]

Features = Callable[[np.ndarray], np.ndarray]
"""Images, uint8 (n, H, W, 3), or waveforms, float32 (n, samples) -> features, (n, D)."""


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

    def single(self, examples: np.ndarray) -> Predict:
        """As :meth:`labeler.signatures.Signature.single`, of records."""
        makers = [partial(self._compiled, examples, copies) for copies in COPIES]
        compilable = any(isinstance(each, Signature) for each in self._features.values())
        return first_alike(makers if compilable else [], self, examples)

    def _compiled(self, examples: np.ndarray, copies: int) -> Predict:
        """Scores of batches of one record, by functions that are compiled for its fields."""
        ways: dict[tuple[str, str], Features] = {}
        for each in self._members:
            own = self._features[each.signature]
            known = ways.get((each.signature, each.input))
            shape = examples[each.input].shape[1:]
            ways[each.signature, each.input] = known or (
                own.compiled(shape, copies) if isinstance(own, Signature) else own
            )

        def score(batch: np.ndarray) -> np.ndarray:
            parts = [ways[m.signature, m.input](np.ascontiguousarray(batch[m.input])) for m in self._members]
            return self._head.scores(np.concatenate(parts, axis=1))

        return score


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
        features[name] = Signature(signature, modules[name]["takes"], "features")
    head = load_heads(folder / HEAD)[0][ALL]
    width = sum(each.info.features for each in members)
    if head.weights.shape != (width, len(card.classes)):
        raise ModuleError(f"{folder / HEAD}: not the head of this model; train or export it again")
    return FusedScoring(members, features, head)
