"""Sounds that are far longer than the training clips: said of, and scored in memory that does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from harness import audio
from harness.model import ModelCard
from labeler.preprocess import prepare_samples

__all__ = ["block_seconds", "length_warning", "sample_blocks", "score_blocks", "sound_seconds"]

_FAR = 3.0
_BLOCK_S = 60.0
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
    if not longest or seconds <= _FAR * longest:
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

    Examples
    --------
    >>> card = ModelCard(classes=["a", "b"], takes="image", module={}, longest_s=4.0)
    >>> block_seconds(12.0, card), block_seconds(18.0, card)
    (0.0, 3.601)
    """
    if not card.draws:
        longest = max(_BLOCK_S, card.longest_s)
        return longest if seconds > longest else 0.0
    if not card.longest_s or seconds <= _FAR * card.longest_s:
        return 0.0
    return seconds / math.ceil(seconds / card.longest_s) + _ROUNDING_S


def sample_blocks(y: np.ndarray, sr: int, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """Samples in blocks of a length in seconds, as :func:`harness.audio.read_blocks` gives a file's."""
    length = max(1, round(seconds * sr))
    for start in range(0, len(y), length):
        yield y[start : start + length], sr


def score_blocks(
    score: Callable[[np.ndarray], np.ndarray], blocks: Iterable[tuple[np.ndarray, int]], card: ModelCard
) -> np.ndarray:
    """Scores of a sound that is given block by block.

    They are the geometric mean of the blocks' scores, weighted by length, scaled to sum to 1. Those are the scores
    that the head gives the mean of the blocks' feature vectors.

    Parameters
    ----------
    score : callable
        Scores of a batch, :meth:`labeler.loading.Model.scores`.
    blocks : iterable of (ndarray of float32, shape (samples,), int)
        Samples and their rate in Hz.
    card : ModelCard

    Returns
    -------
    ndarray of float64, shape (classes,)
    """
    total, samples = np.zeros(len(card.classes)), 0
    for y, sr in blocks:
        (scores,) = score(prepare_samples(y, sr, card)[None])
        total += len(y) * np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        samples += len(y)
    mean = total / samples
    raised = np.exp(mean - mean.max())
    return np.asarray(raised / raised.sum())
