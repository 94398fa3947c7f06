"""Make a sound or an image ready for a model, exactly as its training data were.

Training went: sound -> image (converter, merger) -> PNG, lossless -> the module's size. So does this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converter.registry import encoding_from_json
from converter.tiles import Tile
from harness import audio, image
from harness.errors import AudioError, ModuleError
from harness.files import digest_json
from harness.hub.base import ModuleInfo
from harness.hub.preprocess import image_input, waveform_input
from harness.model import ModelCard
from harness.model_members import ModelMember
from labeler.card_encodings import count_card_tiles, draws_all_channels, from_card, is_tiled
from merger.registry import method_from_json

__all__ = [
    "Shape",
    "draw_recipe",
    "is_sound",
    "prepare_file",
    "prepare_samples",
    "prepare_tile",
    "shape_of",
    "sound_length",
]

Shape = tuple[tuple[int, ...], np.dtype[Any]]
"""What things that go through a model together have in common: shape and dtype."""


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
        uint8 (H, W, 3), or float32 (samples,) for a model that takes waveforms; of a fused model a record of these. Of
        a sound, for a model that was trained on tiles: a row of these, one for each of its tiles.

    Raises
    ------
    ImageError, AudioError
        The file cannot be read.
    ModuleError
        The model takes no such file, or its card does not say how to draw a sound.
    """
    if not is_sound(path):
        if not card.draws:
            raise ModuleError(f"{path}: a picture, but this model takes sounds")
        if card.members:
            return _one_image(path, card)
        return image_input(image.read(path), card.module_info)
    y, sr = audio.read(path, start_s=start_s, end_s=end_s, mono=not draws_all_channels(card))
    seconds = audio.duration(path, start_s=start_s, end_s=end_s) if is_tiled(card) else 0.0  # as in training
    return prepare_samples(y, sr, card, tiles=count_card_tiles(card, seconds))


def is_sound(path: Path) -> bool:
    """Whether a file is to be read as a sound: not one whose ending, or else whose first bytes, are an image's."""
    return path.suffix.lower() in audio.SUFFIXES or not image.is_image(path)


def prepare_samples(y: np.ndarray, sr: int, card: ModelCard, *, tiles: int = 0) -> np.ndarray:
    """What the model takes, from samples: float32 in [-1, 1], at the rate `sr` in Hz.

    They are mono, shape (samples,), or of shape (samples, channels) for a model of an encoding that draws all channels.
    For a model that was trained on tiles, there is a row with each of them, as training cut it; what is shorter than
    a tile is one, with silence after it.

    Of a fused model that is a record, an array of shape () with a field for each input of its members; of tiles (n,).

    Parameters
    ----------
    y, sr, card
        The samples, their rate and the model's card.
    tiles : int
        How many tiles, for a model that was trained on some; 0: as many as the samples have.

    Raises
    ------
    ModuleError
        The card does not say how to draw a sound, or by an encoding or merge method that is not known here.
    AudioError
        Several channels for a model that takes one.
    """
    if not is_tiled(card):
        return _prepared(y, sr, card)
    numbers = range(max(1, tiles or count_card_tiles(card, len(y) / sr)))
    return np.stack([_prepared(y, sr, card, number) for number in numbers])


def prepare_tile(y: np.ndarray, sr: int, card: ModelCard) -> np.ndarray:
    """What the model takes of samples that are one tile; as :func:`prepare_samples`, without a row."""
    return _prepared(y, sr, card, 0)


def _prepared(y: np.ndarray, sr: int, card: ModelCard, tile: int | None = None) -> np.ndarray:
    """What the model takes of a sound, or of one of its tiles."""
    if y.ndim != 1 and not draws_all_channels(card):
        raise AudioError(f"y has shape {y.shape}: expected mono samples, at least one")
    drawn: dict[str, np.ndarray] = {}
    if card.members:
        return _record(card, lambda part: _input(y, sr, part.recipe, part.info, drawn, tile))
    return _input(y, sr, card.recipe, card.module_info, drawn, tile)


def _input(
    y: np.ndarray,
    sr: int,
    recipe: Mapping[str, Any] | None,
    info: ModuleInfo,
    drawn: dict[str, np.ndarray],
    tile: int | None,
) -> np.ndarray:
    """What a module takes, from samples."""
    if info.takes == "waveform":
        return waveform_input(audio.to_mono(y), sr, info)
    if recipe is None:
        raise ModuleError(
            "the model was trained on pictures that were made elsewhere: it does not say how to draw a sound, "
            "and labels pictures only"
        )
    return image_input(draw_recipe(y, sr, recipe, drawn, tile=tile), info)


def _one_image(path: Path, card: ModelCard) -> np.ndarray:
    """What a fused model takes, where that is one image for all of its members."""
    encodings = sorted({part.encoding for part in card.parts})
    if len(encodings) > 1:
        raise ModuleError(
            f"{path}: a picture, but this model takes several of one sound ({', '.join(encodings)}); give it the sound"
        )
    pixels = image.read(path)
    return _record(card, lambda part: image_input(pixels, part.info))


def _record(card: ModelCard, input_of: Callable[[ModelMember], np.ndarray]) -> np.ndarray:
    """The inputs of a fused model's members as one record, each once."""
    members = {part.input: part for part in card.parts}
    values = {name: input_of(part) for name, part in members.items()}
    record = np.zeros((), [(name, value.dtype, value.shape) for name, value in values.items()])
    for name, value in values.items():
        record[name] = value
    return record


def shape_of(prepared: np.ndarray) -> Shape:
    """The shape of something prepared for a model; of a record its dtype has those of the fields."""
    return prepared.shape, prepared.dtype


def sound_length(prepared: np.ndarray, card: ModelCard) -> float:
    """Length in seconds of the longest waveform of something prepared for a model; 0 where it has images alone."""
    if card.takes == "waveform":
        return len(prepared) / card.module_info.sample_rate
    parts = [part for part in card.parts if part.info.takes == "waveform"]
    return max((len(prepared[part.input]) / part.info.sample_rate for part in parts), default=0.0)


def draw_recipe(
    y: np.ndarray,
    sr: int,
    recipe: Mapping[str, Any],
    drawn: dict[str, np.ndarray] | None = None,
    *,
    tile: int | None = None,
) -> np.ndarray:
    """Draw samples as a recipe says, merges included.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,) or (samples, channels)
    sr : int
        In Hz.
    recipe : mapping
        As :mod:`harness.recipes` describes it.
    drawn : dict of str to ndarray, optional
        Images of this sound that are there already, by the digest of their encoding's settings; gets the others.
    tile : int, optional
        Which tile of the sound, from 0, where the encodings cut it into tiles. Default: what such an encoding draws of
        all of it, the first one.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W, 4)

    Raises
    ------
    ModuleError
        An encoding or a merge method that is not known here, or not with these settings.
    """
    drawn = {} if drawn is None else drawn
    if "encoding" in recipe:
        key = digest_json(recipe["spec"])
        if key not in drawn:
            encoding = from_card(encoding_from_json, recipe["spec"])
            samples = y if encoding.all_channels else audio.to_mono(y)
            if tile is not None and encoding.tile_s:
                samples = Tile(encoding, tile).cut(samples, sr)
            drawn[key] = encoding.draw(samples, sr=sr)
        return drawn[key]
    images = {name: draw_recipe(y, sr, of, drawn, tile=tile) for name, of in recipe["of"].items()}
    return from_card(method_from_json, recipe["spec"]).merge(images)
