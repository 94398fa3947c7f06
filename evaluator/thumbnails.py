"""Small copies of images for a report: as the model saw them, in WebP."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from harness import image
from harness.code_version import code_version
from harness.digests import FileDigests
from harness.errors import SoundfoldError
from harness.store import Store, key_of

__all__ = ["SIZE", "make_thumbnails", "thumbnail"]

SIZE = 112
"""Pixels of the longer edge."""
_QUALITY = 70
_KIND = "thumbnails"


def make_thumbnails(paths: Mapping[tuple[str, str], str], *, store: Store) -> dict[tuple[str, str], bytes]:
    """Make a small copy of each image, several at a time; those in the store are not made again.

    Parameters
    ----------
    paths : mapping of (str, str) to str
        By clip_id and encoding.
    store : Store

    Returns
    -------
    dict of (str, str) to bytes
        WebP, in the order given; without those that cannot be read.
    """
    made = {"size": SIZE, "quality": _QUALITY, "code": code_version(__name__)}

    def one(path: str) -> bytes | None:
        try:
            key = key_of(image=image.digest_of(path, digests), **made)
            found = store.get(_KIND, key, ".webp")
            if found is None:
                found = thumbnail(path)
                store.put(_KIND, key, found, ".webp")
        except (SoundfoldError, OSError, ValueError):
            return None
        return found

    with FileDigests(store) as digests, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = zip(paths, pool.map(one, paths.values()), strict=True)
        return {key: data for key, data in found if data}


def thumbnail(path: str) -> bytes:
    """An image file as WebP, its longer edge :data:`SIZE` pixels at most.

    Raises
    ------
    ImageError
        No such file, or not an image.
    """
    whole = Image.fromarray(image.read(path))
    share = min(1.0, SIZE / max(whole.size))
    small = whole.resize(
        (max(1, round(share * whole.width)), max(1, round(share * whole.height))),
        Image.Resampling.BILINEAR,
        reducing_gap=1.0,  # by whole factors first, which is many times as fast
    )
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=_QUALITY, method=1)
    return buffer.getvalue()
