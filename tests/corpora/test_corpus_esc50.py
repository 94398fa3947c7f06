"""ESC-50 and ESC-10: the CSV release, the older folders, golden facts about the real ESC-10."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.datasets.esc50 import ESC10, class_name
from corpora.loading import load, warnings_of
from harness.errors import SettingsError

Tone = Callable[..., Path]


def test_csv_gives_label_fold_and_group(tiny: Callable[[str], Path]) -> None:
    table = load("esc50", tiny("esc50"))
    assert len(table) == 12
    first = table[table["clip_id"] == "1-1010-B-10.wav"].iloc[0]
    assert (first["label"], first["fold"], first["group"]) == ("rain", "1", "1010")


def test_subset_esc10(tiny: Callable[[str], Path]) -> None:
    assert set(load("esc50", tiny("esc50"), subset="esc10")["label"]) == {"dog", "rain"}
    assert set(load("esc50", tiny("esc50"))["label"]) == {"dog", "rain", "vacuum_cleaner"}


def test_older_release(tmp_path: Path, tone: Tone) -> None:
    for name in ("101 - Dog/1-30226-A.wav", "307 - Insects (flying)/2-7-B.wav", "402 - Door - wood creaks/3-8-C.wav"):
        tone(tmp_path / name)
    (tmp_path / "README.md").write_text("words", encoding="utf-8")
    table = load("esc50", tmp_path)
    assert table[["clip_id", "label", "fold", "group"]].to_numpy().tolist() == [
        ["1-30226-A.wav", "dog", "1", "30226"],
        ["2-7-B.wav", "insects", "2", "7"],
        ["3-8-C.wav", "door_wood_creaks", "3", "8"],
    ]
    assert load("esc50", tmp_path, subset="esc10")["label"].tolist() == ["dog"]


def test_class_names() -> None:
    assert class_name("001 - Dog bark") == "dog_bark"
    assert class_name("504 - Drinking - sipping") == "drinking_sipping"
    assert len(ESC10) == 10


def test_another_folder_or_name_is_one_line(tmp_path: Path, tone: Tone) -> None:
    tone(tmp_path / "a" / "ESC-10" / "dogs" / "1-2-A.wav")
    with pytest.raises(
        SettingsError, match="nor in a folder like '001 - Dog bark'; is the root the corpus's own folder"
    ):
        load("esc50", tmp_path / "a")
    tone(tmp_path / "b" / "001 - Dog bark" / "woof.wav")
    with pytest.raises(SettingsError, match=r"woof\.wav: not named \[fold\]-\[freesoundid\]-\[take\]\.ogg"):
        load("esc50", tmp_path / "b")


@pytest.mark.corpus
def test_real_esc10_golden_facts(esc10: Path) -> None:
    table = load("esc50", esc10)
    assert len(table) == 400
    assert table["label"].value_counts().to_dict() == dict.fromkeys(
        "baby_cry chainsaw clock_tick dog_bark fire_crackling helicopter person_sneeze rain rooster sea_waves".split(),
        40,
    )
    assert table["fold"].value_counts().to_dict() == dict.fromkeys("12345", 80)
    assert (table.groupby(["fold", "label"]).size() == 8).all()
    assert table["group"].nunique() == 304
    rooster = table.set_index("clip_id").loc["5-234879-B.ogg"]
    assert (rooster["label"], rooster["fold"], rooster["group"]) == ("rooster", "5", "234879")
    assert warnings_of(table) == []
    assert len(load("esc50", esc10, subset="esc10")) == 400


@pytest.mark.corpus
def test_real_esc10_classes_and_other_folds(esc10: Path) -> None:
    part = load("esc50", esc10, classes=["rain", "helicopter"])
    assert part["label"].value_counts().to_dict() == {"rain": 40, "helicopter": 40}
    other = load("esc50", esc10, folds=4, seed=3)
    assert set(other["fold"]) == set("1234")
    assert (other.groupby("group")["fold"].nunique() == 1).all()
