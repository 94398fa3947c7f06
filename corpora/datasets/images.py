"""A folder per class of images that exist already: spectrograms of another program, photographs, anything.

Layouts::

    ROOT/<class>/**/*.png                      and JPEG, BMP, GIF, WebP, TIFF; in sub-folders too
    ROOT/train/<class>/**/*.png                and test, validation ...: a single split, taken as it is
    ROOT/*.png                                 one class, named after the folder

As the corpus ``folders``, but nothing is drawn or heard: a scan writes an ``images.csv`` for `merger`, `trainer` and
`retrain.py`, and a study of it has no ``[convert]``. The images go by the encoding ``image``, or another name where a
scan is given one; two scans with two names and the same file names give merges their partners.

Licence and citation are those of the images.
"""

from __future__ import annotations

from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_images, need_folder
from corpora.datasets.folders import class_folder_rows

__all__ = ["IMAGE_FOLDERS"]


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per image below `root`."""
    need_folder(root, what="class folders of images, or with images")
    return class_folder_rows(root, find_images(root), options, what="image")


IMAGE_FOLDERS = Corpus(
    name="images",
    title="Class folders of images",
    citation="none: your own images",
    licence="that of the images",
    url="",
    folds="train/test/validation folders, or by --pattern",
    group="each image, or by --pattern",
    scan=_scan,
    media="images",
)
