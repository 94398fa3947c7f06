"""Long recordings, window by window: read as a stream, each window scored as a clip of its length is.

``scores.csv`` has a row for each window: recording, start_s, end_s, then ``p:<class>``. A recording is never whole in
memory. The last window of a recording holds what is left of it, and is left out where that is next to nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from harness import audio
from harness.errors import AudioError, SettingsError
from harness.files import atomic_path
from harness.model import ModelCard
from harness.progress import track
from harness.tables import SCORE_PREFIX, Schema
from harness.written import claim
from labeler.preprocess import prepare_samples

if TYPE_CHECKING:  # which offers scan_sound as a method
    from labeler.loading import Model

__all__ = ["SCORES", "Windows", "scan_files", "scan_sound", "scan_table", "windows_for"]

SCORES = Schema(
    "scores.csv",
    text=("recording",),
    number=("start_s", "end_s"),
    key=("recording", "start_s"),
    filled=("recording",),
    scores=True,
)
_BATCH = 32  # windows
_BATCH_SECONDS = 100  # of sound
_READ_S = 60.0  # at a time
_LEAST = 0.1  # of a window, below which what is left at the end says nothing


class Windows(NamedTuple):
    """Length of the windows, and from the start of one to that of the next, both in seconds."""

    length_s: float
    hop_s: float


class _Window(NamedTuple):
    start_s: float
    end_s: float
    y: np.ndarray
    sr: int


def windows_for(card: ModelCard, *, window: float = 0.0, hop: float = 0.0) -> Windows:
    """The windows of a model: as long as its longest training clip, one after the other.

    Parameters
    ----------
    card : ModelCard
    window, hop : float
        In seconds, in place of these; 0 for the default.

    Raises
    ------
    SettingsError
        Not a number above 0, a hop longer than the window, or no window where the model does not know its clips.

    Examples
    --------
    >>> card = ModelCard(classes=["a", "b"], takes="image", module={}, longest_s=4.0)
    >>> windows_for(card, hop=1.0)
    Windows(length_s=4.0, hop_s=1.0)
    """
    for name, value in (("window", window), ("hop", hop)):
        if not (math.isfinite(value) and value >= 0):
            raise SettingsError(f"{name}={value:g}: expected seconds, above 0")
    length = window or card.longest_s
    if not length:
        raise SettingsError("window is missing: the model does not say how long its training clips were")
    if hop > length:
        raise SettingsError(f"hop={hop:g}: expected at most the window, {length:g} s, else parts would go unheard")
    return Windows(length, hop or length)


def scan_sound(model: Model, path: str | Path, windows: Windows) -> Iterator[tuple[float, float, np.ndarray]]:
    """Score a recording window by window.

    Parameters
    ----------
    model : Model
    path : path
        A sound of any length.
    windows : Windows

    Yields
    ------
    (float, float, ndarray of float64, shape (classes,))
        Start and end of a window in seconds, and its scores.

    Raises
    ------
    AudioError
        The recording cannot be read, or not to its end.
    """
    found = _windows(audio.read_blocks(path, seconds=max(_READ_S, windows.length_s)), windows)
    together = min(_BATCH, max(1, int(_BATCH_SECONDS / windows.length_s)))
    while batch := list(islice(found, together)):
        prepared = [prepare_samples(each.y, each.sr, model.card) for each in batch]
        of_shape: dict[tuple[int, ...], list[int]] = {}
        for k, each in enumerate(prepared):
            of_shape.setdefault(each.shape, []).append(k)
        scores = np.zeros((len(batch), len(model.card.classes)))
        for rows in of_shape.values():
            scores[rows] = model.scores(np.stack([prepared[k] for k in rows]))
        yield from ((each.start_s, each.end_s, row) for each, row in zip(batch, scores, strict=True))


def scan_files(
    model: Model, files: Sequence[Path], out: str | Path, windows: Windows, *, on_failure: Callable[[str], None]
) -> tuple[int, int]:
    """Write ``scores.csv`` of some recordings into a folder.

    Parameters
    ----------
    model : Model
    files : sequence of path
    out : path
        The folder.
    windows : Windows
    on_failure : callable
        Called with the reason for every recording that cannot be read to its end; its windows up to there are left out.

    Returns
    -------
    (int, int)
        The number of windows, and of recordings that failed.
    """
    count = failed = 0
    claim(out, [SCORES.name])
    with atomic_path(Path(out) / SCORES.name) as part, open(part, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*SCORES.columns, *(f"{SCORE_PREFIX}{name}" for name in model.card.classes)])
        for path in files:
            try:
                expected = max(1, math.ceil(audio.duration(path) / windows.hop_s))
                rows = list(track(scan_sound(model, path, windows), total=expected, what=path.name))
            except AudioError as error:
                failed += 1
                on_failure(str(error))
                continue
            count += len(rows)
            for start, end, scores in rows:
                writer.writerow([path, f"{start:.6g}", f"{end:.6g}", *(f"{s:.9g}" for s in scores)])
    return count, failed


def scan_table(model: Model, path: str | Path, windows: Windows) -> pd.DataFrame:
    """The windows of one recording with their scores, as :data:`SCORES`."""
    rows = list(scan_sound(model, path, windows))
    table = pd.DataFrame({"recording": str(path), "start_s": [r[0] for r in rows], "end_s": [r[1] for r in rows]})
    scores = np.array([r[2] for r in rows]).reshape(-1, len(model.card.classes))
    columns = {f"{SCORE_PREFIX}{name}": scores[:, k] for k, name in enumerate(model.card.classes)}
    return table.assign(**columns)


def _windows(blocks: Iterable[tuple[np.ndarray, int]], windows: Windows) -> Iterator[_Window]:
    """Cut a stream of samples, as :func:`harness.audio.read_blocks` gives it, into windows."""
    rest, first, number, total, heard, sr = np.zeros(0, np.float32), 0, 0, 0, 0, 1  # all but the rate in samples
    for y, sr in blocks:
        rest, total = np.concatenate([rest, y]), total + len(y)
        length, start = max(1, round(windows.length_s * sr)), round(number * windows.hop_s * sr)
        while start + length <= total:
            heard = start + length
            yield _Window(start / sr, heard / sr, rest[start - first : heard - first], sr)
            number += 1
            start = round(number * windows.hop_s * sr)
        rest, first = rest[start - first :], min(start, total)
    if not heard or total - heard >= _LEAST * windows.length_s * sr:
        yield _Window(first / sr, total / sr, rest, sr)
