"""Recordings read block by block, up to where they are damaged: what is before the damage can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import audio
from harness.errors import AudioError

__all__ = ["read_until_damage"]

_PIECE_S = 0.1  # in which the block with the damage is read


def read_until_damage(path: str | Path, *, seconds: float, mono: bool = True) -> Iterator[tuple[np.ndarray, int]]:
    """As :func:`harness.audio.read_blocks`, which gives nothing of the block that is damaged.

    Yields
    ------
    y : ndarray of float32, shape (samples,), or (samples, channels) where `mono` is False and there are several
        All blocks but the last have `seconds`; before the damage to a tenth of a second.
    sr : int
        In Hz.

    Raises
    ------
    AudioError
        As :func:`harness.audio.read_blocks`, after the last block.
    """
    there, whole = 0, True
    try:
        for y, sr in audio.read_blocks(path, seconds=seconds, mono=mono):
            there, whole = there + len(y), len(y) >= round(seconds * sr)
            yield y, sr
        return
    except AudioError as error:
        if not whole:  # the end of the file was reached, only before the one that its header promises
            raise
        first = error
    rest, found = _pieces_after(path, there, seconds, mono)
    if rest:
        yield np.concatenate([y for y, _ in rest]), rest[0][1]
    raise found or first


def _pieces_after(
    path: str | Path, position: int, seconds: float, mono: bool
) -> tuple[list[tuple[np.ndarray, int]], AudioError | None]:
    """What a block of so many seconds after so many samples has, and what ended it."""
    pieces: list[tuple[np.ndarray, int]] = []
    there = 0
    try:
        for y, sr in audio.read_blocks(path, seconds=_PIECE_S, mono=mono):
            there += len(y)
            if there > position:
                pieces.append((y[max(0, len(y) - (there - position)) :], sr))
            if there - position >= seconds * sr:
                break
    except AudioError as error:
        return pieces, error
    return pieces, None
