"""What happens to an image or a sound before a module sees it: the same in training and in labelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness import audio, image
from harness.hub.base import ModuleInfo

__all__ = ["image_input", "preprocessing", "read_image", "read_waveform", "waveform_input"]

_AT_LEAST_S = 1.0


def read_image(file: Path, info: ModuleInfo, *, digest: str = "") -> np.ndarray:
    """Read an image file as a module takes it; see :func:`image_input`, and for `digest` `harness.image.read`."""
    return image_input(image.read(file, digest=digest), info)


def read_waveform(file: Path, info: ModuleInfo, *, start_s: float, end_s: float, digest: str = "") -> np.ndarray:
    """Read a sound, or a part of it, as a module takes it; parameters as for :func:`harness.audio.read`."""
    y, sr = audio.read(file, start_s=start_s, end_s=end_s, digest=digest)
    return waveform_input(y, sr, info)


def image_input(pixels: np.ndarray, info: ModuleInfo) -> np.ndarray:
    """Bring an image to the size that a module takes.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3) or (H, W, 4)
        Transparency is laid over black, as when the PNG is read.
    info : ModuleInfo

    Returns
    -------
    ndarray of uint8, shape (info.height, info.width, 3)
    """
    if pixels.shape[2] == 4:
        pixels = image.decode(image.encode_png(pixels))
    return image.resize(pixels, info.height, info.width)


def waveform_input(y: np.ndarray, sr: int, info: ModuleInfo) -> np.ndarray:
    """Bring samples to the rate that a module takes, with silence appended up to one second.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        Mono, in [-1, 1].
    sr : int
        Rate of `y` in Hz.
    info : ModuleInfo

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    y = audio.resample(y, sr, info.sample_rate)
    missing = round(_AT_LEAST_S * info.sample_rate) - len(y)
    return np.pad(y, (0, missing)) if missing > 0 else y


def preprocessing(info: ModuleInfo) -> dict[str, Any]:
    """The settings of the preprocessing as JSON values: part of every feature vector's key, and of the model's card."""
    if info.takes == "waveform":
        return {"sample_rate": info.sample_rate, "at_least_s": _AT_LEAST_S, "resampler": "soxr HQ"}
    return {
        "height": info.height,
        "width": info.width,
        "value_range": list(info.value_range),
        "resize": "pillow bilinear",
    }
