"""TensorFlow, imported late and without the lines that it prints about itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import cpu_count

from harness.errors import SettingsError
from harness.native_stderr import stderr_held_back

__all__ = [
    "GPU",
    "batches_at_once",
    "expect_batches",
    "images_at_once",
    "import_tensorflow",
    "is_allowed",
    "prepare_gpus",
]

GPU = "SOUNDFOLD_GPU"
_MOST_AT_ONCE = 8  # batches: each takes some hundred MB
_IMAGES = 4  # for each thread of an operation
_KERAS = "keras.src.optimizers"
_EXPECTED: list[int] = []  # batches at a time


def batches_at_once() -> int:
    """How many batches go through a module at a time: as many as there are cores, but 8 at most."""
    return min(int(cpu_count()), _MOST_AT_ONCE)


def expect_batches() -> None:
    """Say that several batches will go through modules at a time, so that an operation takes its share of the cores.

    On all cores it waits for the slowest of its threads, again and again, and so do the operations of other batches.
    Without effect where TensorFlow has been imported; networks in training and single windows want all cores.
    """
    _EXPECTED[:] = [batches_at_once()]


def images_at_once() -> int:
    """How many images of a batch go through a module together; on a GPU all.

    On a processor few, so that what one layer makes of them is still in the cache when the next one takes it: a tenth
    to a sixth faster than 32, with the same values.
    """
    config = import_tensorflow().config
    if config.get_visible_devices("GPU"):
        return sys.maxsize
    return _IMAGES * int(config.threading.get_intra_op_parallelism_threads() or cpu_count())


def import_tensorflow() -> Any:
    """Import TensorFlow (some seconds the first time) without the lines that it prints about itself."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault(
            "TF_ENABLE_ONEDNN_OPTS", "1"
        )  # off by default on many CPUs, where it is 2.5 times as fast
        with stderr_held_back(), _without_keras():
            import tensorflow  # some seconds

            prepare_gpus(tensorflow.config)
            if _EXPECTED:
                tensorflow.config.threading.set_intra_op_parallelism_threads(max(1, cpu_count() // _EXPECTED[0]))
            tensorflow.constant(0)  # the device set-up prints, too
        tensorflow.get_logger().setLevel("ERROR")
    import tensorflow  # there by now

    return tensorflow


@contextmanager
def _without_keras() -> Iterator[None]:
    """Keep TensorFlow from importing all of Keras, a third of its time, to make optimizers known to saved models.

    It goes on without (``tensorflow/__init__.py`` passes over the ImportError); ``tf.keras`` imports it when used.
    """
    stopped = _KERAS not in sys.modules
    if stopped:
        sys.modules[_KERAS] = None  # type: ignore[assignment]  # so an import is refused
    try:
        yield
    finally:
        if stopped:
            sys.modules.pop(_KERAS, None)


def prepare_gpus(config: Any) -> None:
    """Set up GPUs before they are used: memory is taken as it is needed, and float32 is float32.

    Parameters
    ----------
    config : module
        ``tensorflow.config``.
    """
    if not is_allowed(GPU):
        config.set_visible_devices([], "GPU")
        return
    for gpu in config.list_physical_devices("GPU"):
        config.experimental.set_memory_growth(gpu, True)
    config.experimental.enable_tensor_float_32_execution(False)


def is_allowed(variable: str) -> bool:
    """Whether a variable of the environment is ``auto``, as where it is not set, rather than ``off``.

    Raises
    ------
    SettingsError
        It is neither.
    """
    given = os.environ.get(variable) or "auto"
    if given not in ("auto", "off"):
        raise SettingsError(f"{variable}={given!r}: expected auto or off")
    return given == "auto"
