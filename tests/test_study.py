"""A study from sounds to report: complete, resumable, never computed twice; what is wrong is one clear line."""

from __future__ import annotations

import csv
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import tensorflow_hub
from small_study import CLASSES, MERGES, PATTERN, Said, command, snapshot, write_corpus, write_study

import study
from harness import images
from harness.errors import SettingsError
from harness.files import read_json
from harness.hub import kinds
from harness.record import read_steps
from harness.study_file import read_study
from harness.tables import CLIPS, FAILURES, IMAGES, METRICS, PREDICTIONS, read, score_columns
from labeler.loading import load_model
from labeler.predict import label_files
from trainer import bottlenecks, logistic
from trainer.__main__ import app as trainer_app

ROOT = Path(__file__).resolve().parents[1]
ENCODINGS = ("gray", "waveform", "stacked", "merged", "sound")


def run(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python study.py`` in this process."""
    return command(study.app, *args, capsys=capsys)


@pytest.fixture
def small(studied: Path, tmp_path: Path) -> list[object]:
    """The words of the finished small study: its file, its store, and a copy of its run."""
    shutil.copytree(studied / "run", tmp_path / "run")
    return [studied / "small.toml", "--store", studied / "store", "--out", tmp_path / "run", "--jobs", 1]


@pytest.fixture
def own(studied: Path, tiny_module: str, tmp_path: Path) -> list[object]:
    """The words of a study of a test's own: one encoding, a copy of the sounds, a store that knows the module."""
    shutil.copytree(studied / "sounds", tmp_path / "sounds")
    shutil.copytree(studied / "store" / "modules", tmp_path / "store" / "modules")
    file = write_study(tmp_path / "own.toml", tmp_path / "sounds", [tiny_module])
    return [file, "--store", tmp_path / "store", "--out", tmp_path / "run", "--jobs", 1]


# ---------------------------------------------------------------- what a study leaves behind


def test_every_clip_once_in_every_table(studied: Path, tiny_module: str, tiny_yamnet: str) -> None:
    out = studied / "run"
    clips = read(out / CLIPS.name, CLIPS)
    assert len(clips) == 27
    images = read(out / "images" / IMAGES.name, IMAGES)
    assert set(images["encoding"]) == set(ENCODINGS) - {"sound"}
    assert all((out / "images" / path).is_file() for path in images["path"])
    scored = read(out / PREDICTIONS.name, PREDICTIONS)
    assert list(dict.fromkeys(scored["encoding"])) == list(ENCODINGS)
    for encoding, rows in scored.groupby("encoding"):
        assert sorted(rows["clip_id"]) == sorted(clips["clip_id"])
        assert set(rows["module"]) == {tiny_yamnet if encoding == "sound" else tiny_module}
    assert not (out / FAILURES.name).exists()
    metrics = read(out / METRICS.name, METRICS)
    accuracy = metrics[(metrics["metric"] == "accuracy") & (metrics["class"] == "")]
    for encoding in ENCODINGS:
        of_folds = (
            scored[scored["encoding"] == encoding]
            .groupby("fold")
            .apply(lambda rows: (rows["predicted"] == rows["label"]).mean(), include_groups=False)
        )
        given = accuracy[accuracy["encoding"] == encoding].set_index("fold")["value"]
        assert given["mean"] == pytest.approx(of_folds.mean())
        assert given["std"] == pytest.approx(of_folds.std())
        assert given[list(of_folds.index)].to_dict() == pytest.approx(of_folds.to_dict())


def test_the_record_names_every_step(studied: Path) -> None:
    steps = read_steps(studied / "run")
    assert {"corpus", "train", "evaluate"} <= set(steps)
    assert {"convert", "merge"} <= set(read_steps(studied / "run" / "images"))
    for step in steps.values():
        assert {"spec", "command", "inputs", "seed", "seconds", "finished", "versions"} <= set(step)
    assert steps["corpus"]["spec"]["name"] == "folders"


def test_the_report_is_there_and_needs_nothing_else(studied: Path) -> None:
    text = (studied / "run" / "report.html").read_text(encoding="utf-8")
    for encoding in ENCODINGS:
        assert encoding in text
    assert "<script src=" not in text
    assert "<link" not in text.split("</head>")[0] or "http" not in text.split("</head>")[0]


def test_the_ranking_is_printed_and_names_the_report(small: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(*small, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    out = small[4]
    assert isinstance(out, Path)
    with open(out / "ranking.csv", encoding="utf-8", newline="") as file:
        ranked = [row["encoding"] for row in csv.DictReader(file)]
    lines = said.out.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("encoding "))
    assert [line.split()[0] for line in lines[start + 1 : start + 6]] == ranked
    assert f"report  {out / 'report.html'}" in lines
    assert any(line.startswith(f"model   {out / 'model'} ") and "best of 5" in line for line in lines)


# ---------------------------------------------------------------- nothing twice


def test_a_second_run_draws_computes_and_fits_nothing(
    small: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small[4]
    assert isinstance(out, Path)
    before = snapshot(out)
    files = {p: p.stat().st_mtime_ns for p in out.rglob("*.png") if "images" in p.parts}
    done: list[str] = []

    def forbid(module: object, name: str) -> None:
        monkeypatch.setattr(module, name, lambda *a, **k: done.append(name) or 1 / 0)

    for module, name in ((images, "make_images"), (kinds, "load"), (logistic, "Regression")):
        forbid(module, name)
    said = run(*small, capsys=capsys)
    assert done == []
    assert said.code == 0, said.err
    assert len(before) >= 5
    assert snapshot(out) == before
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.png") if "images" in p.parts} == files


def test_a_new_folder_is_filled_from_the_store(
    studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems: list[int] = []
    path = logistic.Regression.path
    monkeypatch.setattr(
        logistic.Regression, "path", lambda self, train, *a: (problems.append(len(train)), path(self, train, *a))[1]
    )
    monkeypatch.setattr(images, "make_images", lambda *a, **k: 1 / 0)
    monkeypatch.setattr(bottlenecks, "batches_of", lambda *a, **k: 1 / 0)
    words = [studied / "small.toml", "--store", studied / "store", "--out", tmp_path / "new", "--jobs", 1]
    said = run(*words, capsys=capsys)
    assert said.code == 0, said.err
    assert problems == [1]  # the final model, which is in the run alone
    assert snapshot(tmp_path / "new") == snapshot(studied / "run")


def test_a_second_run_does_not_import_tensorflow(small: list[object]) -> None:
    out = small[4]
    assert isinstance(out, Path)
    before = snapshot(out)
    script = (
        "import sys, study\n"
        "from harness.cli import guard\n"
        "try:\n    guard(lambda: study.app(sys.argv[1:]))\n"
        "except SystemExit as leaving:\n    assert not leaving.code, leaving.code\n"
        "print('heavy:', [m for m in ('tensorflow', 'keras', 'tensorflow_hub') if m in sys.modules])\n"
    )
    words = [sys.executable, "-c", script, *map(str, small)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 new feature vectors" in done.stderr
    assert "error" not in done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert snapshot(out) == before


def test_only_what_changed_is_made_again(
    small: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[list[object]] = []
    real = images.make_images
    monkeypatch.setattr(
        images, "make_images", lambda task: (drawn.append([p.row["encoding"] for p in task.images]), real(task))[1]
    )
    out = small[4]
    assert isinstance(out, Path)
    before = read(out / PREDICTIONS.name, PREDICTIONS)
    said = run(*small, "--set", "convert.waveform={encoding = 'waveform', sample_rate = 4000}", capsys=capsys)
    assert said.code == 0, said.err
    assert drawn == [["waveform"]] * 27 + [["stacked"]] * 27 + [["merged"]] * 27
    after = read(out / PREDICTIONS.name, PREDICTIONS)
    for encoding in ENCODINGS:
        same = before[before["encoding"] == encoding].equals(after[after["encoding"] == encoding])
        assert same == (encoding in ("gray", "sound")), encoding


def test_dry_run_says_what_is_there_and_writes_nothing(
    small: list[object], own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small[4]
    assert isinstance(out, Path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    said = run(*own, "--out", tmp_path / "new", "--dry-run", capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert "draw    gray: 0 of 27 images cached" in said.out
    assert "which feature vectors are cached is known when its images are there" in said.out
    assert "27 clips, 3 classes, 3 folds, 18 groups" in said.out
    said = run(*small, "--dry-run", capsys=capsys)
    assert said.code == 0
    for line in ("draw    gray: 27 of 27", "draw    waveform: 27 of 27", "merge   stacked: stack of gray, waveform"):
        assert line in said.out
    assert said.out.count("27 of 27 feature vectors cached") == 5
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


# ---------------------------------------------------------------- stopped, and started again


KILLED = """
import os, signal, sys
from harness.store import Store
kind, number = sys.argv[1], int(sys.argv[2])
put, seen = Store.put, []
def counted(self, each, *args, **options):
    put(self, each, *args, **options)
    seen.append(each)
    if seen.count(kind) == number:
        os.kill(os.getpid(), signal.SIGKILL)
Store.put = counted
import study
sys.argv[:3] = ["study.py"]
study.run()
"""


def test_killed_at_any_moment_it_ends_with_the_same_tables(
    studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program kills itself as soon as it has put so many entries of a kind into the store."""
    store, out = tmp_path / "store", tmp_path / "run"
    shutil.copytree(studied / "store" / "modules", store / "modules")
    words = [studied / "small.toml", "--store", store, "--out", out, "--jobs", 1]
    drawn = int(np.random.default_rng(6).integers(5, 50))
    for moment in (("images", drawn), ("vectors", 2), ("heads", 3)):
        line = [sys.executable, "-c", KILLED, *map(str, (*moment, *words))]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (out / "report.html").exists()

    said = run(*words, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    got, expected = snapshot(out), snapshot(studied / "run")
    assert set(got) == set(expected)
    for name in got:
        if got[name] != expected[name]:  # on many processors vectors differ by rounding where batches were others,
            # and heads within the tolerance of the optimiser: here and there two scores change places
            tables = (pd.read_csv(folder / name) for folder in (out, studied / "run"))
            pd.testing.assert_frame_equal(*tables, check_exact=False, rtol=0, atol=1e-2)
    assert (out / "model" / "saved_model.pb").is_file()
    visible = [
        {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not any(n[0] == "." for n in p.parts[-3:])}
        for folder in (out, studied / "run")
    ]
    assert visible[0] == visible[1]


# ---------------------------------------------------------------- what can go wrong


def test_a_broken_sound_is_listed_and_the_rest_goes_on(
    own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = sorted((tmp_path / "sounds" / "hum").iterdir())[3]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:30])
    out = tmp_path / "run"
    for _ in range(2):
        said = run(*own, capsys=capsys)
        assert said.code == 1
        assert said.warnings == [f"warning: 1 clip failed; {out / 'failures.csv'} says which and why"]
        failures = read(out / FAILURES.name, FAILURES)
        assert failures["clip_id"].tolist() == [broken.name]
        assert failures["path"].tolist() == [str(broken)]
        assert broken.name in failures["reason"][0]
        assert len(read(out / PREDICTIONS.name, PREDICTIONS)) == 26
        assert (out / "report.html").is_file()
    said = run(*own, "--strict", capsys=capsys)
    assert said.code == 1
    assert len(said.warnings) == 1
    assert said.warnings[0].startswith("error: ")
    assert broken.name in said.warnings[0]

    broken.write_bytes(whole)
    assert run(*own, capsys=capsys).code == 0
    assert not (out / FAILURES.name).exists()
    assert len(read(out / PREDICTIONS.name, PREDICTIONS)) == 27


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            r"corpus.pattern='(?P<fold>\d+)-\d+-(?P<group>\d)'",
            "3 groups are in several folds: 0 \\(folds 1, 2, 3\\).*\\[corpus\\] folds = 3 assigns",
        ),
        ("corpus.root=no/such/folder", "no/such/folder: no such folder"),
        ("corpus.name=folder", "corpus='folder': no such corpus; did you mean 'folders'"),
        ("corpus.classes=['him']", "'him' is not a class of this corpus; did you mean 'hum'"),
        ("convert.encodings=['grey']", "'grey': .*did you mean 'gray'"),
        ("convert.hop_lenght=64", "hop_lenght: .*did you mean 'hop_length'"),
        ("merge.m={how = 'stakc', of = ['gray']}", "'stakc': .*did you mean 'stack'"),
        ("merge.m={how = 'stack', of = ['gray', 'wavform']}", "'wavform'"),
        ("train.modul=['builtin:scattering']", r"--set train.modul: no such setting; did you mean 'modules'"),
        ("trian.head=sgd", "section 'trian' is not known; did you mean 'train'"),
        ("train.head=sdg", "head='sdg': did you mean 'sgd'"),
        ("train.seeds=[]", r"--set train.seeds=\[\]: must not be empty"),
        ("corpus.classes=['hum']", "at least 2 classes, found 1: hum"),
        ("evaluate.baseline=grey", "baseline='grey': no such encoding; did you mean 'gray'"),
        ("train.seeds=[0, 0]", "seed 0 is given twice"),
        ("train.modules=['builtin:scatter']", "'builtin:scatter' is not known; did you mean 'builtin:scattering'"),
        ("train.modules=['no/module']", "module 'no/module': no such folder"),
        ("train", "--set 'train': expected section.key=value"),
    ],
)
def test_what_is_wrong_is_one_line_before_any_work(
    wrong: str, says: str, own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(*own, "--set", wrong, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1, said.err
    assert re.match(f"error: .*{says}", said.err), said.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrong", ["evaluate.baseline=nothing", "a file in the way", ""])
def test_what_is_refused_is_refused_before_all_is_drawn(
    own: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    seen: list[str] = []

    @contextmanager
    def drawn_ahead(*_: object, jobs: int, **__: object) -> Iterator[Callable[[], None]]:
        seen.append(f"begun with {jobs}")
        try:
            yield lambda: seen.append("waited")
        except SettingsError:
            seen.append("ended")
            raise

    monkeypatch.setattr(study.converter, "drawn_ahead", drawn_ahead)
    settings = [wrong] if "=" in wrong else []
    given = {"out": tmp_path / "run", "store": tmp_path / "store", "jobs": 2, "settings": settings}
    if wrong:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "ranking.csv").write_text("mine" if not settings else "")
        with pytest.raises(SettingsError):
            study.study(str(own[0]), **given)  # type: ignore[arg-type]
        assert seen == ["begun with 2", "ended"]
    else:
        study.study(str(own[0]), strict=True, **given)  # type: ignore[arg-type]
        assert seen == ["begun with 1", "waited"]


def test_a_handle_without_a_network_is_one_line(
    own: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(handle: str) -> str:
        raise URLError(socket.gaierror(-2, "Name or service not known"))

    monkeypatch.setattr(tensorflow_hub, "resolve", unreachable)
    handle = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"
    said = run(*own, "--set", f"train.modules=['{handle}']", capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"error: module '{handle}' cannot be fetched (no network")
    assert "builtin:scattering" in said.err
    assert not (tmp_path / "run").exists()


def test_as_a_program_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[convert]\nencodngs = ['gray']\n", encoding="utf-8")
    for words, says in (
        ([str(tmp_path / "s.toml")], "did you mean 'encodings'"),
        ([str(tmp_path / "none.toml")], "No such file"),
    ):
        done = subprocess.run(
            [sys.executable, str(ROOT / "study.py"), *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert says in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["s.toml"]


# ---------------------------------------------------------------- what can be given


def test_paths_are_relative_to_the_file_and_in_set_to_the_working_directory(
    own: list[object], tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copytree(tiny_module, tmp_path / "studies" / "tiny")
    (tmp_path / "sounds").rename(tmp_path / "studies" / "sounds")
    file = write_study(tmp_path / "studies" / "near.toml", Path("sounds"), ["tiny"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    plain = [file, "--store", tmp_path / "store", "--dry-run"]
    said = run(*plain, capsys=capsys)
    assert said.code == 0, said.err
    assert f"out     {Path('runs') / 'near'}" in said.out
    for wrong in ("corpus.root=sounds", 'train.modules=["tiny"]'):
        said = run(*plain, "--set", wrong, capsys=capsys)
        assert said.code == 1
        assert "no such folder" in said.err
    right = ["--set", "corpus.root=../studies/sounds", "--set", 'train.modules=["../studies/tiny"]']
    assert run(*plain, *right, capsys=capsys).code == 0
    assert not (tmp_path / "elsewhere" / "runs").exists()


def test_head_sgd_and_seeds(own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "train.head=sgd", "--set", "train.steps=20", "--set", "train.seeds=[0, 3]"]
    said = run(*own, *settings, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / "run" / PREDICTIONS.name, PREDICTIONS)
    assert set(table["head"]) == {"sgd"}
    assert table.groupby("seed").size().to_dict() == {"0": 27, "3": 27}
    assert read_json(tmp_path / "run" / "model" / "model.json")["training"]["head"] == "sgd"


def test_classes_and_folds_can_be_given(own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "corpus.classes=['hum', 'hiss']", "--set", "corpus.folds=2", "--set", "corpus.pattern=''"]
    said = run(*own, *settings, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / "run" / PREDICTIONS.name, PREDICTIONS)
    assert score_columns(table) == ["p:hiss", "p:hum"]
    assert set(table["fold"]) == {"1", "2"}


def test_the_embedded_default_on_sounds_of_the_program_s_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_corpus(tmp_path / "sounds", takes=2)
    file = tmp_path / "default.toml"
    file.write_text(
        f"[corpus]\nname = 'folders'\nroot = 'sounds'\npattern = '{PATTERN}'\n[convert]\nencodings = ['gray']\n",
        encoding="utf-8",
    )
    said = run(file, "--store", tmp_path / "store", "--out", tmp_path / "run", "--jobs", 1, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / "run" / PREDICTIONS.name, PREDICTIONS)
    assert set(table["module"]) == {"builtin:scattering"}
    assert len(table) == len(list(root.glob("*/*.wav")))
    assert (table["predicted"] == table["label"]).mean() > 0.85
    assert sorted(CLASSES) == [c[2:] for c in score_columns(table)]
    assert MERGES not in file.read_text()


def test_the_studies_that_come_with_it_can_be_read() -> None:
    found, modules = read_study(ROOT / "studies" / "demo.toml")
    assert found.corpus.name == "demo"
    assert [m.handle for m in modules] == ["builtin:scattering"]
    found, modules = read_study(ROOT / "studies" / "esc10.toml")
    assert (found.corpus.subset, len(modules), list(found.merge)) == ("esc10", 2, ["stacked", "merged"])


# ---------------------------------------------------------------- real sound


@pytest.mark.corpus
def test_three_classes_of_esc10(esc10: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [
        "--set", f"corpus.root={esc10}", "--set", "corpus.classes=['rooster', 'rain', 'clock_tick']",
        "--set", "convert.encodings=['gray']", "--set", "merge={}", "--set", "train.modules=['builtin:scattering']",
    ]  # fmt: skip
    words = ["--store", tmp_path / "store", "--out", tmp_path / "run"]
    said = run(ROOT / "studies" / "esc10.toml", *settings, *words, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / "run" / PREDICTIONS.name, PREDICTIONS)
    assert table.groupby("fold").size().to_dict() == dict.fromkeys("12345", 24)
    assert (table["predicted"] == table["label"]).mean() > 0.9

    out = tmp_path / "fold3"
    named = ["--encoding", "gray", "--fold", "3", "--store", tmp_path / "store", "--out", out]
    assert command(trainer_app, "export", tmp_path / "run", *named, capsys=capsys).code == 0
    rows = table[table["fold"] == "3"]
    paths = read(tmp_path / "run" / CLIPS.name, CLIPS).set_index("clip_id")["path"]
    scores = np.stack([one.scores for one in label_files(load_model(out), [Path(paths[c]) for c in rows["clip_id"]])])
    np.testing.assert_allclose(scores, rows[score_columns(table)], rtol=0, atol=1e-5)


@pytest.mark.corpus
@pytest.mark.long
def test_the_whole_of_esc10(esc10: Path, mobilenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [
        "--set", f"corpus.root={esc10}",
        "--set", f"train.modules=['builtin:scattering', '{mobilenet}']",
    ]  # fmt: skip
    words = ["--store", tmp_path / "store", "--out", tmp_path / "run"]
    said = run(ROOT / "studies" / "esc10.toml", *settings, *words, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / "run" / PREDICTIONS.name, PREDICTIONS)
    assert set(table.groupby(["encoding", "module"]).size()) == {400}
    assert len(table) == 12 * 400
    metrics = read(tmp_path / "run" / METRICS.name, METRICS)
    chosen = metrics[(metrics["metric"] == "accuracy") & (metrics["class"] == "") & (metrics["fold"] == "mean")]
    mean = chosen.set_index(["encoding", "module"])["value"]
    scattering, net = "builtin:scattering", str(mobilenet)
    assert mean["gray", scattering] >= 0.93
    assert max(mean["gray", net], mean["logmel", net]) >= 0.87
    for module in (scattering, net):
        assert mean["waveform", module] < min(mean["gray", module], mean["logmel", module]) - 0.05
    before = snapshot(tmp_path / "run")
    assert run(ROOT / "studies" / "esc10.toml", *settings, *words, capsys=capsys).code == 0
    assert snapshot(tmp_path / "run") == before
