"""The images of a table, as networks take them: their digests for keys, and all of them as one array."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import image
from harness.digests import FileDigests
from harness.errors import ImageError
from harness.hub.base import ModuleInfo
from harness.hub.preprocess import read_image
from harness.store import Store

__all__ = ["digests_of", "read_images"]

_READERS = 2


def digests_of(table: pd.DataFrame, *, store: Store) -> tuple[list[str], dict[int, str]]:
    """sha256 of every image, or why it has none.

    Parameters
    ----------
    table : DataFrame
        Rows of ``images.csv`` with absolute paths; or with a column ``image``, see
        :class:`harness.memory_images.MemoryImage`.
    store : Store

    Returns
    -------
    list of str
        64 hex digits; empty where the image cannot be read.
    dict of int to str
        Number of the row to the reason.
    """
    if "image" in table:
        return [each.digest for each in table["image"]], {}
    found, failures = [], {}
    with FileDigests(store) as digests:
        for row, path in enumerate(table["path"]):
            try:
                found.append(image.digest_of(path, digests))
            except ImageError as error:
                found.append("")
                failures[row] = str(error)
    return found, failures


def read_images(table: pd.DataFrame, info: ModuleInfo, digests: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
    """All images of a table in the size that a module takes.

    Parameters
    ----------
    table, digests
        As for, and of, :func:`digests_of`; images without a digest are left black.
    info : ModuleInfo

    Returns
    -------
    ndarray of uint8, shape (n, info.height, info.width, 3)
        An image that cannot be read is black.
    dict of int to str
        Number of the row to the reason.
    """
    images = np.zeros((len(table), info.height, info.width, 3), np.uint8)
    items: list[Any] = list(table["image"] if "image" in table else table["path"])

    def read(row: int) -> str:
        if not digests[row]:
            return ""
        item = items[row]
        try:
            given = read_image(Path(item), info, digest=digests[row]) if isinstance(item, str) else item.input(info)
        except ImageError as error:
            return str(error)
        images[row] = given
        return ""

    with ThreadPoolExecutor(_READERS) as pool:
        reasons = list(pool.map(read, range(len(items))))
    return images, {row: why for row, why in enumerate(reasons) if why}
