"""UrbanSound8K: with its metadata, without, and in parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.datasets.urbansound8k import CLASSES
from corpora.loading import load, missing_files
from harness.errors import SettingsError, TableError

Build = dict[str, Callable[[Path], Path]]
SAID = ["clip_id", "label", "fold", "group"]
EXPECTED = [
    ["344-3-0-0.wav", "dog_bark", "10", "344"],
    ["344-3-0-1.wav", "dog_bark", "10", "344"],
    ["7061-6-0-0.wav", "gun_shot", "1", "7061"],
    ["7061-6-0-1.wav", "gun_shot", "1", "7061"],
    ["99812-3-0-0.wav", "dog_bark", "1", "99812"],
    ["99812-3-0-1.wav", "dog_bark", "1", "99812"],
]


def test_metadata_gives_label_fold_and_group(tiny: Callable[[str], Path]) -> None:
    table = load("urbansound8k", tiny("urbansound8k"))
    assert table[SAID].to_numpy().tolist() == EXPECTED
    assert table["start_s"].isna().all(), "start and end are places in the recording, not in the slice"


def test_without_metadata_the_names_say_the_same(tmp_path: Path, build: Build) -> None:
    root = build["urbansound8k"](tmp_path / "us8k")
    shutil.rmtree(root / "metadata")
    assert load("urbansound8k", root)[SAID].to_numpy().tolist() == EXPECTED


def test_one_fold_alone_knows_its_number(tmp_path: Path, build: Build) -> None:
    root = build["urbansound8k"](tmp_path / "us8k")
    assert set(load("urbansound8k", root / "audio" / "fold10")["fold"]) == {"10"}


def test_bare_folder_of_slices(tmp_path: Path, tone: Callable[..., Path]) -> None:
    for recording in range(20):
        for part in range(3):
            tone(tmp_path / f"{100 + recording}-{recording % 10}-1-{part}.wav", seconds=0.01)
    table = load("urbansound8k", tmp_path)
    assert sorted(set(table["label"])) == sorted(CLASSES)
    assert sorted(set(table["fold"])) == ["1", "2", "3", "4", "5"], "assigned, by recording"
    assert (table.groupby("group")["fold"].nunique() == 1).all()


def test_layout_of_the_mirrors(tmp_path: Path, build: Build) -> None:
    root = build["urbansound8k"](tmp_path / "us8k")
    (root / "metadata" / "UrbanSound8K.csv").rename(root / "UrbanSound8K.csv")
    for fold in ("fold1", "fold10"):
        (root / "audio" / fold).rename(root / fold)
    (root / "audio").rmdir()
    table = load("urbansound8k", root)
    assert table[SAID].to_numpy().tolist() == EXPECTED
    assert len(missing_files(table)) == 0


def test_errors_name_file_and_column(tmp_path: Path, build: Build, tone: Callable[..., Path]) -> None:
    with pytest.raises(SettingsError, match=r"dog\.wav: not named \[fsID\]-\[classID 0 to 9\]"):
        load("urbansound8k", tone(tmp_path / "bare" / "dog.wav").parent)
    root = build["urbansound8k"](tmp_path / "us8k")
    sheet = root / "metadata" / "UrbanSound8K.csv"
    sheet.write_text(sheet.read_text().replace("fsID", "freesound_id"))
    with pytest.raises(TableError, match=r"UrbanSound8K\.csv: column 'fsID' \(group\) is missing; .*freesound_id"):
        load("urbansound8k", root)


@pytest.mark.corpus
def test_the_seed_example_is_read(seed_example: Path) -> None:
    table = load("urbansound8k", seed_example)
    assert table[SAID].to_numpy().tolist() == [["344-3-5-0.wav", "dog_bark", "", "344"]]
