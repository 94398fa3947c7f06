"""Reading sounds: soundfile first, PyAV for what libsndfile lacks; mono; soxr straight to the target rate.

Samples are float32 in [-1, 1]. A file that cannot be read, or that holds NaN or nothing at all, is an
:class:`~harness.errors.AudioError` that names it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import soundfile
import soxr

from harness.errors import AudioError
from harness.files import atomic_path, digest_file, digest_json

__all__ = ["SUFFIXES", "digest", "duration", "load", "read", "resample", "write_wav"]

SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64 .rf64 .m4a .aac .mp4 .wma .webm .mkv .mov".split()
)


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
        Unreadable, empty, or not finite.
    """
    y, sr_native = read(path, start_s=start_s, end_s=end_s)
    return resample(y, sr_native, sr)


def read(path: str | Path, *, start_s: float = math.nan, end_s: float = math.nan) -> tuple[np.ndarray, int]:
    """Read a sound as mono at its own rate; parameters and errors as :func:`load`.

    Returns
    -------
    y : ndarray of float32, shape (samples,)
    sr : int
        In Hz.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    if start_s < 0 or end_s < 0:
        raise AudioError(f"{path}: start_s={start_s:g}, end_s={end_s:g}: must not be negative")
    y, sr = _read_any(path, start_s, end_s)
    if y.ndim == 2:
        y = _mono(y)
    if y.size == 0:
        raise AudioError(f"{path}: holds no samples{_part_text(start_s, end_s)}")
    if not np.isfinite(y).all():
        raise AudioError(f"{path}: holds samples that are NaN or infinite; write the file again as PCM")
    return np.ascontiguousarray(y, dtype=np.float32), sr


def resample(y: np.ndarray, sr_from: int, sr_to: int) -> np.ndarray:
    """Resample with soxr's high quality; the same rate gives the same array."""
    if sr_from == sr_to:
        return y
    out: np.ndarray = soxr.resample(y, sr_from, sr_to, quality="HQ")
    return out if out.size else y[:1]


def duration(path: str | Path) -> float:
    """Length of a sound in seconds, from its header where that has it."""
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError):
        y, sr = read(path)
        return len(y) / sr


def digest(path: str | Path, *, start_s: float = math.nan, end_s: float = math.nan) -> str:
    """sha256 over a file's bytes and the part of it that is meant, 64 hex digits."""
    path = Path(path)
    try:
        whole = digest_file(path)
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror or error}") from error
    if math.isnan(start_s) and math.isnan(end_s):
        return whole
    return digest_json([whole, *(None if math.isnan(s) else float(s) for s in (start_s, end_s))])


def write_wav(path: str | Path, y: np.ndarray, sr: int) -> None:
    """Write mono samples in [-1, 1] as 16-bit PCM, atomically."""
    with atomic_path(path) as part:
        soundfile.write(str(part), y, sr, subtype="PCM_16", format="WAV")


def _mono(y: np.ndarray) -> np.ndarray:
    """The mean of the channels (samples, channels); of two by one sum, which is 20 times as fast."""
    channels = y.shape[1]
    if channels == 2:
        return np.asarray((y[:, 0] + y[:, 1]) / np.float32(2))
    return y.mean(axis=1, dtype=np.float32) if channels > 1 else y[:, 0]


def _part_text(start_s: float, end_s: float) -> str:
    start = "" if math.isnan(start_s) else f" from {start_s:g} s"
    return start + ("" if math.isnan(end_s) else f" up to {end_s:g} s")


def _read_any(path: Path, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(str(path)) as file:
            sr = int(file.samplerate)
            start = 0 if math.isnan(start_s) else min(round(start_s * sr), file.frames)
            stop = file.frames if math.isnan(end_s) else min(round(end_s * sr), file.frames)
            if file.format == "MP3":  # seeking misses the frame that was meant
                return file.read(stop, dtype="float32")[start:], sr
            if start:
                file.seek(start)
            return file.read(max(stop - start, 0), dtype="float32"), sr
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = str(error).rstrip(".").split(": ")[-1]
    y, sr = _read_av(path, reason)
    start = 0 if math.isnan(start_s) else round(start_s * sr)
    return y[start : None if math.isnan(end_s) else round(end_s * sr)], sr


def _read_av(path: Path, reason: str) -> tuple[np.ndarray, int]:
    """Decode the first audio stream with FFmpeg; `reason` is what libsndfile said."""
    import av  # tens of milliseconds, and rarely needed

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: has no sound in it")
            stream = container.streams.audio[0]
            sr = int(stream.codec_context.sample_rate)
            to_float = av.AudioResampler(format="fltp", rate=sr)  # every channel: FFmpeg's own mono is 3 dB louder
            blocks = [b.to_ndarray() for frame in container.decode(stream) for b in to_float.resample(frame)]
            blocks += [b.to_ndarray() for b in to_float.resample(None)]
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioError(f"{path}: not a sound that can be read ({reason}); is it cut short or misnamed?") from error
    return (np.concatenate(blocks, axis=1).T if blocks else np.zeros(0, np.float32)), sr
