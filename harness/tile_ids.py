"""How the tiles of a clip are named, and the clip that a tile is of.

A clip that an encoding cuts into tiles has several images there, ``dog.wav@tile0``, ``dog.wav@tile1`` ..., each a row
of ``images.csv``. Modules see tiles; what is scored and counted are clips.
"""

from __future__ import annotations

import re

__all__ = ["clip_of", "is_tile", "tile_id"]

_TILE = re.compile(r"@tile\d+$")


def tile_id(clip_id: str, number: int) -> str:
    """The name of a clip's tile, counted from 0.

    Examples
    --------
    >>> tile_id("dog.wav", 3), clip_of("dog.wav@tile3"), clip_of("dog.wav")
    ('dog.wav@tile3', 'dog.wav', 'dog.wav')
    """
    return f"{clip_id}@tile{number}"


def is_tile(name: str) -> bool:
    """Whether a name is that of a tile."""
    return bool(_TILE.search(name))


def clip_of(name: str) -> str:
    """The clip that a tile is of; a clip is its own."""
    return _TILE.sub("", name)
