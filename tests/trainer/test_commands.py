"""The printed ``retrain.py`` commands: safe in any shell, one for each fold, and the same models as head ``sgd``."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from retrain_parts import CLASSES, draw
from small_study import command

from harness import image
from harness.errors import SoundfoldError, SplitError, TableError
from harness.files import read_json
from harness.hub.kinds import parse
from harness.shared_groups import SharedGroups
from harness.tables import IMAGES, PREDICTIONS, frame, read, score_columns, write
from labeler.loading import load_model
from trainer.__main__ import app
from trainer.commands import as_shell, execute_all, retrain_commands
from trainer.inputs import read_encoding
from trainer.retrain.flags import parse_flags
from trainer.sgd import SgdSettings

STEPS = 25


def odd_folder(tmp_path: Path, folds: int = 2) -> Path:
    """Class folders of images under a path with spaces and quotes; gives the ``images.csv``."""
    root = tmp_path / 'it\'s a "run" $HOME & co' / "images"
    draw(root / "gray", per_class=8)
    rows = [
        {
            "clip_id": f"{label} {i}.wav", "encoding": "gray", "path": f"gray/{label}/{i:02}.png", "label": label,
            "fold": str(1 + i % folds), "group": f"{label} {i}", "spec": "0",
        }
        for label in CLASSES
        for i in range(8)
    ]  # fmt: skip
    write(frame(rows, IMAGES), root / IMAGES.name, IMAGES)
    return root / IMAGES.name


def value(words: list[str], flag: str) -> str:
    """What a command says for a flag."""
    return words[words.index(flag) + 1]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The ``images.csv`` of two folds."""
    return odd_folder(tmp_path)


def test_a_command_for_each_fold_in_natural_order(tmp_path: Path) -> None:
    table = read_encoding(odd_folder(tmp_path, folds=8), "gray")
    made = retrain_commands(
        table,
        parse("builtin:scattering"),
        tmp_path,
        settings=SgdSettings(steps=7, learning_rate=0.5, train_batch_size=9),
        seed=3,
    )
    assert list(made) == [str(k) for k in range(1, 9)]
    for fold, words in made.items():
        folder = tmp_path / f"evaluation_on_fold{fold}"
        assert value(words, "--test_list") == str(folder / "test.txt")
        assert Path(value(words, "--validation_list")).read_text(encoding="utf-8")
        assert value(words, "--tfhub_module") == "builtin:scattering"
        flags = ("--seed", "--how_many_training_steps", "--learning_rate", "--train_batch_size")
        assert [value(words, flag) for flag in flags] == ["3", "7", "0.5", "9"]
    for flag in ("--saved_model_dir", "--output_graph", "--output_labels", "--summaries_dir", "--checkpoint_path"):
        assert len({value(words, flag) for words in made.values()}) == 8, f"folds share {flag}"


def test_every_word_is_one_that_retrain_knows(images: Path, tmp_path: Path) -> None:
    module = parse({"handle": "https://tfhub.dev/a/1", "image_size": [32, 48], "value_range": [-1, 1]})
    table = read_encoding(images, "gray")
    made = retrain_commands(table, module, tmp_path, settings=SgdSettings(), store="a b")
    flags = parse_flags(made["1"][made["1"].index("retrain") + 1 :])
    assert flags.image_dir == str(images.parent / "gray")
    assert flags.tfhub_module == "https://tfhub.dev/a/1"
    assert not flags.allow_shared_groups, "no group is in several folds"
    table.loc[[table.index[table["fold"] == fold][0] for fold in ("1", "2")], "group"] = "one"
    made = retrain_commands(table, module, tmp_path, settings=SgdSettings(), shared=SharedGroups("allow"))
    assert parse_flags(made["1"][made["1"].index("retrain") + 1 :]).allow_shared_groups


def test_clips_that_must_be_left_out_are_refused(images: Path, tmp_path: Path) -> None:
    table = read_encoding(images, "gray")
    two = [table.index[table["fold"] == fold][0] for fold in ("1", "2")]
    table.loc[two, "group"] = "one"
    with pytest.raises(SplitError, match=r"^shared_groups drop: retrain.py trains on every image.*`trainer run`"):
        retrain_commands(table, "builtin:scattering", tmp_path, settings=SgdSettings(), shared=SharedGroups("drop"))


def test_paths_and_modules_are_absolute(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = read_encoding(os.path.relpath(images), "gray")
    made = retrain_commands(table, parse("modules/mine"), "folds", settings=SgdSettings(), store="my store")
    assert value(made["2"], "--tfhub_module") == str(tmp_path / "modules" / "mine")
    for flag in ("--image_dir", "--test_list", "--saved_model_dir", "--store"):
        assert Path(value(made["2"], flag)).is_absolute(), flag
    monkeypatch.setenv("HOME", str(tmp_path))
    made = retrain_commands(table, parse("~/mine"), "folds", settings=SgdSettings())
    assert value(made["1"], "--tfhub_module") == str(tmp_path / "mine")


def test_plugins_are_passed_on(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table, files = read_encoding(images, "gray"), ["my kinds.py", tmp_path / "more.py"]
    made = retrain_commands(table, "builtin:scattering", "folds", settings=SgdSettings(), plugins=files)
    for words in made.values():
        assert words[-4:] == ["--plugin", str(tmp_path / "my kinds.py"), "--plugin", str(tmp_path / "more.py")]


def test_a_shell_reads_the_line_as_it_was_meant(images: Path, tmp_path: Path) -> None:
    words = next(
        iter(
            retrain_commands(
                read_encoding(images, "gray"), parse("builtin:scattering"), tmp_path / "o'ut", settings=SgdSettings()
            ).values()
        )
    )
    line = as_shell(words)
    assert "\n" not in line
    assert shlex.split(line) == words
    echoed = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert echoed.stdout.splitlines() == words


def test_as_printed_in_a_shell_the_same_models_as_head_sgd(
    images: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folds, run, store = tmp_path / "fol'ds", tmp_path / "run", tmp_path / "my store"
    options = ["--images", images, "--encoding", "gray", "--module", tiny_module, "--store", store, "--seed", "5"]
    said = command(app, "commands", *options, "--out", folds, "--steps", STEPS, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert len(lines) == 2
    done = subprocess.run(["sh", "-ec", lines[0]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Final test accuracy") == 1

    at_once = tmp_path / "at once"
    words = [*options, "--out", at_once, "--steps", STEPS, "--execute", "--jobs", 2]
    assert command(app, "commands", *words, capsys=capsys).code == 0
    some = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    first, again = (load_model(root / "evaluation_on_fold1" / "model").scores(some) for root in (folds, at_once))
    assert np.array_equal(first, again)

    said = command(app, "run", *options, "--out", run, "--head", "sgd", "--steps", STEPS, capsys=capsys)
    assert said.code == 0, said.err
    in_process = read(run / PREDICTIONS.name, PREDICTIONS)
    columns = score_columns(in_process)
    assert columns == [f"p:{name}" for name in CLASSES]
    paths = read_encoding(images, "gray").set_index("clip_id")["path"]
    for fold, rows in in_process.groupby("fold"):
        folder = at_once / f"evaluation_on_fold{fold}"
        assert (folder / "output_labels.txt").read_text().split() == list(CLASSES)
        pixels = np.stack([image.resize(image.read(paths[c]), 16, 16) for c in rows["clip_id"]])
        scores = load_model(folder / "model").scores(pixels)
        np.testing.assert_allclose(scores, rows[columns], atol=1e-6)
        assert np.ptp(scores, axis=0).min() > 0.01  # they differ from image to image
        card = read_json(folder / "model" / "model.json")
        assert card["training"]["seed"] == 5
    assert in_process["predicted"].nunique() > 1


def test_execute_stops_at_the_fold_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def says(text: str, code: int) -> list[str]:
        return [sys.executable, "-c", f"print({text!r}); raise SystemExit({code})"]

    with pytest.raises(SoundfoldError, match=r"fold 2: .*exit code 3"):
        execute_all({"1": says("one", 0), "2": says("two", 3), "3": says("three", 0)})
    assert capfd.readouterr().out.split() == ["one", "two"]


def test_what_is_wrong_is_one_line(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, says in (
        (["--encoding", "grey"], "no encoding 'grey'; did you mean 'gray'"),
        (["--encoding", "gray", "--module", "builtin:skattering"], "did you mean 'builtin:scattering'"),
        (["--encoding", "gray", "--steps", "-1"], "steps=-1"),
    ):
        said = command(app, "commands", "--images", images, *wrong, "--out", tmp_path / "folds", capsys=capsys)
        assert (said.code, said.out) == (1, "")
        assert len(said.err.splitlines()) == 1
        assert says in said.err


def test_an_image_that_the_table_does_not_list_is_refused(images: Path, tmp_path: Path) -> None:
    table = read_encoding(images, "gray")
    some = pd.concat([table.iloc[:8], table.iloc[9:]], ignore_index=True)
    with pytest.raises(TableError, match=r"pictures that the images table does not name, the first: 00\.png"):
        retrain_commands(some, parse("builtin:scattering"), tmp_path / "folds", settings=SgdSettings())
    assert not (tmp_path / "folds").exists()
