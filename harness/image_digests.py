"""Digests of images that were drawn without becoming files, so that a second run neither draws nor reads them.

By the image's key the store has the sha256 of the PNG file that it would have. A hundred thousand of them lie in one
file, as feature vectors do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np

from harness.memory_images import MemoryClip
from harness.store import Store, key_of
from harness.vectors import Vectors

__all__ = ["ImageDigests", "known_digests"]

_BYTES = 32  # of a digest
_SECONDS = 60.0  # after which digests are written at the latest: images of an interrupted run that are drawn again
_MOST = 100_000


class ImageDigests(AbstractContextManager["ImageDigests"]):
    """Digests of images by their keys; as a context manager it writes what was put at the end.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._vectors = Vectors(store)
        self._new: dict[str, str] = {}
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.write()

    def take(self, keys: Sequence[str]) -> dict[str, str]:
        """The digests that are there, 64 hex digits each, by key."""
        found: dict[str, str] = {}
        if keys:
            for positions, values in self._vectors.take([_entry(key) for key in keys], _BYTES):
                digests = values.astype(np.uint8)
                found.update({keys[at]: own.tobytes().hex() for at, own in zip(positions, digests, strict=True)})
        return found

    def put(self, key: str, digest: str) -> None:
        """Take a digest, to be written soon."""
        self._new[key] = digest
        if len(self._new) >= _MOST or time.monotonic() - self._since >= _SECONDS:
            self.write()

    def write(self) -> None:
        """Write what was put."""
        new, self._new, self._since = self._new, {}, time.monotonic()
        if new:
            digests = np.frombuffer(bytes.fromhex("".join(new.values())), np.uint8).reshape(-1, _BYTES)
            self._vectors.put([_entry(key) for key in new], digests)
            self._vectors.write()


def known_digests(clips: Sequence[MemoryClip], *, store: Store) -> dict[tuple[str, str], str]:
    """What the store knows of clips' digests, by clip and image; of a merge only where its partners' are known."""
    memory = ImageDigests(store)
    of_drawn = memory.take([each.key for clip in clips for each in clip.drawn])
    known = {
        (clip.clip_id, str(each.row["encoding"])): of_drawn[each.key]
        for clip in clips
        for each in clip.drawn
        if each.key in of_drawn
    }
    waiting = [(clip.clip_id, merge) for clip in clips for merge in clip.merged]
    while waiting:  # once, and once more for each level of merges of merges
        keys, left = {}, []
        for clip_id, merge in waiting:
            own = {name: known.get((clip_id, name), "") for name in merge.method.partners}
            if all(own.values()):
                keys[clip_id, merge.name] = merge.key(own)
            else:
                left.append((clip_id, merge))
        of_merged = memory.take(list(keys.values()))
        found = {place: of_merged[key] for place, key in keys.items() if key in of_merged}
        known |= found
        waiting = left if found else []
    return known


def _entry(key: str) -> str:
    return key_of(digest_of=key)
