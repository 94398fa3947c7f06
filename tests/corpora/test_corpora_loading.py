"""Clip ids, folds, groups, classes, options: what is the same for all corpora."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.loading import load, missing_files, warnings_of
from harness.errors import SettingsError, SplitError, TableError

Tone = Callable[..., Path]
Sheet = Callable[..., Path]


def _many(root: Path, tone: Tone, *, per_class: int) -> Path:
    for label in ("bat", "owl"):
        for k in range(per_class):
            tone(root / label / f"{label}{k}_take{k % 3}.wav")
    return root


def test_unknown_corpus_says_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"corpus='folder': no such corpus; did you mean 'folders'\? available: csv, "
    ):
        load("folder", tmp_path)


def test_clip_id_is_the_file_name_where_unique(tmp_path: Path, tone: Tone) -> None:
    for name in ("bat/a.wav", "owl/a.wav", "owl/deep/b.wav"):
        tone(tmp_path / name)
    assert load("folders", tmp_path)["clip_id"].tolist() == ["b.wav", "bat/a.wav", "owl/a.wav"]


def test_clip_id_does_not_depend_on_the_class_subset(tmp_path: Path, tone: Tone) -> None:
    for name in ("bat/a.wav", "owl/a.wav"):
        tone(tmp_path / name)
    assert load("folders", tmp_path, classes=["owl"])["clip_id"].tolist() == ["owl/a.wav"]


def test_part_of_a_file_adds_its_start(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "rec.wav", seconds=1.0)
    starts = ("0", "0.25", "12345.678901")
    rows = [{"path": "rec.wav", "start_s": start, "end_s": ""} for start in starts]
    table = load("csv", sheet(tmp_path / "c.csv", rows))
    assert table["clip_id"].tolist() == ["rec.wav@0", "rec.wav@0.25", "rec.wav@12345.678901"]
    assert set(table["group"]) == {"rec.wav"}, "parts of one recording are one group"


def test_parts_of_one_recording_may_not_span_folds(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "rec.wav", seconds=1.0)
    rows = [{"path": "rec.wav", "start_s": s, "end_s": s + 0.5, "fold": f} for s, f in ((0.0, "1"), (0.5, "2"))]
    file = sheet(tmp_path / "c.csv", rows)
    with pytest.raises(SplitError, match=r"1 group is in several folds: rec.wav \(folds 1, 2\)"):
        load("csv", file)
    assert load("csv", file, shared_groups="allow")["fold"].tolist() == ["1", "2"]


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 1)])
def test_part_that_ends_before_it_starts(tmp_path: Path, tone: Tone, sheet: Sheet, start: float, end: float) -> None:
    tone(tmp_path / "rec.wav")
    file = sheet(tmp_path / "c.csv", [{"path": "rec.wav", "start_s": start, "end_s": end}])
    with pytest.raises(TableError, match=r"clip 'rec\.wav@.*expected 0 <= start < end"):
        load("csv", file)


def test_folds_are_assigned_by_groups_where_there_are_none(tmp_path: Path, tone: Tone) -> None:
    root = _many(tmp_path, tone, per_class=12)
    table = load("folders", root, pattern=r"(?P<group>[a-z]+\d+)_take")
    assert sorted(set(table["fold"])) == ["1", "2", "3", "4", "5"]
    assert sorted(set(load("folders", root, folds=3)["fold"])) == ["1", "2", "3"]
    assert table["fold"].tolist() != load("folders", root, seed=1)["fold"].tolist()


def test_groups_stay_together_when_folds_are_assigned(tmp_path: Path, tone: Tone) -> None:
    for k in range(24):
        tone(tmp_path / ("bat", "owl")[k % 2] / f"site{k // 4}-{k}.wav")
    table = load("folders", tmp_path, pattern=r"(?P<group>site\d+)", folds=3)
    assert table["group"].nunique() == 6
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    assert table["fold"].nunique() == 3


def test_too_few_groups_leave_folds_empty_unless_asked(tmp_path: Path, tone: Tone) -> None:
    root = _many(tmp_path, tone, per_class=2)
    assert set(load("folders", root)["fold"]) == {""}
    with pytest.raises(SplitError, match="folds=7: expected 2 to 4, the number of groups"):
        load("folders", root, folds=7)
    with pytest.raises(SplitError, match="folds=3: the largest class, 'bat', has only 2 clips; ask for fewer folds"):
        load("folders", root, folds=3)
    assert set(load("folders", root, folds=2)["fold"]) == {"1", "2"}
    with pytest.raises(SettingsError, match="folds=1: expected 2 or more"):
        load("folders", root, folds=1)


def test_small_classes_leave_folds_empty(tmp_path: Path, tone: Tone) -> None:
    root = _many(tmp_path, tone, per_class=3)
    assert set(load("folders", root)["fold"]) == {""}, "six sounds, but no class has five"


def test_official_folds_stay_and_can_be_replaced(tiny: Callable[[str], Path]) -> None:
    root = tiny("urbansound8k")
    assert set(load("urbansound8k", root)["fold"]) == {"1", "10"}
    assert set(load("urbansound8k", root, folds=3)["fold"]) == {"1", "2", "3"}


def test_options_that_a_corpus_does_not_take(tmp_path: Path, tiny: Callable[[str], Path]) -> None:
    with pytest.raises(SettingsError, match=r"subset='esc11'.*did you mean 'esc10'"):
        load("esc50", tiny("esc50"), subset="esc11")
    with pytest.raises(SettingsError, match="subset='esc10': not a subset of the corpus 'folders'; it has none"):
        load("folders", tiny("folders"), subset="esc10")
    with pytest.raises(SettingsError, match="'folders' has columns of its own"):
        load("folders", tiny("folders"), columns={"path": "file"})
    with pytest.raises(
        SettingsError, match=r"columns=\{'pth': 'file'\}: 'pth' is not in a clips table; did you mean 'path'"
    ):
        load("csv", tiny("csv"), columns={"pth": "file"})


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?P<fold>", "not a regular expression"),
        (r"site\d", r"names no part; write \(\?P<fold>"),
        (r"(?P<gruop>\w)", r"unknown part 'gruop'; did you mean 'group'"),
        (r"(?P<fold>fold\d)", r"matches none of 4 paths; the first is 'bat/bat0_take0.wav'"),
    ],
)
def test_bad_pattern_is_one_line(tmp_path: Path, tone: Tone, pattern: str, says: str) -> None:
    root = _many(tmp_path, tone, per_class=2)
    with pytest.raises(SettingsError, match=says) as caught:
        load("folders", root, pattern=pattern)
    assert "\n" not in str(caught.value)


def test_pattern_gives_fold_group_and_label(tmp_path: Path, tone: Tone) -> None:
    for name in ("s1-bat-x.wav", "s1-bat-y.wav", "s2-owl-z.wav"):
        tone(tmp_path / "all" / name)
    table = load("folders", tmp_path, pattern=r"s(?P<fold>\d)-(?P<label>[a-z]+)-(?P<group>.)\.wav")
    assert table[["fold", "label", "group"]].to_numpy().tolist() == [
        ["1", "bat", "x"],
        ["1", "bat", "y"],
        ["2", "owl", "z"],
    ]
    assert warnings_of(table) == []


def test_clips_that_a_pattern_does_not_match_stay_and_are_named(tmp_path: Path, tone: Tone) -> None:
    for name in ("bat/f1_a.wav", "owl/f2_b.wav", "owl/stray.wav"):
        tone(tmp_path / name)
    table = load("folders", tmp_path, pattern=r"f(?P<fold>\d)_")
    assert table["fold"].tolist() == ["1", "2", ""]
    assert warnings_of(table) == ["1 of 3 clips have no fold; the first is 'stray.wav'"]


def test_files_that_are_named_but_not_there(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "a.wav")
    file = sheet(tmp_path / "c.csv", [{"path": "a.wav"}, {"path": "gone.wav"}])
    failures = missing_files(load("csv", file))
    assert failures[["clip_id", "step", "reason"]].to_numpy().tolist() == [["gone.wav", "corpus", "no such file"]]
    (tmp_path / "a.wav").unlink()
    with pytest.raises(SettingsError, match=r"none of its 2 sounds is there; the first is .*a\.wav"):
        load("csv", file)
