"""Short excerpts of sounds for a page: the loudest seconds, mono, as Opus in WebM, which browsers play.

libsndfile's Opus and MP3 take three to ten times as long as FFmpeg's Opus of low complexity, and WebM is what most
browsers play it in. The same sound gives the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from harness import audio
from harness.code_version import code_version
from harness.digests import FileDigests
from harness.errors import SoundfoldError
from harness.store import Store, key_of

__all__ = ["MEDIA_TYPE", "SECONDS", "Part", "excerpt", "loudest_start", "make_excerpts"]

SECONDS = 3.0
"""Length of an excerpt; a shorter sound is whole."""
MEDIA_TYPE = "audio/webm"
_RATE = 24000  # Hz; one of those that Opus has
_BITS_PER_S = 24000
_STEP_S = 0.05
_KIND = "excerpts"


class Part(NamedTuple):
    """A sound file, and the part of it that a clip is, in seconds; NaN for the file's own start and end."""

    path: str
    start_s: float
    end_s: float


def make_excerpts(
    parts: Mapping[str, Part], *, store: Store, seconds: float = SECONDS
) -> tuple[dict[str, bytes], list[str]]:
    """Make an excerpt of each sound, several at a time; those in the store are not made again.

    Parameters
    ----------
    parts : mapping of str to Part
        By clip_id.
    store : Store
    seconds : float
        Greatest length.

    Returns
    -------
    dict of str to bytes
        WebM by clip_id, in the order given.
    list of str
        The clips whose sound cannot be read.
    """
    made = {"seconds": seconds, "rate": _RATE, "bits": _BITS_PER_S, "code": code_version(__name__)}

    def one(part: Part) -> bytes | None:
        try:
            key = key_of(sound=audio.digest(part.path, start_s=part.start_s, end_s=part.end_s, digests=digests), **made)
            found = store.get(_KIND, key, ".webm")
            if found is None:
                found = excerpt(*audio.read(part.path, start_s=part.start_s, end_s=part.end_s), seconds=seconds)
                store.put(_KIND, key, found, ".webm")
        except (SoundfoldError, OSError, ValueError):
            return None
        return found

    with FileDigests(store) as digests, ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:  # FFmpeg waits
        found = dict(zip(parts, pool.map(one, parts.values()), strict=True))
    return {clip: data for clip, data in found.items() if data}, [clip for clip, data in found.items() if not data]


def excerpt(y: np.ndarray, sr: int, *, seconds: float = SECONDS) -> bytes:
    """The loudest part of a sound as Opus in WebM; a sound that is too quiet to hear is made louder.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
        At least one sample.
    sr : int
        In Hz.
    seconds : float
        Greatest length.
    """
    import av  # FFmpeg, only where sounds are encoded

    start = loudest_start(y, sr, seconds)
    cut = audio.resample(y[start : start + round(seconds * sr)], sr, _RATE)
    peak = float(np.abs(cut).max())
    gain = 1 / peak if peak > 1 else 0.1 / peak if 0 < peak < 0.1 else 1.0
    samples = np.rint(cut * (32767 * gain)).astype(np.int16)[None]
    options = {"compression_level": "0", "frame_duration": "120", "flags": "+bitexact"}
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=_RATE, layout="mono", options=options)
        stream.bit_rate = _BITS_PER_S
        stream.codec_context.format = "s16"
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = _RATE
        for frames in (frame, None):
            container.mux(stream.encode(frames))
    return buffer.getvalue()


def loudest_start(y: np.ndarray, sr: int, seconds: float) -> int:
    """First sample of the part of this length that has the most power; of equals the first.

    Examples
    --------
    >>> y = np.zeros(1000, np.float32); y[620:640] = 1
    >>> loudest_start(y, 100, 1.0)
    540
    """
    step = max(1, round(_STEP_S * sr))
    length, n = max(1, round(seconds * _STEP_S**-1)), len(y) // step
    if len(y) <= round(seconds * sr) or n <= length:
        return 0
    power = np.square(y[: n * step].reshape(n, step), dtype=np.float64).sum(axis=1)
    total = np.cumsum(np.concatenate([[0.0], power]))
    return int(np.argmax(np.round(total[length:] - total[:-length], 9))) * step
