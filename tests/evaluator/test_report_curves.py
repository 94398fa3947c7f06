"""Learning curves in the report: of networks that were tested; a damaged history is a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluator.combinations import Combination
from evaluator.histories import read_histories
from evaluator.learning_curves import draw_fold_curves, mean_curve
from evaluator.report_curves import curve_values
from harness.tables import HISTORY, frame, write

NETWORK = Combination("gray", "cnn:small", "network")


def history(module: str = "cnn:small", *, value: float = 1.5) -> list[dict[str, object]]:
    """Three epochs of fold 1, two of fold 2."""
    named = {"encoding": "gray", "module": module, "head": "network", "seed": "0"}
    return [
        {**named, "fold": fold, "split": split, "metric": metric, "epoch": epoch, "value": value / epoch / scale}
        for fold, epochs in (("1", 3), ("2", 2))
        for split in ("train", "validation")
        for metric, scale in (("loss", 1), ("accuracy", 2), ("learning_rate", 9))
        for epoch in range(1, epochs + 1)
    ]


def write_rows(folder: Path, rows: list[dict[str, object]]) -> Path:
    write(frame(rows, HISTORY), folder / HISTORY.name, HISTORY)
    return folder


def test_each_network_has_an_image_for_each_metric_and_its_figures_in_words(tmp_path: Path) -> None:
    found, said = read_histories(write_rows(tmp_path, history()), [NETWORK, Combination("gray", "m", "lbfgs")])
    assert said == ()
    values = curve_values(found, {NETWORK: "gray on cnn:small"})
    assert values is not None
    (row,) = values["rows"]
    assert [image["alt"].split(" over")[0] for image in row["images"]] == ["Log loss", "Accuracy in %"]
    assert "validation 1.50 at epoch 1, lowest 0.75 at epoch 2, 0.75 at 2." in row["images"][0]["alt"]
    assert all(image["uri"].startswith("data:image/png;base64,iVBOR") for image in row["images"])
    assert all(len(image["uri"]) < 60_000 for image in row["images"])


def test_a_thin_line_for_each_fold_and_a_thick_one_as_far_as_all_go() -> None:
    rows = pd.DataFrame(history())
    (axes,) = draw_fold_curves(rows, "loss").axes
    lines = [(line.get_linewidth() > 1, len(np.asarray(line.get_xdata()))) for line in axes.get_lines()]
    assert sorted(lines) == [(False, 2), (False, 2), (False, 3), (False, 3), (True, 2), (True, 2)]
    part = rows[(rows["split"] == "train") & (rows["metric"] == "loss")]
    assert mean_curve(part).to_dict() == {1: 1.5, 2: 0.75}


def test_without_a_history_there_are_no_curves(tmp_path: Path) -> None:
    assert read_histories(tmp_path, [NETWORK]) == ({}, ())
    assert curve_values({}, {}) is None


@pytest.mark.parametrize("text", ["loss,accuracy\n1,2\n", "", "\x00\xff", 'encoding,module\n"a'])
def test_a_damaged_history_is_one_warning(tmp_path: Path, text: str) -> None:
    (tmp_path / HISTORY.name).write_text(text, encoding="latin-1")
    found, (said,) = read_histories(tmp_path, [NETWORK])
    assert not found
    assert said.startswith("No learning curves: ")
    assert HISTORY.name in said


def test_rows_that_were_not_tested_are_not_drawn(tmp_path: Path) -> None:
    found, (said,) = read_histories(write_rows(tmp_path, history() + history("cnn:capuchin")), [NETWORK])
    assert list(found) == [NETWORK]
    assert said.startswith("history.csv has 1 rows of networks that predictions.csv does not have")


def test_figures_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    found, said = read_histories(write_rows(tmp_path, history(value=float("inf"))), [NETWORK])
    assert (found, said) == ({}, ())
