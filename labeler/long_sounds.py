"""Sounds that are far longer than the training clips: said of, and scored in memory that does not grow with them.

A model that was trained on tiles scores a sound of any length as its clips were: by the mean over all tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from harness import audio
from harness.errors import AudioError
from harness.model import ModelCard
from labeler.card_encodings import count_card_tiles, draws_all_channels, is_tiled, one_tile_length
from labeler.preprocess import prepare_samples, prepare_tile

__all__ = ["block_seconds", "length_warning", "mean_scores", "score_long_file", "score_long_samples", "sound_seconds"]

Blocks = Iterable[tuple[np.ndarray, int]]
"""Samples, float32 (samples,) or (samples, channels), and their rate in Hz."""

_FAR = 3.0
_BLOCK_S = 60.0
_WHOLE_S = 300.0  # up to which a file that is cut into tiles is read at once, as in training
_TILES = 8  # that go through a model together
_ROUNDING_S = 0.001  # so that no few samples are left for a block of their own


def sound_seconds(path: Path) -> float:
    """Length of a sound in seconds, from its header where that has it."""
    return audio.duration(path)


def length_warning(name: str, seconds: float, card: ModelCard) -> str:
    """What is to be said of a sound of that length; empty where it is near that of the training clips, or unknown.

    Examples
    --------
    >>> card = ModelCard(classes=["a", "b"], takes="image", module={}, longest_s=4.0)
    >>> length_warning("x.wav", 12.0, card)
    ''
    """
    longest = card.longest_s
    if not longest or seconds <= _FAR * longest or is_tiled(card):
        return ""
    parts = f" (the mean over {math.ceil(seconds / longest)} parts)" if card.draws else ""
    return (
        f"{name}: {seconds:.1f} s long, more than three times the longest training clip ({longest:.1f} s), so that one "
        f"set of scores for all of it{parts} means little; `soundfold scan` scores it window by window"
    )


def block_seconds(seconds: float, card: ModelCard) -> float:
    """Length in seconds of the blocks in which a model gets a sound of a length; 0: it gets the sound whole.

    A waveform goes through its model in blocks of a minute, or of the longest training clip's length. Of an image, what
    is more than three times as long as the longest training clip is drawn in equal parts of up to that length: squeezed
    into one image it would look like nothing that the model was trained on. A fused model with both gets such parts.
    Tiles of a sound go through their model a few at a time.

    Examples
    --------
    >>> card = ModelCard(classes=["a", "b"], takes="image", module={}, longest_s=4.0)
    >>> block_seconds(12.0, card), block_seconds(18.0, card)
    (0.0, 3.601)
    """
    if not card.draws:
        longest = max(_BLOCK_S, card.longest_s)
        return longest if seconds > longest else 0.0
    if is_tiled(card):
        length = _TILES * one_tile_length(card)
        return length if length < seconds else 0.0
    if not card.longest_s or seconds <= _FAR * card.longest_s:
        return 0.0
    return seconds / math.ceil(seconds / card.longest_s) + _ROUNDING_S


def score_long_file(
    score: Callable[[np.ndarray], np.ndarray], path: Path, card: ModelCard, *, block_s: float
) -> np.ndarray:
    """Scores of a sound file, block by block.

    Where the model was trained on tiles, they are the geometric mean of the scores of all its tiles: what
    ``predictions.csv`` has of a clip. Up to five minutes the mono mix is that of the whole file, else that of each
    minute, which differs only where channels cancel in a part of it. Else they are the geometric mean of the blocks'
    scores, weighted by length. Both are scaled to sum to 1, and are the scores that the head gives the mean of the
    feature vectors.

    Parameters
    ----------
    score : callable
        Scores of a batch, :meth:`labeler.loading.Model.scores`.
    path : path
    card : ModelCard
    block_s : float
        As :func:`block_seconds` gives it, not 0.

    Returns
    -------
    ndarray of float64, shape (classes,)

    Raises
    ------
    AudioError
        The file cannot be read.
    """
    mono = not draws_all_channels(card)
    if not is_tiled(card):
        return _score_blocks(score, audio.read_blocks(path, seconds=block_s, mono=mono), card)
    seconds = audio.duration(path)
    if seconds <= _WHOLE_S:
        blocks: Blocks = [audio.read(path, mono=mono)]
    else:
        blocks = audio.read_blocks(path, seconds=_BLOCK_S, mono=mono)
    return _score_tiles(score, blocks, card, count=count_card_tiles(card, seconds), name=str(path))


def score_long_samples(
    score: Callable[[np.ndarray], np.ndarray], y: np.ndarray, sr: int, card: ModelCard, *, block_s: float
) -> np.ndarray:
    """As :func:`score_long_file`, of samples at a rate in Hz: float32, shape (samples,) or (samples, channels)."""
    if is_tiled(card):
        return _score_tiles(score, [(y, sr)], card, count=count_card_tiles(card, len(y) / sr), name="samples")
    length = max(1, round(block_s * sr))
    return _score_blocks(score, ((y[start : start + length], sr) for start in range(0, len(y), length)), card)


def mean_scores(scores: np.ndarray) -> np.ndarray:
    """The geometric mean of the scores of each sound's tiles, scaled to sum to 1, as in ``predictions.csv``.

    Parameters
    ----------
    scores : ndarray of float64, shape (n, tiles, classes)

    Returns
    -------
    ndarray of float64, shape (n, classes)

    Examples
    --------
    >>> mean_scores(np.array([[[0.5, 0.5], [0.2, 0.8]]])).round(3).tolist()
    [[0.333, 0.667]]
    """
    if scores.shape[1] == 1:
        return scores[:, 0]
    return _scaled(_logs(scores).mean(axis=1))


def _score_blocks(score: Callable[[np.ndarray], np.ndarray], blocks: Blocks, card: ModelCard) -> np.ndarray:
    total, samples = np.zeros(len(card.classes)), 0
    for y, sr in blocks:
        (scores,) = score(prepare_samples(y, sr, card)[None])
        total += len(y) * np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        samples += len(y)
    return _scaled(total / samples)


def _score_tiles(
    score: Callable[[np.ndarray], np.ndarray], blocks: Blocks, card: ModelCard, *, count: int, name: str
) -> np.ndarray:
    tiles, total, done = _tiles(blocks, one_tile_length(card), count), np.zeros(len(card.classes)), 0
    while some := list(islice(tiles, _TILES)):
        total += _logs(score(np.stack([prepare_tile(y, sr, card) for y, sr in some]))).sum(axis=0)
        done += len(some)
    if done < count:
        raise AudioError(f"{name}: tile {done}: the sound ends before it")
    return _scaled(total / done)


def _tiles(blocks: Blocks, tile_s: float, count: int) -> Iterator[tuple[np.ndarray, int]]:
    """So many tiles of a stream of samples, cut as :meth:`converter.tiles.Tile.cut` does; the last may be shorter."""
    rest, first, number, start, sr = np.zeros(0, np.float32), 0, 0, 0, 1  # all but the number and rate in samples
    for y, sr in blocks:  # to their end, so that a damaged file is noticed
        rest = np.concatenate([rest, y]) if len(rest) else y
        while number < count and (stop := round((number + 1) * tile_s * sr)) <= first + len(rest):
            yield rest[start - first : stop - first], sr
            number, start = number + 1, stop
        done = min(start - first, len(rest)) if number < count else len(rest)
        rest, first = rest[done:], first + done
    if number < count and len(rest) > start - first:
        yield rest[start - first :], sr


def _logs(scores: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(scores, np.finfo(np.float64).tiny))


def _scaled(logs: np.ndarray) -> np.ndarray:
    raised = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
