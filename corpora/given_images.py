"""Images that exist already as rows of ``images.csv``, for a corpus whose clips are images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from corpora.file_digests import digest_paths
from corpora.loading import CORPORA
from harness.augmented_ids import check_not_augmented
from harness.errors import SettingsError
from harness.files import is_plain_name
from harness.images import ImageRun
from harness.recipes import Recipes
from harness.record import CORPUS, step_of
from harness.store import Store
from harness.tables import FAILURES, IMAGES, frame, read, write
from harness.written import claim

__all__ = ["IMAGE", "given_encodings", "given_images", "image_rows", "is_images", "is_images_table", "write_images"]

IMAGE = "image"
"""The encoding that such images go by where no other name is given."""


def is_images(corpus: str) -> bool:
    """Whether the clips of a corpus are images already."""
    return CORPORA[corpus].media == "images"


def is_images_table(path: Path) -> bool:
    """Whether a table that a scan has written is of images, by the ``run.json`` next to it."""
    name = step_of(path.parent, CORPUS, path.name).get("spec", {}).get("name", "")
    return name in CORPORA and is_images(name)


def given_encodings(corpus: str, *, convert: Mapping[str, Any], image_files: bool = True) -> list[str]:
    """The encodings that a corpus has already: :data:`IMAGE` for one of images, none for others.

    Parameters
    ----------
    corpus : str
    convert : mapping
        The section ``[convert]`` of a study.
    image_files : bool
        Its key ``keep_images``.

    Raises
    ------
    SettingsError
        The corpus has images, and a study says how to draw some.
    """
    if not is_images(corpus):
        return []
    if convert or not image_files:
        raise SettingsError(f"[convert]: the corpus {corpus!r} has images already; leave the section out")
    return [IMAGE]


def image_rows(clips: pd.DataFrame, *, encoding: str = IMAGE, store: Store) -> pd.DataFrame:
    """The rows of ``images.csv`` of images.

    Parameters
    ----------
    clips : DataFrame
        The clips table; its files are the images.
    encoding : str
        The name that they go by.
    store : Store
        Where digests of files are taken from and put.

    Returns
    -------
    DataFrame
        As `harness.tables.IMAGES`, paths as in the clips table. Column ``spec`` is a digest of the image, so that
        merges of one that has changed since are known to be outdated.
    """
    if not is_plain_name(encoding):
        raise SettingsError(f"encoding={encoding!r}: a name has letters, digits, '_', '-' and '.', at most 100")
    check_not_augmented(clips["clip_id"])
    found = digest_paths(clips["path"], store=store)
    digests = dict(zip(found["path"], found["digest"], strict=True))
    columns = zip(*(clips[name] for name in ("clip_id", "path", "label", "fold", "group")), strict=True)
    rows = (
        {"clip_id": clip, "encoding": encoding, "path": path, "label": label, "fold": fold, "group": group}
        | {"spec": digests[path][:16]}
        for clip, path, label, fold, group in columns
        if path in digests
    )
    return frame(rows, IMAGES)


def write_images(images: pd.DataFrame, table: Path) -> None:
    """Put the rows of some encodings into an ``images.csv``; those of others stay. No image is ever removed."""
    claim(table.parent, [table.name])
    old = read(table, IMAGES) if table.is_file() else images.iloc[:0]
    others = old[~old["encoding"].isin(set(images["encoding"]))]
    _check_alike(others, images, table)
    write(pd.concat([others, images], ignore_index=True) if len(others) else images, table, IMAGES)


def given_images(clips: pd.DataFrame, folder: Path, *, store: Store) -> ImageRun:
    """Write the ``images.csv`` of a study's folder, and give what the converter would have given."""
    images = image_rows(clips, store=store)
    write_images(images, folder / IMAGES.name)
    return ImageRun(images, frame([], FAILURES), Recipes())


def _check_alike(others: pd.DataFrame, images: pd.DataFrame, table: Path) -> None:
    """Refuse other encodings of the same clips that have another label, fold or group."""
    columns: Sequence[str] = ("label", "fold", "group")
    both = others.merge(images, on="clip_id", suffixes=("", "_new"))
    for column in columns:
        wrong = both[both[column] != both[f"{column}_new"]]
        if len(wrong):
            row = wrong.iloc[0]
            raise SettingsError(
                f"{table}: clip {row['clip_id']!r} has {column} {row[column]!r} as {row['encoding']!r}, and "
                f"{row[f'{column}_new']!r} now; scan both with the same settings, or into tables of their own"
            )
