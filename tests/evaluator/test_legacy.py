"""The outputs of the first projects: accuracy and predictions of each fold, counts of each class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluator.__main__ import app
from evaluator.legacy import class_lines, tally, write_legacy
from evaluator.predictions import prepare
from harness.errors import SettingsError
from harness.tables import PREDICTIONS, frame


def small(fold: str = "1") -> pd.DataFrame:
    rows = [("a.wav", fold, "dog", "dog"), ("b.wav", fold, "dog", "cat"), ("c.wav", "2", "cat", "cat")]
    return prepare(
        frame(
            [{"clip_id": c, "encoding": "gray", "fold": f, "label": x, "predicted": y} for c, f, x, y in rows],
            PREDICTIONS,
        )
    )


def test_by_hand(tmp_path: Path) -> None:
    root = write_legacy(small(), tmp_path) / "gray"
    read = {path.name: json.loads(path.read_text()) for path in root.glob("*.json")}
    assert read == {
        "fold1.json": [0.5, [["a.wav", "dog", "dog"], ["b.wav", "dog", "cat"]]],
        "fold2.json": [1.0, [["c.wav", "cat", "cat"]]],
        "total.json": [
            pytest.approx(2 / 3),
            [["a.wav", "dog", "dog"], ["b.wav", "dog", "cat"], ["c.wav", "cat", "cat"]],
        ],
        "tally.json": {"cat": {"correct": 1, "incorrect": 0}, "dog": {"correct": 1, "incorrect": 1}},
    }
    assert (root / "classes.txt").read_text().splitlines() == ["cat: 100.0 % (1 of 1)", "dog: 50.0 % (1 of 2)"]


def test_a_class_that_is_never_right_is_counted() -> None:
    wrong = small().assign(predicted="bird")
    assert tally(wrong) == {"cat": {"correct": 0, "incorrect": 1}, "dog": {"correct": 0, "incorrect": 2}}
    assert class_lines(wrong)[0] == "cat: 0.0 % (0 of 1)"


def test_each_seed_and_combination_has_a_folder(make_predictions: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    table = make_predictions({("gray", "m", "h"): 0.8, ("logmel", "m", "h"): 0.5}, seeds=("0", "1"), n=20)
    root = write_legacy(table, tmp_path)
    assert sorted(p.name for p in root.iterdir()) == [f"{e}-m-h-seed{s}" for e in ("gray", "logmel") for s in "01"]
    assert len(json.loads((root / "gray-m-h-seed1" / "total.json").read_text())[1]) == 20


def test_a_file_of_ones_own_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "legacy" / "gray").mkdir(parents=True)
    (tmp_path / "legacy" / "gray" / "total.json").write_text("mine")
    with pytest.raises(SettingsError, match=r"total\.json: is in the way"):
        write_legacy(small(), tmp_path)


def test_the_flag(small_run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(small_run), "--out", str(tmp_path / "out"), "--legacy"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-4].startswith("bell: ")
    assert len(list((tmp_path / "out" / "legacy").glob("*/fold*.json"))) == 10
