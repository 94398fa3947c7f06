"""How the changed sounds of a clip are named, and the clip that each is of.

A clip whose sound is augmented has further images, ``dog.wav@augmented0``, ``dog.wav@augmented1`` ..., each a row of
``images.csv``. Heads and networks are trained on them; what is validated, tested and counted are clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.errors import TableError

__all__ = [
    "augmented_id",
    "check_not_augmented",
    "is_augmented",
    "original_of",
]

_MARK = "@augmented"
_AUGMENTED = re.compile(rf"{_MARK}\d+$")


def augmented_id(clip_id: str, number: int) -> str:
    """The name of a clip's changed sound, counted from 0.

    Examples
    --------
    >>> augmented_id("dog.wav", 1), original_of("dog.wav@augmented1"), original_of("dog.wav")
    ('dog.wav@augmented1', 'dog.wav', 'dog.wav')
    """
    return f"{clip_id}{_MARK}{number}"


def is_augmented(name: str) -> bool:
    """Whether a name is that of a changed sound."""
    return _MARK in name and bool(_AUGMENTED.search(name))


def original_of(name: str) -> str:
    """The clip that a changed sound is of; a clip is its own."""
    return _AUGMENTED.sub("", name) if _MARK in name else name


def check_not_augmented(clip_ids: Iterable[str]) -> None:
    """Refuse clips that are named as changed sounds are: they would never be tested.

    Raises
    ------
    TableError
        Naming the first of them.
    """
    for clip_id in clip_ids:
        if is_augmented(clip_id):
            raise TableError(f"clip_id={clip_id!r}: ends as those of augmented sounds do; give it another")
