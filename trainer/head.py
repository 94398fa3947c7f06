"""The head: one linear layer and a softmax on top of a module's feature vectors.

Whatever trained it, a head is two arrays in float32; its scores are computed in one way, everywhere.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import TableError
from harness.files import write_bytes

__all__ = ["Head", "load_heads", "save_heads", "softmax"]


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
        return softmax(features.astype(np.float64) @ self.weights.astype(np.float64) + self.bias)


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


def save_heads(path: str | Path, heads: dict[str, Head], *, classes: list[str]) -> None:
    """Keep the heads of a cross-validation, by fold, in one npz file; atomic."""
    arrays: dict[str, np.ndarray] = {"classes": np.array(classes), "folds": np.array(list(heads))}
    for k, head in enumerate(heads.values()):
        arrays[f"weights_{k}"], arrays[f"bias_{k}"] = head.weights, head.bias
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def load_heads(path: str | Path) -> tuple[dict[str, Head], list[str]]:
    """Read what :func:`save_heads` wrote: heads by fold, and the class order.

    Raises
    ------
    TableError
        No such file, or not one of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            folds = arrays["folds"].tolist()
            heads = {fold: Head(arrays[f"weights_{k}"], arrays[f"bias_{k}"]) for k, fold in enumerate(folds)}
            return heads, arrays["classes"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: no heads of a cross-validation there ({error})") from error
