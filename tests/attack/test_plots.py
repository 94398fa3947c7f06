"""What is drawn last loses nothing that was computed first, whatever the classes are called and however many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluator import results
from evaluator.confusion import Confusion
from evaluator.evaluation import evaluate
from evaluator.plots import draw_confusion, draw_recall
from harness import tables
from harness.tables import PREDICTIONS

NAMES = ("$\\foo$", "a\nb\tc", "=" + "ü" * 299)


def write_predictions(folder: Path) -> None:
    rows = [
        {"clip_id": f"{k}", "encoding": "gray", "module": "m$$", "fold": str(k % 3), "label": NAMES[k % 5 % 3]}
        for k in range(30)
    ]
    predicted = [NAMES[k % 3] for k in range(30)]
    table = pd.DataFrame(rows).assign(head="", seed="0", predicted=predicted)
    tables.write(table.assign(**{f"p:{name}": 1 / 3 for name in NAMES}), folder / PREDICTIONS.name, PREDICTIONS)


def test_17_class_names_are_no_mathematics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path)
    found = evaluate(tmp_path, all_plots=True)
    assert capsys.readouterr().err == ""
    assert len(list((tmp_path / "confusion").glob("*.png"))) == 2
    assert "data:image/png" in found.report.read_text(encoding="utf-8")


def test_17_a_plot_that_cannot_be_drawn_loses_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(*_: object, **__: object) -> None:
        raise MemoryError("10.7 GiB")

    write_predictions(tmp_path)
    for name in ("draw_confusion", "draw_recall"):
        monkeypatch.setattr(results, name, draw)
    found = evaluate(tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert [line.endswith("could not be drawn (MemoryError: 10.7 GiB)") for line in said] == [True, True]
    text = found.report.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "Most confused" in text
    assert {"metrics.csv", "ranking.csv", "recall.csv", "run.json"} <= {p.name for p in tmp_path.iterdir()}
    assert len(list((tmp_path / "confusion").glob("*.csv"))) == 2


def test_17_plots_do_not_grow_with_a_thousand_classes() -> None:
    names = tuple(f"class {k}" for k in range(1000))
    matrix = draw_confusion(Confusion(names, np.ones((1000, 1000), np.int64)), title="all")
    recall = draw_recall({name: k / 1000 for k, name in enumerate(names)}, title="all")
    for figure in (matrix, recall):
        assert max(figure.get_size_inches()) < 40
    (axes, _) = matrix.axes
    assert len(axes.texts) == 0
    assert "50 best and 50 weakest of 1000 classes" in recall.axes[0].get_title("left")
