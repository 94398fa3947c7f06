"""``[convert] keep_images = false``: the same tables as with image files, and no image anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_study import MERGES, Said, command, snapshot, write_study

import study
from harness.memory_images import Drawn, DrawTask
from harness.record import read_steps
from harness.tables import FAILURES, IMAGES, PREDICTIONS, read
from merger.__main__ import app as merger_app
from trainer import bottlenecks, drawn_batches, drawn_features
from trainer.__main__ import app as trainer_app

IN_MEMORY = ("--set", "convert.keep_images=false")
TABLES = ("clips.csv", "metrics.csv", "predictions.csv", "ranking.csv")


def run(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python study.py`` in this process."""
    return command(study.app, *args, capsys=capsys)


@pytest.fixture(scope="module")
def in_memory(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study of `studied`, run without images into a store of its own."""
    from harness.store import Store

    home = tmp_path_factory.mktemp("in_memory")
    plan = study.make_plan(studied / "small.toml", [IN_MEMORY[1]], Store(home / "store"))
    assert study.run_study(plan, home / "run", jobs=2).failures.empty
    return home


@pytest.fixture
def words(studied: Path, in_memory: Path, tmp_path: Path) -> list[object]:
    """The words of that study: its file, its store, and a copy of its run."""
    shutil.copytree(in_memory / "run", tmp_path / "run")
    return [studied / "small.toml", *IN_MEMORY, "--store", in_memory / "store", "--out", tmp_path / "run", "--jobs", 1]


@pytest.fixture
def own(studied: Path, tiny_module: str, tmp_path: Path) -> list[object]:
    """The words of a study of a test's own: a copy of the sounds, a store that knows the module."""
    shutil.copytree(studied / "sounds", tmp_path / "sounds")
    shutil.copytree(studied / "store" / "modules", tmp_path / "store" / "modules")
    listed = '["gray", "waveform"]'
    file = write_study(tmp_path / "own.toml", tmp_path / "sounds", [tiny_module], encodings=listed, more=MERGES)
    return [file, *IN_MEMORY, "--store", tmp_path / "store", "--jobs", 1]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names that each clip was drawn for, as it happens."""
    seen: list[list[str]] = []
    real = drawn_features.draw_clip

    def counted(task: DrawTask) -> Drawn:
        seen.append(list(task.wanted))
        return real(task)

    monkeypatch.setattr(drawn_features, "draw_clip", counted)
    return seen


def test_the_same_tables_without_an_image(studied: Path, in_memory: Path) -> None:
    assert snapshot(in_memory / "run", *TABLES) == snapshot(studied / "run", *TABLES)
    heads = [sorted((home / "run" / "heads").iterdir()) for home in (studied, in_memory)]
    assert [p.name for p in heads[0]] == [p.name for p in heads[1]]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(*heads, strict=True))
    assert not (in_memory / "store" / "images").exists()
    assert not list((in_memory / "run" / "images").rglob("*.png"))
    with_files, without = (read(home / "run" / "images" / IMAGES.name, IMAGES) for home in (studied, in_memory))
    assert set(without["path"]) == {""}
    assert without.drop(columns="path").equals(with_files.drop(columns="path"))
    steps = [read_steps(home / "run" / "images") for home in (studied, in_memory)]
    for name in ("convert", "merge"):
        assert steps[0][name]["spec"] == steps[1][name]["spec"]


def test_the_model_is_the_same(studied: Path, in_memory: Path) -> None:
    from labeler.loading import load_model
    from labeler.predict import label_files

    sounds = sorted((studied / "sounds").rglob("*.wav"))[:3]
    models = [load_model(home / "run" / "model") for home in (studied, in_memory)]
    with_files, without = ([str(each) for each in label_files(model, sounds)] for model in models)
    assert with_files == without


def test_a_second_run_draws_nothing(
    words: list[object], drawn: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(str(words[6]))
    before = snapshot(out)
    monkeypatch.setattr(bottlenecks, "batches_of", lambda *a, **k: 1 / 0)
    said = run(*words, capsys=capsys)
    assert (said.code, said.warnings, drawn) == (0, [], [])
    assert "0 new feature vectors" in said.err
    assert snapshot(out) == before
    said = run(*words, "--dry-run", capsys=capsys)
    assert "draw    gray: 27 of 27 images known" in said.out
    assert said.out.count("27 of 27 feature vectors cached") == 5


def test_vectors_are_shared_with_runs_that_have_images(
    studied: Path, words: list[object], drawn: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(studied / "store", tmp_path / "store")
    said = run(*words, "--store", tmp_path / "store", capsys=capsys)
    assert said.code == 0
    assert "0 new feature vectors" in said.err
    assert len(drawn) == 27  # their digests are looked up in the images of the store

    keep = ("--set", "convert.keep_images=true")
    said = run(*words, *keep, "--store", words[4], "--out", tmp_path / "files", capsys=capsys)
    assert said.code == 0
    assert "0 new feature vectors" in said.err
    assert len(list((tmp_path / "files" / "images").rglob("*.png"))) == 108
    said = run(*words, "--out", tmp_path / "files", capsys=capsys)
    assert not list((tmp_path / "files" / "images").rglob("*.png"))  # as the study says now


def test_only_what_changed_is_drawn_again(
    words: list[object], drawn: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    change = ("--set", "convert.waveform={encoding = 'waveform', sample_rate = 4000}")
    said = run(*words, *change, capsys=capsys)
    assert said.code == 0, said.err
    assert drawn == [["waveform", "stacked", "merged"]] * 27


def test_what_was_interrupted_goes_on(
    own: list[object], drawn: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "run"
    real = drawn_batches.DrawnBatches.add

    def stop(self: drawn_batches.DrawnBatches, each: Drawn) -> None:
        real(self, each)
        if len(drawn) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(drawn_batches, "BATCH", 5)
    with monkeypatch.context() as patched:
        patched.setattr(drawn_batches.DrawnBatches, "add", stop)
        assert run(*own, "--out", out, capsys=capsys).code != 0
    drawn.clear()
    assert run(*own, "--out", out, capsys=capsys).code == 0
    assert 7 <= len(drawn) < 27
    assert len(read(out / PREDICTIONS.name, PREDICTIONS)) == 4 * 27


def test_clips_that_fail_are_listed_as_with_image_files(
    own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = sorted((tmp_path / "sounds" / "hum").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:30])
    for name, keep in (("files", "true"), ("memory", "false")):
        words = (*own, "--set", f"convert.keep_images={keep}", "--set", "convert.ref=corpus")
        said = run(*words, "--store", tmp_path / f"{name}_store", "--out", tmp_path / name, capsys=capsys)
        assert said.code == 1
        assert len(said.warnings) == 1
    names = (*TABLES, FAILURES.name)
    assert snapshot(tmp_path / "memory", *names) == snapshot(tmp_path / "files", *names)
    said = run(*own, "--strict", "--out", tmp_path / "memory", capsys=capsys)
    assert (said.code, len(said.warnings)) == (1, 1)
    assert broken.name in said.warnings[0]


def test_merges_that_fail_are_listed_as_with_image_files(
    own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("--set", "convert.gray={encoding = 'gray', size = [32, 16]}", "--set", "convert.waveform={size = [32, 8]}")
    said = [
        run(*own, *sizes, "--set", f"convert.keep_images={keep}", "--out", tmp_path / keep, capsys=capsys)
        for keep in ("true", "false")
    ]
    assert [each.code for each in said] == [1, 1]
    assert said[0].warnings == said[1].warnings
    assert "could be merged" in said[0].warnings[0]


def test_damaged_vectors_are_computed_again(
    words: list[object], in_memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(str(words[6]))
    before = snapshot(out)
    shutil.copytree(in_memory / "store", tmp_path / "store")
    for file in (tmp_path / "store" / "vectors").rglob("*.npy"):
        data = bytearray(file.read_bytes())
        data[-30] ^= 1
        file.write_bytes(data)
    said = run(*words, "--store", tmp_path / "store", capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    assert snapshot(out) == before


def test_commands_that_need_files_say_how_to_draw_them(
    in_memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = in_memory / "run" / "images" / IMAGES.name
    of_trainer = ("--images", table, "--out", tmp_path / "out")
    tried = [
        command(trainer_app, "layout", "--encoding", "gray", *of_trainer, capsys=capsys),
        command(trainer_app, "commands", "--encoding", "gray", *of_trainer, capsys=capsys),
        command(trainer_app, "run", *of_trainer, capsys=capsys),
        command(
            merger_app, "--name", "m", "--how", "stack", "--of", "gray", "--of", "waveform", *of_trainer, capsys=capsys
        ),
    ]
    for said in tried:
        assert said.code == 1
        assert len(said.warnings) == 1
        assert f"{table}: the images of 'gray' have no files" in said.warnings[0]
        assert "--set convert.keep_images=true" in said.warnings[0]
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("convert.keep_images=no", "--set convert.keep_images='no': must be true or false"),
        ("convert.keep_image=false", "keep_image: no such setting; did you mean 'keep_images'"),
        ("keep_images=false", "--set keep_images: section 'keep_images' is not known"),
    ],
)
def test_a_wrong_setting_is_one_line(
    wrong: str, says: str, own: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(*own, "--set", wrong, "--out", tmp_path / "run", capsys=capsys)
    assert said.code == 1
    assert len(said.warnings) == 1
    assert says in said.warnings[0]
    assert not (tmp_path / "run").exists()
