"""Make a sound or an image ready for a model, exactly as its training data were.

Training went: sound -> image (converter, merger) -> PNG, lossless -> the module's size. So does this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from converter.registry import encoding_from_json
from harness import audio, image
from harness.errors import ModuleError, SettingsError
from harness.hub.preprocess import image_input, waveform_input
from harness.model import ModelCard
from merger.registry import method_from_json

__all__ = ["draw_recipe", "is_sound", "prepare_file", "prepare_samples"]

_Drawn = TypeVar("_Drawn")


def prepare_file(path: Path, card: ModelCard, *, start_s: float = math.nan, end_s: float = math.nan) -> np.ndarray:
    """What the model takes, from a file.

    Parameters
    ----------
    path : path
        An image or a sound; see :func:`is_sound`.
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
        The model takes no such file, or its card does not say how to draw a sound.
    """
    if not is_sound(path):
        if card.takes != "image":
            raise ModuleError(f"{path}: a picture, but this model takes sounds")
        return image_input(image.read(path), card.module_info)
    y, sr = audio.read(path, start_s=start_s, end_s=end_s)
    return prepare_samples(y, sr, card)


def is_sound(path: Path) -> bool:
    """Whether a file is to be read as a sound: not one whose ending, or else whose first bytes, are an image's."""
    return path.suffix.lower() in audio.SUFFIXES or not image.is_image(path)


def prepare_samples(y: np.ndarray, sr: int, card: ModelCard) -> np.ndarray:
    """What the model takes, from samples: mono, float32 (samples,) in [-1, 1], at the rate `sr` in Hz.

    Raises
    ------
    ModuleError
        The card does not say how to draw a sound, or by an encoding or merge method that is not known here.
    """
    if card.takes == "waveform":
        return waveform_input(y, sr, card.module_info)
    if card.recipe is None:
        raise ModuleError(
            "the model was trained on pictures that were made elsewhere: it does not say how to draw a sound, "
            "and labels pictures only"
        )
    return image_input(draw_recipe(y, sr, card.recipe), card.module_info)


def draw_recipe(y: np.ndarray, sr: int, recipe: Mapping[str, Any]) -> np.ndarray:
    """Draw samples as a recipe says, merges included.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    sr : int
        In Hz.
    recipe : mapping
        As :mod:`harness.recipes` describes it.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W, 4)

    Raises
    ------
    ModuleError
        An encoding or a merge method that is not known here, or not with these settings.
    """
    if "encoding" in recipe:
        return _from_card(encoding_from_json, recipe["spec"]).draw(y, sr=sr)
    images = {name: draw_recipe(y, sr, of) for name, of in recipe["of"].items()}
    return _from_card(method_from_json, recipe["spec"]).merge(images)


def _from_card(read: Callable[[Mapping[str, Any]], _Drawn], settings: Mapping[str, Any]) -> _Drawn:
    """Read an encoding or a merge method; where it is not known, say that a plugin may have it."""
    try:
        return read(settings)
    except SettingsError as error:
        name = settings.get("encoding", settings.get("how"))
        raise ModuleError(
            f"the model draws sounds with {name!r}, which cannot be used here ({error}); if it is from a plugin, give "
            "the plugin's file (--plugin FILE, or plugins=[...] in Python)"
        ) from error
