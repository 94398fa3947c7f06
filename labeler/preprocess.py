"""Make a sound or a picture ready for a model, exactly as its training data were.

Training went: sound -> picture (converter, merger) -> PNG, lossless -> the module's size. So does this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converter.drawing import draw_samples
from converter.registry import spec_from_json
from harness import audio, image
from harness.errors import ModuleError
from harness.model import ModelCard

__all__ = ["draw_picture", "prepare_file", "prepare_samples"]


def prepare_file(path: Path, card: ModelCard, *, start_s: float = math.nan, end_s: float = math.nan) -> np.ndarray:
    """What the model takes, from a file.

    Parameters
    ----------
    path : path
        A picture, where its ending says so, else a sound.
    card : ModelCard
    start_s, end_s : float
        Part of a sound, in seconds; NaN for its own start and end.

    Returns
    -------
    ndarray
        uint8 (H, W, 3), or float32 (samples,) for a model that takes waveforms.

    Raises
    ------
    ImageError, AudioError
        The file cannot be read.
    ModuleError
        The model takes no such file.
    """
    if path.suffix.lower() in image.SUFFIXES:
        if card.takes != "image":
            raise ModuleError(f"{path}: a picture, but this model takes sounds")
        return _fitted(image.read(path), card)
    y, sr = audio.read(path, start_s=start_s, end_s=end_s)
    return prepare_samples(y, sr, card)


def prepare_samples(y: np.ndarray, sr: int, card: ModelCard) -> np.ndarray:
    """What the model takes, from samples: mono, float32 (samples,), at the rate `sr` in Hz."""
    if card.takes == "waveform":
        rate = int(card.module["sample_rate"])
        return audio.lengthen(audio.resample(y, sr, rate), rate)
    if card.picture is None:
        raise ModuleError(
            "the model was trained on pictures that were made elsewhere: it does not say how to draw a sound, "
            "and labels pictures only"
        )
    return _fitted(draw_picture(y, sr, card.picture), card)


def draw_picture(y: np.ndarray, sr: int, picture: Mapping[str, Any]) -> np.ndarray:
    """Draw samples as a model's card says, merges included.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    sr : int
        In Hz.
    picture : mapping
        As :class:`harness.model.ModelCard` describes it.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W, 4)
    """
    if "encoding" in picture:
        return draw_samples(y, sr, spec_from_json(picture["spec"]))
    from merger.registry import spec_from_json as merge_from_json

    partners = {name: draw_picture(y, sr, of) for name, of in picture["of"].items()}
    return merge_from_json(picture["spec"]).merge(partners)


def _fitted(pixels: np.ndarray, card: ModelCard) -> np.ndarray:
    if pixels.shape[2] == 4:  # as reading the PNG again would: laid over black
        pixels = image.decode(image.encode_png(pixels))
    return image.resize(pixels, int(card.module["height"]), int(card.module["width"]))
