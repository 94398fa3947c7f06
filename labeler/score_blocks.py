"""Scores of a recording's windows, block by block on disk: a scan that was killed goes on where it stopped.

::

    OUT/windows/<key>/00000.npy    start_s, end_s and the scores of up to 256 windows, float64
    OUT/windows/<key>/last.npy     those before the damage that a recording could not be read beyond
    OUT/windows/<key>/done.json    how many windows there are; only of a recording that was read to its end

The key is made of the recording's bytes, the model, the windows and the code, so that another threshold needs no new
scores, and another model takes none of the old ones.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from converter.registry import encoding_from_json, image_version
from harness import audio
from harness.code_version import code_version
from harness.errors import AudioError
from harness.files import atomic_path, digest_file, digest_json, read_json, write_json
from harness.model import CARD
from harness.store import key_of
from labeler.loading import Model
from labeler.scanning import Windows, scan_sound
from merger.registry import method_code, method_from_json

__all__ = ["FOLDER", "ScoreBlocks", "model_digest", "scored_seconds"]

FOLDER = "windows"
_DONE, _LAST = "done.json", "last.npy"
_BLOCK = 8  # batches in a file
_HEADER = 128  # bytes of a .npy file before its values


def model_digest(model: Model) -> str:
    """sha256 over all that decides about a model's scores: its files, its card, the code that draws."""
    folder = model.folder
    files = model.card.files or {
        p.relative_to(folder).as_posix(): digest_file(p) for p in sorted(folder.rglob("*")) if p.is_file()
    }
    card = read_json(folder / CARD)
    code = code_version("labeler.scanning", "labeler.loading")
    recipes = model.card.recipes
    drawn = (
        [model.card.recipe, _drawn_by(model.card.recipe)]
        if not model.card.members
        else [recipes, *map(_drawn_by, recipes)]
    )
    return digest_json([files, card["classes"], card["module"], *drawn, code])


class ScoreBlocks:
    """The scores of one recording's windows.

    Parameters
    ----------
    out : path
        Folder of the scan.
    path : path
        The recording.
    digest : str
        As :func:`model_digest`.
    windows : Windows

    Raises
    ------
    AudioError
        The recording cannot be read.
    """

    def __init__(self, out: str | Path, path: str | Path, digest: str, windows: Windows) -> None:
        self.path, self.windows, self.sound = Path(path), windows, audio.digest(path)
        self.key = key_of(sound=self.sound, model=digest, windows=list(windows))
        self._folder = Path(out) / FOLDER / self.key

    def score(self, model: Model) -> Iterator[tuple[int, float]]:
        """Score the windows that are not there yet.

        Yields
        ------
        (int, float)
            The number of windows that are scored now, and the end of the last one in seconds; at least once.

        Raises
        ------
        AudioError
            The recording cannot be read to its end; what comes before that is scored.
        """
        (self._folder / _LAST).unlink(missing_ok=True)
        blocks = self._blocks()
        count, end = sum(map(len, blocks)), float(blocks[-1][-1, 1]) if blocks else 0.0
        yield count, end
        if self._is_done(count):
            return
        rows: list[np.ndarray] = []
        try:
            for start, end, scores in scan_sound(model, self.path, self.windows, skip=count):
                rows.append(np.concatenate([[start, end], scores]))
                if len(rows) == _BLOCK * self.windows.batch:
                    count += self._put(f"{len(blocks):05}.npy", rows)
                    blocks.append(np.empty(0))
                    rows.clear()
                    yield count, end
        except AudioError:
            if rows:
                count += self._put(_LAST, rows)
                yield count, end
            raise
        if rows:
            count += self._put(f"{len(blocks):05}.npy", rows)
        write_json(self._folder / _DONE, {"windows": count})
        yield count, end

    def load(self, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Times, float64 of shape (windows, 2) in seconds, and scores, float64 of shape (windows, classes)."""
        rows = np.concatenate([np.empty((0, 2 + classes)), *self._blocks(), *self._read([_LAST])])
        return rows[:, :2], rows[:, 2:]

    def _is_done(self, count: int) -> bool:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return bool(read_json(self._folder / _DONE)["windows"] == count)
        return False

    def _put(self, name: str, rows: list[np.ndarray]) -> int:
        with atomic_path(self._folder / name) as part, open(part, "wb") as file:
            np.save(file, np.stack(rows))
        return len(rows)

    def _blocks(self) -> list[np.ndarray]:
        """The blocks that are there, up to the first that is missing or damaged."""
        return self._read(f"{number:05}.npy" for number in itertools.count())

    def _read(self, names: Iterable[str]) -> list[np.ndarray]:
        blocks: list[np.ndarray] = []
        with suppress(OSError, ValueError, EOFError):
            for name in names:
                blocks.append(np.load(self._folder / name, allow_pickle=False))
        return blocks


def scored_seconds(folder: str | Path, classes: int, hop_s: float) -> float:
    """Seconds of sound that all blocks in a folder are of, whoever writes them; by their sizes, none is read."""
    size = 0
    with suppress(OSError):  # what is renamed or removed meanwhile
        for below in os.scandir(folder):
            size += sum(max(0, f.stat().st_size - _HEADER) for f in os.scandir(below) if f.name.endswith(".npy"))
    return size / (8 * (2 + classes)) * hop_s


def _drawn_by(recipe: Any) -> list[str]:
    """Versions of the code behind a recipe's encodings and merge methods."""
    if not recipe:
        return []
    if "encoding" in recipe:
        return [image_version(encoding_from_json(recipe["spec"]))["code"]]
    return [method_code(method_from_json(recipe["spec"])), *(v for of in recipe["of"].values() for v in _drawn_by(of))]
