"""Scores of clips from those of their tiles, so that what is counted are clips, however they were drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.tile_ids import clip_of, is_tile

__all__ = ["of_whole_clips"]


def of_whole_clips(table: pd.DataFrame, scores: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The geometric mean of the scores of each clip's tiles, scaled to sum to 1; other rows as they are.

    These are the scores that the head gives the mean of the tiles' feature vectors, and what ``soundfold label`` gives
    of a long sound.

    Parameters
    ----------
    table : DataFrame
        clip_id and group of n rows, clips or tiles; all tiles of a clip have one fold.
    scores : ndarray of float64, shape (n, classes)
        Above 0, rows summing to 1.

    Returns
    -------
    table : DataFrame
        A row for each clip, with the clip's name and group.
    scores : ndarray of float64, shape (clips, classes)
    """
    if not table["clip_id"].map(is_tile).any():
        return table, scores
    clips = table["clip_id"].map(clip_of)
    number, names = pd.factorize(clips)
    logs = np.zeros((len(names), scores.shape[1]))
    np.add.at(logs, number, np.log(np.maximum(scores, np.finfo(np.float64).tiny)))
    logs /= np.bincount(number)[:, None]
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    first = table.assign(clip_id=clips).drop_duplicates("clip_id").reset_index(drop=True)
    group = first["group"].where(first["group"] != first["clip_id"], "")
    return first.assign(group=group), raised / raised.sum(axis=1, keepdims=True)
