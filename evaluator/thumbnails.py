"""Small copies of images for a report: as the model saw them, in WebP."""

from __future__ import annotations

import io
import os
from base64 import b64decode, b64encode
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
    """Make a small copy of each image, several at a time; where all of them are in the store, nothing is made.

    They are one entry of the store, as so many small files would take as long as making them.

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
    with FileDigests(store) as digests:
        known = {key: digest for key, path in paths.items() if (digest := _digest(path, digests))}
    made = {"size": SIZE, "quality": _QUALITY, "code": code_version(__name__)}
    key = key_of(images=list(known.values()), **made)
    texts = store.get_json(_KIND, key)
    if texts is None:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            texts = list(pool.map(_text, (paths[each] for each in known)))
        store.put_json(_KIND, key, texts)
    return {each: b64decode(text) for each, text in zip(known, texts, strict=True) if text}


def _digest(path: str, digests: FileDigests) -> str:
    try:
        return image.digest_of(path, digests)
    except (SoundfoldError, OSError, ValueError):
        return ""


def _text(path: str) -> str:
    """A small copy as base64; nothing where the image cannot be read."""
    try:
        return b64encode(thumbnail(path)).decode()
    except (SoundfoldError, OSError, ValueError):
        return ""


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
