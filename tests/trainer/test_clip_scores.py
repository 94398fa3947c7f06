"""Scores of clips that were cut into tiles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trainer.clip_scores import of_whole_clips


def test_the_geometric_mean_of_the_tiles_of_each_clip() -> None:
    table = pd.DataFrame(
        {
            "clip_id": ["a@tile0", "b@tile0", "a@tile1", "c"],
            "label": ["x", "y", "x", "y"],
            "fold": ["1", "2", "1", "2"],
            "group": ["a", "g", "a", ""],
        }
    )
    scores = np.array([[0.8, 0.2], [0.3, 0.7], [0.2, 0.8], [1.0, 0.0]])
    clips, means = of_whole_clips(table, scores)
    assert clips["clip_id"].tolist() == ["a", "b", "c"]
    assert clips["group"].tolist() == ["", "g", ""], "what stood for no group is gone again"
    assert clips["label"].tolist() == ["x", "y", "y"]
    np.testing.assert_allclose(means[:2], [[0.5, 0.5], [0.3, 0.7]])
    np.testing.assert_allclose(means.sum(axis=1), 1)
    assert np.isfinite(means).all()


def test_clips_without_tiles_are_left_as_they_are() -> None:
    table, scores = pd.DataFrame({"clip_id": ["a", "b"], "group": ["a", ""]}), np.array([[1.0, 0.0], [0.5, 0.5]])
    same, means = of_whole_clips(table, scores)
    assert same is table
    assert means is scores
