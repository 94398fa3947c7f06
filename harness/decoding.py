"""Sound files as samples: libsndfile first, FFmpeg for what it lacks; files that are cut short are refused.

A file is cut short where it holds less than its own header promises (:mod:`harness.promised_length`). Where only a
part of the file is asked for, that part must be there. What decoders say of a file is a warning that names it
(:mod:`harness.decoder_messages`).

A sound is a local file, or the bytes of one that lies elsewhere (:mod:`harness.sound_source`). It is that file alone:
what libsndfile (the other half of an SD2) and FFmpeg (a list of files that is named ``.wav``) could read of others is
not.
Whatever a decoder raises is an :class:`~harness.errors.AudioError`; so are rates outside 100 Hz to 1 MHz, and sounds of
more than 2**28 samples (:data:`MOST_SAMPLES`) where they are read as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import numpy as np
import soundfile

from harness.decoder_messages import QUIET_MPG123
from harness.errors import AudioError, SoundfoldError
from harness.ffmpeg import ffmpeg_blocks, ffmpeg_header
from harness.promised_length import (
    ADVICE,
    UNKNOWN_FRAMES,
    check_last_page,
    check_whole,
    header_rate,
    promised_frames,
)
from harness.sound_source import Seekable, SoundBytes, SoundSource, first_bytes, open_source
from harness.stream_holes import first_hole

__all__ = [
    "MOST_SAMPLES",
    "QUIET_MPG123",
    "SoundBytes",
    "SoundSource",
    "decode",
    "decode_blocks",
    "header_duration",
    "header_duration_rate",
]

MOST_SAMPLES = 1 << 28
"""In one sound that is read as a whole, over all channels: 1 GiB as float32."""

_AT_ONCE = 1 << 22  # frames that are read together: a header may promise any number
_BEFORE_HOLE_S = 0.1  # an MP3 counts from before its first sample, and its last frames need those after them
_MISLEADING = (
    "File does not exist or is not a regular file",
    "Unspecified internal error",
)  # libsndfile on damaged MP3s


@contextmanager
def _opened(path: SoundSource) -> Iterator[soundfile.SoundFile]:
    """The file opened by libsndfile, which is not given its name: with that it would look for a file next to it."""
    with open_source(path) as file, soundfile.SoundFile(Seekable(file)) as sound:
        yield sound


def decode(path: SoundSource, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
    """Read a sound, or a part of it.

    Parameters
    ----------
    path : Path or SoundBytes
    start_s, end_s : float
        In seconds; NaN for the file's own start and end.

    Returns
    -------
    y : ndarray of float32, shape (samples,) or (samples, channels)
    sr : int
        In Hz.

    Raises
    ------
    AudioError
        Not a sound that can be read, or cut short before the end that is asked for.
    """
    with _named(path):
        return _decode(path, start_s, end_s)


def _decode(path: SoundSource, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
    head = first_bytes(path)
    try:
        with _quiet(path, head), _opened(path) as file:
            sr, promised, lossy = header_rate(path, file.samplerate), promised_frames(file, path, head), _is_lossy(file)
            if file.format == "OGG":
                check_last_page(path)
            start = 0 if math.isnan(start_s) else round(start_s * sr)
            stop = math.inf if math.isnan(end_s) else round(end_s * sr)
            y, there = _read(path, file, start, stop)
        wanted = promised if math.isnan(end_s) else min(round(end_s * sr), promised)
        check_whole(path, promised / sr, there / sr, wanted / sr, lossy=lossy)
        return y, sr
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = _reason(error)
    _refuse_malformed(path, head, reason)
    parts = _Parts(path)
    for block, sr in ffmpeg_blocks(path, reason, end_s):
        start = 0 if math.isnan(start_s) else round(start_s * sr)
        parts.add(block, start, math.inf if math.isnan(end_s) else round(end_s * sr))
    return parts.joined(), sr


def _read(path: SoundSource, file: soundfile.SoundFile, start: int, stop: float) -> tuple[np.ndarray, int]:
    """Frames `start` to `stop` as far as they are there, and the number of the last one that is."""
    parts, frames = _Parts(path), int(file.frames)
    if start and file.format != "MP3":  # there, seeking misses the frame that was meant
        parts.end = file.seek(min(start, frames))
    while parts.end < min(stop, frames):
        y = _next_frames(file, int(min(_AT_ONCE, stop - parts.end, frames - parts.end)))
        if not len(y):
            break
        parts.add(y, start, stop)
    return parts.joined(), parts.end


def _next_frames(file: soundfile.SoundFile, count: int) -> np.ndarray:
    """As ``file.read(count, dtype="float32")``, to the last bit; of 16-bit samples four times faster."""
    if file.subtype != "PCM_16":
        return file.read(count, dtype="float32")
    return file.read(count, dtype="int16") * np.float32(1 / 32768)


class _Parts:
    """Blocks of a sound as they are read, of which a part is wanted."""

    def __init__(self, path: SoundSource) -> None:
        self.end = 0  # frames so far
        self._path, self._found, self._samples = path, list[np.ndarray](), 0

    def add(self, block: np.ndarray, start: float, stop: float) -> None:
        """Take from a block what lies between the frames `start` and `stop` of the sound."""
        part = block[int(min(max(start - self.end, 0), len(block))) : int(max(min(stop - self.end, len(block)), 0))]
        self.end += len(block)
        self._samples += part.size
        if self._samples > MOST_SAMPLES:
            raise AudioError(
                f"{self._path}: holds more than {MOST_SAMPLES:,} samples, the most that is read as one sound; "
                "cut it into shorter ones, or take parts of it (start_s, end_s)"
            )
        if len(part) or not self._found:
            self._found.append(part)

    def joined(self) -> np.ndarray:
        """All that was wanted."""
        if len(self._found) < 2:
            return self._found[0] if self._found else np.zeros(0, np.float32)
        return np.concatenate(self._found)


def decode_blocks(path: SoundSource, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """Read a sound block by block, so that a long one takes no more memory than a short one.

    Parameters
    ----------
    path : Path or SoundBytes
    seconds : float
        Length of a block; the last one is shorter.

    Yields
    ------
    y : ndarray of float32, shape (samples,) or (samples, channels)
    sr : int
        In Hz.
    """
    with _named(path):
        yield from _decode_blocks(path, seconds)


def _decode_blocks(path: SoundSource, seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    there, head = 0, first_bytes(path)
    try:
        with ExitStack() as stack:
            with _quiet(path, head):
                file = stack.enter_context(_opened(path))
            sr, promised = header_rate(path, file.samplerate), promised_frames(file, path, head)
            with open_source(path) as raw:
                hole = first_hole(raw, file.format)
            before_hole = UNKNOWN_FRAMES if hole is None else round(max(0.0, hole - _BEFORE_HOLE_S) * sr)
            while True:
                with _quiet(path, head):
                    y = _next_frames(file, max(1, round(seconds * sr)))[: before_hole - there]
                if len(y):
                    there += len(y)
                    yield y, sr
                if there == before_hole:
                    raise AudioError(
                        f"{path}: damaged after {there / sr:.2f} s: a part of it is missing there; {ADVICE}"
                    )
                if not len(y):
                    break
            lossy = _is_lossy(file)
            if file.format == "OGG":
                check_last_page(path)
        check_whole(path, promised / sr, there / sr, promised / sr, lossy=lossy)
        return
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = _reason(error)
        if there:
            raise AudioError(f"{path}: cut short or damaged after {there / sr:.2f} s ({reason})") from error
    _refuse_malformed(path, head, reason)
    waiting: list[np.ndarray] = []
    for block, sr in ffmpeg_blocks(path, reason, math.nan):
        waiting.append(block)
        if sum(map(len, waiting)) >= seconds * sr:
            yield np.concatenate(waiting), sr
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting), sr


def header_duration(path: SoundSource) -> float:
    """Length of a sound in seconds as its header says; 0 where no header says it."""
    return header_duration_rate(path)[0]


def header_duration_rate(path: SoundSource) -> tuple[float, int]:
    """Length of a sound in seconds and its rate in Hz as its header says; 0 for what no header says."""
    with _named(path):
        return _header(path)


def _header(path: SoundSource) -> tuple[float, int]:
    try:
        with _quiet(path, first_bytes(path)), _opened(path) as file:
            sr = header_rate(path, file.samplerate)
            return (int(file.frames) / sr if file.frames < UNKNOWN_FRAMES else 0.0), sr
    except (soundfile.LibsndfileError, RuntimeError):
        pass
    return ffmpeg_header(path)


@contextmanager
def _named(path: SoundSource) -> Iterator[None]:
    """Make whatever a decoder raises an error that names the file: at damaged ones that may be anything."""
    try:
        yield
    except SoundfoldError:
        raise
    except MemoryError as error:
        raise AudioError(f"{path}: there is not enough memory to read it") from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise AudioError(f"{path}: not a sound that can be read ({reason})") from error


def _is_lossy(file: soundfile.SoundFile) -> bool:
    return file.format in {"MP3", "OGG"}


def _reason(error: Exception) -> str:
    reason = str(error).rstrip(".").split(": ")[-1]
    return "damaged" if reason.startswith(_MISLEADING) else reason


def _is_mp3(path: SoundSource, head: bytes) -> bool:
    frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return frame or head.startswith(b"ID3") or path.suffix.lower() == ".mp3"


def _quiet(path: SoundSource, head: bytes) -> AbstractContextManager[None]:
    """Hold back what libmpg123 prints about an MP3, and make it a warning."""
    return QUIET_MPG123.of(str(path)) if _is_mp3(path, head) else nullcontext()


def _refuse_malformed(path: SoundSource, head: bytes, reason: str) -> None:
    """Refuse a CAF that libsndfile calls malformed: FFmpeg would read as much of it as there is, without a word."""
    if head.startswith(b"caff") and "malformed" in reason:
        raise AudioError(f"{path}: not a sound that can be read ({reason}); is it cut short?")
