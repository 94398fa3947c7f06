"""``python -m corpora verify``, and parts of files that end after these do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_study import command

from corpora.__main__ import app
from corpora.file_digests import DIGESTS
from harness.tables import CLIPS, FAILURES, read

Tone = Callable[..., Path]
Sheet = Callable[..., Path]


@pytest.fixture
def scanned(tmp_path: Path, tone: Tone, capsys: pytest.CaptureFixture[str]) -> Path:
    """A table of four sounds in two class folders."""
    for name in ("bat/a.wav", "bat/b.wav", "owl/c.wav", "owl/d.wav"):
        tone(tmp_path / "sounds" / name)
    command(app, "scan", "folders", tmp_path / "sounds", "--out", tmp_path / "out" / "clips.csv", capsys=capsys)
    return tmp_path / "out" / "clips.csv"


def test_nothing_has_changed(scanned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "verify", scanned, capsys=capsys)
    assert (said.code, said.out, said.warnings) == (0, "4 files: all as they were scanned\n", [])


def test_missing_changed_and_added_are_named(
    scanned: Path, tmp_path: Path, tone: Tone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From another folder too; of one size as well."""
    sounds = tmp_path / "sounds"
    (sounds / "bat" / "a.wav").unlink()
    data = bytearray((sounds / "owl" / "c.wav").read_bytes())
    data[-1] ^= 1
    (sounds / "owl" / "c.wav").write_bytes(data)
    tone(sounds / "owl" / "new.wav")
    monkeypatch.chdir("/")
    said = command(app, "verify", scanned, capsys=capsys)
    assert said.code == 1
    assert said.out.splitlines() == [
        f"missing  {sounds / 'bat' / 'a.wav'}",
        f"changed  {sounds / 'owl' / 'c.wav'}",
        f"added    {sounds / 'owl' / 'new.wav'}",
        "4 files: 1 missing, 1 changed, 1 added",
    ]


def test_a_second_table_in_the_folder_is_named(
    scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("scan", "folders", tmp_path / "sounds", "--out")
    assert not any("into the same folder" in line for line in command(app, *args, scanned, capsys=capsys).warnings)
    said = command(app, *args, scanned.with_name("others.csv"), capsys=capsys)
    assert said.code == 0
    assert said.warnings[-1].startswith(
        f"warning: {scanned}: was scanned into the same folder; run.json and digests.csv"
    )


def test_what_cannot_be_checked_is_said(scanned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = scanned.parents[1] / "sounds" / "bat" / "a.wav"
    (scanned.parent / DIGESTS.name).unlink()
    (scanned.parent / "run.json").unlink()
    said = command(app, "verify", scanned, capsys=capsys)
    assert (said.code, said.out) == (1, "4 files: all there\n")
    assert said.warnings == [
        f"warning: 4 files without a digest, as {first}: scan the corpus again",
        "warning: files that were added could not be looked for: run.json does not say how the table was scanned",
    ]


def test_two_tables_in_one_folder(
    scanned: Path, tmp_path: Path, tone: Tone, capsys: pytest.CaptureFixture[str]
) -> None:
    tone(tmp_path / "more" / "e.wav")
    args = ("scan", "folders", tmp_path / "more", "--out", scanned.parent / "more.csv")
    assert command(app, *args, capsys=capsys).code == 0
    assert len(read(scanned.parent / DIGESTS.name, DIGESTS)) == 5
    assert command(app, "verify", scanned.parent / "more.csv", capsys=capsys).code == 0


def test_parts_of_files(tmp_path: Path, tone: Tone, sheet: Sheet, capsys: pytest.CaptureFixture[str]) -> None:
    """Two that start together have names of their own; one that is too long is named, one that is not there fails."""
    tone(tmp_path / "rec.wav", seconds=1.0)
    times = [(0.5, 0.8), (0.5, 0.9), (0.2, 1.5), (3, 4)]
    rows = [{"path": "rec.wav", "label": "x", "start_s": start, "end_s": end} for start, end in times]
    out = tmp_path / "out" / "clips.csv"
    said = command(app, "scan", "csv", sheet(tmp_path / "c.csv", rows), "--out", out, capsys=capsys)
    assert said.code == 1
    assert read(out, CLIPS)["clip_id"].tolist() == ["rec.wav@0.2", "rec.wav@0.5-0.8", "rec.wav@0.5-0.9"]
    assert read(out.parent / "failures.csv", FAILURES)[["clip_id", "reason"]].to_numpy().tolist() == [
        ["rec.wav@3", "starts at 3 s, but its file has 1.00 s"]
    ]
    note = "1 clip is shorter than its times say: its file ends before: 'rec.wav@0.2' (to 1.5 s of 1.00 s)."
    assert f"Note: {note}" in said.out
    twice = sheet(tmp_path / "d.csv", rows[:1] * 2)
    said = command(app, "scan", "csv", twice, "--out", out, capsys=capsys)
    assert said.code == 1
    assert "two rows have clip_id='rec.wav@0.5-0.8'" in said.warnings[0]
