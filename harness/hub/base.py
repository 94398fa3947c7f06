"""A loaded module, and what is known of it before it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import ModuleError
from harness.hub.tensorflow import import_tensorflow

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HubModule", "ModuleInfo", "run_batch"]


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
        Pixels of the pictures that it takes; 0 for a waveform module.
    value_range : tuple of float
        What black and white are to it.
    sample_rate : int
        In Hz; 0 for an image module.
    features : int
        Length of its feature vector.
    """

    handle: str
    digest: str
    takes: str
    height: int
    width: int
    value_range: tuple[float, float]
    sample_rate: int
    features: int

    def preprocessing(self) -> dict[str, Any]:
        """Everything between a picture or sound and the module, as JSON values: part of every feature's key."""
        if self.takes == "waveform":
            return {"sample_rate": self.sample_rate, "at_least_s": 1.0, "resampler": "soxr HQ"}
        return {
            "height": self.height,
            "width": self.width,
            "value_range": list(self.value_range),
            "resize": "pillow bilinear",
        }


class HubModule:
    """A loaded module.

    Parameters
    ----------
    info : ModuleInfo
    function : callable
        Tensor to tensor, float32: pictures (N, H, W, 3) in [0, 1], or waveforms (N, samples) in [-1, 1],
        to features (N, features). Can be traced into a graph.
    parts : object
        What holds the module's variables; an exported model must keep it.
    """

    def __init__(self, info: ModuleInfo, function: Callable[[Any], Any], parts: Any) -> None:
        self.info = info
        self.function = function
        self.parts = parts
        self._compiled: Callable[[Any], Any] | None = None

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Feature vectors of a batch.

        Parameters
        ----------
        batch : ndarray
            uint8 (N, H, W, 3), or float32 (N, samples) for a waveform module.

        Returns
        -------
        ndarray of float32, shape (N, features)
        """
        import numpy as np

        tf = import_tensorflow()
        if self._compiled is None:
            shape = (None, None) if self.info.takes == "waveform" else (None, self.info.height, self.info.width, 3)
            self._compiled = tf.function(self.function, [tf.TensorSpec(shape, tf.float32)], autograph=False)
        out = run_batch(self._compiled, batch)
        if not np.isfinite(out).all():
            raise ModuleError(f"module {self.info.handle!r} gave values that are not finite; is value_range right?")
        return out


def run_batch(function: Callable[[Any], Any], batch: np.ndarray) -> np.ndarray:
    """Put a batch through a TensorFlow function, so that an item's result does not depend on what else is in it.

    Parameters
    ----------
    function : callable
        Tensor to tensor.
    batch : ndarray
        uint8 pictures, which become float32 in [0, 1], or float32 samples, which stay.

    Returns
    -------
    ndarray of float32
    """
    import numpy as np

    if len(batch) == 1:  # alone it would take another path through the kernels, and differ in the last bits
        return run_batch(function, np.concatenate([batch, batch]))[:1]
    values = batch.astype(np.float32) / np.float32(255) if batch.dtype == np.uint8 else batch
    result: np.ndarray = function(import_tensorflow().constant(values, dtype="float32")).numpy()
    return result
