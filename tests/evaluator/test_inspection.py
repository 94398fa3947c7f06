"""An evaluation's maps, nearest clips and suspects: handed to the report, written where a person needs them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import command

from evaluator import evaluate, evaluation, results
from evaluator.__main__ import app
from evaluator.report import ReportData
from harness.tables import SUSPECTS, read


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take a second each, and say nothing here."""
    monkeypatch.setattr(results, "write_confusion", lambda *_, **__: Path("confusion.png"))
    monkeypatch.setattr(results, "write_heat_map", lambda *_: None)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[ReportData]:
    """What reports were made of; none is drawn."""
    seen: list[ReportData] = []

    class Shown:
        def __init__(self, data: ReportData) -> None:
            seen.append(data)

        def text(self, confusion_plot: Path) -> str:
            return ""

    monkeypatch.setattr(evaluation, "Report", Shown)
    return seen


def test_the_report_gets_map_nearest_clips_and_suspects(studied: Path, tmp_path: Path, shown: list[ReportData]) -> None:
    found = evaluate(studied / "run", out=tmp_path)
    data = shown[0]
    assert data.projections is not None and data.nearest is not None and data.suspects is not None
    predictions = found.predictions
    rows = set(predictions[["encoding", "module"]].itertuples(index=False, name=None))
    assert set(data.projections[["encoding", "module"]].itertuples(index=False, name=None)) == rows
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    assert len(data.nearest) == len(wrong)
    fold = dict(zip(predictions["clip_id"], predictions["fold"], strict=True))
    assert all(fold[row.clip_id] != fold[row.nearest] for row in data.nearest.itertuples())
    written = read(tmp_path / SUSPECTS.name, SUSPECTS)
    assert written["clip_id"].tolist() == data.suspects["clip_id"].tolist()
    sounds = {Path(path).name for path in written["path"]}
    assert all(Path(path).is_file() for path in written["path"]), sounds


def test_a_run_without_features_has_neither_map_nor_nearest(run_folder: Path, tmp_path: Path, shown: list) -> None:
    evaluate(run_folder, out=tmp_path)
    assert shown[0].projections is None and shown[0].nearest is None
    assert len(shown[0].suspects) == len(read(tmp_path / SUSPECTS.name, SUSPECTS))


def test_damaged_features_are_said_and_the_rest_is_there(small_run: Path, shown: list) -> None:
    (small_run / "features").mkdir()
    (small_run / "features" / "gray.npz").write_bytes(b"PK")
    warned = evaluate(small_run).warnings
    assert any("No map and no nearest clips" in line and "gray.npz" in line for line in warned)
    assert (small_run / SUSPECTS.name).is_file()


def test_other_rows_and_another_map(small_run: Path, capsys: pytest.CaptureFixture[str], shown: list) -> None:
    best = read_clips(small_run, capsys)
    every = read_clips(small_run, capsys, "--suspects-from", "all")
    assert best != every
    said = command(app, "report", small_run, "--suspects-from", "grey", capsys=capsys)
    assert said.code != 0 and "no such row; did you mean 'gray'" in said.err
    said = command(app, "report", small_run, "--map", "pac", capsys=capsys)
    assert said.code != 0 and "no such map; did you mean 'pca'" in said.err


def read_clips(run: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert command(app, "report", run, *words, capsys=capsys).code == 0
    table: pd.DataFrame = read(run / SUSPECTS.name, SUSPECTS)
    return table["clip_id"].tolist()
