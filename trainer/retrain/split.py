"""Which images train, validate and test in ``retrain.py``.

An image's set comes from a hash of its name, so it stays in its set when others are added. ``hash`` hashes its
group where that is known, else its path relative to the folder of class folders with what follows ``_nohash_``
removed; ``legacy`` hashes the path as it was given on the command line, as the old script did. Lists of files come
before both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import model_validator

from harness.errors import SplitError
from harness.settings import Settings, field_error
from harness.shared_groups import check_groups, spanning_groups
from trainer.retrain.flags import Percentage, SplitMethod
from trainer.retrain.image_lists import MAX_IMAGES_PER_CLASS, ImageFile
from trainer.retrain.logs import LOGGER

__all__ = ["CATEGORIES", "ImageSets", "SplitSettings", "hash_percentage", "split_images"]

CATEGORIES = ("training", "testing", "validation")


class SplitSettings(Settings):
    """How images are split.

    Parameters
    ----------
    method : str
        ``hash`` or ``legacy``.
    testing_percentage, validation_percentage : int
        0 to 100, together below 100.
    test, validation : frozenset of str, optional
        Names of the images of a set that was given as a list.
    allow_shared_groups : bool
        Go on although a list puts images of one group into two sets.
    """

    method: SplitMethod = "hash"
    testing_percentage: Percentage = 10
    validation_percentage: Percentage = 10
    test: frozenset[str] | None = None
    validation: frozenset[str] | None = None
    allow_shared_groups: bool = False

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if self.testing_percentage + self.validation_percentage >= 100:
            raise field_error(
                "testing_percentage",
                f"with validation_percentage={self.validation_percentage} nothing is left to train on",
            )
        return self

    @property
    def hashed(self) -> list[str]:
        """The sets that the hash fills: not those that are given as lists or have 0 per cent."""
        validation = self.validation is None and self.validation_percentage > 0
        testing = self.test is None and self.testing_percentage > 0
        return ["training", *["validation"] * validation, *["testing"] * testing]


@dataclass(frozen=True)
class ImageSets:
    """The three sets; each in class order, within a class by file name."""

    training: tuple[ImageFile, ...]
    testing: tuple[ImageFile, ...]
    validation: tuple[ImageFile, ...]


def hash_percentage(name: str) -> float:
    """Where a name falls between 0 and 100: sha1 of its UTF-8 bytes modulo 2^27, scaled.

    Examples
    --------
    >>> round(hash_percentage("img/dog_bark/344-3-5-0.wav.png"), 6)
    19.305894
    """
    number = int(hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest(), 16)
    return (number % (MAX_IMAGES_PER_CLASS + 1)) * (100.0 / MAX_IMAGES_PER_CLASS)


def split_images(images: Sequence[ImageFile], folders: Sequence[str], settings: SplitSettings) -> ImageSets:
    """Put every image into one of the three sets.

    Parameters
    ----------
    images : sequence of ImageFile
    folders : sequence of str
        The class folders, in class order.
    settings : SplitSettings

    Raises
    ------
    SplitError
        An image in both lists, a group in two sets, or nothing left to train on.
    """
    keys = [_key(image, settings) for image in images]
    _warn_of_lone_keys(images, folders, keys)
    categories = [_category(image, key, settings) for image, key in zip(images, keys, strict=True)]
    if settings.method == "hash":
        _fill([image.target for image in images], folders, keys, categories, settings.hashed)
    _check(images, folders, categories, settings)
    return ImageSets(**{c: tuple(i for i, own in zip(images, categories, strict=True) if own == c) for c in CATEGORIES})


def _key(image: ImageFile, settings: SplitSettings) -> str:
    """What is hashed; images of one key stay together."""
    if settings.method == "legacy":
        return re.sub(r"_nohash_.*$", "", image.path)
    if image.group:
        return f"group {image.group}"
    folder, file = image.name.split("/", 1)
    return f"{folder}/{re.sub(r'_nohash_.*$', '', file)}"


def _warn_of_lone_keys(images: Sequence[ImageFile], folders: Sequence[str], keys: Sequence[str]) -> None:
    for target, folder in enumerate(folders):
        own = [key for image, key in zip(images, keys, strict=True) if image.target == target]
        if len(own) > 1 and len(set(own)) == 1:
            LOGGER.warning(
                "WARNING: all %d images of '%s' stay together (%s) and go into one set.", len(own), folder, own[0]
            )


def _category(image: ImageFile, key: str, settings: SplitSettings) -> str:
    """The set of one image: from the lists, else from its hash; a set that is given as a list gets no others."""
    listed = [
        category
        for category, names in (("testing", settings.test), ("validation", settings.validation))
        if names is not None and image.name in names
    ]
    if len(listed) > 1:
        raise SplitError(f"{image.name} is in test_list and in validation_list; leave it in one of them")
    if listed:
        return listed[0]
    percentage = hash_percentage(key)
    if percentage < settings.validation_percentage:
        return "validation" if settings.validation is None else "training"
    if percentage < settings.testing_percentage + settings.validation_percentage:
        return "testing" if settings.test is None else "training"
    return "training"


def _fill(
    targets: Sequence[int], folders: Sequence[str], keys: Sequence[str], categories: list[str], hashed: Sequence[str]
) -> None:
    """Move whole keys so that no class is empty in a set that the hash fills, where the class is large enough."""
    for target, folder in enumerate(folders):
        for category in hashed:
            if (target, category) in zip(targets, categories, strict=True):
                continue
            key = _movable(target, category, targets, keys, categories, hashed)
            if key is None:
                continue
            for row, own in enumerate(keys):
                if own == key and categories[row] in hashed:
                    categories[row] = category
            LOGGER.info("'%s' had no images for %s: %s was moved there.", folder, category, key)


def _movable(
    target: int,
    category: str,
    targets: Sequence[int],
    keys: Sequence[str],
    categories: Sequence[str],
    hashed: Sequence[str],
) -> str | None:
    """The key of a class to move into its empty `category`: the first by hash whose going empties no training class."""
    sources = [c for c in hashed if c != "training"] if category == "training" else ["training"]
    candidates = {keys[r] for r, t in enumerate(targets) if t == target and categories[r] in sources}
    for key in sorted(candidates, key=lambda k: (hash_percentage(k), k)):
        if category == "training":
            return key
        moved = {r for r, own in enumerate(keys) if own == key}
        left = {targets[r] for r, c in enumerate(categories) if c == "training" and r not in moved}
        if {targets[r] for r in moved} <= left and all(categories[r] == "training" for r in moved):
            return key
    return None


def _flag_words(name: str, value: str | int) -> str:
    """A setting as a flag of ``retrain.py``, which has one for shared groups."""
    return "--allow_shared_groups" if (name, value) == ("shared_groups", "allow") else ""


def _check(
    images: Sequence[ImageFile], folders: Sequence[str], categories: Sequence[str], settings: SplitSettings
) -> None:
    if "training" not in categories:
        raise SplitError("no images are left to train on; shorten the lists or lower the percentages")
    groups = [image.group for image in images]
    if not any(groups):
        LOGGER.info("Groups are unknown (no images.csv tells them): near copies of one source may stand in two sets.")
    if settings.method == "hash" and not settings.allow_shared_groups:
        check_groups(categories, groups, words=_flag_words)
    _warn_of_shared_groups(categories, groups, settings.method)
    for category in CATEGORIES:
        present = {image.target for image, own in zip(images, categories, strict=True) if own == category}
        missing = [folder for target, folder in enumerate(folders) if target not in present]
        if not present:
            LOGGER.warning("WARNING: no images for %s.", category)
        elif missing:
            LOGGER.warning("WARNING: no images for %s in: %s.", category, ", ".join(missing))


def _warn_of_shared_groups(categories: Sequence[str], groups: Sequence[str], method: str) -> None:
    """Say which groups are in several sets: those that the legacy split puts there, or that were allowed."""
    spanning = spanning_groups(categories, groups)
    if spanning:
        first, own = next(iter(spanning.items()))
        way = "; --split hash puts each group into one set" if method == "legacy" else ""
        LOGGER.warning(
            "WARNING: %d of %d groups are in several sets (the first: %s, in %s), so figures may be too good%s.",
            len(spanning), len({group for group in groups if group}), first, ", ".join(own), way,
        )  # fmt: skip
