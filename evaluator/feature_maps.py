"""Where the clips of a run lie by their feature vectors: maps of two coordinates, and each clip's nearest one.

Both are for looking and listening: the components were computed from all clips, those that are tested among them, and
no figure depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from harness.errors import SettingsError, did_you_mean
from harness.reduced import ReducedFeatures, read_all_reduced

__all__ = ["MAPS", "nearest", "projections"]

MAPS = ("pca", "tsne", "umap")
"""Ways to draw a map."""

_NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_ROWS = 512  # clips at a time whose distances to all others are in memory


def projections(run: str | Path, *, method: str = "pca", seed: int = 0) -> pd.DataFrame:
    """A map of the clips for each encoding and module of a run.

    Parameters
    ----------
    run : path
        Folder with ``features/``, as the trainer writes it.
    method : str
        ``pca``: the first two principal components; ``tsne`` (scikit-learn) or ``umap`` (package umap-learn): of the
        first components.
    seed : int
        Of ``tsne`` and ``umap``.

    Returns
    -------
    DataFrame
        clip_id, encoding, module, x, y (float64); ``attrs["method"]`` is the method's name as people write it, and
        ``attrs["share"]`` for ``pca`` the share of the variance that x and y have, in [0, 1], by encoding and module.

    Raises
    ------
    SettingsError
        An unknown method, or one whose package is not installed.
    TableError
        A damaged file.
    """
    if method not in MAPS:
        raise SettingsError(f"map={method!r}: no such map; {did_you_mean(method, MAPS)}")
    parts, share = [], {}
    for each in read_all_reduced(run):
        places = each.coordinates.astype(np.float64)
        if method == "pca":
            share[each.encoding, each.module] = float(each.share[:2].sum())
        else:
            places = _embedded(places, method, seed)
        x, y = (places[:, k] if places.shape[1] > k else np.zeros(len(places)) for k in range(2))
        parts.append(each.clips[["clip_id"]].assign(encoding=each.encoding, module=each.module, x=x, y=y))
    empty = pd.DataFrame({"clip_id": [], "encoding": [], "module": [], "x": [], "y": []})
    table = pd.concat(parts, ignore_index=True) if parts else empty
    table.attrs |= {"method": _NAMES[method], "share": share}
    return table


def nearest(run: str | Path, clips: pd.DataFrame | Iterable[str]) -> pd.DataFrame:
    """For some clips the nearest among those of other folds, which the head that tested them was trained on.

    Distances are Euclidean, over the principal components of the standardised feature vectors. Clips of the same group
    do not count, wherever they are.

    Parameters
    ----------
    run : path
        Folder with ``features/``.
    clips : DataFrame or iterable of str
        Clip ids, for every encoding and module; or a table with clip_id, encoding and module, for these alone.

    Returns
    -------
    DataFrame
        clip_id, encoding, module, nearest (a clip_id), distance (float64). Clips without a vector, or without another
        fold, are left out.

    Raises
    ------
    TableError
        A damaged file.
    """
    asked = clips if isinstance(clips, pd.DataFrame) else list(clips)
    parts = []
    for each in read_all_reduced(run):
        wanted = asked
        if isinstance(asked, pd.DataFrame):
            of_row = (asked["encoding"] == each.encoding) & (asked["module"] == each.module)
            wanted = asked.loc[of_row, "clip_id"].tolist()
        parts.append(_nearest_of(each, wanted))
    columns = ["clip_id", "encoding", "module", "nearest", "distance"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _nearest_of(features: ReducedFeatures, wanted: Iterable[str]) -> pd.DataFrame:
    """The nearest clips by one encoding and module."""
    names = features.clips["clip_id"].to_numpy(object)
    rows = np.flatnonzero(features.clips["clip_id"].isin(list(wanted)))
    places = features.coordinates.astype(np.float32)
    squares = np.einsum("ij,ij->i", places, places)
    fold = pd.factorize(features.clips["fold"])[0]
    group = pd.factorize(features.clips["group"])[0]
    ungrouped = (features.clips["group"] == "").to_numpy()
    found, distances = [], []
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        distance = squares[part, None] + squares - 2 * places[part] @ places.T
        same_group = (group[part, None] == group) & ~ungrouped
        distance[(fold[part, None] == fold) | same_group] = np.inf
        best = distance.argmin(axis=1)
        found.append(best)
        distances.append(np.sqrt(np.maximum(distance[np.arange(len(part)), best], 0)))
    which = np.concatenate([np.zeros(0, int), *found])
    table = pd.DataFrame(
        {
            "clip_id": names[rows],
            "encoding": features.encoding,
            "module": features.module,
            "nearest": names[which],
            "distance": np.concatenate([np.zeros(0), *distances]).astype(np.float64),
        }
    )
    return table[np.isfinite(table["distance"])]


def _embedded(places: np.ndarray, method: str, seed: int) -> np.ndarray:
    """Coordinates (n, 2) by t-SNE or UMAP of the components; those of too few clips stay as they are."""
    n = len(places)
    if n < 5:
        return places
    mapping: Any
    if method == "tsne":
        from sklearn.manifold import TSNE  # takes a second, for those who ask for it

        mapping = TSNE(perplexity=min(30.0, (n - 1) / 3), init="pca", random_state=seed)
    else:
        try:
            from umap import UMAP  # not installed with soundfold, and slow to load
        except ImportError as error:
            raise SettingsError(
                "map='umap': package umap-learn is not installed; `pip install umap-learn`, or take tsne or pca"
            ) from error
        mapping = UMAP(n_neighbors=min(15, n - 1), random_state=seed, n_jobs=1)
    with threadpool_limits(1):  # sums by several threads differ in their last digits, and a map then in everything
        found: np.ndarray = np.asarray(mapping.fit_transform(places), np.float64)
    return found
