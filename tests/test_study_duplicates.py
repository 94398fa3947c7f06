"""A study names the same sound in two folds before it trains."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from small_study import PATTERN, RATE, command, sound, write_corpus, write_study

import study
from converter.__main__ import app as converter_app
from corpora.__main__ import app as corpora_app
from evaluator.__main__ import app as evaluator_app
from harness.audio import write_wav
from harness.tables import DUPLICATES, PREDICTIONS, read, write
from trainer.__main__ import app as trainer_app


@pytest.fixture
def plan(tmp_path: Path, tiny_module: str) -> Path:
    """A study of a corpus in which a sound of fold 1 is in fold 2 as well, and another, softer, in fold 3."""
    sounds = write_corpus(tmp_path / "sounds")
    (sounds / "hiss" / "2-990-0.wav").write_bytes((sounds / "hiss" / "1-210-0.wav").read_bytes())
    write_wav(sounds / "hiss" / "3-991-0.wav", sound("hiss", 11) / 3, RATE)
    return write_study(tmp_path / "copies.toml", sounds, [tiny_module])


def test_copies_in_two_folds_are_named(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(study.app, plan, "--out", tmp_path / "run", "--jobs", 1, capsys=capsys)
    assert said.code == 0
    assert [line for line in said.warnings if "same sound" in line] == [
        "warning: 2 pairs of clips in different folds hold the same sound (1 exact, 1 near), so that figures may be "
        "too good: '1-210-0.wav' (fold 1) and '2-990-0.wav' (fold 2); '1-210-1.wav' (fold 1) and '3-991-0.wav' "
        "(fold 3); duplicates.csv lists all of them"
    ]
    lines = said.err.splitlines()
    assert lines.index(said.warnings[0]) < next(k for k, line in enumerate(lines) if line.startswith("heads"))
    pairs = read(tmp_path / "run" / "duplicates.csv", DUPLICATES)
    assert pairs[["clip_a", "clip_b", "fold_a", "fold_b", "group_a", "group_b", "kind"]].to_numpy().tolist() == [
        ["1-210-0.wav", "2-990-0.wav", "1", "2", "210", "990", "exact"],
        ["1-210-1.wav", "3-991-0.wav", "1", "3", "210", "991", "near"],
    ]


def test_the_predictions_alone_say_it(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(study.app, plan, "--out", tmp_path / "run", "--jobs", 1, capsys=capsys)
    table = read(tmp_path / "run" / "predictions.csv", PREDICTIONS)
    copies = dict(zip(table["clip_id"], table["copy_of"], strict=True))
    assert {clip: other for clip, other in copies.items() if other} == {
        "1-210-0.wav": "2-990-0.wav",
        "2-990-0.wav": "1-210-0.wav",
        "1-210-1.wav": "3-991-0.wav",
        "3-991-0.wav": "1-210-1.wav",
    }
    assert (tmp_path / "run" / "verdict.txt").read_text().count("4 clips have their sound in another fold") == 1
    alone = tmp_path / "alone"
    alone.mkdir()
    write(table, alone / "predictions.csv", PREDICTIONS)
    command(evaluator_app, "report", alone, capsys=capsys)
    sentence = (
        "4 clips have their sound in another fold too, under another name, so that models were tested on sounds that "
        "they trained on and figures may be too good: '1-210-0.wav' (fold 1) and '2-990-0.wav' (fold 2); "
        "'1-210-1.wav' (fold 1) and '3-991-0.wav' (fold 3)."
    )
    assert (alone / "verdict.txt").read_text().count(sentence) == 1
    assert " ".join(html.unescape((alone / "report.html").read_text()).split()).count(sentence) == 1


def test_they_travel_stage_by_stage(
    plan: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `corpora look` finds goes with the tables to the predictions; the scan finds identical ones itself."""
    sounds, clips, images, run = (tmp_path / name for name in ("sounds", "clips", "images", "run"))
    draw = ["--encoding", "gray", "--size", "32x32", "--jobs", 1]
    scan = ["scan", "folders", sounds, "--out", clips / "clips.csv", "--pattern", PATTERN]
    command(corpora_app, *scan, "--identical-sounds", "separate", capsys=capsys)
    assert read(clips / "duplicates.csv", DUPLICATES)["kind"].tolist() == ["exact"]
    command(corpora_app, "look", clips / "clips.csv", "--out", clips, capsys=capsys)
    command(converter_app, "--clips", clips / "clips.csv", "--out", images, *draw, capsys=capsys)
    words = ["--images", images / "images.csv", "--out", run, "--module", tiny_module]
    trained = command(trainer_app, "run", *words, capsys=capsys)
    assert sum("4 clips have their sound in another fold too" in line for line in trained.warnings) == 1
    assert (read(run / "predictions.csv", PREDICTIONS)["copy_of"] != "").sum() == 4
    (clips / "duplicates.csv").unlink()
    command(converter_app, "--clips", clips / "clips.csv", "--out", images, *draw, capsys=capsys)
    assert not (images / "duplicates.csv").exists()


def test_copies_that_are_dropped_are_no_leak(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [plan, "--out", tmp_path / "run", "--jobs", 1, "--set", "corpus.shared_groups=drop"]
    said = command(study.app, *words, "--set", "corpus.near_duplicates=false", capsys=capsys)
    assert said.code == 0
    assert not any("same sound" in line for line in said.warnings)
    verdict = (tmp_path / "run" / "verdict.txt").read_text()
    assert "Left out of training where they would leak: 3 clips of groups in several folds" in verdict
    assert "210 + 990 (folds 1, 2)" in verdict


def test_near_ones_can_be_left_out(plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [plan, "--out", tmp_path / "run", "--jobs", 1]
    command(study.app, *words, "--set", "corpus.near_duplicates=false", capsys=capsys)
    assert read(tmp_path / "run" / "duplicates.csv", DUPLICATES)["kind"].tolist() == ["exact"]
    (tmp_path / "sounds" / "hiss" / "2-990-0.wav").unlink()
    said = command(study.app, *words, "--set", "corpus.near_duplicates=false", capsys=capsys)
    assert not any("same sound" in line for line in said.warnings)
    assert not (tmp_path / "run" / "duplicates.csv").exists()
