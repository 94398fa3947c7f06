"""A look at a module before it is used: the same input gives the same features, whatever else is in the batch.

A module with dropout that was left on, or with batch statistics of its own, would give figures that nobody gets again.
"""

from __future__ import annotations

import numpy as np

from harness.errors import ModuleError, SoundfoldError
from harness.hub.base import FLOAT32, HubModule

__all__ = ["probe"]

_TOLERANCE = {True: 1e-3, False: 2e-2}  # of the largest feature; in single precision, and in mixed
_SECONDS = 1.0


def probe(module: HubModule) -> None:
    """Put a few made images or sounds through a module that was just loaded.

    Raises
    ------
    ModuleError
        It cannot be fed, gives no features of the length that it says, or different ones each time.
    """
    batch = _batch(module)
    try:
        first, again, among_others = module(batch[:2]), module(batch[:2]), module(batch[[1, 2, 0, 2]])
    except SoundfoldError:
        raise
    except Exception as error:  # TensorFlow has errors of its own, for each kind of damage another
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModuleError(f"module {module.info.handle!r} cannot be fed {module.info.takes}s ({reason})") from error
    allowed = _TOLERANCE[module.precision == FLOAT32] * float(np.abs(first).max())
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


def _batch(module: HubModule) -> np.ndarray:
    """Three different inputs of noise."""
    rng = np.random.default_rng(0)
    if module.info.takes == "image":
        return rng.integers(0, 256, (3, module.info.height, module.info.width, 3), dtype=np.uint8)
    samples = rng.standard_normal((3, round(_SECONDS * module.info.sample_rate)))
    return (samples * [[0.05], [0.1], [0.2]]).clip(-1, 1).astype(np.float32)
