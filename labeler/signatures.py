"""A function of a SavedModel on batches, and on one item after the other for where each is waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from harness.hub.base import run_batch
from harness.hub.tensorflow import import_tensorflow

__all__ = ["COPIES", "Predict", "Signature", "first_alike"]

_ROUNDING = 1e-5  # of the logarithm of a score
_LEAST = 1e-30
COPIES = (1, 2)
"""How often an item goes through a compiled function: twice where the kernels for one give other scores."""

Predict = Callable[[np.ndarray], np.ndarray]
"""What :mod:`labeler.preprocess` prepared, a batch of it -> class probabilities, float64 (n, classes)."""


class Signature:
    """A TensorFlow function of one argument.

    Parameters
    ----------
    function : callable
    takes : str
        Name of its argument: ``image`` or ``waveform``.
    output : str
        Name of what it gives: ``prediction``, or ``features``.
    """

    def __init__(self, function: Callable[..., Any], takes: str, output: str = "prediction") -> None:
        self._function, self._takes, self._output = function, takes, output

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """What it gives of a batch, float64 (n, classes or features)."""
        return run_batch(self._result, batch).astype(np.float64)

    def single(self, examples: np.ndarray) -> Predict:
        """Scores of batches of one item of the shape of the examples, the same as of a call and in half the time.

        The function is compiled for that shape, with the model's variables as constants so that normalisation becomes
        part of the layers before it. With some models the kernels for one item give other scores than those for more;
        if the examples show that, an item goes through it twice, as in a call.
        """
        return first_alike([partial(self.compiled, examples.shape[1:], copies) for copies in COPIES], self, examples)

    def compiled(self, shape: tuple[int, ...], copies: int) -> Predict:
        """The function for batches of one item of a shape, which goes through it so often."""
        tf = import_tensorflow()
        spec = tf.TensorSpec((copies, *shape), tf.float32)
        function = _constant(tf.function(self._result, [spec], autograph=False).get_concrete_function())

        def score(batch: np.ndarray) -> np.ndarray:
            values = np.divide(batch, np.float32(255), dtype=np.float32) if batch.dtype == np.uint8 else batch
            scores = function(tf.constant(np.concatenate([values] * copies), tf.float32)).numpy()
            return np.asarray(scores[:1], np.float64)

        return score

    def _result(self, x: Any) -> Any:
        return self._function(**{self._takes: x})[self._output]


def first_alike(makers: Sequence[Callable[[], Predict]], usual: Predict, examples: np.ndarray) -> Predict:
    """The first way to score one item that gives the examples their usual scores, or else the usual one.

    Parameters
    ----------
    makers : sequence of callable
        Each gives a way.
    usual : callable
    examples : ndarray
        A few items.
    """
    items = [each[None] for each in examples]
    expected = np.concatenate([usual(each) for each in items])
    for make in makers:
        score = make()
        if _change(np.concatenate([score(each) for each in items]), expected) < _ROUNDING:
            return score
    return usual


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
