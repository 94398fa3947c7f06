"""``python -m converter`` as people type it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from converter.__main__ import app
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
    assert "12 pictures of 6 clips" in capsys.readouterr().out
    assert len(tables.read(tmp_path / "images" / "images.csv", tables.IMAGES)) == 12
    assert (tmp_path / "store" / "pictures").is_dir()


def test_a_broken_clip_is_named_and_the_exit_code_says_so(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sounds" / "clip2.wav").write_bytes(b"")
    args = ("--clips", table, "--encoding", "gray", "--out", tmp_path / "images")
    assert call(monkeypatch, *args) == 1
    said = capsys.readouterr()
    assert "clip2.wav" in said.err
    assert "1 clip could not be drawn" in said.err
    assert "5 pictures of 5 clips" in said.out
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
    assert [line.split()[0] for line in lines] == ["gray", "linear", "logmel", "mel_power", "waveform"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, converter.__main__\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'PIL', 'matplotlib', 'librosa', 'soundfile', 'joblib', 'tensorflow'}\n"
        "print(heavy & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


def test_drawing_imports_neither_librosa_nor_tensorflow(table: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from converter.pipeline import convert\n"
        "from converter.options import read_clips, specs_from_options\n"
        "from harness.store import Store\n"
        "clips, out, store = map(Path, sys.argv[1:])\n"
        "convert(read_clips(clips), specs_from_options([], preset='', size='', pairs=[]), out, store=Store(store))\n"
        "print({'librosa', 'numba', 'tensorflow', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    where = [str(table), str(tmp_path / "images"), str(tmp_path / "store")]
    said = subprocess.run([sys.executable, "-c", code, *where], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_run_goes_on_where_it_stopped(make_clips: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    tables.write(make_clips(tmp_path / "many", n=60), tmp_path / "clips.csv", tables.CLIPS)
    store = tmp_path / "store"
    args = [sys.executable, "-m", "converter", "--clips", str(tmp_path / "clips.csv"), "--store", str(store)]
    out = tmp_path / "images"
    killed = subprocess.Popen([*args, "--out", str(out)], stdout=subprocess.DEVNULL)
    while len(list(store.rglob("*.png"))) < 20 and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = {p: p.stat().st_mtime_ns for p in store.rglob("*.png")}
    assert before
    assert not (out / "images.csv").exists()
    subprocess.run([*args, "--out", str(out)], check=True, stdout=subprocess.DEVNULL, env=os.environ)
    assert {p: p.stat().st_mtime_ns for p in before} == before  # what was drawn was not drawn again
    fresh = [*args[:-1], str(tmp_path / "other store"), "--out", str(tmp_path / "fresh")]
    subprocess.run(fresh, check=True, stdout=subprocess.DEVNULL)
    assert (out / "images.csv").read_bytes() == (tmp_path / "fresh" / "images.csv").read_bytes()
    images = tables.read(out / "images.csv", tables.IMAGES)
    for path in images["path"]:
        assert (out / path).read_bytes() == (tmp_path / "fresh" / path).read_bytes()
