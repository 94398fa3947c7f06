"""Clips with the same bytes count as one group, so that no copy of a training clip is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corpora.identical import groups_by_sound, identical_clips, torn_notes
from corpora.loading import load, load_corpus
from corpora.scanning import scan_to_table
from harness.audio import write_wav
from harness.errors import SettingsError
from harness.record import read_steps
from harness.shared_groups import SharedGroupsError
from harness.tables import CLIPS, DUPLICATES, frame, read


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Two classes of ten sounds of noise, each in three identical files; no groups, no folds."""
    root = tmp_path / "sounds"
    for number in range(20):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 800).astype(np.float32)
        for copy in "abc":
            write_wav(root / ("left" if number < 10 else "right") / f"{number:02}{copy}.wav", noise, 8000)
    return root


def made(tmp_path: Path, rows: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """A clips table of sounds, folds and groups; the same sound, the same bytes."""
    found = []
    for number, (sound, fold, group) in enumerate(rows):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(b"RIFF" + sound.encode() * 4000)
        found.append({"clip_id": str(number), "path": str(path), "label": "x", "fold": fold, "group": group})
    return frame(found, CLIPS)


def test_folds_are_assigned_by_sound(copies: Path) -> None:
    loaded = load_corpus("folders", copies)
    clips = loaded.clips.assign(sound=[name[:2] for name in loaded.clips["clip_id"]])
    assert clips["fold"].nunique() == 5
    assert (clips.groupby("sound")["fold"].nunique() == 1).all()
    assert (clips.groupby("sound")["group"].nunique() == 1).all()
    assert clips["group"].iloc[0] == "same sound as 00a.wav"
    assert clips["group"].nunique() == 20
    assert loaded.notes == ["60 of 60 clips hold 20 sounds in identical copies: identical sounds count as one group."]
    assert loaded.copies == []


def test_parts_of_a_single_split_are_assigned_by_sound(copies: Path) -> None:
    clips = load("folders", copies, split="80/20")
    assert (clips.groupby(clips["clip_id"].str[:2])["fold"].nunique() == 1).all()


def test_a_study_can_say_otherwise_and_the_copies_are_named(copies: Path, tmp_path: Path) -> None:
    loaded = load_corpus("folders", copies, identical_sounds="separate")
    assert set(loaded.clips["group"]) == {""}
    assert loaded.notes == []
    assert "in several folds in identical copies" in loaded.copies[0]
    result = scan_to_table("folders", copies, out=tmp_path / "clips.csv", identical_sounds="separate")
    assert result.notes == loaded.copies
    assert read_steps(tmp_path)["corpus"]["spec"]["notes"] == []  # the predictions will say it
    pairs = read(tmp_path / "duplicates.csv", DUPLICATES)
    assert {*pairs["clip_a"], *pairs["clip_b"]} == set(loaded.clips["clip_id"])
    with pytest.raises(SettingsError, match=r"identical_sounds='groups'.*group"):
        load("folders", copies, identical_sounds="groups")


def test_given_folds_are_left_as_they_are_and_torn_sounds_named(copies: Path) -> None:
    pattern = r"(?P<fold>[abc])\.wav"
    loaded = load_corpus("folders", copies, pattern=pattern)
    assert set(loaded.clips["group"]) == {""}
    assert loaded.copies == [
        "20 sounds are in several folds in identical copies, so that models are tested on sounds that they trained on "
        "and figures are too high: '00a.wav' (fold a) and '00b.wav' (fold b) and 1 more; '01a.wav' (fold a) and "
        "'01b.wav' (fold b) and 1 more; '02a.wav' (fold a) and '02b.wav' (fold b) and 1 more ..."
    ]
    with pytest.raises(SharedGroupsError, match=r"20 groups are in several folds: same sound as 00a\.wav"):
        load("folders", copies, pattern=pattern, shared_groups="refuse")
    dropped = load_corpus("folders", copies, pattern=pattern, shared_groups="drop")
    assert dropped.clips["group"].nunique() == 20
    assert dropped.copies == []


@pytest.mark.parametrize(
    ("rows", "official", "groups"),
    [
        ([("a", "1", "g"), ("a", "1", "")], True, ["g", "g"]),
        ([("a", "1", "g"), ("a", "1", "h"), ("b", "1", "h")], True, ["g + h"] * 3),
        ([("a", "1", "g"), ("a", "2", "h"), ("b", "2", "h")], True, ["g", "h", "h"]),
        ([("a", "1", "g"), ("a", "2", "h"), ("b", "2", "h")], False, ["g + h"] * 3),
        ([("a", "1", "g"), ("b", "2", "g"), ("a", "2", "h")], True, ["g"] * 3),
        ([("a", "1", "g"), ("a", "2", "g")], True, ["g", "g"]),
        ([("a", "", ""), ("a", "", ""), ("b", "", "")], True, ["same sound as 0", "same sound as 0", ""]),
    ],
    ids=["joins a group", "two groups", "across official folds", "across folds", "declared", "known", "no folds"],
)
def test_groups_of_copies(rows: list[tuple[str, str, str]], official: bool, groups: list[str], tmp_path: Path) -> None:
    table = made(tmp_path, rows)
    found, notes = groups_by_sound(table, identical_clips(table), folds_given=True, official=official)
    assert found == groups
    assert bool(notes) == (groups != [group for _, _, group in rows])


def test_only_the_same_bytes_and_the_same_part_are_identical(tmp_path: Path) -> None:
    table = made(tmp_path, [("a", "1", ""), ("b", "1", ""), ("a", "2", ""), ("a", "2", "")])
    (tmp_path / "2.wav").write_bytes((tmp_path / "2.wav").read_bytes()[:-1] + b"x")  # the middle is the same
    assert identical_clips(table) == [[0, 3]]
    assert identical_clips(table.assign(start_s=[0.0, 0.0, 0.0, 0.5])) == []
    assert identical_clips(table.assign(path=table["path"].iloc[0], start_s=[0.0, 1.0, 0.0, 2.0])) == [[0, 2]]
    (tmp_path / "3.wav").unlink()
    assert identical_clips(table) == []
    assert torn_notes(table, []) == []
