"""Reading sounds: mono, soxr straight to the target rate; :mod:`harness.decoding` decodes them.

Samples are float32 in [-1, 1]. A file that cannot be read, that is cut short, or that holds NaN or nothing at all, is
an :class:`~harness.errors.AudioError` that names it.

Mono is the mean of the channels; where they cancel (the mean has less than a hundredth of their power, as where one
channel's polarity is inverted) it is the channel with the most power, of equals the first.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from harness.decoding import MOST_SAMPLES, SoundBytes, SoundSource, decode, decode_blocks, header_duration
from harness.errors import AudioError
from harness.files import digest_bytes, digest_file, digest_json, write_bytes
from harness.remote import REMOTE_THREADS, fetch, opened
from harness.threads import in_threads
from harness.urls import local_path, url_of

if TYPE_CHECKING:  # how files are remembered changes no sound and no image
    from harness.digests import FileDigests

__all__ = [
    "SUFFIXES",
    "digest",
    "duration",
    "load",
    "longest",
    "part_digest",
    "read",
    "read_blocks",
    "reading_once",
    "resample",
    "to_mono",
    "write_wav",
]

SUFFIXES = frozenset(
    (
        ".wav .wavex .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64 .rf64 .m4a .m4b .m4r .aac .adts .wma "
        ".mka .wv .tta .nist .sph "  # sounds
        ".mp4 .m4v .mov .mkv .webm .avi .flv .f4v .wmv .mpg .mpeg .mts .m2ts .ogv .3gp .3g2"  # videos: their sound
    ).split()
)
_LOUDEST = 1e10  # samples of 32-bit integers that were never scaled have 2e9; squares of much more overflow
_CANCELLED = 0.01  # power of the mean of the channels, relative to theirs
_BLOCK_S = 10.0
_IN_MEMORY = 1 << 28  # bytes up to which a file is read once where its digest must be right
_LAST: ContextVar[dict[tuple[str, ...], tuple[np.ndarray, int]] | None] = ContextVar("_LAST", default=None)


def load(path: str | Path, *, sr: int, start_s: float = math.nan, end_s: float = math.nan) -> np.ndarray:
    """Read a sound as mono at one rate.

    Parameters
    ----------
    path : path
        Any file that libsndfile or FFmpeg reads.
    sr : int
        Target rate in Hz.
    start_s, end_s : float
        Part to read, in seconds; NaN for the file's own start and end.

    Returns
    -------
    ndarray of float32, shape (samples,)
        In [-1, 1] as far as the file is; at least one sample.

    Raises
    ------
    AudioError
        Unreadable, cut short, empty, or not finite.
    """
    y, sr_native = read(path, start_s=start_s, end_s=end_s)
    return resample(y, sr_native, sr)


def read(
    path: str | Path, *, start_s: float = math.nan, end_s: float = math.nan, digest: str = "", mono: bool = True
) -> tuple[np.ndarray, int]:
    """Read a sound at its own rate; other parameters and errors as :func:`load`.

    Parameters
    ----------
    digest : str
        What :func:`digest` found before. The file is then read once, and the bytes that are decoded must be those of
        this digest: another sound in their place is an error. Empty: any.
    mono : bool
        False: all channels as they are.

    Returns
    -------
    y : ndarray of float32, shape (samples,), or (samples, channels) where `mono` is False and there are several
    sr : int
        In Hz.
    """
    last, place = _LAST.get(), (str(path), str(start_s), str(end_s), digest)
    if last is not None and digest and place in last:
        y, sr = last[place]
        return _checked(_channels(y.copy(), mono), Path(path)), sr
    sound = _existing(path)
    if start_s < 0 or end_s < 0:
        raise AudioError(f"{sound}: start_s={start_s:g}, end_s={end_s:g}: must not be negative")
    y, sr = _decode_known(sound, start_s, end_s, digest) if digest else decode(sound, start_s, end_s)
    if y.size == 0:
        raise AudioError(f"{sound}: holds no samples{_part_text(start_s, end_s)}")
    if last is not None:
        last.clear()
        last[place] = y.copy(), sr
    return _checked(_channels(y, mono), sound), sr


@contextmanager
def reading_once() -> Iterator[None]:
    """Within it, the sound that :func:`read` gave last by its digest is not read again, but given again."""
    token = _LAST.set({})
    try:
        yield
    finally:
        _LAST.reset(token)


def read_blocks(path: str | Path, *, seconds: float, mono: bool = True) -> Iterator[tuple[np.ndarray, int]]:
    """Read a sound at its own rate, block by block; errors as :func:`load`.

    Parameters
    ----------
    path : path
    seconds : float
        Length of a block; the last one may be shorter.
    mono : bool
        False: all channels as they are.

    Yields
    ------
    y : ndarray of float32, shape (samples,), or (samples, channels) where `mono` is False and there are several
    sr : int
        In Hz.
    """
    sound, some = _existing(path), False
    for y, sr in decode_blocks(sound, seconds):
        if y.size:
            some = True
            yield _checked(_channels(y, mono), sound), sr
    if not some:
        raise AudioError(f"{sound}: holds no samples")


def resample(y: np.ndarray, sr_from: int, sr_to: int) -> np.ndarray:
    """Resample with soxr's high quality; the same rate gives the same array."""
    if sr_from == sr_to:
        return y
    if len(y) * sr_to > MOST_SAMPLES * sr_from:
        raise AudioError(
            f"{len(y) / sr_from:.0f} s at {sr_to} Hz are more than {MOST_SAMPLES:,} samples, the most that is read as "
            "one sound; cut it into shorter ones"
        )
    out: np.ndarray = soxr.resample(y, sr_from, sr_to, quality="HQ")
    return out if out.size else y[:1]


def _channels(y: np.ndarray, mono: bool) -> np.ndarray:
    """One channel of decoded samples, or all where these are wanted and there are several."""
    return to_mono(y) if mono or (y.ndim == 2 and y.shape[1] == 1) else y


def to_mono(y: np.ndarray) -> np.ndarray:
    """One channel of samples (samples,) or (samples, channels): their mean, or the strongest where that cancels."""
    if y.ndim == 1 or y.shape[1] == 1:
        return y.reshape(-1)
    channels = y.shape[1]
    with np.errstate(all="ignore"):  # what is not finite is refused later
        # of two channels by one sum, which is 20 times as fast
        mean = (y[:, 0] + y[:, 1]) / np.float32(2) if channels == 2 else y.mean(axis=1, dtype=np.float32)
        flat = np.ascontiguousarray(y).reshape(-1)
        power = float(np.dot(flat, flat)) / channels
        if float(np.dot(mean, mean)) >= _CANCELLED * power or not np.isfinite(flat).all():
            return np.asarray(mean)
        return y[:, int(np.argmax([np.dot(y[:, k], y[:, k]) for k in range(channels)]))]


def duration(path: str | Path, *, start_s: float = math.nan, end_s: float = math.nan) -> float:
    """Length of a sound, or of the part of it that is meant, in seconds; from its header where that has it."""
    whole = _header_duration(path) or sum(len(y) / sr for y, sr in read_blocks(path, seconds=_BLOCK_S))
    end = whole if math.isnan(end_s) else min(end_s, whole)
    return max(0.0, end - (0.0 if math.isnan(start_s) else start_s))


def longest(parts: Iterable[tuple[str, float, float]]) -> float:
    """Length of the longest of some sounds in seconds; those that cannot be read do not count, 0 where none can.

    Parameters
    ----------
    parts : iterable of (path, start_s, end_s)
        As for :func:`duration`.
    """

    def seconds(part: tuple[str, float, float]) -> float:
        try:
            return duration(part[0], start_s=part[1], end_s=part[2])
        except AudioError:
            return 0.0

    parts = list(parts)
    if any(url_of(part[0]) for part in parts):
        return max(in_threads(seconds, parts, threads=REMOTE_THREADS), default=0.0)
    return max(in_threads(seconds, parts), default=0.0)  # opening a file waits for the file system


def digest(
    path: str | Path, *, start_s: float = math.nan, end_s: float = math.nan, digests: FileDigests | None = None
) -> str:
    """sha256 over a file's bytes and the part of it that is meant, 64 hex digits.

    Parameters
    ----------
    path : path
    start_s, end_s : float
        In seconds; NaN for the file's own start and end.
    digests : FileDigests, optional
        Files that it knows are not read.

    Raises
    ------
    AudioError
        The file cannot be read.
    """
    path = url_of(path) or local_path(path)
    try:
        whole = digests.of(path) if digests else digest_file(path)
    except (OSError, ValueError) as error:  # ValueError: no name that a file can have
        raise AudioError(f"{path}: {getattr(error, 'strerror', '') or error}") from error
    return part_digest(whole, start_s, end_s)


def part_digest(whole: str, start_s: float, end_s: float) -> str:
    """Digest of a part of a file, from that of its bytes; the same where the whole file is meant (both are NaN)."""
    if math.isnan(start_s) and math.isnan(end_s):
        return whole
    return digest_json([whole, *(None if math.isnan(s) else float(s) for s in (start_s, end_s))])


def write_wav(path: str | Path, y: np.ndarray, sr: int) -> None:
    """Write mono samples in [-1, 1] as 16-bit PCM, atomically."""
    data = io.BytesIO()  # libsndfile does not say that a disk is full
    soundfile.write(data, y, sr, subtype="PCM_16", format="WAV")
    write_bytes(path, data.getvalue())


def _existing(path: str | Path) -> SoundSource:
    """A sound file that is there and not empty; one behind a URL with its bytes."""
    url = url_of(path)
    if not url:
        path = Path(path)
        if not os.path.isfile(path):
            special = os.path.exists(path) and not os.path.isdir(path)
            raise AudioError(f"{path}: {'is not a regular file' if special else 'no such file'}")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: the file is empty (0 bytes)")
        return path
    try:
        data = fetch(url)
    except OSError as error:
        raise AudioError(f"{url}: {error.strerror or error}") from error
    if not data:
        raise AudioError(f"{url}: the file is empty (0 bytes)")
    return SoundBytes(url, data)


def _decode_known(sound: SoundSource, start_s: float, end_s: float, expected: str) -> tuple[np.ndarray, int]:
    """As :func:`harness.decoding.decode`, of the bytes that have this digest and of no others."""
    if isinstance(sound, Path) and sound.stat().st_size > _IN_MEMORY:
        before = _state(sound)
        y, sr = decode(sound, start_s, end_s)
        _check_digest(sound, digest_file(sound) if _state(sound) == before else "", start_s, end_s, expected)
        return y, sr
    if isinstance(sound, Path):
        try:
            sound = SoundBytes(str(sound), sound.read_bytes())
        except OSError as error:
            raise AudioError(f"{sound}: {error.strerror or error}") from error
    assert isinstance(sound.data, bytes)
    _check_digest(sound, digest_bytes(sound.data), start_s, end_s, expected)
    return decode(sound, start_s, end_s)


def _check_digest(sound: SoundSource, whole: str, start_s: float, end_s: float, expected: str) -> None:
    if not whole or part_digest(whole, start_s, end_s) != expected:
        raise AudioError(f"{sound}: changed while it was in use; run the same command again")


def _state(path: Path) -> tuple[int, ...]:
    """What changes when a file does."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _header_duration(path: str | Path) -> float:
    """As :func:`harness.decoding.header_duration`, also for a URL, of which only the header is read."""
    url = url_of(path)
    if not url:
        return header_duration(_existing(path))
    try:
        with opened(url) as file:
            return header_duration(SoundBytes(url, file))
    except OSError as error:
        raise AudioError(f"{url}: {error.strerror or error}") from error


def _checked(y: np.ndarray, path: SoundSource) -> np.ndarray:
    """Contiguous float32 samples, at least one of them, all finite and none beyond all measure."""
    highest = max(float(y.max()), -float(y.min()))
    if not np.isfinite(highest):
        raise AudioError(f"{path}: holds samples that are NaN or infinite; write the file again as PCM")
    if highest > _LOUDEST:
        raise AudioError(f"{path}: holds samples up to {highest:.3g}, expected -1 to 1; write the file again as PCM")
    return np.ascontiguousarray(y, dtype=np.float32)


def _part_text(start_s: float, end_s: float) -> str:
    start = "" if math.isnan(start_s) else f" from {start_s:g} s"
    return start + ("" if math.isnan(end_s) else f" up to {end_s:g} s")
