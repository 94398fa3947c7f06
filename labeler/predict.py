"""Label many files in batches; memory stays flat however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.errors import AudioError, ImageError
from labeler.card_encodings import check_length
from labeler.loading import Model
from labeler.long_sounds import block_seconds, length_warning, score_long_file, sound_seconds
from labeler.preprocess import Shape, is_sound, prepare_file, shape_of, sound_length

__all__ = ["Labelled", "label_files"]

_BATCH = 32
_BATCH_SECONDS = 160  # of sound
_READERS = 2


@dataclass(frozen=True, eq=False)
class Labelled:
    """One file's outcome: scores, or why there are none.

    Parameters
    ----------
    path : path
    scores : ndarray of float64, shape (classes,), or None
    reason : str
        Empty where there are scores.
    warning : str
        What a reader of the scores must know; mostly empty.
    """

    path: Path
    scores: np.ndarray | None = None
    reason: str = ""
    warning: str = ""


def label_files(model: Model, files: Sequence[Path]) -> Iterator[Labelled]:
    """Score files, in their order.

    Parameters
    ----------
    model : Model
    files : sequence of path
        Sounds and images.

    Raises
    ------
    ModuleError
        The model takes no such file at all.
    """

    def ready(path: Path) -> _Ready:
        """What the model takes; nothing yet of a sound that goes through it block by block."""
        try:
            seconds = 0.0
            if is_sound(path):
                seconds = sound_seconds(path)
                check_length(str(path), seconds, model.card)
            warning = length_warning(str(path), seconds, model.card)
            block = block_seconds(seconds, model.card)
            return _Ready(None if block else prepare_file(path, model.card), warning=warning, block_s=block)
        except (AudioError, ImageError) as error:
            return _Ready(None, str(error))

    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(files), _BATCH):
            chunk = files[start : start + _BATCH]
            prepared = list(pool.map(ready, chunk))
            scores = _scored(model, [item.values for item in prepared])
            for path, item, row in zip(chunk, prepared, scores, strict=True):
                yield _outcome(model, path, item, row)


class _Ready(NamedTuple):
    values: np.ndarray | None
    reason: str = ""
    warning: str = ""
    block_s: float = 0.0


def _outcome(model: Model, path: Path, item: _Ready, scores: np.ndarray | None) -> Labelled:
    if item.reason or scores is not None:
        return Labelled(path, scores, item.reason, item.warning if scores is not None else "")
    try:
        scores = score_long_file(model.scores, path, model.card, block_s=item.block_s)
        return Labelled(path, scores, warning=item.warning)
    except AudioError as error:
        return Labelled(path, reason=str(error))


def _scored(model: Model, prepared: Sequence[np.ndarray | None]) -> list[np.ndarray | None]:
    """Scores in order; what has one shape goes through the model together, of sounds only so many seconds."""
    scores: list[np.ndarray | None] = [None] * len(prepared)
    by_shape: dict[Shape, list[int]] = {}
    for k, item in enumerate(prepared):
        if item is not None:
            by_shape.setdefault(shape_of(item), []).append(k)
    for rows in by_shape.values():
        first = prepared[rows[0]]
        assert first is not None
        seconds = sound_length(first, model.card)
        size = max(1, int(_BATCH_SECONDS / seconds)) if seconds else _BATCH
        for some in (rows[k : k + size] for k in range(0, len(rows), size)):
            batch = np.stack([np.asarray(prepared[k]) for k in some])
            for k, row in zip(some, model.scores(batch), strict=True):
                scores[k] = row
    return scores
