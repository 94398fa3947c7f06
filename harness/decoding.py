"""Sound files as samples: libsndfile first, FFmpeg for what it lacks; files that are cut short are refused.

A file is cut short where it holds less than its own header promises: the size of a WAV's data, the samples of a FLAC,
the frames that an MP3's Info tag counts, the pages of an Ogg, the duration of an MP4. What promises nothing, such as
an MP3 without that tag or a WAV that was written to a pipe, is as long as it is. Where only a part of the file is
asked for, that part must be there.

A sound is a local file, or the bytes of one that lies elsewhere (:class:`SoundBytes`). It is that file alone: what
libsndfile (the other half of an SD2) and FFmpeg (a list of files that is named ``.wav``) could read of others is not.
Whatever a decoder raises is an :class:`~harness.errors.AudioError`; so are rates outside 100 Hz to 1 MHz, and sounds of
more than 2**28 samples (:data:`MOST_SAMPLES`) where they are read as a whole.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import soundfile

from harness.errors import AudioError, SoundfoldError
from harness.native_stderr import LineFilter
from harness.stream_holes import first_hole, skip_tag

__all__ = ["MOST_SAMPLES", "QUIET_MPG123", "SoundBytes", "SoundSource", "decode", "decode_blocks", "header_duration"]

MOST_SAMPLES = 1 << 28
"""In one sound that is read as a whole, over all channels: 1 GiB as float32."""

_RATES_HZ = (100, 1_000_000)
_AT_ONCE = 1 << 22  # frames that are read together: a header may promise any number
_UNKNOWN_FRAMES = 1 << 62  # and more: a FLAC that does not count its samples
_MISSING_S = {False: 0.01, True: 0.1}  # what may be missing, in seconds: of PCM, of lossy formats
_MISSING_SHARE = 0.01  # of what a lossy file promises
_UNKNOWN_SIZES = (range(0x7FFF0000, 0x100000000), range(2**62, 2**64))  # written where the length was not known yet
_LENGTHS = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_WITH_LENGTHS = frozenset({"WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64"})
_WITH_DURATION = re.compile(r"mov|mp4|matroska|asf|flac")  # containers of FFmpeg whose header has the duration
_ONE_FILE = {  # containers whose demuxer reads one file: not lists of others, as concat, hls, dash, sdp
    "format_whitelist": "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,ircam,loas,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,nistsphere,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wtv,wv,xwma",
    "protocol_whitelist": "none",
}
_FRAME_HEAD = 256  # bytes in which an MP3's Info tag begins
_BEFORE_HOLE_S = 0.1  # an MP3 counts from before its first sample, and its last frames need those after them
_OGG_TAIL = 1 << 16  # bytes; a page has fewer
_MISLEADING = (
    "File does not exist or is not a regular file",
    "Unspecified internal error",
)  # libsndfile on damaged MP3s
_ADVICE = "fetch it again, or write what is there to a new file"
QUIET_MPG123 = LineFilter(rb"\s*$|Note: |Warning: |warning: Cannot read next header|\[[^]]*libmpg123")


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


def _open(path: SoundSource, *, buffering: int = -1) -> Any:
    """The file as a context manager."""
    if isinstance(path, Path):
        return open(path, "rb", buffering=buffering)
    return nullcontext(path.open())


@contextmanager
def _opened(path: SoundSource) -> Iterator[soundfile.SoundFile]:
    """The file opened by libsndfile, which is not given its name: with that it would look for a file next to it."""
    with _open(path) as file, soundfile.SoundFile(_Seekable(file)) as sound:
        yield sound


class _Seekable:
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
    head = _head(path)
    try:
        with _quiet(path, head), _opened(path) as file:
            sr, promised, lossy = _rate(path, file.samplerate), _promised(file, path, head), _is_lossy(file)
            if file.format == "OGG":
                _check_last_page(path)
            start = 0 if math.isnan(start_s) else round(start_s * sr)
            stop = math.inf if math.isnan(end_s) else round(end_s * sr)
            y, there = _read(path, file, start, stop)
        wanted = promised if math.isnan(end_s) else min(round(end_s * sr), promised)
        _check_whole(path, promised / sr, there / sr, wanted / sr, lossy=lossy)
        return y, sr
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = _reason(error)
    _refuse_malformed(path, head, reason)
    parts = _Parts(path)
    for block, sr in _av_blocks(path, reason, end_s):
        start = 0 if math.isnan(start_s) else round(start_s * sr)
        parts.add(block, start, math.inf if math.isnan(end_s) else round(end_s * sr))
    return parts.joined(), sr


def _read(path: SoundSource, file: soundfile.SoundFile, start: int, stop: float) -> tuple[np.ndarray, int]:
    """Frames `start` to `stop` as far as they are there, and the number of the last one that is."""
    parts, frames = _Parts(path), int(file.frames)
    if start and file.format != "MP3":  # there, seeking misses the frame that was meant
        parts.end = file.seek(min(start, frames))
    while parts.end < min(stop, frames):
        y = file.read(int(min(_AT_ONCE, stop - parts.end, frames - parts.end)), dtype="float32")
        if not len(y):
            break
        parts.add(y, start, stop)
    return parts.joined(), parts.end


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
    there, head = 0, _head(path)
    try:
        with ExitStack() as stack:
            with _quiet(path, head):
                file = stack.enter_context(_opened(path))
            sr, promised = _rate(path, file.samplerate), _promised(file, path, head)
            with _open(path) as raw:
                hole = first_hole(raw, file.format)
            before_hole = _UNKNOWN_FRAMES if hole is None else round(max(0.0, hole - _BEFORE_HOLE_S) * sr)
            while True:
                with _quiet(path, head):
                    y = file.read(max(1, round(seconds * sr)), dtype="float32")[: before_hole - there]
                if len(y):
                    there += len(y)
                    yield y, sr
                if there == before_hole:
                    raise AudioError(
                        f"{path}: damaged after {there / sr:.2f} s: a part of it is missing there; {_ADVICE}"
                    )
                if not len(y):
                    break
            lossy = _is_lossy(file)
            if file.format == "OGG":
                _check_last_page(path)
        _check_whole(path, promised / sr, there / sr, promised / sr, lossy=lossy)
        return
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = _reason(error)
        if there:
            raise AudioError(f"{path}: cut short or damaged after {there / sr:.2f} s ({reason})") from error
    _refuse_malformed(path, head, reason)
    waiting: list[np.ndarray] = []
    for block, sr in _av_blocks(path, reason, math.nan):
        waiting.append(block)
        if sum(map(len, waiting)) >= seconds * sr:
            yield np.concatenate(waiting), sr
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting), sr


def header_duration(path: SoundSource) -> float:
    """Length of a sound in seconds as its header says; 0 where no header says it."""
    with _named(path):
        return _header_duration(path)


def _header_duration(path: SoundSource) -> float:
    try:
        with _quiet(path, _head(path)), _opened(path) as file:
            return int(file.frames) / _rate(path, file.samplerate) if file.frames < _UNKNOWN_FRAMES else 0.0
    except (soundfile.LibsndfileError, RuntimeError):
        pass
    import av  # tens of milliseconds, and rarely needed

    try:
        with _av_opened(path) as container:
            return _av_duration(container, container.streams.audio[0]) if container.streams.audio else 0.0
    except (av.FFmpegError, ValueError, OSError):
        return 0.0


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


def _rate(path: SoundSource, given: float) -> int:
    """The rate that a header says, in Hz."""
    lowest, highest = _RATES_HZ
    if not lowest <= given <= highest:
        raise AudioError(f"{path}: its header says {given:,} Hz, expected {lowest} to {highest:,}; is it damaged?")
    return int(given)


def _is_lossy(file: soundfile.SoundFile) -> bool:
    return file.format in {"MP3", "OGG"}


def _reason(error: Exception) -> str:
    reason = str(error).rstrip(".").split(": ")[-1]
    return "damaged" if reason.startswith(_MISLEADING) else reason


def _head(path: SoundSource) -> bytes:
    try:
        with _open(path, buffering=0) as file:
            return file.read(44)
    except OSError:  # libsndfile says why
        return b""


def _size(path: SoundSource) -> int:
    return os.stat(path).st_size if isinstance(path, Path) else path.open().seek(0, os.SEEK_END)


def _is_mp3(path: SoundSource, head: bytes) -> bool:
    frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return frame or head.startswith(b"ID3") or path.suffix.lower() == ".mp3"


def _quiet(path: SoundSource, head: bytes) -> Any:
    """Hold back what libmpg123 prints about an MP3."""
    return QUIET_MPG123 if _is_mp3(path, head) else nullcontext()


def _refuse_malformed(path: SoundSource, head: bytes, reason: str) -> None:
    """Refuse a CAF that libsndfile calls malformed: FFmpeg would read as much of it as there is, without a word."""
    if head.startswith(b"caff") and "malformed" in reason:
        raise AudioError(f"{path}: not a sound that can be read ({reason}); is it cut short?")


def _promised(file: soundfile.SoundFile, path: SoundSource, head: bytes) -> int:
    """Samples of each channel that the header promises; those that are there, where it promises nothing."""
    frames = int(file.frames)
    if frames >= _UNKNOWN_FRAMES:
        raise RuntimeError("it does not count its samples")  # libsndfile cannot read it to its end; FFmpeg can
    if file.format in _WITH_LENGTHS:
        if head[36:40] == b"data" and int.from_bytes(head[40:44], "little") <= _size(path) - 44:
            return frames  # the usual WAV, all there
        for promised, there in ((int(a), int(b)) for a, b in _LENGTHS.findall(file.extra_info)):
            if promised > there > 0 and not any(promised in sizes for sizes in _UNKNOWN_SIZES):
                return round(frames * promised / there)
    elif file.format == "MP3":
        return frames if _has_info_tag(path) else 0
    return frames


def _has_info_tag(path: SoundSource) -> bool:
    """Whether an MP3 counts its frames, in the tag ``Xing`` or ``Info`` of its first frame."""
    with _open(path) as file:
        skip_tag(file)
        start = file.read(_FRAME_HEAD)
    return b"Xing" in start or b"Info" in start


def _check_last_page(path: SoundSource) -> None:
    """Refuse an Ogg whose last page is not there as a whole."""
    with _open(path) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - _OGG_TAIL))
        tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0:
        return
    lengths = tail[page + 27 : page + 27 + tail[page + 26]] if len(tail) > page + 26 else b""
    whole = len(tail) > page + 26 and len(lengths) == tail[page + 26]
    if not whole or page + 27 + len(lengths) + sum(lengths) > len(tail):
        raise AudioError(f"{path}: cut short: its last page is incomplete; {_ADVICE}")


def _check_whole(path: SoundSource, promised_s: float, there_s: float, wanted_s: float, *, lossy: bool) -> None:
    allowed = max(_MISSING_S[lossy], _MISSING_SHARE * promised_s if lossy else 0.0)
    if wanted_s - there_s > allowed:
        raise AudioError(
            f"{path}: cut short: its header promises {promised_s:.2f} s, {there_s:.2f} s are there; {_ADVICE}"
        )


def _av_duration(container: Any, stream: Any) -> float:
    """What the header says of the duration in seconds, or 0."""
    if not _WITH_DURATION.search(container.format.name):
        return 0.0
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / 1e6


@contextmanager
def _av_opened(path: SoundSource) -> Iterator[Any]:
    """The file opened by FFmpeg, which is given its bytes and may open nothing else: no digest covers other files."""
    import av  # tens of milliseconds, and rarely needed

    with _open(path) as file, av.open(file, container_options=_ONE_FILE) as container:
        yield container


def _av_blocks(path: SoundSource, reason: str, end_s: float) -> Iterator[tuple[np.ndarray, int]]:
    """Decode the first audio stream with FFmpeg, (samples, channels); `reason` is what libsndfile said."""
    import av  # tens of milliseconds, and rarely needed

    there = 0
    try:
        with _av_opened(path) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: has no sound in it")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise AudioError(f"{path}: not a sound that can be read (its codec is not known)")
            sr = _rate(path, stream.codec_context.sample_rate)
            promised_s = _av_duration(container, stream)
            to_float = av.AudioResampler(format="fltp", rate=sr)  # every channel: FFmpeg's own mono is 3 dB louder
            for frame in chain(container.decode(stream), [None]):
                for block in to_float.resample(frame):
                    y = block.to_ndarray().T
                    there += len(y)
                    yield y, sr
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioError(f"{path}: not a sound that can be read ({reason}); is it cut short or misnamed?") from error
    if not there:
        yield np.zeros(0, np.float32), sr
    wanted_s = promised_s if math.isnan(end_s) else min(end_s, promised_s)
    _check_whole(path, promised_s, there / sr, wanted_s, lossy=True)
