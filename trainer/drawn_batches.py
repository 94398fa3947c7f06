"""Batches of images that are drawn for modules and never become files, on their way into the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from harness.hub import kinds
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import batches_at_once
from harness.memory_images import Drawn, DrawTask, MemoryClip
from harness.store import Store
from harness.vectors import Vectors
from trainer.sources import BATCH, image_key, module_key

__all__ = ["DrawnBatches"]

_BYTES_AHEAD = 64_000_000  # of images that are drawn before a module takes them
_MOST_AHEAD = 256  # clips


@dataclass
class _Module:
    """A module, loaded when its first batch is there, and where its vectors go."""

    spec: ModuleSpec
    info: ModuleInfo
    key: Mapping[str, Any]
    vectors: Vectors
    loaded: HubModule | None = None


class DrawnBatches(AbstractContextManager["DrawnBatches"]):
    """Batches of images on their way through the modules and into the store.

    Parameters
    ----------
    modules : sequence of ModuleSpec
    store : Store
    load : callable
        Gives the module of a specification when its first batch is there.
    """

    def __init__(
        self, modules: Sequence[ModuleSpec], store: Store, load: Callable[[ModuleSpec, Store], HubModule]
    ) -> None:
        described = [(spec, kinds.describe(spec, store=store)) for spec in modules]
        self._modules = [_Module(spec, info, module_key(spec, info), Vectors(store)) for spec, info in described]
        self._store, self._load = store, load
        self._has = Vectors(store).finder()
        self._loading = Lock()
        self._seen: set[bytes] = set()  # digests of images that were begun
        self._waiting: dict[tuple[str, int], tuple[list[str], list[np.ndarray]]] = {}
        self._begun: deque[tuple[_Module, list[str], Future[np.ndarray]]] = deque()
        self._exits = ExitStack()
        self.computed = 0

    def __enter__(self) -> DrawnBatches:
        for module in self._modules:
            self._exits.enter_context(module.vectors)
        self._callers = self._exits.enter_context(ThreadPoolExecutor(batches_at_once()))
        return self

    def __exit__(self, *_: object) -> None:
        self._callers.shutdown(cancel_futures=True)
        self._exits.close()

    def keys(self) -> list[dict[str, Any]]:
        """What each module contributes to the keys of its vectors."""
        return [dict(module.key) for module in self._modules]

    def wanted(self, clip: MemoryClip, known: Mapping[tuple[str, str], str]) -> dict[str, Sequence[ModuleInfo]]:
        """By image the modules that shall see it: all where its digest is not known, else those without its vector."""
        everything = [module.info for module in self._modules]
        wanted: dict[str, Sequence[ModuleInfo]] = {}
        for name in (str(row["encoding"]) for row in clip.rows):
            digest = known.get((clip.clip_id, name))
            missing = self._lacking(digest) if digest else []
            if not digest or missing:
                wanted[name] = [module.info for module in missing] if digest else everything
        return wanted

    def clips_ahead(self, tasks: Sequence[DrawTask]) -> int:
        """How many clips may be drawn before their images are taken."""
        sizes = [{(name, i.height, i.width) for name, own in task.wanted.items() for i in own} for task in tasks[:1]]
        of_clip = sum(3 * height * width for size in sizes for _, height, width in size)
        return max(4, min(_MOST_AHEAD, _BYTES_AHEAD // max(of_clip, 1)))

    def add(self, drawn: Drawn) -> None:
        """Take the images of a clip; those of one content once."""
        for name, inputs in drawn.inputs.items():
            digest = drawn.digests[name]
            if bytes.fromhex(digest) in self._seen:
                continue
            self._seen.add(bytes.fromhex(digest))
            for module in self._lacking(digest):
                place = (name, self._modules.index(module))
                keys, arrays = self._waiting.setdefault(place, ([], []))
                keys.append(image_key(digest, module.key))
                arrays.append(inputs[module.info.height, module.info.width])
                if len(arrays) >= BATCH:
                    self._begin(place)

    def finish(self) -> None:
        """Compute what is left."""
        for place in list(self._waiting):
            self._begin(place)
        while self._begun:
            self._take_first()

    def _lacking(self, digest: str) -> list[_Module]:
        """The modules whose vector of an image the store does not have."""
        has = self._has([image_key(digest, module.key) for module in self._modules])
        return [module for module, there in zip(self._modules, has, strict=True) if not there]

    def _begin(self, place: tuple[str, int]) -> None:
        keys, arrays = self._waiting.pop(place)
        module = self._modules[place[1]]
        self._begun.append((module, keys, self._callers.submit(self._compute, module, arrays)))
        while len(self._begun) > batches_at_once():
            self._take_first()

    def _compute(self, module: _Module, arrays: list[np.ndarray]) -> np.ndarray:
        with self._loading:
            if module.loaded is None:
                module.loaded = kinds.check_same(self._load(module.spec, self._store), module.info)
        return module.loaded(np.stack(arrays))

    def _take_first(self) -> None:
        module, keys, computed = self._begun.popleft()
        module.vectors.put(keys, computed.result())
        self.computed += len(keys)
