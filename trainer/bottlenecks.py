"""Bottlenecks: the feature vectors of images and sounds, each computed once.

A vector's key in the store is made of the digest of the image file's bytes (or of the sound's), the module's content
digest, the preprocessing between them and the version of the code that does both. Renaming or moving an image changes
nothing, and changing anything else is a miss. Where every vector is in the store, TensorFlow is not imported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness import audio, image
from harness.digests import FileDigests
from harness.errors import AudioError, ImageError
from harness.files import digest_bytes
from harness.hub import kinds
from harness.hub.base import FLOAT32, HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.preprocess import image_input, preprocessing, read_image, read_waveform
from harness.memory_images import MemoryImage
from harness.progress import track
from harness.store import Store, key_of
from harness.vectors import Vectors

__all__ = [
    "BATCH",
    "CALLS",
    "Features",
    "SoundPart",
    "array_features",
    "drawn_features",
    "image_features",
    "image_key",
    "module_key",
    "sound_features",
    "sound_key",
]

T = TypeVar("T")
R = TypeVar("R")
BATCH = 32
_BATCH_SECONDS = 160  # of sound
_READERS = 2
CALLS = 2  # of a module at a time


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
    keys : list of str
        Under which the store has them, each once.
    """

    values: np.ndarray
    failures: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Source:
    """How items of one kind, image files or parts of sounds, become keys and a module's input."""

    key: Callable[[Any], str]
    known: Callable[[Any], bool]  # whether the key is had without reading
    read: Callable[[Any], np.ndarray]
    batch_size: Callable[[np.ndarray], int]


def image_key(digest: str, module: Mapping[str, Any]) -> str:
    """Key of an image's feature vector, from the sha256 of its file's bytes and from :func:`module_key`."""
    return key_of(image=digest, **module)


def sound_key(digest: str, module: Mapping[str, Any]) -> str:
    """Key of a sound's feature vector, from :func:`harness.audio.digest` and from :func:`module_key`."""
    return key_of(sound=digest, **module)


def module_key(spec: ModuleSpec, info: ModuleInfo) -> dict[str, Any]:
    """What a module contributes to the keys of its feature vectors.

    Those in float32, the usual ones, say nothing of it.
    """
    key = {"module": info.digest, "preprocessing": preprocessing(info), "code": kinds.feature_code(spec)}
    precision = kinds.precision(spec, info)
    return key if precision == FLOAT32 else {**key, "precision": precision}


def array_features(
    images: Sequence[np.ndarray],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule] | None = None,
    what: str = "features",
) -> Features:
    """Feature vectors of images in memory, uint8 (H, W, 3); other parameters as :func:`image_features`."""
    info = kinds.describe(spec, store=store)
    module = module_key(spec, info)

    def key(pixels: np.ndarray) -> str:
        return key_of(pixels=digest_bytes(np.ascontiguousarray(pixels).data), shape=list(pixels.shape), **module)

    source = _Source(key, lambda _: False, lambda pixels: image_input(pixels, info), batch_size=lambda _: BATCH)
    return _collect(
        images, source, load or partial(kinds.load, spec, store=store), info.features, store=store, what=what
    )


def image_features(
    files: Sequence[Path],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule] | None = None,
    what: str = "features",
    batch_size: int = BATCH,
    report: Callable[[int], None] | None = None,
) -> Features:
    """Feature vectors of image files, from the store or computed in batches.

    Parameters
    ----------
    files : sequence of path, length n
    spec : ModuleSpec
        An image module.
    store : Store
    load : callable, optional
        Gives the loaded module; called only where a vector is missing. Default: :func:`harness.hub.kinds.load`.
    what : str
        Shown before the progress bar.
    batch_size : int
        Images in a batch.
    report : callable, optional
        Called with the number of images that are done, after those from the store and after every batch.

    Returns
    -------
    Features
        Images that cannot be read are in its `failures`.

    Raises
    ------
    ModuleError
        The module is not available.
    """
    info = kinds.describe(spec, store=store)
    module = module_key(spec, info)
    found: dict[Path, str] = {}

    def key(file: Path) -> str:
        found[file] = image.digest_of(file, digests)
        return image_key(found[file], module)

    def read(file: Path) -> np.ndarray:
        return read_image(file, info, digest=found[file])

    load = load or partial(kinds.load, spec, store=store)
    with FileDigests(store) as digests:
        source = _Source(key, digests.knows, read, batch_size=lambda _: batch_size)
        return _collect(files, source, load, info.features, store=store, what=what, report=report)


def drawn_features(
    images: Sequence[MemoryImage],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule] | None = None,
    what: str = "features",
) -> Features:
    """Feature vectors of images without files; parameters as :func:`image_features`.

    Those that the store does not have are drawn here, one after the other; :func:`trainer.drawn_features.draw_features`
    has put them there before.
    """
    info = kinds.describe(spec, store=store)
    module = module_key(spec, info)
    source = _Source(
        lambda drawn: image_key(drawn.digest, module), lambda _: True, lambda drawn: drawn.input(info), lambda _: BATCH
    )
    load = load or partial(kinds.load, spec, store=store)
    return _collect(images, source, load, info.features, store=store, what=what)


def sound_features(
    parts: Sequence[SoundPart],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule] | None = None,
    what: str = "features",
) -> Features:
    """Feature vectors of sounds by a waveform module; parameters as :func:`image_features`.

    Sounds of one length go through the module together.
    """
    info = kinds.describe(spec, store=store)
    module = module_key(spec, info)

    found: dict[SoundPart, str] = {}

    def key(part: SoundPart) -> str:
        found[part] = audio.digest(part.path, start_s=part.start_s, end_s=part.end_s, digests=digests)
        return sound_key(found[part], module)

    def read(part: SoundPart) -> np.ndarray:
        y = read_waveform(part.path, info, start_s=part.start_s, end_s=part.end_s)
        audio.check_unchanged(part.path, found[part], start_s=part.start_s, end_s=part.end_s, digests=digests)
        return y

    load = load or partial(kinds.load, spec, store=store)
    with FileDigests(store) as digests:
        source = _Source(
            key,
            lambda part: digests.knows(part.path),
            read,
            batch_size=lambda y: max(1, int(_BATCH_SECONDS * info.sample_rate / len(y))),
        )
        return _collect(parts, source, load, info.features, store=store, what=what)


def _collect(
    items: Sequence[Any],
    source: _Source,
    load: Callable[[], HubModule],
    n_features: int,
    *,
    store: Store,
    what: str,
    report: Callable[[int], None] | None = None,
) -> Features:
    """Take vectors from the store; compute and put those that it lacks, the same content once."""
    features = Features(np.zeros((len(items), n_features), np.float32))
    vectors = Vectors(store)
    missing = _take_from_store(features, items, source, vectors)
    report = report or (lambda done: None)
    report(len(items) - len(missing))
    if not missing:
        return features
    key_of_row = {rows[0]: key for key, rows in missing.items()}
    module = load()

    def put(rows: list[int], values: np.ndarray) -> None:
        vectors.put([key_of_row[row] for row in rows], values)

    def run(batch: tuple[list[int], np.ndarray]) -> tuple[list[int], np.ndarray]:
        rows, values = batch
        return rows, module(values)

    batches = _batches(items, list(key_of_row), source, features.failures)
    # Files are written while the next batches go through the module; one alone does not keep two cores busy.
    with vectors, ThreadPoolExecutor(CALLS) as callers, ThreadPoolExecutor(1) as writer:
        written: Future[None] = writer.submit(put, [], np.zeros((0, n_features)))
        computed = _ahead(callers, run, batches, most=CALLS + 1)
        for rows, values in track(computed, total=len(missing), what=what, size=lambda item: len(item[0])):
            written.result()
            written = writer.submit(put, rows, values)
            for row, vector in zip(rows, values, strict=True):
                features.values[missing[key_of_row[row]]] = vector
            features.computed += len(rows)
            report(len(items) - len(missing) + features.computed)
        written.result()
    for rows in missing.values():
        if rows[0] in features.failures:
            features.failures.update(dict.fromkeys(rows, features.failures[rows[0]]))
    return features


def _take_from_store(
    features: Features, items: Sequence[Any], source: _Source, vectors: Vectors
) -> dict[str, list[int]]:
    """Fill the rows that the store has; give the rows of every key that it lacks."""

    def key(row: int) -> str | Exception:
        """Of a row its key, or why it has none."""
        try:
            return source.key(items[row])
        except (ImageError, AudioError) as error:
            return error

    to_read = [row for row, item in enumerate(items) if not source.known(item)]
    with ThreadPoolExecutor(_READERS) as pool:  # the others are had sooner without threads
        found = dict(zip(to_read, pool.map(key, to_read), strict=True))
    rows_of: dict[str, list[int]] = {}
    for row in range(len(items)):
        own = found[row] if row in found else key(row)
        if isinstance(own, Exception):
            features.failures[row] = str(own)
        else:
            rows_of.setdefault(own, []).append(row)
    missing, wanted = dict(rows_of), list(rows_of)
    features.keys = wanted
    first = np.array([rows[0] for rows in rows_of.values()], int)
    for positions, values in vectors.take(wanted, features.values.shape[1]):
        features.values[first[positions]] = values
        for position in positions:
            for row in missing.pop(wanted[position])[1:]:
                features.values[row] = features.values[first[position]]
    return missing


def _batches(
    items: Sequence[Any], rows: list[int], source: _Source, failures: dict[int, str]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Read ahead in threads; give batches of one shape, a full one as soon as it is there."""

    def read(row: int) -> np.ndarray | Exception:
        try:
            return source.read(items[row])
        except (ImageError, AudioError) as error:
            return error

    waiting: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        for row, ready in zip(rows, _ahead(pool, read, rows, most=4 * BATCH), strict=True):
            if isinstance(ready, Exception):
                failures[row] = str(ready)
                continue
            of_shape, arrays = waiting.setdefault(ready.shape, ([], []))
            of_shape.append(row)
            arrays.append(ready)
            if len(arrays) >= source.batch_size(ready):
                del waiting[ready.shape]
                yield of_shape, np.stack(arrays)
    for of_shape, arrays in waiting.values():
        yield of_shape, np.stack(arrays)


def _ahead(pool: ThreadPoolExecutor, call: Callable[[T], R], items: Iterable[T], *, most: int) -> Iterator[R]:
    """Call a function on each item in the pool's threads, up to `most` items ahead of what is asked for."""
    begun: deque[Future[R]] = deque()
    for item in items:
        begun.append(pool.submit(call, item))
        if len(begun) >= most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
