"""Parts of a recording, cut out in one pass over it, so that a long one needs no more memory than a short one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from harness.files import safe_name, write_bytes
from labeler.detecting import Event
from labeler.reading import read_until_damage

__all__ = ["cut_events", "cut_parts", "write_exact_wav"]

_BLOCK_S = 60.0


def cut_parts(path: str | Path, parts: Sequence[tuple[float, float]]) -> Iterator[tuple[int, np.ndarray, int]]:
    """Cut parts out of a sound.

    Parameters
    ----------
    path : path
    parts : sequence of (float, float)
        Start and end of each in seconds; they may overlap, and end after the sound does.

    Yields
    ------
    number : int
        Which part, from 0; in the order of their ends.
    y : ndarray of float32, shape (samples,)
        Mono, in [-1, 1], at the sound's own rate.
    sr : int
        In Hz.

    Raises
    ------
    AudioError
        The sound cannot be read to the end of the last part.
    """
    waiting = sorted(range(len(parts)), key=lambda k: (parts[k][1], k))
    rest, first, sr = np.zeros(0, np.float32), 0, 1
    for y, sr in read_until_damage(path, seconds=_BLOCK_S):
        rest = np.concatenate([rest, y])
        while waiting and round(parts[waiting[0]][1] * sr) <= first + len(rest):
            yield _part(parts, waiting.pop(0), rest, first, sr)
        needed = min((round(parts[k][0] * sr) for k in waiting), default=first + len(rest))
        drop = max(0, min(needed - first, len(rest)))
        rest, first = rest[drop:], first + drop
        if not waiting:
            return
    for k in waiting:
        yield _part(parts, k, rest, first, sr)


def cut_events(path: Path, found: Mapping[str, Sequence[Event]], out: Path, name: str) -> list[Path]:
    """Write each call as ``<label>/<name>_<start in ms>.wav`` below a folder.

    Parameters
    ----------
    path : Path
        The recording.
    found : mapping of str to sequence of Event
        Its calls by label.
    out : Path
    name : str
        Of the recording, as it can stand in a file name.
    """
    events = [(label, event) for label, some in found.items() for event in some]
    files = [out / safe_name(label) / f"{name}_{round(1000 * e.start_s):08}.wav" for label, e in events]
    for k, y, sr in cut_parts(path, [(e.start_s, e.end_s) for _, e in events]) if events else ():
        write_exact_wav(files[k], y, sr)
    return files


def write_exact_wav(path: Path, y: np.ndarray, sr: int) -> None:
    """Write mono samples in [-1, 1] as 16-bit PCM; what was read from 16 bits is the same to the last one."""
    whole = np.clip(np.round(y * np.float32(32768)), -32768, 32767).astype(np.int16)
    data = BytesIO()  # libsndfile would not say that a disk is full
    soundfile.write(data, whole, sr, subtype="PCM_16", format="WAV")
    write_bytes(path, data.getvalue())


def _part(
    parts: Sequence[tuple[float, float]], k: int, rest: np.ndarray, first: int, sr: int
) -> tuple[int, np.ndarray, int]:
    start, end = (round(each * sr) - first for each in parts[k])
    return k, rest[max(0, start) : max(0, end)].copy(), sr
