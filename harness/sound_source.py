"""A sound file to be decoded: a local file, or the bytes of one that lies elsewhere."""

from __future__ import annotations

import io
import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

__all__ = ["Seekable", "SoundBytes", "SoundSource", "first_bytes", "open_source", "source_size"]


@dataclass(frozen=True)
class SoundBytes:
    """A sound file that is in memory, or is read as a stream.

    Parameters
    ----------
    name : str
        What an error calls it: its URL.
    data : bytes or binary file
    """

    name: str
    data: bytes | BinaryIO

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self.name).suffix

    def open(self) -> BinaryIO:
        """A file at its start."""
        if isinstance(self.data, bytes):
            return io.BytesIO(self.data)
        self.data.seek(0)
        return self.data


SoundSource = Path | SoundBytes


def open_source(path: SoundSource, *, buffering: int = -1) -> Any:
    """The file as a context manager."""
    if isinstance(path, Path):
        return open(path, "rb", buffering=buffering)
    return nullcontext(path.open())


class Seekable:
    """A file as libsndfile reads it: a place before its beginning, as damaged headers name, is not gone to.

    Python would print a traceback for the error, which cannot pass through libsndfile.
    """

    def __init__(self, file: Any) -> None:
        self.read, self.tell, self._seek = file.read, file.tell, file.seek
        if hasattr(file, "readinto"):  # not a stream from elsewhere
            self.readinto = file.readinto

    def seek(self, offset: int, whence: int = 0) -> int:
        with suppress(OSError, ValueError):
            self._seek(offset, whence)
        return int(self.tell())


def first_bytes(path: SoundSource) -> bytes:
    """The first 44 bytes, a WAV's usual header; none where the file cannot be read."""
    try:
        with open_source(path, buffering=0) as file:
            return file.read(44)
    except OSError:  # libsndfile says why
        return b""


def source_size(path: SoundSource) -> int:
    """Its length in bytes."""
    return os.stat(path).st_size if isinstance(path, Path) else path.open().seek(0, os.SEEK_END)
