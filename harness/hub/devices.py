"""On what modules are run, and how exactly: a GPU where TensorFlow finds one, and on it mixed precision.

On a GPU the modules of most kinds run in mixed precision: TensorFlow's graph optimizer takes float16 where that is
safe (convolutions, matrix products) and float32 elsewhere. Their feature vectors differ from those in float32 by the
rounding, so the precision is part of every vector's key. On a processor everything is float32, by TensorFlow Lite where
a module was converted to it (:mod:`harness.hub.lite`), which is part of the key as well.

In the environment ``SOUNDFOLD_GPU=off``, ``SOUNDFOLD_MIXED_PRECISION=off`` and ``SOUNDFOLD_LITE=off`` turn them off, in
worker processes too.
Folds and labels do not depend on any of it. No GPU was at hand to test this on.
"""

from __future__ import annotations

from pathlib import Path

from harness.hub.base import FLOAT32, FLOAT32_LITE, MIXED_FLOAT16, ModuleInfo, ModuleKind
from harness.hub.lite import LITE
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
    """What a module computes in.

    Waveform modules begin with the logarithm of small powers and stay in float32.

    Returns
    -------
    str
        ``mixed_float16`` for an image module of a kind that bears it, on a GPU and where that is not turned off;
        ``float32_lite`` for one that was converted, where there is no GPU and that is not turned off; else ``float32``.

    Raises
    ------
    SettingsError
        A variable of the environment is neither ``auto`` nor ``off``.
    """
    mixed = is_allowed(MIXED_PRECISION) and kind.mixed_precision and info.takes == "image"
    lite = is_allowed(LITE) and info.lite
    if not (mixed or lite):
        return FLOAT32
    if gpu_found():
        return MIXED_FLOAT16 if mixed else FLOAT32
    return FLOAT32_LITE if lite else FLOAT32
