"""What a scan writes besides its tables, recording by recording: label files, cut-outs, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import PlainValidator

from harness.settings import Settings
from labeler.annotations import ANNOTATION_FORMATS, annotation_file, check_installed, write_annotations
from labeler.cutting import cut_events
from labeler.detecting import Event
from labeler.scan_images import draw_scan

__all__ = ["CUTS", "IMAGES", "LABELS", "Extras", "write_extras"]

LABELS, CUTS, IMAGES = "labels", "cuts", "images"
"""Folders of label files, cut-outs and images, in that of the scan."""


def _formats(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(each in ANNOTATION_FORMATS for each in value):
        raise ValueError(f"must be a list of {', '.join(ANNOTATION_FORMATS)}")
    return tuple(value)


class Extras(Settings):
    """What is written besides the tables.

    Parameters
    ----------
    formats : sequence of str
        Label files for other programs: ``audacity``, ``raven``, ``praat``.
    cut : bool
        Each call as a wav, in a folder for each label.
    images : bool
        Spectrogram, scores over time and calls of each recording, ten minutes in an image.
    """

    formats: Annotated[tuple[str, ...], PlainValidator(_formats)] = ()
    cut: bool = False
    images: bool = False

    @property
    def folders(self) -> list[str]:
        """Those that are filled, with a slash at their ends."""
        filled = {LABELS: self.formats, CUTS: self.cut, IMAGES: self.images}
        return [f"{name}/" for name, wanted in filled.items() if wanted]

    def check(self) -> None:
        """Refuse formats whose package is not there.

        Raises
        ------
        SettingsError
            The package ``crowsetta`` is not installed.
        """
        if self.formats:
            check_installed()


def write_extras(
    extras: Extras,
    out: str | Path,
    name: str,
    path: Path,
    times: np.ndarray,
    scores: np.ndarray,
    classes: Sequence[str],
    found: Mapping[str, Sequence[Event]],
) -> None:
    """Write what is asked for of one recording.

    Parameters
    ----------
    extras : Extras
    out : path
        Folder of the scan.
    name : str
        Of the recording, as it can stand in a file name.
    path : Path
        The recording.
    times, scores : ndarray of float64, shape (windows, 2) and (windows, classes)
        As :meth:`labeler.score_blocks.ScoreBlocks.load`; scores smoothed, since the images show what decided.
    classes : sequence of str
    found : mapping of str to sequence of Event
        Its calls by label.

    Raises
    ------
    AudioError
        The recording cannot be read to its end.
    """
    length_s = float(times[-1, 1]) if len(times) else 0.0
    for each in extras.formats:
        write_annotations(annotation_file(Path(out) / LABELS / name, each), each, found, path=path, length_s=length_s)
    if extras.cut:
        cut_events(path, found, Path(out) / CUTS, name)
    if extras.images:
        draw_scan(path, Path(out) / IMAGES / name, times, scores, classes, found)
