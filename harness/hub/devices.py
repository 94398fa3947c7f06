"""On what modules are run, and how exactly: a GPU where TensorFlow finds one, and on it mixed precision.

On a GPU the modules of most kinds run in mixed precision: TensorFlow's graph optimizer takes float16 where that is
safe (convolutions, matrix products) and float32 elsewhere. Their feature vectors differ from those in float32 by the
rounding, so the precision is part of every vector's key. On a processor everything is float32.

In the environment ``SOUNDFOLD_GPU=off`` and ``SOUNDFOLD_MIXED_PRECISION=off`` turn them off, in worker processes too.
Folds and labels do not depend on any of it. No GPU was at hand to test this on.
"""

from __future__ import annotations

from pathlib import Path

from harness.hub.base import FLOAT32, MIXED_FLOAT16, ModuleInfo, ModuleKind
from harness.hub.tensorflow import GPU, import_tensorflow, is_allowed

__all__ = ["MIXED_PRECISION", "gpu_found", "precision_of"]

MIXED_PRECISION = "SOUNDFOLD_MIXED_PRECISION"
_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and Windows' for Linux


def gpu_found() -> bool:
    """Whether TensorFlow runs modules on a GPU; it is imported only where the system has a device for one."""
    if not is_allowed(GPU) or not any(Path(device).exists() for device in _DEVICES):
        return False
    return bool(import_tensorflow().config.list_physical_devices("GPU"))


def precision_of(kind: ModuleKind, info: ModuleInfo) -> str:
    """``mixed_float16`` for an image module of a kind that bears it, on a GPU and where that is not turned off.

    Waveform modules begin with the logarithm of small powers and stay in float32.

    Raises
    ------
    SettingsError
        A variable of the environment is neither ``auto`` nor ``off``.
    """
    mixed = is_allowed(MIXED_PRECISION) and kind.mixed_precision and info.takes == "image"
    return MIXED_FLOAT16 if mixed and gpu_found() else FLOAT32
