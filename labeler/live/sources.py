"""Where sound comes from: blocks of samples, one after the other, without saying what will be done with them.

Two are here, the third is in :mod:`labeler.live.microphone`. A source is read by one thread. Its clock starts with the
first block, so it may be opened long before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from harness.errors import AudioError
from harness.reading import read_until_damage

__all__ = ["Block", "FileSource", "PcmSource", "Source"]

_READ_S = 60.0  # of a file at a time, as when it is scanned
_PIECE_S = 0.02  # handed on at a time, in real time
_PCM_BYTES = 1 << 14


class Block(NamedTuple):
    """Some samples of a source.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,), or (samples, channels) of a source with several
        In [-1, 1].
    lost_s : float
        Seconds of sound that are missing before them.
    """

    y: np.ndarray
    lost_s: float = 0.0


class Source(Protocol):
    """What can be listened to.

    Attributes
    ----------
    name : str
        For messages.
    sr : int
        Rate in Hz.
    bits : int
        16 where all samples are whole numbers of 1 / 32768, else 32.
    channels : int
        1: samples have the shape (samples,).
    """

    name: str
    sr: int
    bits: int
    channels: int

    def read(self) -> Block | None:
        """The next samples, as soon as there are some; None at the end.

        Raises
        ------
        AudioError
            There are no more, though this is not the end.
        """

    def close(self) -> None:
        """Give everything back; nothing is read any more."""


class FileSource:
    """A sound file.

    Parameters
    ----------
    path : path
        Any file that :mod:`harness.audio` reads.
    fast : bool
        As fast as it is wanted, not in real time.
    mono : bool
        False: all channels of the file.

    Raises
    ------
    AudioError
        The file cannot be read.
    """

    bits = 32

    def __init__(self, path: str | Path, *, fast: bool = False, mono: bool = True) -> None:
        self.name = str(path)
        self._blocks = read_until_damage(path, seconds=_READ_S, mono=mono)
        self._first, self.sr = next(self._blocks)
        self.channels = 1 if self._first.ndim == 1 else self._first.shape[1]
        self._pieces: Iterator[Block] = self._whole() if fast else self._timed()

    def read(self) -> Block | None:
        """See :meth:`Source.read`."""
        return next(self._pieces, None)

    def close(self) -> None:
        """See :meth:`Source.close`."""
        self._pieces = iter(())

    def _whole(self) -> Iterator[Block]:
        yield Block(self._first)
        for y, _ in self._blocks:
            yield Block(y)

    def _timed(self) -> Iterator[Block]:
        """Pieces, each when it would have been recorded."""
        began, length, passed = time.monotonic(), max(1, round(_PIECE_S * self.sr)), 0
        for block in self._whole():
            for start in range(0, len(block.y), length):
                piece = block.y[start : start + length]
                passed += len(piece)
                time.sleep(max(0.0, began + passed / self.sr - time.monotonic()))
                yield Block(piece)


class PcmSource:
    """Raw PCM from a file descriptor: mono, 16 bits, signed, little-endian.

    Parameters
    ----------
    descriptor : int
    sr : int
        Rate in Hz.
    name : str
        For messages.
    """

    bits = 16
    channels = 1

    def __init__(self, descriptor: int, *, sr: int, name: str = "standard input") -> None:
        self.name = name
        self.sr = sr
        self._descriptor = descriptor
        self._rest = b""
        self._begun = False

    def read(self) -> Block | None:
        """See :meth:`Source.read`.

        Raises
        ------
        AudioError
            It begins as a wav file does: its header and all else would be taken for sound.
        """
        data = self._rest
        while len(data) < (2 if self._begun else 4):
            more = os.read(self._descriptor, _PCM_BYTES)
            if not more:
                return Block(_samples(data)) if len(data) > 1 else None
            data += more
        if not self._begun and data[:4] in (b"RIFF", b"RF64", b"fLaC", b"OggS"):
            raise AudioError(f"{self.name}: begins as a sound file does; expected raw PCM, mono, 16 bits (s16le)")
        self._begun = True
        self._rest = data[len(data) // 2 * 2 :]
        return Block(_samples(data))

    def close(self) -> None:
        """See :meth:`Source.close`; the descriptor stays open."""


def _samples(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i2", count=len(data) // 2).astype(np.float32) / np.float32(32768)
