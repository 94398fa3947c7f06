"""Splits from a corpus to the report: exceptions of official folds, single splits; in studies and in commands."""

from __future__ import annotations

import csv
import html
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, RATE, Said, command, sound

import study
from converter.__main__ import app as converter_app
from corpora.__main__ import app as corpora_app
from evaluator.__main__ import app as evaluator_app
from harness.audio import write_wav
from harness.files import read_json
from harness.head import load_heads
from harness.record import read_shared_groups, read_steps
from harness.tables import CLIPS, PREDICTIONS, read
from merger.__main__ import app as merger_app
from trainer.__main__ import app as trainer_app

CONVERT = f"[convert]\nencodings = ['gray', 'waveform']\nsize = [32, 32]\nsample_rate = {RATE}\nn_fft = 256\n"
GROUP = "(?P<group>[a-z]+[0-9]+)-"


def run(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python study.py`` in this process."""
    return command(study.app, *args, capsys=capsys)


def plain_report(folder: Path) -> str:
    """The report's text without its images."""
    html = (folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    return re.sub('base64,[^"]+', "", html)


# ---- official folds with exceptions


@pytest.fixture(scope="module")
def urbansound8k(
    test_data: Path, seed_example: Path, tiny_module: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A study of 42 clips of UrbanSound8K's real metadata, with two of its exceptions; a real clip among stand-ins."""
    home = tmp_path_factory.mktemp("us8k")
    metadata = pd.read_csv(test_data / "data" / "urbansound8k" / "metadata" / "UrbanSound8K.csv", dtype=str)
    metadata = metadata[metadata["fold"].isin(["1", "4", "9", "10"])]
    torn = metadata[metadata["fsID"].isin(["132016", "180937"])].groupby(["fsID", "fold"]).head(2)
    rest = metadata[metadata["class"].isin(["dog_bark", "siren", "drilling"])]
    rest = rest[~rest["fsID"].isin(["77751", "106905", "132016", "176638", "180937"])]
    rest = pd.concat([rest[rest["slice_file_name"] == "344-3-5-0.wav"], rest]).drop_duplicates()
    rows = pd.concat([torn, rest.groupby(["class", "fold"]).head(3)])
    (home / "metadata").mkdir()
    rows.to_csv(home / "metadata" / "UrbanSound8K.csv", index=False)
    for k, row in enumerate(rows.itertuples()):
        target = home / "audio" / f"fold{row.fold}" / row.slice_file_name
        write_wav(target, sound(CLASSES[int(row.classID) % 3], k), RATE)
        if row.slice_file_name == "344-3-5-0.wav":
            shutil.copyfile(seed_example / "344-3-5-0.wav", target)
    text = f"[corpus]\nname = 'urbansound8k'\nroot = '.'\n{CONVERT}[train]\nmodules = ['{tiny_module}']\n"
    (home / "us8k.toml").write_text(text, encoding="utf-8")
    return home


def test_declared_exceptions_go_through_a_study_and_are_named(
    urbansound8k: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(urbansound8k / "us8k.toml", "--out", tmp_path, capsys=capsys)
    assert said.code == 0, said.err
    notes = [
        "The official folds of this corpus have 2 groups (8 clips) in several folds, as its authors released them: "
        "132016 (folds 1, 4), 180937 (folds 1, 9).",
        "The 2 groups in several folds are used as released: some clips were tested by models that trained on others "
        "of their group.",
        "No training clip of 'street_music' where fold '1' is tested: its clips there (2) all count as errors.",
    ]
    said_notes = [line for line in said.out.splitlines() if line.startswith("Note: ")]
    assert said_notes[:-1] == [f"Note: {n}" for n in notes]
    assert "heads take the strongest regularisation of the grid (C = 1e-06;" in said_notes[-1]  # of noise
    assert notes[0] in said.err, "before anything is trained"
    assert (tmp_path / "verdict.txt").read_text(encoding="utf-8").splitlines()[-4:-1] == notes
    for note in notes:
        assert note in html.unescape(plain_report(tmp_path))
    steps = read_steps(tmp_path)
    assert steps["corpus"]["spec"]["notes"] == notes[:1]
    assert steps["corpus"]["spec"]["exceptions"] == {"132016": ["1", "4"], "180937": ["1", "9"]}
    assert steps["train"]["spec"]["shared_groups"] == "official"
    assert read_json(tmp_path / "model" / "model.json")["training"]["notes"] == notes[:1]
    assert "344-3-5-0.wav" in set(read(tmp_path / "predictions.csv", PREDICTIONS)["clip_id"])
    assert "all figures are too high" not in said.out


def test_exceptions_can_be_refused_dropped_or_allowed(
    urbansound8k: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (urbansound8k / "us8k.toml", "--out", tmp_path / "run", "--set")
    said = run(*words, "corpus.shared_groups=refuse", capsys=capsys)
    assert said.code == 1
    assert said.err.startswith(
        "error: 2 groups are in several folds: 132016 (folds 1, 4), 180937 (folds 1, 9); a model "
    )
    for way in (
        '[corpus] shared_groups = "drop" leaves',
        '[corpus] shared_groups = "allow"',
        "[corpus] folds = 4 assigns",
    ):
        assert way in said.err
    said = run(*words, "corpus.shared_groups=drop", capsys=capsys)
    assert said.code == 0, said.err
    clips = read(tmp_path / "run" / "clips.csv", CLIPS)
    assert set(read(tmp_path / "run" / "predictions.csv", PREDICTIONS)["clip_id"]) == set(clips["clip_id"])
    assert "Note: Left out of training where they would leak: 8 clips of groups in several folds, in " in said.out
    assert "too high" not in said.out
    said = run(*words, "corpus.shared_groups=allow", capsys=capsys)
    assert "Note: Groups are shared across folds: 2, the first '132016'; models were tested on recordings" in said.out
    said = run(*words, "corpus.allow_shared_groups=true", capsys=capsys)
    assert (said.code, len(said.err.splitlines())) == (1, 1)
    assert 'allow_shared_groups=True: is now shared_groups = "allow"' in said.err


def test_exceptions_travel_through_the_commands(
    urbansound8k: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    scan = ("scan", "urbansound8k", urbansound8k, "--out", tmp_path / "clips.csv")
    assert command(corpora_app, *scan, capsys=capsys).code == 0
    size = ("--size", "32x32", "--encoding", "gray", "--encoding", "waveform")
    assert command(converter_app, "--clips", tmp_path / "clips.csv", "--out", images, *size, capsys=capsys).code == 0
    merge = ("--name", "both", "--how", "stack", "--of", "gray", "--of", "waveform", "--out", tmp_path / "merged")
    assert command(merger_app, "--images", images / "images.csv", *merge, capsys=capsys).code == 0
    for folder in (images, tmp_path / "merged"):
        assert dict(read_shared_groups(folder).exceptions) == {"132016": ("1", "4"), "180937": ("1", "9")}
    train = ("run", "--images", tmp_path / "merged" / "images.csv", "--module", tiny_module, "--out", tmp_path / "run")
    said = command(trainer_app, *train, capsys=capsys)
    assert (said.code, len(said.warnings)) == (0, 2)
    assert said.warnings[0].startswith("warning: The 2 groups in several folds are used as released")
    said = command(evaluator_app, "report", tmp_path / "run", capsys=capsys)
    assert "warning: The official folds of this corpus have 2 groups (8 clips)" in said.err
    assert "warning: The 2 groups in several folds are used as released" in said.err
    said = command(trainer_app, *train, "--shared-groups", "refuse", capsys=capsys)
    assert (said.code, len(said.err.splitlines())) == (1, 1)
    assert "--shared-groups drop leaves" in said.err
    assert "--folds" not in said.err
    said = command(trainer_app, *train, "--shared-groups", "drop", capsys=capsys)
    assert said.code == 0
    assert read_steps(tmp_path / "run")["train"]["spec"]["notes"][0].startswith("Left out of training where they ")
    layout = ("--images", images / "images.csv", "--encoding", "gray", "--out", tmp_path / "folds")
    assert command(trainer_app, "layout", *layout, "--shared-groups", "drop", capsys=capsys).code == 0
    fold = tmp_path / "folds" / "evaluation_on_fold4"
    tested = {p.name for p in (fold / "evaluation_fold4").glob("*/132016-*")}
    assert len(tested) == 2
    assert not list((fold / "training_all_folds_but_fold4").glob("*/132016-*"))
    said = command(trainer_app, "commands", *layout, capsys=capsys)
    assert said.out.count("--allow_shared_groups") == 4, "retrain.py would refuse its own lists"


# ---- a single split


def write_parts(root: Path, sizes: dict[str, int]) -> Path:
    """Folders of parts with class folders of short wavs, two takes of each recording."""
    for part, n in sizes.items():
        for kind in CLASSES:
            for k in range(n):
                number = 1000 * sorted(sizes).index(part) + k
                write_wav(root / part / kind / f"{part}{kind}{k // 2}-{k}.wav", sound(kind, number), RATE)
    return root


def write_study(home: Path, module: str, *, more: str = "", train: str = "") -> Path:
    text = f"[corpus]\nname = 'folders'\nroot = 'sounds'\npattern = '{GROUP}'\n{more}{CONVERT}[train]\n"
    file = home / "single.toml"
    file.write_text(f"{text}modules = ['{module}']\n{train}", encoding="utf-8")
    return file


def check_single(folder: Path, said: Said, *, tested: int) -> None:
    """No deviation, no mean over folds and no test over folds anywhere; only the tested clips have predictions."""
    predictions = read(folder / "predictions.csv", PREDICTIONS)
    clips = read(folder / "clips.csv", CLIPS)
    seeds = predictions["seed"].nunique()
    assert predictions["fold"].nunique() == 1
    assert set(predictions["clip_id"]) == set(clips.loc[clips["fold"] == predictions["fold"][0], "clip_id"])
    assert predictions.groupby(["encoding", "seed"])["clip_id"].nunique().eq(tested).all()
    text = plain_report(folder)
    shown = [said.out, (folder / "verdict.txt").read_text(encoding="utf-8"), text[: text.index("How it was made")]]
    shown += [(folder / f"ranking.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex")]
    shown.append(read_json(folder / "model" / "model.json")["note"])
    for part in shown:
        assert seeds > 1 or "±" not in part
        for words in ("over folds", "deviation", "Mean", "1 folds", "all folds", "Without a prediction", "Holm"):
            assert words not in part.replace("no test over folds", ""), words
    with open(folder / "folds.csv", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["encoding", "module", "head", "seed", predictions["fold"][0]]
    metrics = pd.read_csv(folder / "metrics.csv", keep_default_na=False)
    assert "std" not in set(metrics["fold"])
    assert pd.read_csv(folder / "ranking.csv")["std"].isna().all()


def test_folders_of_parts_are_one_split(tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parts(tmp_path / "sounds", {"train": 8, "validation": 4, "test": 6})
    file, out = write_study(tmp_path, tiny_module), tmp_path / "run"
    said = run(file, "--out", out, capsys=capsys)
    assert said.code == 0, said.err
    assert "54 clips, 3 classes, train/validation/test split, 27 groups" in said.err
    check_single(out, said, tested=18)
    wanted = (
        "Accuracy on the test part of a single split (train 24, validation 12, test 18 clips); no 95 % interval: 9 "
    )
    assert wanted in said.out
    assert "new training sets: one fold has no answer" in said.out
    assert read_steps(out)["train"]["spec"]["single_split"] == {
        "tested": "test", "train": 24, "validation": 12, "test": 18, "validation_part": True,
    }  # fmt: skip
    assert all(list(load_heads(path)[0]) == ["test"] for path in (out / "heads").glob("*.npz"))
    model = tmp_path / "model"
    words = ("export", out, "--encoding", "gray", "--module", tiny_module, "--fold", "test", "--out", model)
    assert command(trainer_app, *words, capsys=capsys).code == 0
    assert (
        read_json(model / "model.json")["note"] == "Trained without test: its figure there is the one in metrics.csv."
    )


def test_train_and_validation_alone_test_on_validation_and_choose_on_none_of_it(
    tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parts(tmp_path / "sounds", {"training": 10, "val": 4})
    said = run(write_study(tmp_path, tiny_module, train="seeds = [0, 1]"), "--out", tmp_path / "run", capsys=capsys)
    assert said.code == 0, said.err
    check_single(tmp_path / "run", said, tested=12)
    assert "Note: The split has no test part: its validation part is tested, and nothing is chosen on it." in said.out
    sizes = read_steps(tmp_path / "run")["train"]["spec"]["single_split"]
    assert re.search(
        r"Accuracy on the val part of a single split \(train 30, of which \d to choose on, test 12 ", said.out
    )
    assert (sizes["tested"], sizes["test"], sizes["train"] + sizes["validation"]) == ("val", 12, 30)
    assert "<h2>Seeds</h2>" in plain_report(tmp_path / "run")


def test_percentages_and_lists_in_a_study(tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = tmp_path / "sounds"
    for kind in CLASSES:
        for k in range(20):
            write_wav(sounds / kind / f"{kind}{k // 2}-{k}.wav", sound(kind, k), RATE)
    said = run(write_study(tmp_path, tiny_module, more="split = '80/20'\n"), "--out", tmp_path / "a", capsys=capsys)
    assert said.code == 0, said.err
    check_single(tmp_path / "a", said, tested=12)
    assigned = (
        "Assigned a train/test split of 80/20 by class and whole groups, seed 0: train 48 clips (80.0 %), test 12 "
    )
    assert f"Note: {assigned}" in said.out
    clips = read(tmp_path / "a" / "clips.csv", CLIPS)
    assert Counter(zip(clips["label"], clips["fold"], strict=True)) == {
        (kind, part): n for kind in CLASSES for part, n in (("train", 16), ("test", 4))
    }
    names = [f"{kind}/{kind}{k // 2}-{k}.wav\n" for kind in CLASSES for k in range(4)]
    (tmp_path / "testing_list.txt").write_text("".join(names), encoding="utf-8")
    file = write_study(tmp_path, tiny_module, more="[corpus.lists]\ntest = 'testing_list.txt'\n")
    said = run(file, "--out", tmp_path / "b", capsys=capsys)
    assert said.code == 0, said.err
    check_single(tmp_path / "b", said, tested=12)
    clips = read(tmp_path / "b" / "clips.csv", CLIPS)
    tested = clips[clips["fold"] == "test"]
    listed = [f"{label}/{name}\n" for label, name in zip(tested["label"], tested["clip_id"], strict=True)]
    assert sorted(listed) == sorted(names)
    said = run(file, "--out", tmp_path / "b", "--set", "corpus.split=80", capsys=capsys)
    assert (said.code, len(said.err.splitlines())) == (1, 1)


def test_parts_that_are_no_split_are_refused_before_anything_is_drawn(
    tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parts(tmp_path / "sounds", {"test": 2, "validation": 2})
    said = run(write_study(tmp_path, tiny_module), "--out", tmp_path / "run", capsys=capsys)
    assert said.err.startswith(
        "error: the folds are 'validation', 'test' alone: a single split needs train, and test or"
    )
    assert not (tmp_path / "run").exists()
    write_parts(tmp_path / "sounds", {"train": 2, "extra": 2})
    said = run(write_study(tmp_path, tiny_module), "--out", tmp_path / "run", capsys=capsys)
    assert (said.code, len(said.err.splitlines())) == (1, 1)
    assert "but the folder 'extra' lies next to them; move it away or into a part" in said.err


def test_the_commands_take_a_single_split(tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = write_parts(tmp_path / "sounds", {"train": 4, "validation": 2, "test": 2})
    clips, images = tmp_path / "clips.csv", tmp_path / "images"
    assert command(corpora_app, "scan", "folders", sounds, "--out", clips, capsys=capsys).code == 0
    words = ("--clips", clips, "--out", images, "--encoding", "gray", "--size", "32x32")
    assert command(converter_app, *words, capsys=capsys).code == 0
    words = ("--images", images / "images.csv", "--encoding", "gray", "--out", tmp_path / "folds")
    said = command(trainer_app, "layout", *words, capsys=capsys)
    folder = tmp_path / "folds" / "evaluation_on_test"
    assert said.out.splitlines() == [str(folder)]

    def names(below: str) -> set[str]:
        return {p.name for p in (folder / below).glob("*/*.png")}

    assert {name[:4] for name in names("evaluation_test")} == {"test"}
    assert {name[:5] for name in names("training")} == {"train", "valid"}
    assert len(names("training")) == 18
    for part in ("test", "validation"):
        listed = (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines()
        assert len(listed) == 6
        assert all(line.split("/")[1].startswith(part) for line in listed)
    said = command(trainer_app, "commands", *words, "--module", tiny_module, capsys=capsys)
    assert len(said.out.splitlines()) == 1
    assert f"--test_list {folder / 'test.txt'} --validation_list {folder / 'validation.txt'}" in said.out
    train = ("run", "--images", images / "images.csv", "--module", tiny_module, "--out", tmp_path / "run")
    assert (
        command(trainer_app, *train, "--head", "sgd", "--steps", 20, "--seed", 0, "--seed", 1, capsys=capsys).code == 0
    )
    predictions = read(tmp_path / "run" / "predictions.csv", PREDICTIONS)
    assert len(predictions) == 2 * 6
    assert np.isin(predictions["fold"], ["test"]).all()
    said = command(evaluator_app, "report", tmp_path / "run", capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert (
        "Accuracy on the test part of a single split (train 12, validation 6, test 6 clips), mean over 2 seeds"
        in said.out
    )
