"""What the files of a clips table hold: digest, fingerprint and levels of every clip, cached when a sound was read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from corpora.fingerprint import Fingerprint, fingerprint, from_mu_law
from corpora.levels import Levels, measure
from harness import audio, cluster
from harness.code_version import code_version
from harness.decoding import SoundBytes, decode
from harness.digests import FileDigests
from harness.errors import AudioError, SoundfoldError
from harness.parallel import check_jobs, in_parallel
from harness.progress import track
from harness.remote import REMOTE_THREADS, fetch
from harness.store import Store, key_of
from harness.urls import absolute, url_of

if TYPE_CHECKING:  # worker processes do not need it
    import pandas as pd

__all__ = ["SoundTask", "digest_clips", "fingerprinting", "fingerprints", "levels_of", "read_low"]

Found = TypeVar("Found")
_KIND = "fingerprints"
_FEW = 100  # are made in less time than processes are started


@dataclass(frozen=True)
class SoundTask:
    """A clip's sound, and where its fingerprint is cached.

    Parameters
    ----------
    path : str
    start_s, end_s : float
        The part that is meant, in seconds; NaN for the file's own start and end.
    digest : str
        Of the file's bytes and the part, 64 hex digits; empty for a file that cannot be read.
    key : str
        Its key in the store.
    store : Store
    """

    path: str
    start_s: float
    end_s: float
    digest: str
    key: str
    store: Store


def digest_clips(clips: pd.DataFrame, *, store: Store, jobs: int = 1) -> list[SoundTask]:
    """Digest every file once, however many clips are cut from it.

    Parameters
    ----------
    clips : DataFrame
        A clips table with paths that can be opened.
    store : Store
        For the tasks that come out.
    jobs : int
        Threads; -1 takes as many as there are cores.

    Returns
    -------
    list of SoundTask
        One for each clip, in their order.
    """

    def digest_if_readable(path: str) -> str:
        try:
            return known.of(path)
        except (OSError, ValueError):  # ValueError: no name that a file can have
            return ""

    paths = list(dict.fromkeys(clips["path"]))
    threads = max(check_jobs(jobs), REMOTE_THREADS if any(map(url_of, paths)) else 1)
    with FileDigests(store) as known, ThreadPoolExecutor(max_workers=threads) as pool:
        digests = track(pool.map(digest_if_readable, paths), total=len(paths), what="digests")
        whole = dict(zip(paths, digests, strict=True))
    code = code_version("corpora.fingerprint")
    tasks = []
    for path, start, end in zip(clips["path"], clips["start_s"], clips["end_s"], strict=True):
        digest = whole[path] and audio.part_digest(whole[path], start, end)
        tasks.append(SoundTask(absolute(path), start, end, digest, key_of(sound=digest, code=code), store))
    return tasks


def fingerprints(tasks: Sequence[SoundTask], *, jobs: int = 1) -> dict[str, Fingerprint]:
    """The fingerprint of each sound, from the store where it is there.

    Parameters
    ----------
    tasks : sequence of SoundTask
    jobs : int
        Processes; -1 takes as many as there are cores.

    Returns
    -------
    dict of str to Fingerprint
        By digest. Sounds that cannot be read are left out.
    """
    return _from_store_or_made(tasks, _cached, _make, jobs=jobs, what="fingerprints")


def fingerprinting(clips: pd.DataFrame, *, store: Store) -> list[Callable[[], object]]:
    """For each clip a function, which can be pickled, that puts its fingerprint into the store unless it is there."""
    return [partial(_make_if_missing, task) for task in digest_clips(clips, store=store)]


def levels_of(tasks: Sequence[SoundTask], *, jobs: int = 1) -> dict[str, Levels]:
    """The levels of each sound by digest, from the store where they are there; those that cannot be read are left out.

    Parameters
    ----------
    tasks : sequence of SoundTask
    jobs : int
        Processes; -1 takes as many as there are cores.
    """
    return _from_store_or_made(tasks, _cached_levels, _make_levels, jobs=jobs, what="levels")


def _from_store_or_made(
    tasks: Sequence[SoundTask],
    cached: Callable[[SoundTask], Found | None],
    make: Callable[[SoundTask], Found | None],
    *,
    jobs: int,
    what: str,
) -> dict[str, Found]:
    """What the store has of each sound, by digest, and what is missing made by workers, but for what cannot be."""
    unique = {task.digest: task for task in tasks if task.digest}
    found = {digest: cached(task) for digest, task in unique.items()}
    missing = [unique[digest] for digest, known in found.items() if known is None]
    jobs = jobs if len(missing) > _FEW else 1
    if missing:
        cluster.require(files=[missing[0].path], folders=[missing[0].store.root])
    made = in_parallel(make, missing, jobs=jobs, what=what, if_killed=lambda _: None)
    found.update(zip([task.digest for task in missing], made, strict=True))
    return {digest: known for digest, known in found.items() if known is not None}


def read_low(task: SoundTask) -> np.ndarray:
    """A sound at `corpora.fingerprint.RATE`, float32, scaled to its full level.

    Raises
    ------
    AudioError
        It is not in the store, and its file has changed or cannot be read any more.
    """
    data = task.store.get_array(_KIND, task.key)
    if data is None:
        sound = audio.read(task.path, start_s=task.start_s, end_s=task.end_s, digest=task.digest)
        _, data = fingerprint(*sound)
        task.store.put_array(_KIND, task.key, data)
    return from_mu_law(data)


def _make(task: SoundTask) -> Fingerprint | None:
    """Read a sound, put its fingerprint into the store, and give it; None where it cannot be read."""
    try:
        y, sr = audio.read(task.path, start_s=task.start_s, end_s=task.end_s, digest=task.digest)
        made, data = fingerprint(y, sr)
    except (AudioError, MemoryError):  # which may have changed meanwhile
        return None
    task.store.put_array(_KIND, task.key, data)
    task.store.put_json(_KIND, task.key, {name: _packed(value) for name, value in asdict(made).items()})
    return made


def _make_if_missing(task: SoundTask) -> None:
    if task.digest and not task.store.has(_KIND, task.key, ".json"):
        _make(task)


def _cached(task: SoundTask) -> Fingerprint | None:
    record = task.store.get_json(_KIND, task.key)
    if record is None:
        return None
    arrays = {"frames": _unpacked(record["frames"], np.int32), "hashes": _unpacked(record["hashes"], np.uint32)}
    return Fingerprint(**{**record, **arrays})


def _make_levels(task: SoundTask) -> Levels | None:
    url = url_of(task.path)
    try:
        y, sr = decode(SoundBytes(url, fetch(url)) if url else Path(task.path), task.start_s, task.end_s)
        if not len(y) or not np.isfinite(y).all():
            return None
        if audio.digest(task.path, start_s=task.start_s, end_s=task.end_s) != task.digest:  # changed meanwhile
            return None
    except (SoundfoldError, OSError, MemoryError):
        return None
    made = measure(y, sr)
    task.store.put_json(_KIND, _levels_key(task), asdict(made))
    return made


def _cached_levels(task: SoundTask) -> Levels | None:
    record = task.store.get_json(_KIND, _levels_key(task))
    return None if record is None else Levels(**record)


def _levels_key(task: SoundTask) -> str:
    return key_of(sound=task.digest, code=code_version("corpora.levels", "harness.decoding"))


def _packed(value: Any) -> Any:
    return base64.b64encode(value.tobytes()).decode() if isinstance(value, np.ndarray) else value


def _unpacked(text: str, dtype: type) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=dtype)
