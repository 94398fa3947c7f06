"""Bottlenecks: the feature vectors of pictures and sounds, each computed once.

A vector is kept under the digest of the picture file's bytes (or of the sound's), the module's content digest and
the preprocessing between them, so renaming or moving a picture changes nothing, and changing anything else is a
miss. Where every vector is there already, TensorFlow is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from harness import audio, hub, image
from harness.errors import AudioError, ImageError
from harness.files import digest_bytes
from harness.hub.handles import ModuleSpec
from harness.progress import track
from harness.store import Store, key_of

__all__ = ["Features", "SoundPart", "image_features", "image_key", "sound_features", "sound_key"]

_BATCH = 32
_SECONDS_A_BATCH = 160  # of sound
_READERS = 2


@dataclass(frozen=True)
class SoundPart:
    """A sound, or a part of one: path, and start and end in seconds (NaN: the file's own)."""

    path: Path
    start_s: float = float("nan")
    end_s: float = float("nan")


@dataclass
class Features:
    """Feature vectors, one row for each item asked for.

    Parameters
    ----------
    values : ndarray of float32, shape (n, features)
        The row of an item that failed is all zero.
    failures : dict of int to str
        Number of the row to the reason.
    computed : int
        How many were not in the store.
    """

    values: np.ndarray
    failures: dict[int, str] = field(default_factory=dict)
    computed: int = 0


def image_features(
    files: Sequence[Path],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], hub.HubModule] | None = None,
    what: str = "features",
    batch_size: int = _BATCH,
    report: Callable[[int], None] | None = None,
) -> Features:
    """Feature vectors of picture files, from the store or computed in batches.

    Parameters
    ----------
    files : sequence of path, length n
    spec : ModuleSpec
        An image module.
    store : Store
    load : callable, optional
        Gives the loaded module; called only where a vector is missing. Default: :func:`harness.hub.load`.
    what : str
        Shown before the progress bar.
    batch_size : int
        Pictures a batch.
    report : callable, optional
        Called with the number of pictures that are done, after those from the store and after every batch.
    """
    info = hub.describe(spec, store=store)

    def prepare(file: Path) -> np.ndarray:
        return image.resize(image.read(file), info.height, info.width)

    keys = _digests(files, lambda f: image_key(_bytes(f), info))
    load = load or partial(hub.load, spec, store=store)
    return _collect(files, keys, prepare, load, info, store=store, what=what, limit=lambda _: batch_size, report=report)


def image_key(data: bytes, info: hub.ModuleInfo) -> str:
    """Key of a picture's feature vector, from the bytes of its file."""
    return key_of(picture=digest_bytes(data), module=info.digest, preprocessing=info.preprocessing())


def sound_key(digest: str, info: hub.ModuleInfo) -> str:
    """Key of a sound's feature vector, from :func:`harness.audio.digest`."""
    return key_of(sound=digest, module=info.digest, preprocessing=info.preprocessing())


def sound_features(
    parts: Sequence[SoundPart],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], hub.HubModule] | None = None,
    what: str = "features",
) -> Features:
    """Feature vectors of sounds by a waveform module; parameters as :func:`image_features`.

    Sounds of one length go through the module together.
    """
    info = hub.describe(spec, store=store)

    def prepare(part: SoundPart) -> np.ndarray:
        y = audio.load(part.path, sr=info.sample_rate, start_s=part.start_s, end_s=part.end_s)
        return audio.lengthen(y, info.sample_rate)

    def key(part: SoundPart) -> str:
        return sound_key(audio.digest(part.path, start_s=part.start_s, end_s=part.end_s), info)

    def limit(y: np.ndarray) -> int:
        return max(1, int(_SECONDS_A_BATCH * info.sample_rate / len(y)))

    load = load or partial(hub.load, spec, store=store)
    return _collect(parts, _digests(parts, key), prepare, load, info, store=store, what=what, limit=limit)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ImageError(f"{file}: {error.strerror or error}") from error


def _digests(items: Sequence, key: Callable) -> list[str | Exception]:
    """Keys in order; an item that cannot be read gives its error in place of a key."""

    def one(item: object) -> str | Exception:
        try:
            return str(key(item))
        except (ImageError, AudioError) as error:
            return error

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(one, items))


def _collect(
    items: Sequence,
    keys: Sequence[str | Exception],
    prepare: Callable,
    load: Callable[[], hub.HubModule],
    info: hub.ModuleInfo,
    *,
    store: Store,
    what: str,
    limit: Callable[[np.ndarray], int],
    report: Callable[[int], None] | None = None,
) -> Features:
    features = Features(np.zeros((len(items), info.features), np.float32))
    missing: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if isinstance(key, Exception):
            features.failures[row] = str(key)
            continue
        kept = None if key in missing else store.get_array("features", key)
        if kept is None or kept.shape != (info.features,):
            missing.setdefault(key, []).append(row)
        else:
            features.values[row] = kept
    told = report or (lambda done: None)
    told(len(items) - len(missing))
    if missing:
        first = {rows[0]: key for key, rows in missing.items()}
        module = load()
        batches = _batches(items, list(first), prepare, features.failures, limit)
        for rows, batch in track(batches, total=len(first), what=what, size=lambda item: len(item[0])):
            for row, vector in zip(rows, module(batch), strict=True):
                store.put_array("features", first[row], vector)
                features.values[missing[first[row]]] = vector
            features.computed += len(rows)
            told(len(items) - len(missing) + features.computed)
        for rows_of_key in missing.values():
            if rows_of_key[0] in features.failures:
                features.failures.update(dict.fromkeys(rows_of_key, features.failures[rows_of_key[0]]))
    return features


def _batches(
    items: Sequence,
    rows: list[int],
    prepare: Callable,
    failures: dict[int, str],
    limit: Callable[[np.ndarray], int],
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Read ahead in threads; give batches of one shape, a full one as soon as it is there."""

    def read(row: int) -> np.ndarray | Exception:
        try:
            return np.asarray(prepare(items[row]))
        except (ImageError, AudioError) as error:
            return error

    waiting: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(rows), 4 * _BATCH):
            chunk = rows[start : start + 4 * _BATCH]
            for row, ready in zip(chunk, pool.map(read, chunk), strict=True):
                if isinstance(ready, Exception):
                    failures[row] = str(ready)
                    continue
                of_shape, arrays = waiting.setdefault(ready.shape, ([], []))
                of_shape.append(row)
                arrays.append(ready)
                if len(arrays) >= limit(ready):
                    del waiting[ready.shape]
                    yield of_shape, np.stack(arrays)
    for of_shape, arrays in waiting.values():
        yield of_shape, np.stack(arrays)
