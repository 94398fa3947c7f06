"""What a study says at once and loudly: classes that are lost, folds that mean classes, files that are in its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import Said, command, write_corpus, write_study

import study


@pytest.fixture
def words(tmp_path: Path, tiny_module: str) -> list[object]:
    """A study of 3 classes in 3 folds, 18 sounds."""
    file = write_study(tmp_path / "own.toml", write_corpus(tmp_path / "sounds", takes=2), [tiny_module])
    return [file, "--store", tmp_path / "store", "--out", tmp_path / "run", "--jobs", 1]


def run(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    return command(study.app, *args, capsys=capsys)


def test_classes_that_are_lost_are_said(
    words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "sounds" / "hiss").iterdir():
        if not path.name.startswith("3-"):
            path.unlink()
    for path in (tmp_path / "sounds" / "hum").iterdir():
        path.write_bytes(path.name.encode())
    said = run(*words, capsys=capsys)
    assert said.code == 1
    absent = "No training clip of 'hiss' where fold '3' is tested: its clips there (2) all count as errors."
    assert f"warning: {absent}" in said.warnings
    assert "warning: no clip of 'hum' could be used: all results are without it; see failures.csv" in said.warnings


def test_what_is_unusual_about_the_images_is_said_once(words: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(*words, "--set", "convert.n_mels=200", capsys=capsys)
    assert said.code == 0
    (line,) = [each for each in said.warnings if "mel" in each]
    assert line.startswith("warning: gray: ")


def test_folds_that_mean_classes_are_refused_before_anything_is_drawn(
    words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(*words, "--set", "corpus.pattern='(?P<fold>[^/]+)/'", capsys=capsys)
    assert said.code == 1
    (line,) = said.warnings
    assert "every figure would be 0 %: do the folds mean classes?" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["confusion/thesis.txt", "model/thesis.txt", "images/me.jpg", "report.html"])
def test_a_study_refuses_what_is_in_its_way_before_it_begins(
    name: str, words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "run" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    said = run(*words, capsys=capsys)
    assert said.code == 1
    (line,) = said.warnings
    assert line.startswith(
        f"error: {tmp_path / 'run' / name.split('/')[0]}: is in the way, and was not written by soun"
    )
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [mine]
    assert not (tmp_path / "store" / "images").exists()
