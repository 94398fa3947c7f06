"""Where the clips of a run lie by their feature vectors: maps of two coordinates, and each clip's nearest one.

Both are for looking and listening: the components were computed from all clips, those that are tested among them, and
no figure depends on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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


def projections(run: str | Path | Sequence[ReducedFeatures], *, method: str = "pca", seed: int = 0) -> pd.DataFrame:
    """A map of the clips for each encoding and module of a run.

    Parameters
    ----------
    run : path or sequence of ReducedFeatures
        Folder with ``features/``, as the trainer writes it; or what was read of it.
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
    for each in _read(run):
        places = each.coordinates.astype(np.float64)
        if method == "pca":
            share[each.encoding, each.module] = float(each.share[:2].sum())
        else:
            places = _embedded(places, method, seed)
        x, y = (places[:, k] if places.shape[1] > k else np.zeros(len(places)) for k in range(2))
        parts.append((each, each.clips["clip_id"].tolist(), {"x": x, "y": y}))
    table = _table(parts, ["x", "y"])
    table.attrs |= {"method": _NAMES[method], "share": share}
    return table


def nearest(run: str | Path | Sequence[ReducedFeatures], clips: pd.DataFrame | Iterable[str]) -> pd.DataFrame:
    """For some clips the nearest among those of other folds, which the head that tested them was trained on.

    Distances are Euclidean, over the principal components of the standardised feature vectors. Clips of the same group
    do not count, wherever they are.

    Parameters
    ----------
    run : path or sequence of ReducedFeatures
        Folder with ``features/``; or what was read of it.
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
    by_row: dict[tuple[str, str], set[str]] | None = None
    everywhere: set[str] = set()
    if isinstance(clips, pd.DataFrame):
        by_row = {}
        for clip, *row in clips[["clip_id", "encoding", "module"]].itertuples(index=False, name=None):
            by_row.setdefault((row[0], row[1]), set()).add(clip)
    else:
        everywhere = set(clips)
    parts = []
    for each in _read(run):
        wanted = everywhere if by_row is None else by_row.get((each.encoding, each.module), set())
        names, found, distances = _nearest_of(each, wanted)
        parts.append((each, names, {"nearest": found, "distance": distances}))
    return _table(parts, ["nearest", "distance"])


def _read(run: str | Path | Sequence[ReducedFeatures]) -> Sequence[ReducedFeatures]:
    return read_all_reduced(run) if isinstance(run, (str, Path)) else run


def _table(
    parts: Sequence[tuple[ReducedFeatures, list[str], dict[str, np.ndarray]]], columns: list[str]
) -> pd.DataFrame:
    """The columns of all rows one below the other, with clip, encoding and module before them."""
    counts = [len(names) for _, names, _ in parts]
    named: dict[str, Any] = {"clip_id": [name for _, names, _ in parts for name in names]}
    for column in ("encoding", "module"):
        named[column] = np.repeat(np.array([getattr(each, column) for each, _, _ in parts], object), counts)
    for column in columns:
        named[column] = np.concatenate([np.zeros(0), *(found[column] for _, _, found in parts)]) if parts else []
    return pd.DataFrame(named)


def _nearest_of(features: ReducedFeatures, wanted: Collection[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Of one encoding and module the wanted clips, their nearest ones, and the distances."""
    names = features.clips["clip_id"].to_numpy(object)
    rows = np.array([row for row, name in enumerate(names) if name in wanted], int)
    places = features.coordinates.astype(np.float32)
    squares = np.einsum("ij,ij->i", places, places)
    fold, group = (_numbered(features.clips[column].tolist()) for column in ("fold", "group"))
    which, distances = np.zeros(len(rows), int), np.zeros(len(rows))
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        distance = squares[part, None] + squares - 2 * places[part] @ places.T
        same_group = (group[part, None] == group) & (group != -1)
        distance[(fold[part, None] == fold) | same_group] = np.inf
        best = distance.argmin(axis=1)
        which[start : start + _ROWS] = best
        distances[start : start + _ROWS] = np.sqrt(np.maximum(distance[np.arange(len(part)), best], 0))
    there = np.isfinite(distances)
    return names[rows[there]].tolist(), names[which[there]], distances[there]


def _numbered(values: Sequence[str]) -> np.ndarray:
    """A number for each text, -1 for an empty one."""
    number = {text: k for k, text in enumerate(dict.fromkeys(values))}
    return np.array([number[text] if text else -1 for text in values], int)


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
