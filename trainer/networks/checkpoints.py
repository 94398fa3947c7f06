"""Arrays and what belongs to them as one entry of the store: networks that are trained, and those on their way."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.store import Store

__all__ = ["KIND", "from_bytes", "get", "put", "to_bytes"]

KIND = "networks"
_RECORD = "record"


def to_bytes(arrays: Sequence[np.ndarray], record: Any) -> bytes:
    """Arrays, and JSON values, as the bytes of an npz file."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(record).encode(), np.uint8)
    np.savez(buffer, **{f"a{k}": np.asarray(array) for k, array in enumerate(arrays)}, **{_RECORD: text})  # type: ignore[arg-type]
    return buffer.getvalue()


def from_bytes(data: bytes) -> tuple[list[np.ndarray], Any]:
    """Read what :func:`to_bytes` gave.

    Raises
    ------
    ValueError, KeyError, zipfile.BadZipFile
        It is something else.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        found = [arrays[f"a{k}"] for k in range(len(arrays.files) - 1)]
        return found, json.loads(arrays[_RECORD].tobytes())


def put(store: Store, key: str, arrays: Sequence[np.ndarray], record: Any) -> None:
    """Put arrays and JSON values under a key."""
    store.put(KIND, key, to_bytes(arrays, record), ".npz")


def get(store: Store, key: str) -> tuple[list[np.ndarray], Any] | None:
    """What :func:`put` has put there, or None."""
    data = store.get(KIND, key, ".npz")
    return None if data is None else from_bytes(data)
