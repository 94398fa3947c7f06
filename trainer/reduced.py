"""Reduced feature vectors of every encoding and module, in the folder of a run; computed once, then from the store."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.code_version import code_version
from harness.files import digest_bytes
from harness.reduced import FOLDER, ReducedFeatures
from harness.store import Store, key_of
from harness.written import inside
from trainer import components
from trainer.components import principal_components
from trainer.logistic import threads_for

__all__ = ["reduced_name", "remove_others", "rewrite_reduced", "write_reduced"]

_KIND = "reduced"
_SAMPLED = 16  # features that say which vector is whose: of all, a digest takes as long as the components


def write_reduced(
    out: str | Path,
    values: np.ndarray,
    table: pd.DataFrame,
    *,
    encoding: str,
    module: str,
    keys: Sequence[str],
    store: Store,
) -> tuple[str, str, str]:
    """Write where the clips lie by the features of one encoding and module, for maps and nearest clips.

    Parameters
    ----------
    out : path
        Folder of ``predictions.csv``.
    values : ndarray of float32, shape (n, D)
    table : DataFrame
        clip_id, label, fold and group of the n clips.
    encoding, module : str
        As in the predictions.
    keys : sequence of str
        Of the vectors in the store.
    store : Store

    Returns
    -------
    (str, str, str)
        Name of the file without its suffix, its sha256, and the key of the components in the store.
    """
    rows = digest_bytes("\0".join(table["clip_id"]).encode("utf-8", "backslashreplace"))
    sample = digest_bytes(np.ascontiguousarray(values[:, :: max(1, values.shape[1] // _SAMPLED)]).data)
    code = code_version(components.__name__)
    key = key_of(vectors=list(keys), rows=rows, sample=sample, most=components.MOST, code=code)
    found = _get(store, key, len(values))
    if found is None:
        with threads_for(values.size):
            made = principal_components(values)
        found = _put(store, key, *made)
    return _write(out, encoding, module, table, found, key)


def rewrite_reduced(
    out: str | Path, table: pd.DataFrame, *, encoding: str, module: str, key: str, store: Store
) -> tuple[str, str, str] | None:
    """As :func:`write_reduced` from what the store has under `key`, without the vectors; nothing where it has none."""
    found = _get(store, key, len(table))
    return found and _write(out, encoding, module, table, found, key)


def _write(
    out: str | Path, encoding: str, module: str, table: pd.DataFrame, found: tuple[np.ndarray, np.ndarray], key: str
) -> tuple[str, str, str]:
    name = reduced_name(encoding, module)
    data = ReducedFeatures(encoding, module, table, *found).write(Path(out) / FOLDER / f"{name}.npz")
    return name, digest_bytes(data), key


def reduced_name(encoding: str, module: str) -> str:
    """File name of an encoding and module, without suffix.

    Examples
    --------
    >>> reduced_name("gray", "builtin:scattering")
    'gray--builtin_scattering'
    """
    short = re.sub(r"[^A-Za-z0-9.-]+", "_", module).strip("_.")
    return f"{encoding}--{short if len(short) <= 60 else f'{short[-48:]}-{digest_bytes(module.encode())[:8]}'}"


def remove_others(out: str | Path, earlier: Mapping[str, str], names: Sequence[str]) -> None:
    """Remove the files of an earlier training, by its record, that this one has not written."""
    for name in earlier.keys() - set(names):
        inside(Path(out) / FOLDER, f"{name}.npz").unlink(missing_ok=True)


def _get(store: Store, key: str, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    data = store.get(_KIND, key, ".npz")
    if data is None:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        found = arrays["coordinates"], arrays["share"]
    return found if len(found[0]) == n else None


def _put(store: Store, key: str, coordinates: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    buffer = io.BytesIO()
    np.savez(buffer, coordinates=coordinates, share=share)
    store.put(_KIND, key, buffer.getvalue(), ".npz")
    return coordinates, share
