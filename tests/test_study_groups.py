"""What a study says, and its model and its tables pass on, of groups that are unknown, copied or shared by folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_study import RATE, command, write_study

import study
from evaluator.verdict import NO_GROUPS
from harness.audio import write_wav
from harness.tables import CLIPS, read


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
    assert "by bootstrap over 20 distinct sounds" in verdict
    assert NO_GROUPS in verdict
    assert "60 of 60 clips hold 20 sounds in identical copies: identical sounds count as one group." in verdict
    assert "groups." not in verdict.replace(NO_GROUPS, "")


def test_a_study_may_take_copies_as_clips_of_their_own_and_names_them(
    copies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = "corpus.identical_sounds=separate"
    said = command(study.app, copies, "--out", tmp_path / "run", "--jobs", 1, "--set", setting, capsys=capsys)
    assert said.code == 0
    verdict = (tmp_path / "run" / "verdict.txt").read_text()
    assert "by bootstrap over 60 clips" in verdict
    assert "hold the same sound" in verdict
    said = command(study.app, copies, "--out", tmp_path / "run", "--set", "corpus.identical_sounds=one", capsys=capsys)
    assert said.code == 1
    assert "--set corpus.identical_sounds='one'" in said.err
