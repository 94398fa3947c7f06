"""The head: one linear layer and a softmax on top of a module's feature vectors.

Whatever trained it, a head is two arrays in float32; its scores are computed in one way, everywhere.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import TableError
from harness.files import write_bytes

__all__ = ["ALL", "Head", "heads_from_bytes", "heads_to_bytes", "load_heads", "save_heads", "softmax"]

ALL = "all"  # name of a head that no fold was held back from


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier.

    Parameters
    ----------
    weights : ndarray of float32, shape (features, classes)
    bias : ndarray of float32, shape (classes,)
    """

    weights: np.ndarray
    bias: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        features : ndarray of float32, shape (n, features)

        Returns
        -------
        ndarray of float64, shape (n, classes)
            Rows sum to 1.
        """
        return softmax(features.astype(np.float64, copy=False) @ self.weights.astype(np.float64) + self.bias)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, without overflow.

    Examples
    --------
    >>> softmax(np.array([0.0, np.log(3.0)])).round(6).tolist()
    [0.25, 0.75]
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def save_heads(path: str | Path, heads: Mapping[str, Head], *, classes: Sequence[str]) -> None:
    """Write the heads of a cross-validation, by fold, and their class order into one npz file; atomic."""
    write_bytes(path, heads_to_bytes(heads, classes=classes))


def load_heads(path: str | Path) -> tuple[dict[str, Head], list[str]]:
    """Read what :func:`save_heads` wrote: heads by fold, and the class order.

    Raises
    ------
    TableError
        No such file, or not one of ours.
    """
    try:
        return heads_from_bytes(Path(path).read_bytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: no heads of a cross-validation there ({error})") from error


def heads_to_bytes(heads: Mapping[str, Head], *, classes: Sequence[str]) -> bytes:
    """Heads by fold and their class order, as the bytes of an npz file; the same heads give the same bytes."""
    arrays = {"classes": np.array(classes), "folds": np.array(list(heads))}
    for k, head in enumerate(heads.values()):
        arrays[f"weights_{k}"], arrays[f"bias_{k}"] = head.weights, head.bias
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def heads_from_bytes(data: bytes) -> tuple[dict[str, Head], list[str]]:
    """Read what :func:`heads_to_bytes` gave: heads by fold, and the class order."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        folds = arrays["folds"].tolist()
        heads = {fold: Head(arrays[f"weights_{k}"], arrays[f"bias_{k}"]) for k, fold in enumerate(folds)}
        return heads, arrays["classes"].tolist()
