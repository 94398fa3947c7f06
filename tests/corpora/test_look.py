"""``python -m corpora look``: what it says of the sounds of a table, what it writes, what it cannot read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_study import command

from corpora.__main__ import app
from corpora.look import SOUNDS
from harness.audio import write_wav
from harness.tables import CLIPS, DUPLICATES, FAILURES, frame, read, write


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A clips table of six sounds: a copy in another fold, one in the same, stereo, silence, clipping."""
    rng = np.random.default_rng(0)
    y = 0.1 * rng.standard_normal(16000).astype(np.float32)
    write_wav(tmp_path / "a.wav", y, 16000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    write_wav(tmp_path / "c.wav", 0.5 * y, 16000)
    write_wav(tmp_path / "silent.wav", np.zeros(4000), 8000)
    write_wav(tmp_path / "clipped.wav", np.clip(20 * rng.standard_normal(32000), -1, 1), 16000)
    soundfile.write(tmp_path / "stereo.wav", 0.1 * rng.standard_normal((48000, 2)), 16000)
    folds = {"a": "1", "b": "2", "c": "1", "silent": "1", "clipped": "2", "stereo": "2"}
    rows = [{"clip_id": name, "path": f"{name}.wav", "label": "x", "fold": fold} for name, fold in folds.items()]
    write(frame(rows, CLIPS), tmp_path / "clips.csv", CLIPS)
    return tmp_path / "clips.csv"


def test_what_it_says(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "look", clips, "--jobs", 1, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    assert said.out.splitlines() == [
        f"{clips}: 6 clips, 1 class, 2 folds, 0 groups",
        "class  clips  groups  fold 1  fold 2",
        "x          6       0       3       3",
        "all        6       0       3       3",
        "",
        "duration    0.5 to 3 s, median 1 s",
        "rates       5 of 16000 Hz, 1 of 8000 Hz",
        "channels    5 of 1, 1 of 2",
        "silent      1: 'silent'",
        "clipped     1: 'clipped'",
        "duplicates  3 pairs of clips with the same sound (1 exact, 2 near)",
        "            2 in different folds: 'a' (fold 1) and 'b' (fold 2); 'b' (fold 2) and 'c' (fold 1)",
        "            1 in one fold: 'a' and 'c'",
    ]


def test_what_it_writes(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(app, "look", clips, "--jobs", 1, "--out", tmp_path / "look", capsys=capsys)
    pairs = read(tmp_path / "look" / "duplicates.csv", DUPLICATES)
    assert pairs[["clip_a", "clip_b", "kind"]].to_numpy().tolist() == [
        ["a", "b", "exact"],
        ["a", "c", "near"],
        ["b", "c", "near"],
    ]
    sounds = read(tmp_path / "look" / "sounds.csv", SOUNDS).set_index("clip_id")
    assert sounds.loc["stereo", ["duration_s", "sample_rate", "channels"]].tolist() == [3.0, 16000.0, 2.0]
    assert sounds["silent"].to_dict() == {name: float(name == "silent") for name in sounds.index}
    assert sounds.loc["clipped", "clipped_samples"] > 10000
    assert sounds.loc["a", "digest"] == sounds.loc["b", "digest"]


def test_clips_that_are_not_there(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the scan put into failures.csv is counted; what has gone or broken since is named, and the rest is done."""
    failed = [{"clip_id": "gone", "path": "gone.wav", "step": "corpus", "reason": "no such file"}]
    write(frame(failed, FAILURES), tmp_path / "failures.csv", FAILURES)
    assert "not there   1: see " in command(app, "look", clips, "--jobs", 1, capsys=capsys).out
    (tmp_path / "stereo.wav").write_bytes(b"no sound")
    (tmp_path / "clipped.wav").unlink()
    said = command(app, "look", clips, "--jobs", 1, "--out", tmp_path / "look", capsys=capsys)
    assert said.code == 1
    assert said.warnings == ["warning: 2 clips could not be read; the first is 'clipped'"]
    assert "unreadable  2: 'clipped', 'stereo'" in said.out
    assert "duplicates  3 pairs" in said.out
    assert np.isnan(read(tmp_path / "look" / "sounds.csv", SOUNDS)["duration_s"].iloc[4:]).all()


def test_no_such_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "look", tmp_path / "clips.csv", capsys=capsys)
    assert said.code == 1
    assert said.warnings == [
        f"error: {tmp_path / 'clips.csv'}: no such table; expected clips.csv with columns {', '.join(CLIPS.columns)}"
    ]
