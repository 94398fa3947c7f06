"""``python -m corpora``: tables, records, summaries, one-line errors, exit codes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpora.__main__ import app
from corpora.loading import CORPORA
from harness.audio import read as read_sound
from harness.cli import guard
from harness.files import digest_file
from harness.record import read_steps
from harness.tables import CLIPS, FAILURES, read

Tone = Callable[..., Path]
Sheet = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]


def run(*args: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line, as the program gives them."""
    try:
        code = guard(lambda: app([str(arg) for arg in args]))
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_as_a_program_error_and_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "corpora", "scan", "foldrs", str(tmp_path), "--out", str(tmp_path / "clips.csv")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip().splitlines() == [
        f"error: corpus='foldrs': no such corpus; did you mean 'folders'? available: {', '.join(CORPORA)}"
    ]


def test_one_folder_with_one_wav(tmp_path: Path, tone: Tone, capsys: pytest.CaptureFixture[str]) -> None:
    tone(tmp_path / "sounds" / "a.wav")
    out = tmp_path / "out" / "clips.csv"
    code, said, warned = run("scan", "folders", tmp_path / "sounds", "--out", out, capsys=capsys)
    assert code == 0
    table = read(out, CLIPS)
    assert table[["clip_id", "label", "fold"]].to_numpy().tolist() == [["a.wav", "sounds", ""]]
    assert f"{out}: 1 clip, 1 class, 0 folds, 0 groups" in said
    assert "not cross-validated" in warned


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("folders", "nowhere"), "error: root=.*nowhere: no such folder"),
        (("folders", "."), "error: root=.*: no sounds in it or below it"),
        (("csv", "nowhere.csv"), r"error: .*nowhere\.csv: no such file"),
        (("folders",), "error: root is empty: the corpus 'folders' needs the folder or file where it lies"),
        (("csv", "x.csv", "--column", "path"), "error: --column 'path': expected OURS=THEIRS, as path=file"),
    ],
)
def test_one_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said, warned = run("scan", *args, "--out", "clips.csv", capsys=capsys)
    assert (code, said) == (1, "")
    assert len(warned.strip().splitlines()) == 1
    assert re.match(says, warned)
    assert not (tmp_path / "clips.csv").exists()


def test_summary_counts_per_class_and_fold(
    tmp_path: Path, tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, warned = run("scan", "esc50", tiny("esc50"), "--out", tmp_path / "clips.csv", capsys=capsys)
    assert (code, warned) == (0, "")
    assert said.splitlines() == [
        f"{tmp_path / 'clips.csv'}: 12 clips, 3 classes, 2 folds, 6 groups",
        "class           clips  groups  fold 1  fold 2",
        "dog                 4       2       2       2",
        "rain                4       2       2       2",
        "vacuum_cleaner      4       2       2       2",
        "all                12       6       6       6",
    ]


def test_run_json_has_the_step(tmp_path: Path, tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clips.csv"
    run("scan", "urbansound8k", tiny("urbansound8k"), "--out", out, "--folds", 2, "--seed", 7, capsys=capsys)
    step = read_steps(tmp_path)["corpus"]
    assert step["spec"]["name"] == "urbansound8k"
    assert (step["spec"]["folds"], step["seed"]) == (2, 7)
    assert list(step["inputs"]) == ["UrbanSound8K.csv"]
    assert len(step["inputs"]["UrbanSound8K.csv"]) == 64


def test_classes_pattern_and_columns(
    tmp_path: Path, tone: Tone, sheet: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("s1_a.wav", "s2_b.wav", "s1_c.wav"):
        tone(tmp_path / name)
    rows = [{"file": f"s{s}_{n}.wav", "kind": k} for s, n, k in ((1, "a", "bat"), (2, "b", "owl"), (1, "c", "fox"))]
    args = ["scan", "csv", sheet(tmp_path / "c.csv", rows), "--out", tmp_path / "clips.csv"]
    args += ["--column", "path=file", "--column", "label=kind", "--classes", "bat,owl", "--pattern", r"s(?P<fold>\d)_"]
    assert run(*args, capsys=capsys)[0] == 0
    table = read(tmp_path / "clips.csv", CLIPS)
    assert table[["label", "fold"]].to_numpy().tolist() == [["bat", "1"], ["owl", "2"]]


def test_missing_file_is_a_failure_and_the_rest_goes_on(
    tmp_path: Path, tone: Tone, sheet: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    tone(tmp_path / "a.wav")
    file = sheet(tmp_path / "c.csv", [{"path": "a.wav"}, {"path": "gone.wav"}])
    out = tmp_path / "out" / "clips.csv"
    code, _, warned = run("scan", "csv", file, "--out", out, "--strict", capsys=capsys)
    assert code == 1
    assert not out.exists()
    assert "gone.wav: no such file" in warned
    code, _, warned = run("scan", "csv", file, "--out", out, capsys=capsys)
    assert code == 1
    assert "1 clip listed by the corpus: not there" in warned
    assert read(out, CLIPS)["clip_id"].tolist() == ["a.wav"]
    assert read(out.parent / "failures.csv", FAILURES)["clip_id"].tolist() == ["gone.wav"]
    tone(tmp_path / "gone.wav")
    assert run("scan", "csv", file, "--out", out, capsys=capsys)[0] == 0
    assert not (out.parent / "failures.csv").exists()


def test_shared_groups_are_refused_and_allowed_aloud(
    tmp_path: Path, tone: Tone, sheet: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "b.wav"):
        tone(tmp_path / name)
    rows = [{"path": f"{n}.wav", "group": "g", "fold": f, "label": n} for n, f in (("a", 1), ("b", 2))]
    args = ("scan", "csv", sheet(tmp_path / "c.csv", rows), "--out", tmp_path / "clips.csv")
    code, _, warned = run(*args, capsys=capsys)
    assert code == 1
    assert warned == (
        "error: 1 group is in several folds: g (folds 1, 2); a model would be tested on recordings that it trained on; "
        "--shared-groups drop leaves their clips out of training where they would leak; "
        "--shared-groups allow goes on with the leak; --folds 2 assigns folds by group\n"
    )
    code, _, warned = run(*args, "--allow-shared-groups", capsys=capsys)
    assert (code, warned) == (1, "error: --allow-shared-groups: is now --shared-groups allow\n")
    code, said, warned = run(*args, "--shared-groups", "allow", capsys=capsys)
    assert code == 0
    assert warned.splitlines()[0] == "warning: groups in several folds are allowed, so figures will be too good"
    assert "Note: 1 group (2 clips) in several folds, which the corpus does not declare: g (folds 1, 2)." in said
    code, _, warned = run(*args, "--shared-groups", "alow", capsys=capsys)
    assert warned.startswith("error: --shared-groups='alow': did you mean 'allow'? available: allow, drop, ")


def test_list_names_every_corpus_and_those_of_plugins(whales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run("list", capsys=capsys)
    lines = said.splitlines()
    assert code == 0
    assert lines[0].split() == ["name", "title", "licence", "folds", "group"]
    assert [line.split()[0] for line in lines[1:]] == list(CORPORA)
    assert lines[0].index("title") == lines[1].index(CORPORA["csv"].title)
    assert "whales" not in said
    assert re.search(r"\nwhales +Whales of two bays ", run("list", "--plugin", whales, capsys=capsys)[1])


def test_a_corpus_of_a_plugin(
    tmp_path: Path, whales: Path, tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("scan", "whales", tiny("whales"), "--out", tmp_path / "out" / "clips.csv")
    code, _, warned = run(*args, capsys=capsys)
    assert code == 1
    assert "corpus='whales': no such corpus; available: " in warned
    code, said, _ = run(*args, "--plugin", whales, capsys=capsys)
    assert code == 0
    assert "4 clips, 2 classes, 0 folds, 4 groups" in said
    assert read_steps(tmp_path / "out")["corpus"]["inputs"] == {"whales.py": digest_file(whales)}


def test_make_demo_and_scan_without_root(tmp_path: Path, demo_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(demo_root, tmp_path / "demo")
    code, said, _ = run("make-demo", "--out", tmp_path / "demo", capsys=capsys)
    assert code == 0
    assert "300 clips, 10 classes, 5 folds, 150 groups" in said
    assert read_steps(tmp_path / "demo")["make-demo"]["seed"] == 0
    code, said, _ = run("scan", "demo", "--out", tmp_path / "clips.csv", capsys=capsys)
    assert code == 0
    assert read(tmp_path / "clips.csv", CLIPS)["path"].str.startswith(str(demo_root)).all()


def test_arrange_lays_out_class_folders_once(
    tmp_path: Path, tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("csv", "folders"):
        table, out = tmp_path / name / "clips.csv", tmp_path / name / "classes"
        run("scan", name, tiny(name), "--out", table, capsys=capsys)
        assert run("arrange", "--clips", table, "--out", out, capsys=capsys)[0] == 0
        first = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
        assert run("arrange", "--clips", table, "--out", out, capsys=capsys)[0] == 0
        assert {path: path.stat().st_mtime_ns for path in out.glob("*/*")} == first
        assert len(first) == len(read(table, CLIPS))
    cut, sr = read_sound(tmp_path / "csv" / "classes" / "call" / "rec1.wav@0.5.wav")
    whole, _ = read_sound(tiny("csv").parent / "wavs" / "rec1.wav")
    assert (len(cut), sr) == (4000, 8000)
    assert abs(cut - whole[4000:]).max() < 1e-4
    assert (tmp_path / "folders" / "classes" / "bat" / "bat_a.wav").is_file()


def test_class_folders_and_back(
    tmp_path: Path, tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """From a CSV of parts to class folders to a table with the same labels, folds and groups."""
    first, out, second = tmp_path / "first" / "clips.csv", tmp_path / "out", tmp_path / "second" / "clips.csv"
    assert run("scan", "csv", tiny("csv"), "--out", first, capsys=capsys)[0] == 0
    assert run("arrange", "--clips", first, "--out", out, capsys=capsys)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    assert run("arrange", "--clips", first, "--out", out, capsys=capsys)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*")} == before and before
    assert run("scan", "csv", out / "arranged.csv", "--out", second, capsys=capsys)[0] == 0
    columns = ["clip_id", "label", "fold", "group"]
    assert read(second, CLIPS)[columns].equals(read(first, CLIPS)[columns])
    assert {Path(path) for path in read(second, CLIPS)["path"]} == set(before)


def test_arrange_names_what_it_could_not_lay_out(
    tmp_path: Path, tone: Tone, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("bat/a.wav", "owl/b.wav"):
        tone(tmp_path / "in" / name)
    run("scan", "folders", tmp_path / "in", "--out", tmp_path / "clips.csv", capsys=capsys)
    (tmp_path / "in" / "owl" / "b.wav").unlink()
    args = ("arrange", "--clips", tmp_path / "clips.csv", "--out", tmp_path / "out")
    code, _, warned = run(*args, capsys=capsys)
    assert code == 1
    assert "1 clip could not be laid out" in warned
    assert read(tmp_path / "out" / "failures.csv", FAILURES)["clip_id"].tolist() == ["b.wav"]
    assert (tmp_path / "out" / "bat" / "a.wav").is_file()


def test_help_is_light() -> None:
    heavy = "('numpy', 'pandas', 'scipy', 'soundfile')"
    code = f"import sys, corpora.__main__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
    assert CliRunner().invoke(app, ["scan", "--help"]).exit_code == 0
