"""Long recordings, window by window: read as a stream, each window scored as a clip of its length is.

A recording is never whole in memory, and overlapping windows share its decoding. They do not share spectra: every
window is drawn for itself, as a clip is, with silence before and after it. The last window of a recording holds what is
left of it, and is left out where that is next to nothing. A recording that is damaged ends there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from harness.errors import AudioError, SettingsError
from harness.model import ModelCard
from harness.reading import read_until_damage
from harness.tables import SCORE_PREFIX, Schema
from labeler.card_encodings import draws_all_channels
from labeler.preprocess import Shape, prepare_samples, shape_of

if TYPE_CHECKING:  # which offers scanning as a method
    from labeler.loading import Model

__all__ = ["SCORES", "Windows", "scan_sound", "scan_table", "score_table", "windows_for"]

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
_READERS = 2
_ROUNDING = 1e-9  # by which 9.9 / 3 may be above 3.3
_LEAST = 0.1  # of a window, below which what is left at the end says nothing


class Windows(NamedTuple):
    """Length of the windows, and from the start of one to that of the next, both in seconds."""

    length_s: float
    hop_s: float

    @property
    def batch(self) -> int:
        """How many go through the model together."""
        return min(_BATCH, max(1, int(_BATCH_SECONDS / self.length_s)))


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
    >>> windows_for(card, window=3.3, hop=9.9 / 3)
    Windows(length_s=3.3, hop_s=3.3)
    """
    for name, value in (("window", window), ("hop", hop)):
        if not (math.isfinite(value) and value >= 0):
            raise SettingsError(f"{name}={value:g}: expected seconds, above 0")
    length = window or card.longest_s
    if not length:
        raise SettingsError("window is missing: the model does not say how long its training clips were")
    if math.isclose(hop, length, rel_tol=_ROUNDING):
        hop = length
    if hop > length:
        raise SettingsError(f"hop={hop:g}: expected at most the window, {length:g} s, else parts would go unheard")
    return Windows(length, hop or length)


def scan_sound(
    model: Model, path: str | Path, windows: Windows, *, skip: int = 0
) -> Iterator[tuple[float, float, np.ndarray]]:
    """Score a recording window by window.

    Parameters
    ----------
    model : Model
    path : path
        A sound of any length.
    windows : Windows
    skip : int
        The first so many windows are not scored and not given; whole batches, so that the rest are batched as ever.

    Yields
    ------
    (float, float, ndarray of float64, shape (classes,))
        Start and end of a window in seconds, and its scores.

    Raises
    ------
    AudioError
        The recording cannot be read, or not to its end: after the windows before that.
    """
    damage: list[AudioError] = []
    mono = not draws_all_channels(model.card)
    blocks = _until(read_until_damage(path, seconds=max(_READ_S, windows.length_s), mono=mono), damage)
    found, together = islice(_windows(blocks, windows), skip, None), windows.batch
    with ThreadPoolExecutor(_READERS) as pool:
        next_one = _prepare(pool, list(islice(found, together)), model.card)
        while next_one:
            batch, waiting = next_one
            prepared = [each.result() for each in waiting]
            next_one = _prepare(pool, list(islice(found, together)), model.card)  # while the model is at work
            scores = _scores(model, prepared)
            yield from ((each.start_s, each.end_s, row) for each, row in zip(batch, scores, strict=True))
    if damage:
        raise damage[0]


def _until(blocks: Iterable[tuple[np.ndarray, int]], damage: list[AudioError]) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks up to an error, which goes into the list: what came before it is scored first."""
    try:
        yield from blocks
    except AudioError as error:
        damage.append(error)


def _prepare(
    pool: ThreadPoolExecutor, batch: list[_Window], card: ModelCard
) -> tuple[list[_Window], list[Future[np.ndarray]]] | None:
    """Windows with what the model takes of each, as soon as that is there; None where there are no more."""
    return (batch, [pool.submit(prepare_samples, w.y, w.sr, card) for w in batch]) if batch else None


def _scores(model: Model, prepared: list[np.ndarray]) -> np.ndarray:
    """Scores of a batch, float64 of shape (windows, classes); what has one shape goes through the model together."""
    of_shape: dict[Shape, list[int]] = {}
    for k, each in enumerate(prepared):
        of_shape.setdefault(shape_of(each), []).append(k)
    scores = np.zeros((len(prepared), len(model.card.classes)))
    for rows in of_shape.values():
        scores[rows] = model.scores(np.stack([prepared[k] for k in rows]))
    return scores


def scan_table(model: Model, path: str | Path, windows: Windows) -> pd.DataFrame:
    """The windows of one recording with their scores, as :data:`SCORES`."""
    rows = list(scan_sound(model, path, windows))
    times = np.array([row[:2] for row in rows], dtype=np.float64)
    return score_table(path, times, np.array([row[2] for row in rows]), model.card.classes)


def score_table(path: str | Path, times: np.ndarray, scores: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """A table as :data:`SCORES` of one recording.

    Parameters
    ----------
    path : path
    times : ndarray of float64, shape (windows, 2)
        Start and end of each window in seconds.
    scores : ndarray of float64, shape (windows, classes)
    classes : list of str
    """
    columns = {f"{SCORE_PREFIX}{name}": scores[:, k] for k, name in enumerate(classes)}
    return pd.DataFrame({"recording": str(path), "start_s": times[:, 0], "end_s": times[:, 1], **columns})


def _windows(blocks: Iterable[tuple[np.ndarray, int]], windows: Windows) -> Iterator[_Window]:
    """Cut a stream of samples, as :func:`harness.audio.read_blocks` gives it, into windows; none of an empty one.

    Windows have the channels that the stream has.
    """
    rest, first, number, total, heard, sr = np.zeros(0, np.float32), 0, 0, 0, 0, 1  # all but the rate in samples
    for y, sr in blocks:
        rest, total = np.concatenate([rest, y]) if len(rest) else y, total + len(y)
        length, start = max(1, round(windows.length_s * sr)), round(number * windows.hop_s * sr)
        while start + length <= total:
            heard = start + length
            yield _Window(start / sr, heard / sr, rest[start - first : heard - first], sr)
            number += 1
            start = round(number * windows.hop_s * sr)
        rest, first = rest[start - first :], min(start, total)
    if total and (not heard or total - heard >= _LEAST * windows.length_s * sr):
        yield _Window(first / sr, total / sr, rest, sr)
