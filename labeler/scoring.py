"""Class probabilities by the files of a model folder: with TensorFlow, or without it where that gives the same."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from harness.head import ALL, load_heads
from harness.hub.base import run_batch
from harness.hub.tensorflow import import_tensorflow
from harness.model import HEAD, ModelCard
from labeler.fused_scoring import load_fused
from labeler.model_modules import installed_module, load_signatures

__all__ = ["Predict", "by_signature", "load_scoring"]

_ROUNDING = 1e-5  # of the logarithm of a score
_LEAST = 1e-30

Predict = Callable[[np.ndarray], np.ndarray]
"""What :mod:`labeler.preprocess` prepared, a batch of it -> class probabilities, float64 (n, classes)."""


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


def by_signature(signature: Callable[..., Any], takes: str) -> _Signature:
    """How a model scores by a TensorFlow function of an argument named as what it takes, with output ``prediction``."""
    return _Signature(signature, takes)


class _Signature:
    """Scores of batches, and of one item after the other."""

    def __init__(self, signature: Callable[..., Any], takes: str) -> None:
        self._signature = signature
        self._takes = takes

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return run_batch(self._prediction, batch).astype(np.float64)

    def single(self, examples: np.ndarray) -> Predict:
        """Scores of batches of one item of the shape of the examples, the same as of a call and in half the time.

        The function is compiled for that shape, with the model's variables as constants so that normalisation becomes
        part of the layers before it. With some models the kernels for one item give other scores than those for more;
        if the examples show that, an item goes through it twice, as in a call.
        """
        items = [each[None] for each in examples]
        expected = np.concatenate([self(each) for each in items])
        for copies in (1, 2):
            score = self._compiled(examples.shape[1:], copies)
            if _change(np.concatenate([score(each) for each in items]), expected) < _ROUNDING:
                return score
        return self

    def _compiled(self, shape: tuple[int, ...], copies: int) -> Predict:
        tf = import_tensorflow()
        spec = tf.TensorSpec((copies, *shape), tf.float32)
        function = _constant(tf.function(self._prediction, [spec], autograph=False).get_concrete_function())

        def score(batch: np.ndarray) -> np.ndarray:
            values = np.divide(batch, np.float32(255), dtype=np.float32) if batch.dtype == np.uint8 else batch
            scores = function(tf.constant(np.concatenate([values] * copies), tf.float32)).numpy()
            return np.asarray(scores[:1], np.float64)

        return score

    def _prediction(self, x: Any) -> Any:
        return self._signature(**{self._takes: x})["prediction"]


def _change(scores: np.ndarray, expected: np.ndarray) -> float:
    """The largest change of a logarithm, which shows also where one class has nearly all the probability."""
    return float(np.abs(np.log(np.maximum(scores, _LEAST)) - np.log(np.maximum(expected, _LEAST))).max())


def _constant(function: Any) -> Callable[[Any], Any]:
    """A concrete TensorFlow function of one tensor, with its variables as constants where that is possible."""
    convert = import_module("tensorflow.python.framework.convert_to_constants").convert_variables_to_constants_v2
    try:
        frozen = convert(function)
    except Exception:  # some operations do not take constants; which ones and how they say so depends on the version
        return function
    return lambda x: frozen(x)[0]
