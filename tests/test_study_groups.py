"""What a study says, and its model and its tables pass on, of groups that are unknown, copied or shared by folds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_study import PATTERN, RATE, command, write_corpus, write_study

import study
from evaluator.__main__ import app as evaluator_app
from harness.audio import write_wav
from harness.model import read_card
from harness.record import read_steps
from harness.shared_groups import NO_GROUPS
from harness.tables import CLIPS, read
from trainer.__main__ import app as trainer_app


@pytest.fixture
def copies(tmp_path: Path, tiny_module: str) -> Path:
    """A study of two classes of noise, ten sounds each in three identical files; no groups, no folds."""
    for number in range(20):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 2400).astype(np.float32)
        for copy in "abc":
            write_wav(tmp_path / "noise" / ("left" if number % 2 else "right") / f"{number:02}{copy}.wav", noise, RATE)
    file = write_study(tmp_path / "copies.toml", tmp_path / "noise", [tiny_module])
    lines = [line for line in file.read_text().splitlines() if not line.startswith("pattern")]
    file.write_text("\n".join([*lines, "[evaluate]"]))
    return file


def test_copies_are_in_one_fold_and_unknown_groups_are_named(
    copies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = command(study.app, copies, "--out", tmp_path / "run", "--jobs", 1, capsys=capsys)
    assert said.code == 0
    clips = read(tmp_path / "run" / "clips.csv", CLIPS)
    assert (clips.groupby(clips["clip_id"].str[:2])["fold"].nunique() == 1).all()
    assert "60 clips, 2 classes, 5 folds, no groups" in said.err
    verdict = (tmp_path / "run" / "verdict.txt").read_text()
    assert "20 distinct sounds" in verdict
    assert NO_GROUPS in verdict
    assert NO_GROUPS in read_card(tmp_path / "run" / "model").note
    assert "60 of 60 clips hold 20 sounds in identical copies: identical sounds count as one group." in verdict
    assert "groups." not in verdict.replace(NO_GROUPS, "")


def test_a_study_may_take_copies_as_clips_of_their_own_and_names_them(
    copies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = "corpus.identical_sounds=separate"
    said = command(study.app, copies, "--out", tmp_path / "run", "--jobs", 1, "--set", setting, capsys=capsys)
    assert said.code == 0
    verdict = (tmp_path / "run" / "verdict.txt").read_text()
    assert "20 distinct sounds" in verdict
    assert verdict.count("60 clips have their sound in another fold too") == 1
    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "run" / "predictions.csv", tmp_path / "alone")
    assert command(evaluator_app, "report", tmp_path / "alone", capsys=capsys).code == 0
    words = [
        "--encoding",
        "gray",
        "--module",
        next(iter(read_steps(tmp_path / "run")["train"]["spec"]["modules"])),
        "--fold",
        "1",
    ]
    assert command(trainer_app, "export", tmp_path / "run", *words, "--out", tmp_path / "m", capsys=capsys).code == 0
    card = read_card(tmp_path / "m").note
    assert "60 clips have their sound in another fold too" in card
    assert NO_GROUPS in card
    alone = (tmp_path / "alone" / "verdict.txt").read_text()
    assert alone.count("60 clips have their sound in another fold too") == 1
    assert "Groups are shared" not in alone
    said = command(study.app, copies, "--out", tmp_path / "run", "--set", "corpus.identical_sounds=one", capsys=capsys)
    assert said.code == 1
    assert "--set corpus.identical_sounds='one'" in said.err


@pytest.fixture
def torn(tmp_path: Path, tiny_module: str) -> Path:
    """A study of sounds whose every recording is in all folds."""
    file = write_study(tmp_path / "torn.toml", write_corpus(tmp_path / "sounds"), [tiny_module])
    text = file.read_text().replace(PATTERN, r"(?P<fold>\d+)-\d+(?P<group>\d)-")
    file.write_text(text.replace("[convert]", "shared_groups = 'allow'\n[convert]"))
    return file


LEAK = "so all figures are too high"


def test_leaks_and_groups_travel_with_the_predictions(
    torn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert command(study.app, torn, "--out", out, "--jobs", 1, capsys=capsys).code == 0
    assert LEAK in read_card(out / "model").note
    words = ["--images", out / "images" / "images.csv", "--out", tmp_path / "own"]
    module = read_steps(out)["train"]["spec"]["modules"]
    assert command(trainer_app, "run", *words, "--module", next(iter(module)), capsys=capsys).code == 0
    tables = {}
    for folder in (out, tmp_path / "own", tmp_path / "alone"):
        if folder.name == "alone":  # the table and nothing else
            folder.mkdir()
            (folder / "predictions.csv").write_bytes((out / "predictions.csv").read_bytes())
        said = command(evaluator_app, "report", folder, capsys=capsys)
        assert said.code == 0
        assert LEAK in said.err
        assert re.search(r"no 95 % interval: \d+ groups are too few", said.out)
        tables[folder.name] = (folder / "ranking.csv").read_bytes()
    assert tables["own"] == tables["run"] == tables["alone"]
    said = command(evaluator_app, "compare", tmp_path / "own", tmp_path / "alone", capsys=capsys)
    assert [line.split(":")[1].strip() for line in said.warnings if LEAK in line] == ["own", "alone"]


def test_the_model_of_one_fold_names_the_leak(torn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    command(study.app, torn, "--out", out, "--jobs", 1, capsys=capsys)
    module = next(iter(read_steps(out)["train"]["spec"]["modules"]))
    words = [out, "--encoding", "gray", "--module", module, "--fold", 2, "--out", tmp_path / "model"]
    assert command(trainer_app, "export", *words, capsys=capsys).code == 0
    assert LEAK in read_card(tmp_path / "model").note
