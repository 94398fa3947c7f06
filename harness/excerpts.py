"""Short excerpts of sounds for a page: the loudest seconds, mono, as Opus in WebM, which browsers play.

libsndfile's Opus and MP3 take three to ten times as long as FFmpeg's Opus of low complexity, and WebM is what most
browsers play it in. The same sound gives the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import NamedTuple

import numpy as np

from harness import audio, cluster
from harness.code_version import code_version
from harness.digests import FileDigests
from harness.errors import SoundfoldError
from harness.parallel import in_parallel
from harness.store import Store, key_of

__all__ = ["MEDIA_TYPE", "SECONDS", "Part", "excerpt", "excerpting", "loudest_start", "make_excerpts"]

SECONDS = 3.0
"""Length of an excerpt; a shorter sound is whole."""
MEDIA_TYPE = "audio/webm"
_RATE = 24000  # Hz; one of those that Opus has
_BITS_PER_S = 24000
_STEP_S = 0.05
_KIND = "excerpts"
_FEW = 100  # are made in less time than processes are started


class Part(NamedTuple):
    """A sound file, and the part of it that a clip is, in seconds; NaN for the file's own start and end."""

    path: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class _Task:
    """An excerpt that is wanted, and where the store has it."""

    part: Part
    digest: str
    seconds: float
    key: str
    store: Store


def excerpting(parts: Sequence[Part], *, store: Store) -> list[Callable[[], object]]:
    """For each sound a function, which can be pickled, that puts its excerpt into the store unless it is there."""
    tasks = _tasks(parts, store, SECONDS)
    return [partial(_make_if_missing, task) for task in tasks]


def make_excerpts(
    parts: Mapping[str, Part], *, store: Store, seconds: float = SECONDS, jobs: int = 1, stop: Event | None = None
) -> tuple[dict[str, bytes], list[str]]:
    """Make an excerpt of each sound, several at a time; those in the store are not made again.

    Parameters
    ----------
    parts : mapping of str to Part
        By clip_id.
    store : Store
    seconds : float
        Greatest length.
    jobs : int
        Processes, -1 for one for each core, where this one has other work meanwhile; 1: threads of this one.
    stop : Event, optional
        Once it is set, no more are made.

    Returns
    -------
    dict of str to bytes
        WebM by clip_id, in the order given.
    list of str
        The clips whose sound cannot be read.
    """
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:  # FFmpeg waits
        planned = _tasks([*parts.values()], store, seconds, pool)
        tasks = {clip: task for clip, task in zip(parts, planned, strict=True) if task}
        known = pool.map(lambda task: store.get(_KIND, task.key, ".webm"), tasks.values())
        found = dict(zip(tasks, known, strict=True))
        missing = {clip: tasks[clip] for clip, data in found.items() if data is None}
        in_workers = jobs != 1 and len(missing) > _FEW and cluster.current() is None
        results: Iterator[bytes | None]
        if in_workers:  # threads would wait for Python's lock
            results = in_parallel(_make, [*missing.values()], jobs=jobs, what="sounds", if_killed=lambda _: None)
        else:
            results = pool.map(lambda task: None if stop and stop.is_set() else _make(task), missing.values())
        for clip, data in zip(missing, results, strict=False):
            found[clip] = data
            if stop and stop.is_set():
                break
    there = {clip: data for clip in parts if (data := found.get(clip))}
    return there, [clip for clip in parts if clip not in there]


def _tasks(
    parts: Sequence[Part], store: Store, seconds: float, pool: ThreadPoolExecutor | None = None
) -> list[_Task | None]:
    """What is to be made of each sound; None of one that cannot be read."""
    made = {"seconds": seconds, "rate": _RATE, "bits": _BITS_PER_S, "code": code_version(__name__)}

    def task_of(part: Part) -> _Task | None:
        try:
            digest = audio.digest(part.path, start_s=part.start_s, end_s=part.end_s, digests=digests)
        except (SoundfoldError, OSError, ValueError):
            return None
        return _Task(part, digest, seconds, key_of(sound=digest, **made), store)

    with FileDigests(store) as digests:
        return list((pool.map if pool else map)(task_of, parts))


def _make_if_missing(task: _Task | None) -> None:
    if task and not task.store.has(_KIND, task.key, ".webm"):
        _make(task)


def _make(task: _Task) -> bytes | None:
    part = task.part
    try:
        sound = audio.read(part.path, start_s=part.start_s, end_s=part.end_s, digest=task.digest)
        made = excerpt(*sound, seconds=task.seconds)
    except (SoundfoldError, OSError, ValueError):
        return None
    task.store.put(_KIND, task.key, made, ".webm")  # a full disk is an error, not a sound that cannot be read
    return made


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
