"""Image modules on a processor: TensorFlow Lite runs MobileNets and EfficientNets in half to two thirds of the time.

That holds for modules of up to ten million weights that its kernels, XNNPACK's, run as a whole; others take as long as
in TensorFlow, or twice as long where they come in parts (NASNet). A module is converted when it is described for the
first time, which takes a second to ten, and lies in the store from then on. Whether it was, and gives what TensorFlow
gives but for the rounding, is part of its :class:`harness.hub.base.ModuleInfo`, so that all its vectors come from one
of the two. Images go through it one by one: what else is in a batch changes nothing. What is exported, fine-tuned or
run on a GPU is TensorFlow's function still.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any

import numpy as np
from joblib import cpu_count

from harness.code_version import code_version
from harness.errors import ModuleError
from harness.hub.base import HubModule
from harness.hub.probing import example_batch
from harness.hub.tensorflow import batches_at_once, import_tensorflow, is_allowed
from harness.native_stderr import LineFilter, stderr_held_back
from harness.store import Store, key_of

__all__ = ["LITE", "WEIGHTS", "LiteFunction", "convert", "converted", "converter"]

LITE = "SOUNDFOLD_LITE"
WEIGHTS = (100_000, 10_000_000)
"""Of modules that are converted: with fewer that takes longer than most studies' images, with more nothing is won."""
_MANY = 3_000_000  # weights: converting takes ten seconds
_KIND = "converted"
_SUFFIX = ".tflite"
_QUIET = LineFilter(rb"INFO: (Created|Initialized) TensorFlow Lite")
_TOLERANCE = 1e-4  # of an image's largest feature; of MobileNet V2's 6e-6


def converter() -> str:
    """What converts modules here: TensorFlow's version; ``off`` where that is turned off."""
    return _version() if is_allowed(LITE) else "off"


def convert(module: HubModule, store: Store) -> LiteFunction | None:
    """Convert a module that TensorFlow runs, and put what it was converted to into the store.

    Parameters
    ----------
    module : HubModule
        An image module.
    store : Store

    Returns
    -------
    LiteFunction or None
        None where it cannot be converted, gives other features then, or would not be faster.
    """
    model = _converted(module)
    if model is None:
        return None
    function = LiteFunction(model, module.info.handle)
    if not _alike(module, function):
        return None
    store.put(_KIND, _key(module), model, _SUFFIX)
    return function


def converted(module: HubModule, store: Store) -> LiteFunction:
    """A module that was converted before, by the same version; once more where the store does not have that any longer.

    Raises
    ------
    ModuleError
        It cannot be converted here.
    """
    model = store.get(_KIND, _key(module), _SUFFIX)
    if model is not None:
        return LiteFunction(model, module.info.handle)
    function = convert(module, store)
    if function is None:
        raise ModuleError(
            f"module {module.info.handle!r}: cannot be converted to TensorFlow Lite here, though it was for the store; "
            f"set {LITE}=off"
        )
    return function


class LiteFunction:
    """A TensorFlow Lite model of one image; safe for threads.

    Parameters
    ----------
    model : bytes
        Takes float32 (1, H, W, 3) in [0, 1], gives float32 (1, features).
    handle : str
        What errors call it.
    """

    def __init__(self, model: bytes, handle: str) -> None:
        self._model, self._handle = model, handle
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

        Raises
        ------
        ModuleError
            TensorFlow Lite fails on an image.
        """
        try:
            with self._lock:
                interpreter = self._idle.pop() if self._idle else self._interpreter()
            takes, gives = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
            rows = []
            for image in batch:
                interpreter.set_tensor(takes, np.divide(image[None], np.float32(255), dtype=np.float32))
                interpreter.invoke()
                rows.append(interpreter.get_tensor(gives))
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ModuleError(f"module {self._handle!r}: TensorFlow Lite fails ({reason}); set {LITE}=off") from error
        with self._lock:
            self._idle.append(interpreter)
        return np.concatenate(rows)

    @property
    def whole(self) -> bool:
        """Whether XNNPACK runs all of it, and all shapes are known beforehand.

        Where a shape is not, what an image gives may depend on the image before.
        """
        with self._lock:
            interpreter = self._interpreter()
        list_operations = getattr(interpreter, "_get_ops_details", list)  # is not public: without it TensorFlow does it
        parts = sum(each["op_name"] == "DELEGATE" for each in list_operations())
        return parts == 1 and not any((each["shape_signature"] < 0).any() for each in interpreter.get_tensor_details())

    def _interpreter(self) -> Any:
        lite = import_tensorflow().lite
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf.lite.Interpreter goes to a package of its own one day
            made = lite.Interpreter(model_content=self._model, num_threads=max(1, cpu_count() // batches_at_once()))
            made.allocate_tensors()
        return made


def _alike(module: HubModule, function: LiteFunction) -> bool:
    """Whether both give the same features for noise, even and dark images, in any order."""
    images = _examples(module)
    given = _tried(lambda: function.whole and (module(images), function(images), function(images[::-1])[::-1]))
    if not given:  # TensorFlow too may refuse one of these images
        return False
    expected, found, reversed_ = given
    largest = np.abs(expected).max(axis=1, keepdims=True)
    near = expected.shape == found.shape and bool((np.abs(found - expected) <= _TOLERANCE * largest).all())
    return near and np.array_equal(found, reversed_)


def _examples(module: HubModule) -> np.ndarray:
    """Noise; black, gray and white; a gradient; black with a line, as a quiet waveform."""
    noise = example_batch(module.info)
    even = np.zeros((5, *noise.shape[1:]), np.uint8)
    even[1], even[2] = 128, 255
    even[3] = np.linspace(0, 255, noise.shape[1], dtype=np.uint8)[:, None, None]
    even[4, noise.shape[1] // 2] = 200
    return np.concatenate([noise, even])


def _converted(module: HubModule) -> bytes | None:
    """A module as a TensorFlow Lite model of one image; None where it has too few weights, too many, or cannot be."""
    tf, info = import_tensorflow(), module.info
    signature = [tf.TensorSpec((1, info.height, info.width, 3), tf.float32)]
    traced = _tried(lambda: tf.function(module.function, signature, autograph=False).get_concrete_function())
    weights = sum(each.shape.num_elements() or 0 for each in traced.variables) if traced else 0
    if not WEIGHTS[0] <= weights <= WEIGHTS[1]:
        return None
    if weights > _MANY:
        print(f"{'module':<10}{info.handle} is converted to TensorFlow Lite, once", file=sys.stderr, flush=True)
    model = _tried(lambda: tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert())
    return None if model is None else bytes(model)


def _tried(call: Callable[[], Any]) -> Any:
    """What a function of TensorFlow gives; None, and not a line, where it fails: it raises what it likes."""
    with stderr_held_back():
        try:
            return call()
        except Exception as error:
            if "KeyboardInterrupt" in str(error):  # as native code hands it on
                raise KeyboardInterrupt from error
            return None


def _key(module: HubModule) -> str:
    info = module.info
    made = {"size": [info.height, info.width], "values": info.value_range, "code": code_version(__name__)}
    return key_of(module=info.digest, tensorflow=_version(), **made)


def _version() -> str:
    """TensorFlow's version, which is not imported for it unless it was installed under another name."""
    try:
        return version("tensorflow")
    except PackageNotFoundError:
        return str(import_tensorflow().__version__)
