"""The encodings of a model's images: the channels that they need of a sound, the tiles that they cut it into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from converter.registry import encoding_from_json
from converter.spec import Encoding
from converter.tiles import count_tiles
from harness.errors import AudioError, ModuleError, SettingsError
from harness.model import ModelCard

__all__ = ["check_length", "count_card_tiles", "draws_all_channels", "from_card", "is_tiled", "one_tile_length"]

_Drawn = TypeVar("_Drawn")


def from_card(read: Callable[[Mapping[str, Any]], _Drawn], settings: Mapping[str, Any]) -> _Drawn:
    """Read an encoding or a merge method; where it is not known, say that a plugin may have it.

    Raises
    ------
    ModuleError
        It is not known here, or not with these settings.
    """
    try:
        return read(settings)
    except SettingsError as error:
        name = settings.get("encoding", settings.get("how"))
        raise ModuleError(
            f"the model draws sounds with {name!r}, which cannot be used here ({error}); if it is from a plugin, give "
            "the plugin's file (--plugin FILE, or plugins=[...] in Python)"
        ) from error


def draws_all_channels(card: ModelCard) -> bool:
    """Whether any image of a model is drawn from more than the mono mix."""
    return any(encoding.all_channels for encoding in _encodings(card))


def is_tiled(card: ModelCard) -> bool:
    """Whether a model was trained on tiles of its clips."""
    return bool(_cutting(card))


def count_card_tiles(card: ModelCard, seconds: float) -> int:
    """How many tiles a model sees of a sound of a length, those that all of its encodings have; 0 without tiles."""
    return min((count_tiles(encoding, seconds) for encoding in _cutting(card)), default=0)


def one_tile_length(card: ModelCard) -> float:
    """Length in seconds of a model's tiles; 0 where it has none, or its encodings have tiles of different lengths."""
    lengths = {encoding.tile_s for encoding in _cutting(card)}
    return lengths.pop() if len(lengths) == 1 else 0.0


def check_length(name: str, seconds: float, card: ModelCard) -> None:
    """Refuse a sound that is too short for a model of tiles, as the training did.

    Raises
    ------
    AudioError
        It is shorter than a tile.
    """
    short = [encoding for encoding in _cutting(card) if not count_tiles(encoding, seconds)]
    if short:
        raise AudioError(
            f"{name}: {seconds:.2f} s long, shorter than {short[0].tile_s:.2f} s, the length of the tiles that the "
            "model was trained on; give it a longer sound"
        )


def _cutting(card: ModelCard) -> list[Encoding]:
    return [encoding for encoding in _encodings(card) if encoding.tile_s]


def _encodings(card: ModelCard) -> list[Encoding]:
    """The encodings of all images of a model, those that its merges are of included."""

    def of(recipe: Mapping[str, Any]) -> list[Encoding]:
        if "encoding" in recipe:
            return [from_card(encoding_from_json, recipe["spec"])]
        return [encoding for each in recipe["of"].values() for encoding in of(each)]

    recipes = [part.recipe for part in card.parts] if card.members else [card.recipe]
    return [encoding for recipe in recipes if recipe is not None for encoding in of(recipe)]
