"""``python -m converter`` as people type it."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from plugins.support import ENCODING_FILE, loaded

from converter.__main__ import app
from converter.registry import ENCODINGS
from harness import tables
from harness.cli import guard


def call(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["converter", *map(str, args)])
    try:
        return guard(app)
    except SystemExit as leaving:
        return int(leaving.code or 0)


@pytest.fixture
def table(clips: pd.DataFrame, tmp_path: Path) -> Path:
    tables.write(clips, tmp_path / "clips.csv", tables.CLIPS)
    return tmp_path / "clips.csv"


def test_draws_and_says_what(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--clips", table, "--encoding", "gray", "--encoding", "logmel", "--size", "20x30", "--set", "n_mels=32")
    assert call(monkeypatch, *args, "--store", tmp_path / "store", "--out", tmp_path / "images") == 0
    assert "12 images of 6 clips" in capsys.readouterr().out
    assert len(tables.read(tmp_path / "images" / "images.csv", tables.IMAGES)) == 12
    assert (tmp_path / "store" / "images").is_dir()


def test_a_broken_clip_is_named_and_the_exit_code_says_so(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sounds" / "clip2.wav").write_bytes(b"")
    args = ("--clips", table, "--encoding", "gray", "--out", tmp_path / "images")
    assert call(monkeypatch, *args) == 1
    said = capsys.readouterr()
    assert "clip2.wav" in said.err
    assert "1 clip could not be drawn" in said.err
    assert "5 images of 5 clips" in said.out
    assert call(monkeypatch, *args, "--strict") == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_paths_in_the_table_are_relative_to_it(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = tables.read(table, tables.CLIPS)
    tables.write(clips.assign(path="sounds/" + clips["clip_id"]), table, tables.CLIPS)
    assert call(monkeypatch, "--clips", table, "--encoding", "waveform", "--out", tmp_path / "images") == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--encoding", "logmell"], "did you mean 'logmel'"),
        (["--set", "hop_length=0"], "hop_length=0: must be a positive integer"),
        (["--set", "colormap=vridis"], "did you mean 'viridis'"),
        (["--jobs", "0"], "jobs=0: must be 1 or more"),
        (["--preset", "sed"], "did you mean 'seed'"),
    ],
)
def test_one_clear_line(
    args: list[str],
    message: str,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "--clips", table, "--out", tmp_path / "images", *args) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said


def test_lists_the_encodings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[n, ENCODINGS.description(n)] for n in ENCODINGS.names()]


def test_an_encoding_from_a_file(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--clips", table, "--encoding", "loudness", "--size", "20x30", "--out", tmp_path / "images")
    assert call(monkeypatch, *args) == 1
    assert "'loudness': no such encoding" in capsys.readouterr().err
    with loaded():
        assert call(monkeypatch, *args, "--plugin", ENCODING_FILE) == 0
        assert "6 images of 6 clips" in capsys.readouterr().out
        assert call(monkeypatch, "--plugin", ENCODING_FILE, "--list") == 0
        assert "loudness" in capsys.readouterr().out
