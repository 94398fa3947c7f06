"""A snapshot: so many seconds of sound as a wav file, an image and scores."""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from harness import image
from harness.errors import AudioError, SettingsError
from harness.files import write_bytes
from harness.tables import SCORE_PREFIX, write
from harness.written import claim
from labeler.live.recording import write_sound
from labeler.live.sources import Source
from labeler.preprocess import draw_recipe
from labeler.scanned import RECORDINGS
from labeler.scanning import SCORES

if TYPE_CHECKING:  # which is given
    from labeler.loading import Model

__all__ = ["Snapshot", "take_snapshot"]

SOUND, IMAGE = "snapshot.wav", "snapshot.png"
_LOOK = {"encoding": "logmel", "spec": {"encoding": "logmel"}}  # of a sound that its model does not draw


class Snapshot(NamedTuple):
    """What a snapshot has: the files' folder, scores by class, best first, and what is to be said of its length."""

    folder: Path
    scores: pd.Series
    warnings: tuple[str, ...]


def take_snapshot(model: Model, source: Source, out: str | Path, *, seconds: float) -> Snapshot:
    """Record so many seconds, label them, and write ``snapshot.wav``, ``snapshot.png`` and ``scores.csv``.

    Parameters
    ----------
    model : Model
    source : Source
        Closed at the end; one that ends earlier gives a shorter snapshot.
    out : path
        Folder; a snapshot that is there is replaced.
    seconds : float
        Above 0.

    Raises
    ------
    AudioError
        Sound was lost or there was none, and nothing is written.
    SettingsError
        The folder has a scan or files of somebody's own.
    """
    with closing(source):
        if (Path(out) / RECORDINGS).exists():
            raise SettingsError(f"{out}: has the results of a scan; choose another folder for a snapshot")
        claim(out, [SOUND, IMAGE, SCORES.name])
        length = round(seconds * source.sr)
        y = _record(source, length)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        scores = model.label(y, sr=source.sr)
    folder = Path(out)
    recipe = next(iter(model.card.recipes), None)  # of a fused model its first image
    write_sound(folder / SOUND, y, sr=source.sr, bits=source.bits)
    write_bytes(folder / IMAGE, image.encode_png(draw_recipe(y, source.sr, recipe or _LOOK)))
    columns = {f"{SCORE_PREFIX}{name}": [scores[name]] for name in model.card.classes}
    row = {"recording": [SOUND], "start_s": [0.0], "end_s": [len(y) / source.sr], **columns}
    write(pd.DataFrame(row), folder / SCORES.name, SCORES)
    notes = [str(each.message) for each in said if each.category is UserWarning]
    if len(y) < length:
        notes.insert(
            0, f"{source.name}: ended after {len(y) / source.sr:.2f} s, before the {seconds:g} s of a snapshot"
        )
    return Snapshot(folder, scores, tuple(notes))


def _record(source: Source, length: int) -> np.ndarray:
    """So many samples, or all that there are."""
    parts: list[np.ndarray] = []
    total = 0
    while total < length and (block := source.read()) is not None:
        if block.lost_s:
            raise AudioError(f"{source.name}: about {block.lost_s:.2f} s of sound were lost; take the snapshot again")
        parts.append(block.y)
        total += len(block.y)
    if not total:
        raise AudioError(f"{source.name}: ended before there was any sound")
    return np.concatenate(parts)[:length]
