"""A loaded module, what is known of it before it is run, and what a kind of modules must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any

import numpy as np

from harness.errors import ModuleError
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow
from harness.registry import Extension

__all__ = ["HubModule", "ModuleInfo", "ModuleKind", "UnavailableError", "run_batch"]


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

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModuleInfo:
        """What :func:`dataclasses.asdict` gave; other keys, as a model folder has them, are passed over.

        Models of older versions have no note.
        """
        read = {field.name: values[field.name] for field in fields(cls) if field.name != "note" or "note" in values}
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
    """

    def __init__(self, info: ModuleInfo, function: Callable[[Any], Any], parts: Any = None) -> None:
        self.info = info
        self.function = function
        self.parts = parts
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
        tf = import_tensorflow()
        with self._compiling:  # several threads may call
            if self._compiled is None:
                shape = (None, None) if self.info.takes == "waveform" else (None, self.info.height, self.info.width, 3)
                self._compiled = tf.function(self.function, [tf.TensorSpec(shape, tf.float32)], autograph=False)
        out = run_batch(self._compiled, batch)
        if out.shape != (len(batch), self.info.features):
            expected = (len(batch), self.info.features)
            raise ModuleError(
                f"module {self.info.handle!r} gave {out.shape} for {len(batch)} items; expected {expected}"
            )
        if not np.isfinite(out).all():
            raise ModuleError(f"module {self.info.handle!r} gave values that are not finite; is value_range right?")
        return out


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
    offline : str
        What of this kind is available without a network, for messages: ``a local SavedModel folder``.
    """

    name: str  # type: ignore[misc]  # of the instance here, of the class where an extension is one
    title: str
    load: Callable[[ModuleSpec], HubModule]
    digest: Callable[[ModuleSpec], str] | None = None
    check: Callable[[ModuleSpec], None] | None = None
    offline: str = ""

    @property
    def source(self) -> Callable[[ModuleSpec], HubModule]:
        """What stands in the module that defines the kind."""
        return self.load


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
    values = batch.astype(np.float32) / np.float32(255) if batch.dtype == np.uint8 else batch
    result: np.ndarray = function(import_tensorflow().constant(values, dtype="float32")).numpy()
    return result
