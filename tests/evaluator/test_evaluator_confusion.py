"""Confusion matrices and plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics as reference

from evaluator.confusion import Confusion, confusion_matrices, confusion_matrix, most_confused, report_text
from evaluator.metrics import metrics_table
from evaluator.plots import draw_confusion, draw_heat_map, draw_recall, write_png
from evaluator.tables import ranking
from harness.errors import SettingsError


def test_by_hand() -> None:
    found = confusion_matrix(["a", "a", "b", "b", "b"], ["a", "b", "b", "b", "a"], classes=["a", "b", "c"])
    assert found.counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    np.testing.assert_allclose(found.shares, [[1 / 2, 1 / 2, 0], [1 / 3, 2 / 3, 0], [0, 0, 0]])
    assert list(found.table().columns) == ["label", "a", "b", "c"]


def test_sums_are_the_number_of_test_clips_and_agree_with_scikit_learn(table: pd.DataFrame) -> None:
    found = confusion_matrices(table)
    assert len(found) == 6
    for (combination, seed), matrix in found.items():
        part = table[(table[["encoding", "module", "head"]] == list(combination)).all(axis=1) & (table["seed"] == seed)]
        assert matrix.counts.sum() == 100
        wanted = reference.confusion_matrix(part["label"], part["predicted"], labels=list(matrix.classes))
        assert np.array_equal(matrix.counts, wanted)


def test_a_prediction_outside_the_classes_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"found 'z' too"):
        confusion_matrix(["a"], ["z"], classes=["a", "b"])


def test_most_confused_first() -> None:
    matrix = Confusion(("a", "b", "c"), np.array([[8, 2, 0], [1, 9, 0], [3, 0, 7]]))
    found = most_confused(matrix, n=2)
    assert found.to_dict("list") == {
        "label": ["c", "a"], "predicted": ["a", "b"], "count": [3, 2], "share": [0.3, 0.2],
    }  # fmt: skip


def test_report_text_is_scikit_learns() -> None:
    label, predicted = ["a", "a", "b", "b", "b"], ["a", "b", "b", "b", "a"]
    wanted = reference.classification_report(label, predicted, digits=3)
    assert report_text(confusion_matrix(label, predicted)) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_report_text_is_scikit_learns_with_classes_that_are_never_predicted_or_never_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = sorted(f"{'x' * rng.integers(1, 20)}{k}" for k in range(7))
    label = [names[0], *rng.choice(names[:4], 20)]
    predicted = [names[0], *rng.choice(names[2:6], 20)]
    wanted = reference.classification_report(label, predicted, digits=3, zero_division=0.0)
    assert report_text(confusion_matrix(label, predicted, classes=names)) == wanted


def test_report_text_where_nothing_is_right() -> None:
    last = report_text(confusion_matrix(["a", "a"], ["b", "b"])).splitlines()[-1]
    assert last.split() == ["weighted", "avg", "0.000", "0.000", "0.000", "2"]


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


@pytest.mark.parametrize("n", [2, 21])
def test_plots_are_drawn_and_the_same_each_time(tmp_path: Path, n: int) -> None:
    matrix = Confusion(tuple(f"class {i}" for i in range(n)), np.eye(n, dtype=int) * 9 + np.eye(n, k=1, dtype=int))
    write_png(draw_confusion(matrix, title="gray"), tmp_path / "a.png")
    write_png(draw_recall(dict.fromkeys(matrix.classes, 0.5), title="gray"), tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        pixels = pixels_of(tmp_path / name)
        assert min(pixels.shape) > 250
        assert (pixels < 100).mean() > 0.005, "nothing dark was drawn"
    if n == 2:
        write_png(draw_confusion(matrix, title="gray"), tmp_path / "c.png")
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_the_heat_map_is_empty_where_a_combination_is_missing(tmp_path: Path, table: pd.DataFrame) -> None:
    partial = table[~((table["encoding"] == "gray") & table["module"].str.startswith("https"))]
    ranked = ranking(metrics_table(partial), partial)
    write_png(draw_heat_map(ranked, title="mean accuracy"), tmp_path / "heat.png")
    assert pixels_of(tmp_path / "heat.png").shape[1] > 300
