"""Runs on different labels or clips are named before their figures are compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import command

from evaluator.__main__ import app
from evaluator.label_agreement import differing_labels
from harness.tables import PREDICTIONS, read, write


@pytest.fixture
def other(small_run: Path, tmp_path: Path) -> Path:
    """A second run, as the first."""
    (tmp_path / "other").mkdir()
    write(read(small_run / PREDICTIONS.name, PREDICTIONS), tmp_path / "other" / PREDICTIONS.name, PREDICTIONS)
    return tmp_path / "other"


def change(run: Path, table: pd.DataFrame) -> None:
    write(table, run / PREDICTIONS.name, PREDICTIONS)


def test_the_same_labels_are_no_matter(small_run: Path, other: Path) -> None:
    assert differing_labels([small_run, other], ["a", "b"]) == []


def test_other_labels_are_named(small_run: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = read(other / PREDICTIONS.name, PREDICTIONS)
    wrong = table["clip_id"].isin(["3.wav", "4.wav"])
    change(other, table.assign(label=table["label"].mask(wrong, "cat")))
    said = command(app, "compare", small_run, other, capsys=capsys)
    assert said.code == 0
    assert "small and other were tested on other labels of 2 clips, the first" in said.err
    assert "('bell' and 'cat')" in said.err


def test_other_clips_are_named_and_runs_without_a_clip_in_common_are_not(small_run: Path, other: Path) -> None:
    table = read(other / PREDICTIONS.name, PREDICTIONS)
    change(other, table[table["clip_id"] != "7.wav"])
    (said,) = differing_labels([small_run, other], ["a", "b"])
    assert said.startswith("a and b have 99 tested clips in common, of 100 and 99")
    change(other, table.assign(clip_id="x" + table["clip_id"]))
    assert differing_labels([small_run, other], ["a", "b"]) == []
