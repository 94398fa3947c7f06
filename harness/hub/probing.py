"""A look at a module before it is used: the same input gives the same features, whatever else is in the batch.

A module with dropout that was left on, or with batch statistics of its own, would give figures that nobody gets again.
"""

from __future__ import annotations

import numpy as np

from harness.errors import ModuleError, SoundfoldError
from harness.hub.base import MIXED_FLOAT16, HubModule, ModuleInfo

__all__ = ["example_batch", "probe"]

_TOLERANCE = {False: 1e-3, True: 2e-2}  # of the largest feature; in single precision, and in mixed
_SECONDS = 1.0


def probe(module: HubModule) -> None:
    """Put a few made images or sounds through a module that was just loaded.

    Raises
    ------
    ModuleError
        It cannot be fed, gives no features of the length that it says, or different ones each time.
    """
    batch = example_batch(module.info)
    try:
        first, again, among_others = module(batch[:2]), module(batch[:2]), module(batch[[1, 2, 0, 2]])
    except SoundfoldError:
        raise
    except Exception as error:  # TensorFlow has errors of its own, for each kind of damage another
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModuleError(f"module {module.info.handle!r} cannot be fed {module.info.takes}s ({reason})") from error
    allowed = _TOLERANCE[module.precision == MIXED_FLOAT16] * float(np.abs(first).max())
    if float(np.abs(first - again).max()) > allowed:
        raise ModuleError(
            f"module {module.info.handle!r} gives other features each time for the same {module.info.takes}; is "
            "something random in it, such as dropout? export it for inference"
        )
    if float(np.abs(first - among_others[[2, 0]]).max()) > allowed:
        raise ModuleError(
            f"module {module.info.handle!r} gives other features where other {module.info.takes}s are in the batch; "
            "does it use statistics of the batch? export it for inference"
        )


def example_batch(info: ModuleInfo) -> np.ndarray:
    """Three different inputs of noise: uint8 images (3, H, W, 3), or float32 waveforms (3, samples)."""
    rng = np.random.default_rng(0)
    if info.takes == "image":
        return rng.integers(0, 256, (3, info.height, info.width, 3), dtype=np.uint8)
    samples = rng.standard_normal((3, round(_SECONDS * info.sample_rate)))
    return (samples * [[0.05], [0.1], [0.2]]).clip(-1, 1).astype(np.float32)
