"""Speech Commands, and names such as label_speaker_take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.loading import load, missing_files
from harness.errors import SettingsError, TableError

Builder = Callable[[Path], Path]


@pytest.fixture
def root(tmp_path: Path, build: dict[str, Builder]) -> Path:
    return build["speech_commands"](tmp_path / "commands")


def test_official_parts_and_speakers(root: Path) -> None:
    """The speaker is the group, the two lists are parts of the split, noise is not a class."""
    table = load("speech_commands", root)
    assert set(table["label"]) == {"yes", "no"}
    by_speaker = dict(zip(table["group"], table["fold"], strict=True))
    assert by_speaker == {"0a7c2a8d": "train", "1b4c9b89": "train", "2aca1e72": "validation", "3c257192": "test"}
    assert len(table) == 16


def test_a_listed_clip_that_is_not_there_is_named(root: Path) -> None:
    (root / "no" / "3c257192_nohash_1.wav").unlink()
    table = load("speech_commands", root)
    assert len(table) == 16
    assert missing_files(table)["clip_id"].tolist() == ["no/3c257192_nohash_1.wav"]


def test_without_its_lists_folds_are_by_speaker(root: Path) -> None:
    for name in ("validation_list.txt", "testing_list.txt"):
        (root / name).unlink()
    table = load("speech_commands", root, folds=2)
    assert table.groupby("group")["fold"].nunique().eq(1).all()


def test_what_is_wrong_is_named(root: Path, tone: Callable[..., Path]) -> None:
    listed = (root / "testing_list.txt").read_text()
    (root / "testing_list.txt").unlink()
    with pytest.raises(TableError, match=r"testing_list\.txt: no such file, but validation_list\.txt is there"):
        load("speech_commands", root)
    (root / "testing_list.txt").write_text(listed + (root / "validation_list.txt").read_text())
    with pytest.raises(TableError, match=r"yes/2aca1e72_nohash_0\.wav is in validation_list\.txt too"):
        load("speech_commands", root)
    (root / "testing_list.txt").write_text(listed)
    tone(root / "yes" / "mine.wav")
    with pytest.raises(SettingsError, match=r"mine\.wav: not named \[speaker\]_nohash_\[take\]\.wav"):
        load("speech_commands", root)


def test_label_speaker_take_is_a_pattern_of_folders(tmp_path: Path, tone: Callable[..., Path]) -> None:
    """As the free spoken digits have it: all in one folder."""
    for digit in (0, 7):
        for speaker in ("jackson", "theo", "nicolas"):
            tone(tmp_path / "recordings" / f"{digit}_{speaker}_0.wav")
    with pytest.raises(SettingsError, match="take the corpus 'folders' with the pattern '") as error:
        load("speech_commands", tmp_path / "recordings")
    pattern = str(error.value).split("'")[-2]
    table = load("folders", tmp_path / "recordings", pattern=pattern, folds=3)
    assert sorted(set(table["label"])) == ["0", "7"]
    assert table.groupby("group")["fold"].nunique().eq(1).all() and table["fold"].nunique() == 3
