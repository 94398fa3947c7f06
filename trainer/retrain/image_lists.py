"""The images of ``retrain.py``: class folders, labels, groups, lists of files.

An image belongs to the class folder that it lies in. Which of the three sets it goes into is said by
:mod:`trainer.retrain.split`, or by a list of files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from harness import tables
from harness.errors import SettingsError, SplitError
from harness.files import safe_name
from harness.image import SUFFIXES, is_image
from trainer.retrain.logs import LOGGER

__all__ = [
    "MAX_IMAGES_PER_CLASS",
    "ImageFile",
    "find_images",
    "label_of",
    "labels_of",
    "read_groups",
    "read_list",
]

_FEW = 20
MAX_IMAGES_PER_CLASS = 2**27 - 1  # images of a class that the old script could tell apart


@dataclass(frozen=True)
class ImageFile:
    """One image of a class.

    Parameters
    ----------
    name : str
        Path relative to the folder of class folders, with forward slashes.
    path : str
        The same beneath that folder as it was given: what the legacy split hashes and what messages say.
    target : int
        Number of its class folder.
    group : str
        Its recording, where an ``images.csv`` names it; else empty.
    """

    name: str
    path: str
    target: int
    group: str = ""


def find_images(image_dir: str) -> tuple[list[str], list[ImageFile]]:
    """Find the class folders and their images.

    Parameters
    ----------
    image_dir : str
        Folder of class folders; hidden folders and what lies deeper do not count.

    Returns
    -------
    folders : list of str
        Names of the folders that hold images, sorted: the class order.
    images : list of ImageFile
        In class order, within a class by file name.

    Raises
    ------
    SettingsError
        No such folder, or fewer than two class folders with images in them.
    """
    if not image_dir:
        raise SettingsError("Must set flag --image_dir.")
    if not os.path.isdir(image_dir):
        raise SettingsError(f"Image directory '{image_dir}' not found.")
    with os.scandir(image_dir) as entries:
        inside = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    folders: list[str] = []
    images: list[ImageFile] = []
    for folder in inside:
        files = _images_in(image_dir, folder)
        if files:
            images += [
                ImageFile(f"{folder}/{file}", os.path.join(image_dir, folder, file), len(folders)) for file in files
            ]
            folders.append(folder)
    if not folders:
        raise SettingsError(f"No valid folders of images found at {image_dir}")
    if len(folders) == 1:
        raise SettingsError(
            f"Only one valid folder of images found at {image_dir} - multiple classes are needed for classification."
        )
    return folders, images


def _images_in(image_dir: str, folder: str) -> list[str]:
    LOGGER.info("Looking for images in '%s'", folder)
    with os.scandir(os.path.join(image_dir, folder)) as entries:
        found = sorted((e.name, e.path) for e in entries if not e.name.startswith(".") and e.is_file())
    files = [name for name, path in found if _is_image(name, path)]
    if len(files) < len(found):
        taken = set(files)
        first = next(name for name, _ in found if name not in taken)
        LOGGER.warning(
            "WARNING: %d of %d files in '%s' are passed over, having no image's ending (the first: %s).",
            len(found) - len(files),
            len(found),
            folder,
            first,
        )
    if not files:
        LOGGER.warning("No files found")
    elif len(files) < _FEW:
        LOGGER.warning("WARNING: Folder has less than %d images, which may cause issues.", _FEW)
    elif len(files) > MAX_IMAGES_PER_CLASS:
        LOGGER.warning(
            "WARNING: Folder %s has more than %d images. Some images will never be selected.",
            folder,
            MAX_IMAGES_PER_CLASS,
        )
    return files


def _is_image(name: str, path: str) -> bool:
    """By the ending, or by the first bytes of a file without one."""
    ending = os.path.splitext(name)[1].lower()
    return ending in SUFFIXES if ending else is_image(path)


def label_of(folder: str) -> str:
    """The label of a class folder: lower case, everything but letters and digits as one space.

    A name that this leaves nothing of, as in other alphabets, stays as it is.

    Examples
    --------
    >>> label_of("Dog_bark-2"), label_of("собака")
    ('dog bark 2', 'собака')
    """
    label = re.sub(r"[^a-z0-9]+", " ", folder.lower())
    return label if label.strip() else folder


def labels_of(folders: Sequence[str]) -> list[str]:
    """The labels of class folders, in their order.

    Raises
    ------
    SettingsError
        Two folders give one label.
    """
    first: dict[str, str] = {}
    for folder in folders:
        label = label_of(folder)
        if first.setdefault(label, folder) != folder:
            raise SettingsError(
                f"folders {first[label]!r} and {folder!r} both give the label {label!r}; rename or join them"
            )
    return list(first)


def read_groups(image_dir: str, images: Sequence[ImageFile]) -> list[ImageFile]:
    """Fill in the groups from the ``images.csv`` beside the class folders or one folder up, where there is one.

    Raises
    ------
    TableError
        The table is there but broken.
    """
    folder = Path(os.path.abspath(image_dir))
    for root in (folder, folder.parent):
        if (root / "images.csv").is_file():
            table = tables.read(root / "images.csv", tables.IMAGES)
            group_of = {
                os.path.normpath(root / path): group for path, group in zip(table["path"], table["group"], strict=True)
            }
            return [replace(image, group=group_of.get(os.path.normpath(folder / image.name), "")) for image in images]
    return list(images)


def read_list(path: str, image_dir: str, images: Sequence[ImageFile]) -> frozenset[str]:
    """Read a list of images: one a line, relative to `image_dir`, absolute, or a bare file or clip name.

    Returns
    -------
    frozenset of str
        Names as in :class:`ImageFile`.

    Raises
    ------
    SettingsError
        No such list, an empty one, or an entry that names no image, or more than one.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            entries = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"list {path!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not entries:
        raise SettingsError(f"list {path!r} is empty; expected one image a line")
    known = {image.name for image in images}
    resolve = cache(os.path.realpath)  # thousands of images lie in a few folders
    at_path = {_real(os.path.join(image_dir, image.name), resolve): image.name for image in images}
    bare = _by_bare_name(images)
    return frozenset(
        entry if entry in known else _named(entry, _real(entry, resolve), path, known, at_path, bare)
        for entry in entries
    )


def _named(
    entry: str, real: str, path: str, known: set[str], at_path: dict[str, str], bare: dict[str, list[str]]
) -> str:
    name = os.path.normpath(entry).replace("\\", "/")
    if name in known:
        return name
    if (found := at_path.get(real)) is not None:
        return found
    matches = bare.get(entry) or bare.get(safe_name(entry), [])
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SplitError(f"list {path!r}: {entry!r} names {len(matches)} images ({matches[0]}, {matches[1]}, ...)")
    raise SplitError(f"list {path!r}: {entry!r} names no image; expected a path relative to image_dir")


def _by_bare_name(images: Iterable[ImageFile]) -> dict[str, list[str]]:
    """Names by file name, and by clip name: the file name without its ending."""
    found: dict[str, list[str]] = {}
    for image in images:
        file = image.name.split("/", 1)[1]
        for key in (file, os.path.splitext(file)[0]):
            found.setdefault(key, []).append(image.name)
    return found


def _real(path: str, resolve: Callable[[str], str]) -> str:
    """An absolute path with the links of its folder resolved."""
    folder, file = os.path.split(os.path.abspath(path))
    return os.path.join(resolve(folder), file)
