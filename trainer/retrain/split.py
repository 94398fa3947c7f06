"""Which pictures train, validate and test in ``retrain.py``.

A picture's place comes from a hash of its name, so it stays where it is when others are added. ``hash`` hashes its
group where that is known, else its path relative to the folder of class folders with what follows ``_nohash_``
removed; ``legacy`` hashes the path as it was given on the command line, as the old script did. Lists of files come
before both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import SettingsError, SplitError
from harness.protocol import check_groups
from trainer.retrain.image_lists import LOGGER, MAX_IMAGES_PER_CLASS, Picture

__all__ = ["CATEGORIES", "ImageLists", "SplitSettings", "hash_percentage", "split"]

CATEGORIES = ("training", "testing", "validation")


@dataclass(frozen=True)
class SplitSettings:
    """How pictures are split.

    Parameters
    ----------
    how : str
        ``hash`` or ``legacy``.
    testing_percentage, validation_percentage : int
        0 to 100, together below 100.
    test, validation : frozenset of str, optional
        Names of the pictures of a set that was given as a list.
    allow_shared_groups : bool
        Go on although a list puts a group on two sides.
    """

    how: str = "hash"
    testing_percentage: int = 10
    validation_percentage: int = 10
    test: frozenset[str] | None = None
    validation: frozenset[str] | None = None
    allow_shared_groups: bool = False

    def __post_init__(self) -> None:
        if self.how not in ("hash", "legacy"):
            raise SettingsError(f"split={self.how!r}: expected hash or legacy")
        for name in ("testing_percentage", "validation_percentage"):
            if not 0 <= getattr(self, name) <= 100:
                raise SettingsError(f"{name}={getattr(self, name)}: expected 0 to 100")
        if self.testing_percentage + self.validation_percentage >= 100:
            raise SettingsError(
                f"testing_percentage={self.testing_percentage} and validation_percentage="
                f"{self.validation_percentage}: nothing is left to train on"
            )


@dataclass(frozen=True)
class ImageLists:
    """The three sets; each in class order, within a class by file name."""

    training: tuple[Picture, ...]
    testing: tuple[Picture, ...]
    validation: tuple[Picture, ...]


def hash_percentage(name: str) -> float:
    """Where a name falls between 0 and 100: sha1 of its UTF-8 bytes modulo 2^27, scaled.

    Examples
    --------
    >>> round(hash_percentage("img/dog_bark/344-3-5-0.wav.png"), 6)
    19.305894
    """
    number = int(hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest(), 16)
    return (number % (MAX_IMAGES_PER_CLASS + 1)) * (100.0 / MAX_IMAGES_PER_CLASS)


def split(pictures: Sequence[Picture], folders: Sequence[str], settings: SplitSettings) -> ImageLists:
    """Put every picture into one of the three sets.

    Raises
    ------
    SplitError
        A picture in both lists, a group on two sides, or nothing left to train on.
    """
    keys = [_key(p, settings) for p in pictures]
    _warn_of_lone_keys(pictures, folders, keys)
    categories = [_category(p, key, settings) for p, key in zip(pictures, keys, strict=True)]
    if settings.how == "hash":
        _fill(pictures, folders, keys, categories, settings)
    _check(pictures, folders, categories, settings)
    sets = {c: tuple(p for p, own in zip(pictures, categories, strict=True) if own == c) for c in CATEGORIES}
    return ImageLists(**sets)


def _key(picture: Picture, settings: SplitSettings) -> str:
    """What is hashed; pictures of one key stay together."""
    if settings.how == "legacy":
        return re.sub(r"_nohash_.*$", "", picture.path)
    if picture.group:
        return f"group {picture.group}"
    folder, file = picture.name.split("/", 1)
    return f"{folder}/{re.sub(r'_nohash_.*$', '', file)}"


def _warn_of_lone_keys(pictures: Sequence[Picture], folders: Sequence[str], keys: Sequence[str]) -> None:
    for target, folder in enumerate(folders):
        own = [key for p, key in zip(pictures, keys, strict=True) if p.target == target]
        if len(own) > 1 and len(set(own)) == 1:
            LOGGER.warning("WARNING: all %d images of '%s' stay together (%s) and go into one set.",
                           len(own), folder, own[0])  # fmt: skip


def _category(picture: Picture, key: str, settings: SplitSettings) -> str:
    in_test = settings.test is not None and picture.name in settings.test
    in_validation = settings.validation is not None and picture.name in settings.validation
    if in_test and in_validation:
        raise SplitError(f"{picture.name} stands in test_list and in validation_list; leave it in one of them")
    if in_test:
        return "testing"
    if in_validation:
        return "validation"
    place = hash_percentage(key)
    if place < settings.validation_percentage:
        return "validation" if settings.validation is None else "training"
    if place < settings.testing_percentage + settings.validation_percentage:
        return "testing" if settings.test is None else "training"
    return "training"


def _fill(
    pictures: Sequence[Picture],
    folders: Sequence[str],
    keys: Sequence[str],
    categories: list[str],
    settings: SplitSettings,
) -> None:
    """Move whole keys so that no class is empty in a set that the hash decides, where the class is large enough."""
    decided = ["training"]
    if settings.validation is None and settings.validation_percentage:
        decided.append("validation")
    if settings.test is None and settings.testing_percentage:
        decided.append("testing")
    targets = [p.target for p in pictures]
    for target, folder in enumerate(folders):
        for category in decided:
            if any(t == target and c == category for t, c in zip(targets, categories, strict=True)):
                continue
            key = _movable(target, category, targets, keys, categories, decided)
            if key is None:
                continue
            for row, own in enumerate(keys):
                if own == key and categories[row] in decided:
                    categories[row] = category
            LOGGER.info("'%s' had no images for %s: %s was moved there.", folder, category, key)


def _movable(
    target: int,
    category: str,
    targets: Sequence[int],
    keys: Sequence[str],
    categories: Sequence[str],
    decided: Sequence[str],
) -> str | None:
    """The key of a class to move into its empty `category`: the first by hash whose going empties no training class."""
    sources = [c for c in decided if c != "training"] if category == "training" else ["training"]
    rows = [r for r, t in enumerate(targets) if t == target and categories[r] in sources]
    for key in sorted({keys[r] for r in rows}, key=lambda k: (hash_percentage(k), k)):
        moved = {r for r, own in enumerate(keys) if own == key}
        if category == "training":
            return key
        left = {targets[r] for r, c in enumerate(categories) if c == "training" and r not in moved}
        if {targets[r] for r in moved} <= left and all(categories[r] == "training" for r in moved):
            return key
    return None


def _check(
    pictures: Sequence[Picture], folders: Sequence[str], categories: Sequence[str], settings: SplitSettings
) -> None:
    if "training" not in categories:
        raise SplitError("no images are left to train on; shorten the lists or lower the percentages")
    groups = [p.group for p in pictures]
    if not any(groups):
        LOGGER.info("Groups are unknown (no images.csv tells them): near copies of one source may stand in two sets.")
    if settings.how == "hash" and not settings.allow_shared_groups:
        check_groups(categories, groups)
    for category in CATEGORIES:
        held = {p.target for p, own in zip(pictures, categories, strict=True) if own == category}
        empty = [folder for target, folder in enumerate(folders) if target not in held]
        if not held:
            LOGGER.warning("WARNING: no images for %s.", category)
        elif empty:
            LOGGER.warning("WARNING: no images for %s in: %s.", category, ", ".join(empty))
