"""Where the sounds and images of a run's clips are, for its report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.excerpts import Part
from harness.image import SUFFIXES
from harness.record import read_steps
from harness.tables import CLIPS, IMAGES, read, read_located
from harness.tile_ids import clip_of
from harness.urls import located

__all__ = ["Sources", "read_sources"]


@dataclass(frozen=True)
class Sources:
    """The files of a run's clips.

    Parameters
    ----------
    sounds : mapping of str to Part
        By clip_id.
    images : mapping of (str, str) to str
        Path by clip_id and encoding, relative to `image_folder`; without images that were drawn in memory. Of a clip
        that was cut into tiles it is that of the first one.
    image_folder : str
    labels, groups : mapping of str to str
        By clip_id; groups may be empty.
    image_steps : mapping
        The record of the folder of images, as `harness.record.read_steps` gives it.
    """

    sounds: Mapping[str, Part] = field(default_factory=dict)
    images: Mapping[tuple[str, str], str] = field(default_factory=dict)
    image_folder: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    image_steps: Mapping[str, Any] = field(default_factory=dict)

    def image(self, clip: str, encoding: str) -> str:
        """The absolute path of an image, or its URL; empty where there is none."""
        path = self.images.get((clip, encoding), "")
        return path and located(path, self.image_folder)


def read_sources(run_folder: str | Path, groups: Mapping[str, str]) -> Sources:
    """Read ``clips.csv`` and ``images/images.csv`` of a run; what is not there, or broken, is left out.

    Parameters
    ----------
    run_folder : path
    groups : mapping of str to str
        From clip_id to group, which may be empty.
    """
    run = Path(run_folder)
    images: dict[tuple[str, str], str] = {}
    images_csv = run / "images" / IMAGES.name
    if images_csv.is_file():
        table = read(images_csv, IMAGES)  # not located: of a hundred thousand a few hundred are shown
        for image, encoding, path in zip(*(table[c].tolist() for c in ("clip_id", "encoding", "path")), strict=True):
            if path:
                images.setdefault((clip_of(image), encoding), path)
    sounds, labels = {}, {}
    if (run / CLIPS.name).is_file():
        columns = (
            read_located(run / CLIPS.name, CLIPS)[c].tolist() for c in ("clip_id", "path", "start_s", "end_s", "label")
        )
        for clip, path, start, end, label in zip(*columns, strict=True):
            labels[clip] = label
            if os.path.splitext(path)[1].lower() not in SUFFIXES:  # of a corpus of images
                sounds[clip] = Part(path, start, end)
    return Sources(sounds, images, str((run / "images").resolve()), labels, groups, _steps(run / "images"))


def _steps(folder: Path) -> dict[str, Any]:
    try:
        return read_steps(folder)
    except TableError:  # of another version: no figure depends on it
        return {}
