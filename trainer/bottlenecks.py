"""Bottlenecks: the feature vectors of images and sounds, each computed once, from the store or in batches.

Where every vector is in the store, TensorFlow is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.digests import FileDigests
from harness.files import digest_bytes
from harness.hub import kinds
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.preprocess import image_input
from harness.hub.tensorflow import batches_at_once
from harness.memory_images import MemoryImage
from harness.progress import track
from harness.store import Store, key_of
from harness.threads import ahead
from harness.vectors import Vectors
from trainer.sources import (
    BATCH,
    ImageMemory,
    SoundPart,
    Source,
    batches_of,
    image_key,
    image_source,
    module_key,
    rows_by_key,
    sound_source,
)

__all__ = [
    "Features",
    "array_features",
    "drawn_features",
    "image_features",
    "saved_at_an_error",
    "sound_features",
]


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
    unsaved : Vectors, optional
        What :meth:`save` writes.
    """

    values: np.ndarray
    failures: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    keys: list[str] = field(default_factory=list)
    unsaved: Vectors | None = None

    def save(self) -> None:
        """Write those to the store that are not there yet."""
        if self.unsaved:
            self.unsaved.write()
        self.unsaved = None  # not where that was interrupted


@contextmanager
def saved_at_an_error(features: Features) -> Iterator[None]:
    """Save features where the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        features.save()
        raise


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

    source = Source(key, lambda _: "", lambda pixels: image_input(pixels, info), batch_size=lambda _: BATCH)
    return _collect(images, source, load or partial(kinds.load, spec, store=store), info, store=store, what=what)


def image_features(
    files: Sequence[str | Path],
    spec: ModuleSpec,
    *,
    store: Store,
    load: Callable[[], HubModule] | None = None,
    what: str = "features",
    batch_size: int = BATCH,
    report: Callable[[int], None] | None = None,
    memory: ImageMemory | None = None,
    save: bool = True,
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
    memory : ImageMemory, optional
        What another module has read of the same images.
    save : bool
        Whether all are in the store in the end; else the caller calls :meth:`Features.save`.

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
    load = load or partial(kinds.load, spec, store=store)
    with FileDigests(store) as digests:
        source = image_source(spec, info, digests, batch_size=batch_size, memory=memory)
        return _collect(files, source, load, info, store=store, what=what, report=report, save=save)


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

    def key(drawn: MemoryImage) -> str:
        return image_key(drawn.digest, module)

    source = Source(key, key, lambda drawn: drawn.input(info), lambda _: BATCH)
    load = load or partial(kinds.load, spec, store=store)
    return _collect(images, source, load, info, store=store, what=what)


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
    load = load or partial(kinds.load, spec, store=store)
    with FileDigests(store) as digests:
        source = sound_source(spec, info, digests)
        return _collect(parts, source, load, info, store=store, what=what)


def _collect(
    items: Sequence[Any],
    source: Source,
    load: Callable[[], HubModule],
    info: ModuleInfo,
    *,
    store: Store,
    what: str,
    report: Callable[[int], None] | None = None,
    save: bool = True,
) -> Features:
    """Take vectors from the store; compute and put those that it lacks, the same content once."""
    features = Features(np.zeros((len(items), info.features), np.float32))
    vectors = Vectors(store)
    missing = _take_from_store(features, items, source, vectors)
    report = report or (lambda done: None)
    report(len(items) - len(missing))
    if not missing:
        return features
    key_of_row = {rows[0]: key for key, rows in missing.items()}
    module = kinds.check_same(load(), info)

    def put(rows: list[int], values: np.ndarray) -> None:
        vectors.put([key_of_row[row] for row in rows], values)

    def run(batch: tuple[list[int], np.ndarray]) -> tuple[list[int], np.ndarray]:
        rows, values = batch
        return rows, module(values)

    batches = batches_of(items, list(key_of_row), source, features.failures)
    # Files are written while the next batches go through the module; one alone does not keep two cores busy.
    calls = batches_at_once()
    features.unsaved = vectors
    with saved_at_an_error(features), ThreadPoolExecutor(calls) as callers, ThreadPoolExecutor(1) as writer:
        written: Future[None] = writer.submit(put, [], np.zeros((0, info.features)))
        computed = ahead(callers, run, batches, most=calls + 1)
        for rows, values in track(computed, total=len(missing), what=what, size=lambda item: len(item[0])):
            written.result()
            written = writer.submit(put, rows, values)
            for row, vector in zip(rows, values, strict=True):
                features.values[missing[key_of_row[row]]] = vector
            features.computed += len(rows)
            report(len(items) - len(missing) + features.computed)
        written.result()
    if save:
        features.save()
    for rows in missing.values():
        if rows[0] in features.failures:
            features.failures.update(dict.fromkeys(rows, features.failures[rows[0]]))
    return features


def _take_from_store(
    features: Features, items: Sequence[Any], source: Source, vectors: Vectors
) -> dict[str, list[int]]:
    """Fill the rows that the store has; give the rows of every key that it lacks."""
    rows_of = rows_by_key(items, source, features.failures)
    missing, wanted = dict(rows_of), list(rows_of)
    features.keys = wanted
    first = np.array([rows[0] for rows in rows_of.values()], int)
    for positions, values in vectors.take(wanted, features.values.shape[1]):
        features.values[first[positions]] = values
        for position in positions:
            for row in missing.pop(wanted[position])[1:]:
                features.values[row] = features.values[first[position]]
    return missing
