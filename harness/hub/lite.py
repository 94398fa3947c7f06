"""Image modules on a processor: TensorFlow Lite runs a SavedModel in about two thirds of TensorFlow's time.

A module is converted when it is described for the first time, which takes some seconds, and lies in the store from then
on. Whether it can be, and gives what TensorFlow gives but for the rounding, is part of its
:class:`harness.hub.base.ModuleInfo`, so that all its vectors come from one of the two. Images go through it one by one:
what else is in a batch changes nothing. What is exported, fine-tuned or run on a GPU is TensorFlow's function still.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import Any

import numpy as np
from joblib import cpu_count

from harness.code_version import code_version
from harness.errors import ModuleError
from harness.hub.base import HubModule
from harness.hub.probing import example_batch
from harness.hub.tensorflow import batches_at_once, import_tensorflow
from harness.native_stderr import LineFilter, stderr_held_back
from harness.store import Store, key_of

__all__ = ["LEAST_WEIGHTS", "LITE", "LiteFunction", "give_lite", "is_lite"]

LITE = "SOUNDFOLD_LITE"
LEAST_WEIGHTS = 100_000
"""Of a module that is converted: for a smaller one that takes longer than the images of most studies."""
_KIND = "converted"
_SUFFIX = ".tflite"
_QUIET = LineFilter(rb"INFO: (Created|Initialized) TensorFlow Lite")
_TOLERANCE = 1e-4  # of the largest feature; of MobileNet V2's 6e-6


def is_lite(module: HubModule, store: Store) -> bool:
    """Whether TensorFlow Lite gives a module's features; what it was converted to is put into the store.

    Parameters
    ----------
    module : HubModule
        An image module that runs in TensorFlow.
    store : Store
    """
    model = _converted(module)
    if model is None:
        return False
    images = example_batch(module.info)
    expected, found = module(images), LiteFunction(model)(images)
    if found.shape != expected.shape or not np.abs(found - expected).max() <= _TOLERANCE * np.abs(expected).max():
        return False
    store.put(_KIND, _key(module), model, _SUFFIX)
    return True


def give_lite(module: HubModule, store: Store) -> LiteFunction:
    """A module as TensorFlow Lite runs it, from the store where that has it.

    Raises
    ------
    ModuleError
        It cannot be converted here, though it could where the store was filled.
    """
    model = store.get(_KIND, _key(module), _SUFFIX)
    if model is None:
        model = _converted(module)
        if model is None:
            raise ModuleError(
                f"module {module.info.handle!r}: this TensorFlow cannot convert it to TensorFlow Lite, though the one "
                f"could that described it in the store; set {LITE}=off"
            )
        store.put(_KIND, _key(module), model, _SUFFIX)
    return LiteFunction(model)


class LiteFunction:
    """A TensorFlow Lite model of one image; safe for threads.

    Parameters
    ----------
    model : bytes
        Takes float32 (1, H, W, 3) in [0, 1], gives float32 (1, features).
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._idle: list[Any] = []  # interpreters, each for one thread at a time
        self._lock = Lock()

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Feature vectors of uint8 images.

        Parameters
        ----------
        batch : ndarray of uint8, shape (N, H, W, 3)
            One image at least.

        Returns
        -------
        ndarray of float32, shape (N, features)
        """
        with self._lock:
            interpreter = self._idle.pop() if self._idle else self._interpreter()
        takes, gives = (
            each[0]["index"] for each in (interpreter.get_input_details(), interpreter.get_output_details())
        )
        rows = []
        for image in batch:
            interpreter.set_tensor(takes, np.divide(image[None], np.float32(255), dtype=np.float32))
            interpreter.invoke()
            rows.append(interpreter.get_tensor(gives))
        with self._lock:
            self._idle.append(interpreter)
        return np.concatenate(rows)

    def _interpreter(self) -> Any:
        lite = import_tensorflow().lite
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf.lite.Interpreter goes to a package of its own one day
            made = lite.Interpreter(model_content=self._model, num_threads=max(1, cpu_count() // batches_at_once()))
            made.allocate_tensors()
        return made


def _converted(module: HubModule) -> bytes | None:
    """A module as a TensorFlow Lite model of one image; None of a small one, and where it cannot be converted."""
    tf, info = import_tensorflow(), module.info
    signature = [tf.TensorSpec((1, info.height, info.width, 3), tf.float32)]
    with stderr_held_back():
        try:
            traced = tf.function(module.function, signature, autograph=False).get_concrete_function()
            if sum(each.shape.num_elements() or 0 for each in traced.variables) < LEAST_WEIGHTS:
                return None
            model = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
        except Exception as error:  # operations that it does not have, each with an error of its own
            if "KeyboardInterrupt" in str(error):  # as TensorFlow's native code hands it on
                raise KeyboardInterrupt from error
            return None
    return bytes(model)


def _key(module: HubModule) -> str:
    info, version = module.info, import_tensorflow().__version__
    size = [info.height, info.width]
    return key_of(
        module=info.digest, size=size, values=info.value_range, code=code_version(__name__), tensorflow=version
    )
