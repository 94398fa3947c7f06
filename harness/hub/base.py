"""A loaded module, what is known of it before it is run, and what a kind of modules must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any

import numpy as np

from harness.errors import ModuleError
from harness.hub.handles import ModuleSpec
from harness.hub.network_settings import NetworkSettings
from harness.hub.tensorflow import images_at_once, import_tensorflow
from harness.registry import Extension

__all__ = [
    "FLOAT32",
    "FLOAT32_LITE",
    "MIXED_FLOAT16",
    "HubModule",
    "ModuleInfo",
    "ModuleKind",
    "UnavailableError",
    "optimized",
    "run_batch",
]

FLOAT32 = "float32"
FLOAT32_LITE = "float32_lite"
MIXED_FLOAT16 = "mixed_float16"
_LATER = ("note", "lite")
_ON = 1  # of the graph optimizer's switches


class UnavailableError(ModuleError):
    """A module that is not there or cannot be fetched; the message goes on with what is available offline."""


@dataclass(frozen=True)
class ModuleInfo:
    """What is known of a module before it is run.

    Parameters
    ----------
    handle : str
        As given.
    digest : str
        sha256 of its content, 64 hex digits.
    takes : str
        ``image`` or ``waveform``.
    height, width : int
        Pixels of the images that it takes; 0 for a waveform module.
    value_range : tuple of float
        What black and white are to it.
    sample_rate : int
        In Hz; 0 for an image module.
    features : int
        Length of its feature vector.
    note : str
        What was assumed of it, for a warning; mostly empty.
    lite : bool
        Whether TensorFlow Lite gives its features, see :mod:`harness.hub.lite`.
    """

    handle: str
    digest: str
    takes: str
    height: int
    width: int
    value_range: tuple[float, float]
    sample_rate: int
    features: int
    note: str = ""
    lite: bool = False

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModuleInfo:
        """What :func:`dataclasses.asdict` gave; other keys, as a model folder has them, are passed over.

        Models of older versions lack some of them.
        """
        read = {
            field.name: values[field.name] for field in fields(cls) if field.name not in _LATER or field.name in values
        }
        return cls(**{**read, "value_range": tuple(read["value_range"])})


class HubModule:
    """A loaded module.

    Parameters
    ----------
    info : ModuleInfo
    function : callable
        Tensor to tensor, float32: images (N, H, W, 3) in [0, 1], or waveforms (N, samples) in [-1, 1],
        to features (N, features). Can be traced into a graph.
    parts : object
        What holds the module's variables; an exported model needs a reference to it.

    Attributes
    ----------
    precision : str
        What calls compute in: ``float32``; ``float32_lite`` by `lite`; or ``mixed_float16`` on a GPU. Set by
        :func:`harness.hub.kinds.load`. `function` itself is always float32.
    lite : callable, optional
        Images to features, by TensorFlow Lite.
    """

    def __init__(self, info: ModuleInfo, function: Callable[[Any], Any], parts: Any = None) -> None:
        self.info = info
        self.function = function
        self.parts = parts
        self.precision = FLOAT32
        self.lite: Callable[[np.ndarray], np.ndarray] | None = None
        self._compiled: Callable[[Any], Any] | None = None
        self._compiling = Lock()

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Feature vectors of a batch.

        Parameters
        ----------
        batch : ndarray
            uint8 (N, H, W, 3), or float32 (N, samples) for a waveform module.

        Returns
        -------
        ndarray of float32, shape (N, features)

        Raises
        ------
        ModuleError
            A value is not finite.
        """
        out = self.run(batch)
        if out.shape != (len(batch), self.info.features):
            expected = (len(batch), self.info.features)
            raise ModuleError(
                f"module {self.info.handle!r} gave {out.shape} for {len(batch)} items; expected {expected}"
            )
        if not np.isfinite(out).all():
            mixed = self.precision == MIXED_FLOAT16
            hint = " Where float16 is too small for it, set SOUNDFOLD_MIXED_PRECISION=off." if mixed else ""
            raise ModuleError(
                f"module {self.info.handle!r} gave values that are not finite; is value_range right?{hint}"
            )
        return out

    def run(self, batch: np.ndarray) -> np.ndarray:
        """As a call, unchecked: what a module of another kind than TensorFlow's replaces."""
        if self.lite and len(batch):
            return self.lite(batch)
        with self._compiling:  # several threads may call
            if self._compiled is None:
                self._compiled = self._compile()
        return run_batch(self._compiled, batch)

    def _compile(self) -> Callable[[Any], Any]:
        tf = import_tensorflow()
        shape = (None, None) if self.info.takes == "waveform" else (None, self.info.height, self.info.width, 3)
        compiled = tf.function(self.function, [tf.TensorSpec(shape, tf.float32)], autograph=False)
        return optimized(compiled, auto_mixed_precision=_ON) if self.precision == MIXED_FLOAT16 else compiled


@dataclass(frozen=True)
class ModuleKind(Extension):
    """One kind of modules: those whose handles begin with its name and a colon.

    Parameters
    ----------
    name : str
        The scheme of its handles: ``keras`` for ``keras:MobileNetV2``.
    title : str
        One line that says what they are.
    load : callable
        A function of the same module. Loads the module that a ModuleSpec names. Raises ModuleError, as
        UnavailableError where the module is not there or cannot be fetched.
    digest : callable, optional
        sha256 of the module's content, found without TensorFlow: what the store knows of a module need not be loaded
        again. None where only loading tells.
    check : callable, optional
        Raises SettingsError where the handle is misspelt, or what is given by hand does not apply.
    mixed_precision : bool
        Whether its image modules may run in mixed precision on a GPU. Features that take the logarithm of small
        numbers do not bear it.
    offline : str
        What of this kind is available without a network, for messages: ``a local SavedModel folder``.
    tensorflow : bool
        Whether its modules need TensorFlow to be loaded.
    scratch : callable, optional
        How the network that a handle names is trained where nothing else is said, for a kind whose modules come
        untrained and are of no use before `trainer.networks` has trained them.
    """

    name: str  # type: ignore[misc]  # of the instance here, of the class where an extension is one
    title: str
    load: Callable[[ModuleSpec], HubModule]
    digest: Callable[[ModuleSpec], str] | None = None
    check: Callable[[ModuleSpec], None] | None = None
    mixed_precision: bool = False
    offline: str = ""
    tensorflow: bool = True
    scratch: Callable[[ModuleSpec], NetworkSettings] | None = None

    @property
    def source(self) -> Callable[[ModuleSpec], HubModule]:
        """What stands in the module that defines the kind."""
        return self.load


def optimized(function: Any, **switches: int) -> Callable[[Any], Any]:
    """Make calls of a TensorFlow function of one argument with switches of the graph optimizer, here and nowhere else.

    ``tf.config.optimizer`` would set them for every module in the process.

    Parameters
    ----------
    function : tf.function
        With an input signature.
    **switches : int
        Fields of ``RewriterConfig``, as ``auto_mixed_precision=1``.
    """
    tf = import_tensorflow()
    concrete = function.get_concrete_function()
    config = tf.compat.v1.ConfigProto()
    for name, value in switches.items():
        setattr(config.graph_options.rewrite_options, name, value)
    types = [output.dtype for output in concrete.outputs]

    def call(values: Any) -> Any:
        inputs = [values, *concrete.captured_inputs]
        return tf.raw_ops.StatefulPartitionedCall(
            args=inputs, Tout=types, f=concrete, config="", config_proto=config.SerializeToString(), executor_type=""
        )[0]

    return call


def run_batch(function: Callable[[Any], Any], batch: np.ndarray) -> np.ndarray:
    """Put a batch through a TensorFlow function; what else is in it changes an item's result by rounding at most.

    Parameters
    ----------
    function : callable
        Tensor to tensor.
    batch : ndarray
        uint8 images, which become float32 in [0, 1], or float32 samples, which stay.

    Returns
    -------
    ndarray of float32
    """
    if len(batch) == 1:  # alone it would take another path through the kernels, and differ by more
        return run_batch(function, np.concatenate([batch, batch]))[:1]
    if batch.dtype == np.uint8 and len(batch) > (most := images_at_once()):
        return np.concatenate([run_batch(function, batch[k : k + most]) for k in range(0, len(batch), most)])
    values = np.divide(batch, np.float32(255), dtype=np.float32) if batch.dtype == np.uint8 else batch
    result: np.ndarray = function(import_tensorflow().constant(values, dtype="float32")).numpy()
    return result
