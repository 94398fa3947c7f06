"""One figure everywhere: the study, its model's card and `trainer run` quote the same accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import RATE, command, sound, write_corpus, write_study

import study
from evaluator.results import Evaluation
from harness.audio import write_wav
from harness.figures import accuracy_by_fold, percent, spread
from harness.model import read_card
from harness.store import Store
from harness.tables import PREDICTIONS, frame
from trainer.__main__ import app as trainer_app

SEEDS = ["--set", "train.head=sgd", "--set", "train.steps=5", "--set", "train.seeds=[0, 3]"]


@pytest.fixture
def uneven(tmp_path: Path, tiny_module: str) -> Path:
    """A study of folds of which one is larger and easier than the others."""
    root = write_corpus(tmp_path / "sounds")
    for number in range(12):
        write_wav(root / "hiss" / f"1-{500 + number}-0.wav", sound("hiss", 100 + number), RATE)
    return write_study(tmp_path / "uneven.toml", root, [tiny_module], encodings='["gray", "waveform"]')


def test_study_card_and_trainer_run_agree(
    uneven: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    plan = study.make_plan(uneven, SEEDS[1::2], Store(store))
    found: Evaluation = study.run_study(plan, tmp_path / "run").evaluation
    first = found.ranking.iloc[0]
    note = read_card(tmp_path / "run" / "model").note
    assert f" {spread(first['accuracy'], first['std'])} % over 3 folds and 2 seeds" in note
    assert "chosen among 2 combinations" in note
    words = ["--images", tmp_path / "run" / "images" / "images.csv", "--out", tmp_path / "own", "--store", store]
    words += ["--module", tiny_module, "--head", "sgd", "--steps", 5, "--seed", 0, "--seed", 3]
    said = command(trainer_app, "run", *words, capsys=capsys)
    assert said.code == 0
    lines = said.out.splitlines()
    for row in found.ranking.to_dict("records"):
        assert f"{row['encoding']}  {tiny_module}  mean of 2 seeds  {percent(row['accuracy'])} %" in lines
    for row in found.folds.to_dict("records"):
        assert f"{row['encoding']}  {tiny_module}  seed {row['seed']}  {percent(row['mean'])} %" in lines


def test_the_mean_is_over_folds_not_over_clips() -> None:
    rows = [
        {"clip_id": str(k), "encoding": "gray", "fold": fold, "label": "a", "predicted": predicted}
        for k, (fold, predicted) in enumerate([("1", "a"), ("1", "a"), ("1", "a"), ("2", "b")])
    ]
    assert accuracy_by_fold(frame(rows, PREDICTIONS)) == {"1": 1.0, "2": 0.0}
