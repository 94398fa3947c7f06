"""Parts of a recording, cut out in one pass over it, so that a long one needs no more memory than a short one."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
import soundfile

from harness.audio import read_blocks
from harness.errors import AudioError
from harness.files import atomic_path, write_bytes
from harness.reading import read_until_damage

__all__ = ["cut_parts", "exact_wav", "write_exact_wav", "write_whole"]

_BLOCK_S = 60.0
_MOST_FRAMES = (1 << 31) - 64  # of 2 bytes: what a WAV's header can count


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
    order = sorted(range(len(parts)), key=lambda k: (parts[k][1], k))
    first_starts = [*accumulate((parts[k][0] for k in reversed(order)), min)][::-1]  # of a part and all after it
    rest, first, sr, at = np.zeros(0, np.float32), 0, 1, 0
    for y, sr in read_until_damage(path, seconds=_BLOCK_S):
        rest = np.concatenate([rest, y])
        while at < len(order) and round(parts[order[at]][1] * sr) <= first + len(rest):
            yield _part(parts, order[at], rest, first, sr)
            at += 1
        if at == len(order):
            return
        drop = max(0, min(round(first_starts[at] * sr) - first, len(rest)))
        rest, first = rest[drop:], first + drop
    for k in order[at:]:
        yield _part(parts, k, rest, first, sr)


def write_exact_wav(path: Path, y: np.ndarray, sr: int) -> None:
    """Write what :func:`exact_wav` gives."""
    write_bytes(path, exact_wav(y, sr))


def write_whole(path: str | Path, target: Path) -> float:
    """Write all of a sound as :func:`exact_wav` does, block by block; give its length in seconds.

    Raises
    ------
    AudioError
        The sound cannot be read to its end; nothing is written.
    OSError
        It cannot be written.
    """
    blocks = read_blocks(path, seconds=_BLOCK_S)
    y, sr = next(blocks)  # a sound that cannot be read is refused before a wav is begun
    frames = 0
    with atomic_path(target) as part, open(part, "wb") as raw, wave.open(raw, "wb") as file:  # which says: disk full
        file.setparams((1, 2, sr, 0, "NONE", ""))
        for block, _ in chain([(y, sr)], blocks):
            frames += len(block)
            if frames > _MOST_FRAMES:
                raise AudioError(
                    f"{path}: more than {frames / sr / 3600:.1f} h do not fit into a wav; cut it into parts"
                )
            file.writeframesraw(_whole_numbers(block).astype("<i2").tobytes())
    return frames / sr


def exact_wav(y: np.ndarray, sr: int) -> bytes:
    """Mono samples in [-1, 1] as 16-bit PCM in a WAV; what was read from 16 bits is the same to the last one."""
    data = BytesIO()  # libsndfile would not say that a disk is full
    soundfile.write(data, _whole_numbers(y), sr, subtype="PCM_16", format="WAV")
    return data.getvalue()


def _whole_numbers(y: np.ndarray) -> np.ndarray:
    return np.clip(np.round(y * np.float32(32768)), -32768, 32767).astype(np.int16)


def _part(
    parts: Sequence[tuple[float, float]], k: int, rest: np.ndarray, first: int, sr: int
) -> tuple[int, np.ndarray, int]:
    start, end = (round(each * sr) - first for each in parts[k])
    return k, rest[max(0, start) : max(0, end)].copy(), sr
