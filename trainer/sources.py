"""How images and sounds become the keys of feature vectors, and batches for a module.

A vector's key in the store is made of the digest of the image file's bytes (or of the sound's), the module's content
digest, the preprocessing between them and the version of the code that does both. Renaming or moving an image changes
nothing, and changing anything else is a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness import audio, image
from harness.digests import FileDigests
from harness.errors import AudioError, ImageError
from harness.hub import kinds
from harness.hub.base import FLOAT32, ModuleInfo
from harness.hub.devices import gpu_found
from harness.hub.handles import ModuleSpec
from harness.hub.preprocess import preprocessing, read_image, read_waveform
from harness.store import key_of
from harness.threads import ahead

__all__ = [
    "BATCH",
    "ImageMemory",
    "SoundPart",
    "Source",
    "batches_of",
    "image_key",
    "image_source",
    "module_key",
    "rows_by_key",
    "sound_key",
    "sound_source",
]

BATCH = 32
_BATCH_SECONDS = 160  # of sound
_MEMORY = 128 << 20  # bytes
_CHUNK = 256  # sounds that batches are formed of: those of a cluster are the same
_READERS = 2


@dataclass(frozen=True)
class SoundPart:
    """A sound, or a part of one: path, and start and end in seconds (NaN: the file's own)."""

    path: Path
    start_s: float = float("nan")
    end_s: float = float("nan")


@dataclass(frozen=True)
class Source:
    """How items of one kind, image files or parts of sounds, become keys and a module's input.

    Parameters
    ----------
    key : callable
        Of an item the key of its vector.
    known : callable
        The key where it is had without reading, else nothing.
    read : callable
        Of an item whose digest is in `found` the module's input.
    batch_size : callable
        Of an input how many of its shape go through the module together.
    found : dict
        Digests of items.
    chunk : int
        A batch has items of one such part of the missing ones only, so that batches do not depend on what could not
        be read in other parts, or on which machine has which part.
    """

    key: Callable[[Any], str]
    known: Callable[[Any], str]
    read: Callable[[Any], np.ndarray]
    batch_size: Callable[[np.ndarray], int]
    found: dict[Any, str] = field(default_factory=dict)
    chunk: int = BATCH


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


class ImageMemory:
    """What one module has read of an encoding's images, for the next: digests, and the first images, 128 MB at most."""

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        self.digests: dict[str, str] = {}  # by path
        self._images: dict[tuple[str, int, int], np.ndarray] = {}
        self._left = _MEMORY

    def of(self, encoding: str) -> ImageMemory:
        """Itself where it is of this encoding, else a new one."""
        return self if encoding == self.encoding else ImageMemory(encoding)

    def get(self, digest: str, info: ModuleInfo) -> np.ndarray | None:
        """The image with this digest, in the size that a module takes."""
        return self._images.get((digest, info.height, info.width))

    def put(self, digest: str, info: ModuleInfo, pixels: np.ndarray) -> None:
        """Remember an image where there is room."""
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            self._images[digest, info.height, info.width] = pixels


def image_source(
    spec: ModuleSpec,
    info: ModuleInfo,
    digests: FileDigests,
    *,
    batch_size: int = BATCH,
    memory: ImageMemory | None = None,
) -> Source:
    """Image files for a module; on a processor half a batch goes through it at a time, which is as fast."""
    found: dict[str | Path, str] = {}
    module, remembered = module_key(spec, info), memory.digests if memory else {}
    together = batch_size if gpu_found() else max(1, batch_size // 2)  # threads end at nearly the same time

    def key(file: str | Path) -> str:
        found[file] = remembered[str(file)] = image.digest_of(file, digests)
        return image_key(found[file], module)

    def known(file: str | Path) -> str:
        digest = remembered.get(str(file)) or digests.known(file)
        if digest:
            found[file] = remembered[str(file)] = digest
        return image_key(digest, module) if digest else ""

    def read(file: str | Path) -> np.ndarray:
        known = memory.get(found[file], info) if memory else None
        if known is not None:
            return known
        pixels = read_image(Path(file), info, digest=found[file])
        if memory:
            memory.put(found[file], info, pixels)
        return pixels

    return Source(key, known, read, lambda _: together, found, batch_size)


def sound_source(spec: ModuleSpec, info: ModuleInfo, digests: FileDigests) -> Source:
    """Sounds for a waveform module."""
    found: dict[SoundPart, str] = {}
    module = module_key(spec, info)

    def key(part: SoundPart) -> str:
        found[part] = audio.digest(part.path, start_s=part.start_s, end_s=part.end_s, digests=digests)
        return sound_key(found[part], module)

    def read(part: SoundPart) -> np.ndarray:
        return read_waveform(part.path, info, start_s=part.start_s, end_s=part.end_s, digest=found[part])

    def batch_size(y: np.ndarray) -> int:
        return max(1, int(_BATCH_SECONDS * info.sample_rate / len(y)))

    return Source(key, lambda part: key(part) if digests.known(part.path) else "", read, batch_size, found, _CHUNK)


def rows_by_key(items: Sequence[Any], source: Source, failures: dict[int, str]) -> dict[str, list[int]]:
    """The rows of every key, in the order of the items; those that have none are put into `failures`, with why."""

    def tried(find: Callable[[Any], str], row: int) -> str | Exception:
        """Of a row its key, or why it has none."""
        try:
            return find(items[row])
        except (ImageError, AudioError) as error:
            return error

    keys = [tried(source.known, row) for row in range(len(items))]  # sooner than with threads
    to_read = [row for row, known in enumerate(keys) if not known]
    with ThreadPoolExecutor(_READERS) as pool:
        for row, own in zip(to_read, pool.map(partial(tried, source.key), to_read), strict=True):
            keys[row] = own
    rows_of: dict[str, list[int]] = {}
    for row, own in enumerate(keys):
        if isinstance(own, Exception):
            failures[row] = str(own)
        else:
            rows_of.setdefault(own, []).append(row)
    return rows_of


def batches_of(
    items: Sequence[Any], rows: Sequence[int], source: Source, failures: dict[int, str]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Read ahead in threads; give batches of one shape, a full one as soon as it is there, all at a chunk's end."""

    def read(row: int) -> np.ndarray | Exception:
        try:
            return source.read(items[row])
        except (ImageError, AudioError) as error:
            return error

    waiting: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        for n, (row, ready) in enumerate(zip(rows, ahead(pool, read, rows, most=4 * BATCH), strict=True), start=1):
            if isinstance(ready, Exception):
                failures[row] = str(ready)
            else:
                of_shape, arrays = waiting.setdefault(ready.shape, ([], []))
                of_shape.append(row)
                arrays.append(ready)
                if len(arrays) >= source.batch_size(ready):
                    del waiting[ready.shape]
                    yield of_shape, np.stack(arrays)
            if n % source.chunk == 0 or n == len(rows):
                for of_shape, arrays in waiting.values():
                    yield of_shape, np.stack(arrays)
                waiting.clear()
