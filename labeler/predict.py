"""Label many files in batches; memory stays flat however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import AudioError, ImageError
from labeler.loading import Model
from labeler.preprocess import prepare_file

__all__ = ["Labelled", "label_files"]

_BATCH = 32
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
    """

    path: Path
    scores: np.ndarray | None = None
    reason: str = ""


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

    def ready(path: Path) -> np.ndarray | str:
        try:
            return prepare_file(path, model.card)
        except (AudioError, ImageError) as error:
            return str(error)

    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(files), _BATCH):
            chunk = files[start : start + _BATCH]
            prepared = list(pool.map(ready, chunk))
            scores = _scored(model, prepared)
            for path, item, row in zip(chunk, prepared, scores, strict=True):
                yield Labelled(path, reason=item) if isinstance(item, str) else Labelled(path, row)


def _scored(model: Model, prepared: Sequence[np.ndarray | str]) -> list[np.ndarray | None]:
    """Scores in order; what has one shape goes through the model together."""
    scores: list[np.ndarray | None] = [None] * len(prepared)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for k, item in enumerate(prepared):
        if not isinstance(item, str):
            by_shape.setdefault(item.shape, []).append(k)
    for rows in by_shape.values():
        batch = np.stack([np.asarray(prepared[k]) for k in rows])
        for k, row in zip(rows, model.scores(batch), strict=True):
            scores[k] = row
    return scores
