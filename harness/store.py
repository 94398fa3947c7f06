"""The content-addressed store: pictures and feature vectors that need not be made twice.

An entry's key is a sha256 over everything that went into it, so an entry is never stale: another recording,
another setting, another version of the code that draws is another key. Entries are written under a temporary
name and renamed; several processes may share one store. Vectors carry a checksum and are made anew when
it does not match.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import digest_json, read_json, write_bytes, write_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Store", "default_root", "key_of"]

_CHECK = 16  # bytes of blake2b behind an array


def default_root() -> Path:
    """Where the store lies unless told: ``SOUNDFOLD_STORE``, else the user's cache folder."""
    told = os.environ.get("SOUNDFOLD_STORE")
    if told:
        return Path(told).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("soundfold", appauthor=False)


def key_of(**parts: Any) -> str:
    """Key of an entry: sha256 over the named parts (any JSON values), 64 hex digits."""
    return digest_json(parts)


class Store:
    """Files by key.

    Parameters
    ----------
    root : path, optional
        Folder of the store; made when something is first put. Default: :func:`default_root`.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root).expanduser() if root else default_root()

    def path(self, kind: str, key: str, suffix: str = "") -> Path:
        """Where the entry `key` of `kind` lies, whether it exists or not."""
        return self.root / kind / key[:2] / f"{key}{suffix}"

    def get_bytes(self, kind: str, key: str, suffix: str = "") -> bytes | None:
        """The entry's bytes, or None."""
        try:
            return self.path(kind, key, suffix).read_bytes()
        except FileNotFoundError:
            return None

    def put_bytes(self, kind: str, key: str, data: bytes, suffix: str = "") -> Path:
        """Keep `data` under `key`; return its path."""
        path = self.path(kind, key, suffix)
        write_bytes(path, data)
        return path

    def get_array(self, kind: str, key: str) -> np.ndarray | None:
        """The array under `key`, or None where there is none or its checksum does not match."""
        import numpy as np

        data = self.get_bytes(kind, key, ".npy")
        if data is None or len(data) <= _CHECK or _check(data[:-_CHECK]) != data[-_CHECK:]:
            return None
        return np.load(io.BytesIO(data[:-_CHECK]), allow_pickle=False)

    def put_array(self, kind: str, key: str, array: np.ndarray) -> None:
        """Keep `array` under `key`, with a checksum."""
        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        data = buffer.getvalue()
        self.put_bytes(kind, key, data + _check(data), ".npy")

    def get_json(self, kind: str, key: str) -> Any | None:
        """The JSON value under `key`, or None."""
        try:
            return read_json(self.path(kind, key, ".json"))
        except (FileNotFoundError, ValueError):
            return None

    def put_json(self, kind: str, key: str, value: Any) -> None:
        """Keep a JSON value under `key`."""
        write_json(self.path(kind, key, ".json"), value)


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK).digest()
