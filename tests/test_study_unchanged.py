"""A finished study whose sounds, settings and results are as they were left has nothing to do, and says so."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from small_study import RATE, Said, command, snapshot

import study
from harness import unchanged
from harness.audio import write_wav
from harness.store import Store

UNCHANGED = "0 new images, 0 new feature vectors, 0 new heads"


@pytest.fixture
def words(studied: Path, tmp_path: Path) -> list[object]:
    """The words of a finished study, with files of its own."""
    for name in ("sounds", "store", "run"):
        shutil.copytree(studied / name, tmp_path / name)
    text = (studied / "small.toml").read_text(encoding="utf-8")
    file = tmp_path / "small.toml"
    file.write_text(text.replace(str(studied / "sounds"), str(tmp_path / "sounds")), encoding="utf-8")
    return [file, "--store", tmp_path / "store", "--out", tmp_path / "run", "--jobs", 1]


@pytest.fixture
def run(words: list[object], capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs the study."""
    return Runner(words, capsys)


class Runner:
    """``python study.py`` in this process; `went` says whether the last run went through its stages."""

    def __init__(self, words: list[object], capsys: pytest.CaptureFixture[str]) -> None:
        self.words, self.capsys, self.went = words, capsys, False

    def __call__(self, *more: object) -> Said:
        said = command(study.app, *self.words, *more, capsys=self.capsys)
        assert said.code == 0, said.err
        assert ("unchanged since " in said.err) == (UNCHANGED in said.err)
        self.went = UNCHANGED not in said.err
        return said


def test_the_same_again_prints_the_same_and_touches_nothing(run: Runner, tmp_path: Path) -> None:
    before = run()
    assert run.went
    states = {path: path.stat() for path in (tmp_path / "run").rglob("*")}
    again = run()
    assert not run.went
    assert (again.out, again.warnings) == (before.out, before.warnings)
    assert "report  " in again.out
    assert {path: path.stat() for path in (tmp_path / "run").rglob("*")} == states


def test_what_was_removed_or_edited_is_made_again(run: Runner, tmp_path: Path) -> None:
    run()
    made = snapshot(tmp_path / "run")
    table = tmp_path / "run" / "metrics.csv"
    for change in (
        lambda: (tmp_path / "run" / "report.html").unlink(),
        lambda: table.write_text(table.read_text().replace("0", "1", 1)),
        lambda: next((tmp_path / "run" / "images").rglob("*.png")).unlink(),
    ):
        change()
        run()
        assert run.went
        assert snapshot(tmp_path / "run") == made
        run()
        assert not run.went


def test_another_sound_setting_version_or_code_is_seen(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    run("--set", "evaluate.all_pairs=true")
    assert run.went
    run()
    assert run.went, "the folder is another one's now"
    monkeypatch.setattr(unchanged, "versions", lambda: {"numpy": "0"})
    run()
    assert run.went
    monkeypatch.undo()
    monkeypatch.setenv("SOUNDFOLD_MIXED_PRECISION", "off")
    run()
    assert run.went
    monkeypatch.undo()
    run()
    own = tmp_path / "code.py"
    own.write_text("x = 1")
    set_back(own)
    monkeypatch.setattr(unchanged, "_own_code", lambda: [str(own)])
    run()
    assert run.went
    run()
    assert not run.went
    own.write_text("x = 2")
    set_back(own)
    run()
    assert run.went
    own.write_text("x = 3")
    for _ in range(2):
        run()
        assert run.went, "written since this process began, which may run older code"
    set_back(own)
    run()
    changed = next((tmp_path / "sounds").rglob("*.wav"))
    times = changed.stat()
    write_wav(changed, np.linspace(-0.5, 0.5, 2400, dtype=np.float32), RATE)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    run()
    assert run.went, "a sound, though its time is the old one"


def set_back(file: Path) -> None:
    """As if it had been written a day ago."""
    then = time.time_ns() - 86_400_000_000_001
    os.utime(file, ns=(then, then))


def test_a_file_of_settings_is_seen(run: Runner, tmp_path: Path) -> None:
    settings, names = tmp_path / "spectrum.csv", "RESOLUTION,SAMPLE_RATE,N_FFT,N_MELS,HOP_LENGTH,FMIN,FMAX,POWER"
    text = run.words[0].read_text(encoding="utf-8")
    run.words[0].write_text(
        text.replace("[convert]\n", "[convert]\nsettings = 'spectrum.csv'\n").replace("n_mels = 32\n", "")
    )
    for mels in (32, 16):
        settings.write_text(f"{names}\n32,8000,256,{mels},64,0,4000,2\n")
        said = run()
        assert run.went
        assert any("images removed" in line for line in said.warnings), "which is not to be said again"
        assert run().warnings == []
        run()
        assert not run.went


def test_the_order_of_settings_is_seen(run: Runner) -> None:
    more = (
        ("--set", 'merge.aa={how="stack",of=["gray","waveform"]}'),
        ("--set", 'merge.bb={how="stack",of=["waveform","gray"]}'),
    )
    run(*more[0], *more[1])
    run(*more[1], *more[0])
    assert run.went


def test_what_somebody_changed_while_the_study_ran_is_made_again(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    made = snapshot(tmp_path / "run")
    real, table = study.evaluate, tmp_path / "run" / "clips.csv"

    def edited(*args: object, **named: object) -> object:
        found = real(*args, **named)  # type: ignore[arg-type]
        table.write_text(table.read_text().replace("hum", "hiss", 1))
        return found

    monkeypatch.setattr(study, "evaluate", edited)
    (tmp_path / "run" / "report.html").unlink()
    run()
    monkeypatch.undo()
    run()
    assert run.went
    assert snapshot(tmp_path / "run") == made


def test_what_another_study_writes_as_soon_as_it_may_is_not_taken_for_this_ones(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, table = study.outcome_lines, tmp_path / "run" / "ranking.csv"

    def hindered(ran: study.StudyRun) -> list[str]:
        if not (tmp_path / "run" / ".soundfold.lock").exists():
            table.write_text("another's")
        return real(ran)

    monkeypatch.setattr(study, "outcome_lines", hindered)
    run()
    assert table.read_text() == "another's"
    monkeypatch.undo()
    run()
    assert run.went


def test_a_run_that_may_have_been_interrupted_is_not_taken_for_finished(run: Runner, tmp_path: Path) -> None:
    run()
    lock = tmp_path / "run" / ".soundfold.lock"
    lock.write_text("python study.py")
    run()
    assert run.went
    assert not lock.exists()


def test_failures_are_tried_again(words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((tmp_path / "sounds").rglob("*.wav")).write_bytes(b"RIFF")
    for _ in range(2):
        said = command(study.app, *words, capsys=capsys)
        assert said.code == 1
        assert "1 clip failed" in said.err


def test_with_code_from_outside_every_stage_is_gone_through(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "loaded_plugins", lambda: (("plugin.py", "0"),))
    for _ in range(2):
        run()
        assert run.went


def test_what_might_change_unseen_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    whole = time.time_ns() // 1_000_000_000 * 1_000_000_000
    os.utime(file, ns=(whole, whole))
    assert unchanged._states([file]) == "", "a clock that ticks in seconds, and a change just now"
    assert unchanged._states([tmp_path / "none"]) == ""
    assert unchanged._states(["s3://bucket/a"]) == ""
    file.write_text("x")
    assert len(unchanged._states([file])) == 64


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder, sound = tmp_path / "run\udcff", tmp_path / "a\udcff.wav"
    folder.mkdir()
    (folder / "table\udcff.csv").write_text("x")
    sound.write_bytes(b"x")
    for said in ([], [("warn", f"{sound} is odd")]):
        given = {"store": Store(tmp_path / "store"), "made_of": {"clips": [str(sound)], "labels": ["\udcff"]}}
        finished = unchanged.FinishedRun(folder, reads=[sound], **given)
        assert finished.said() is None
        finished.remember(said, written={})
        known = unchanged.FinishedRun(folder, reads=[sound], **given).said()
        assert (known and known[1]) == (None if said else [])
        given["store"].remove("finished", finished._key, ".json")


def test_a_folder_elsewhere_is_not_known(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "run" / "heads").rename(tmp_path / "elsewhere")
    (tmp_path / "run" / "heads").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    for _ in range(2):
        run()
        assert run.went
