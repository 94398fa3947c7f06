"""Networks in a whole study: in the plan, in the tables and the report, and as the final model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from small_study import Said, command, write_corpus, write_study

import study
from harness.model import read_card
from harness.tables import CLIPS, HISTORY, PREDICTIONS, read
from labeler.loading import load_model
from trainer.__main__ import app
from trainer.networks.curves import Epoch

NETWORK = (
    '{handle = "cnn:small", image_size = [16, 16], epochs = 6, patience = 0, dropout = 0.0, learning_rate = 0.003}'
)
ROW = "cnn:small (epochs=6, patience=0, learning_rate=0.003, dropout=0.0, image_size=16x16)"


@dataclass
class Ran:
    """A study of one network that has been run."""

    file: Path
    out: Path
    store: Path
    run: study.StudyRun
    seen: list[Epoch]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A study with one network and nothing else."""
    home = tmp_path_factory.mktemp("networks")
    file = write_study(home / "s.toml", write_corpus(home / "sounds", takes=2), ["cnn:small"])
    file.write_text(file.read_text().replace("['cnn:small']", f"[{NETWORK}]"))
    seen: list[Epoch] = []
    run = study.study(file, out=home / "run", store=home / "store", on_epoch=seen.append)
    return Ran(file, home / "run", home / "store", run, seen)


def export(ran: Ran, out: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python -m trainer export`` of fold 2."""
    options = ["--encoding", "gray", "--module", ROW, "--head", "network", "--fold", "2", "--out", out]
    return command(app, "export", ran.out, *options, "--store", ran.store, capsys=capsys)


def test_the_tables_and_the_final_model(ran: Ran) -> None:
    assert [(e.fold, e.phase, e.epoch) for e in ran.seen] == [(f, "refit", k) for f in "123" for k in range(1, 7)]
    assert ran.seen[-1].seconds_left == 0
    assert ran.run.ranking["head"].tolist() == ["network"]
    assert ROW in (ran.out / "report.html").read_text()
    assert len(read(ran.out / HISTORY.name, HISTORY)) == 3 * 6 * 3
    assert read_card(ran.out / "model").training["module"] == ROW
    sounds = read(ran.out / CLIPS.name, CLIPS)["path"]
    assert ran.run.model.label(ran.out / sounds[0]).sum() == pytest.approx(1, abs=1e-5)


def test_a_second_run_reads_and_a_plan_says_what_would_be_trained(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Epoch] = []
    again = study.study(ran.file, out=ran.out, store=ran.store, on_epoch=seen.append)
    assert not seen
    assert again.ranking.equals(ran.run.ranking)
    assert " s a step" not in capsys.readouterr().err
    said = command(study.app, ran.file, "--dry-run", "--store", ran.store, capsys=capsys)
    assert f"train   gray through {ROW}: a network for each fold, 6 epochs" in said.out


def test_an_exported_fold_labels_sounds_with_the_scores_of_the_predictions(
    ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = export(ran, tmp_path / "model", capsys)
    assert (said.code, said.warnings) == (0, [])
    model = load_model(tmp_path / "model")
    rows = read(ran.out / PREDICTIONS.name, PREDICTIONS)
    paths = read(ran.out / CLIPS.name, CLIPS).set_index("clip_id")["path"]
    for row in rows[rows["fold"] == "2"].to_dict("records"):
        scores = model.label(ran.out / paths[row["clip_id"]])
        assert scores.to_numpy() == pytest.approx(np.array([row[f"p:{k}"] for k in scores.index]), abs=1e-5)
    shutil.rmtree(ran.out / "networks")
    said = export(ran, tmp_path / "other", capsys)
    assert said.code != 0
    assert "no such network in this run; train again" in said.err


def test_networks_are_not_repeated(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(study.app, ran.file, "--set", "evaluate.repeats=2", "--store", ran.store, capsys=capsys)
    assert said.code != 0
    assert "--set evaluate.repeats=2: networks (cnn:small (epochs=6" in said.err
    said = command(study.app, ran.file, "--set", 'train.modules=[{handle="cnn:small", epochs=-1}]', capsys=capsys)
    assert "--set train.modules: epochs=-1: must be a positive integer" in said.err
