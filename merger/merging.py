"""Merge the images of one clip from their files: what a worker process runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import image
from merger.spec import MergeMethod

__all__ = ["merge_png", "merge_pngs"]


def merge_pngs(methods: Sequence[MergeMethod], *, files: Mapping[str, tuple[Path, str]]) -> Iterator[bytes]:
    """Merge the images of a clip by some methods.

    Parameters
    ----------
    methods : sequence of MergeMethod
    files : mapping of str to (Path, str)
        By encoding: the image's file and the digest of its bytes.

    Yields
    ------
    bytes
        A PNG for each method.

    Raises
    ------
    ImageError
        An image cannot be read, has changed in the meantime, or does not fit the others.
    """
    for method in methods:
        data = {name: image.read_bytes(files[name][0], digest=files[name][1]) for name in method.partners}
        yield merge_png(data, method, names={name: str(files[name][0]) for name in data})


def merge_png(data: Mapping[str, bytes], method: MergeMethod, *, names: Mapping[str, str]) -> bytes:
    """Merge images given as the bytes of their files; `names` is what errors call them."""
    decoded = {name: image.decode(each, name=names[name]) for name, each in data.items()}
    return image.encode_png(method.checked(decoded))
