"""Merges whose partners lie in another folder: what they were made of, and whether it is still there as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from harness import tables
from harness.digests import FileDigests
from harness.errors import TableError
from harness.files import digest_json
from harness.recipes import read_recipes
from harness.tables import IMAGES

__all__ = ["source_of", "stale_merges"]


def source_of(images: pd.DataFrame, root: Path, of: Collection[str], clips: Iterable[str], digests: FileDigests) -> str:
    """A digest of the bytes of some clips' images.

    Parameters
    ----------
    images : DataFrame
        The images table of the folder `root`.
    root : Path
    of : collection of str
        The encodings that count.
    clips : iterable of str
        The clips that count.
    digests : FileDigests
    """
    rows = images[images["encoding"].isin(set(of)) & images["clip_id"].isin(set(clips))]
    found = zip(rows["clip_id"], rows["encoding"], rows["path"], strict=True)
    return digest_json(sorted([clip, name, _digest(root / path, digests)] for clip, name, path in found))


def stale_merges(images: pd.DataFrame, root: Path, names: Collection[str], digests: FileDigests) -> list[str]:
    """A line for each merge in a folder of images whose partners, in another one, are not what it was made of.

    Parameters
    ----------
    images : DataFrame
        The images table of the folder.
    root : Path
        The folder.
    names : collection of str
        The merges that are looked at.
    digests : FileDigests
    """
    known, lines = read_recipes(root), []
    for name in sorted(set(names) & set(known.sources)):
        source, of = known.sources[name], known.partners[name]
        if not source or not (Path(source["folder"]) / IMAGES.name).is_file():
            continue
        clips = images["clip_id"][images["encoding"] == name]
        try:
            table = tables.read(Path(source["folder"]) / IMAGES.name, IMAGES)
        except TableError:  # half written, or of another version
            continue
        if source_of(table, Path(source["folder"]), of, clips, digests) != source["digest"]:
            lines.append(
                f"merge {name!r} in {root}: images of {', '.join(of)} in {source['folder']} that it was made of have "
                "been drawn anew or are gone since; merge them again"
            )
    return lines


def _digest(path: Path, digests: FileDigests) -> str:
    try:
        return digests.of(path)
    except OSError:
        return ""
