"""``trainer run``: every clip scored once by every combination, as the study does it; what is wrong in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_study import CLASSES, Said, command

from harness.errors import SettingsError
from harness.head import load_heads
from harness.hub.kinds import parse
from harness.record import read_steps
from harness.store import Store
from harness.tables import CLIPS, FAILURES, IMAGES, PREDICTIONS, read, score_columns, write
from trainer.__main__ import app
from trainer.ablation import combination_name, combinations
from trainer.bottlenecks import image_features
from trainer.fitting import HeadSettings
from trainer.inputs import read_encoding


@pytest.fixture
def images(studied: Path, tmp_path: Path) -> Path:
    """A copy of the study's images that a test may spoil; gives its ``images.csv``."""
    return Path(shutil.copytree(studied / "run" / "images", tmp_path / "images")) / IMAGES.name


def trainer(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python -m trainer run`` in this process."""
    return command(app, "run", *args, capsys=capsys)


def test_the_same_predictions_as_the_study(
    studied: Path, tiny_module: str, tiny_yamnet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = studied / "run", tmp_path / "out"
    modules = ["--module", tiny_module, "--module", tiny_yamnet]
    where = ["--images", run / "images" / "images.csv", "--clips", run / "clips.csv", "--store", studied / "store"]
    said = trainer(*where, *modules, "--out", out, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert (out / PREDICTIONS.name).read_bytes() == (run / PREDICTIONS.name).read_bytes()
    assert not (out / FAILURES.name).exists()
    assert {p.name for p in (out / "heads").iterdir()} == {p.name for p in (run / "heads").iterdir()}
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines] == ["gray", "waveform", "stacked", "merged", "sound"]
    table = read(out / PREDICTIONS.name, PREDICTIONS)
    right = table[table["encoding"] == "gray"].eval("predicted == label").mean()
    assert lines[0] == f"gray  {tiny_module}  seed 0  {100 * right:.1f} %"


def test_every_clip_once_for_each_combination(studied: Path) -> None:
    table = read(studied / "run" / PREDICTIONS.name, PREDICTIONS)
    clips = read(studied / "run" / CLIPS.name, CLIPS).set_index("clip_id")
    named = table.groupby(["encoding", "module", "head", "seed"])
    assert len(named) == 5
    columns = score_columns(table)
    assert columns == [f"p:{name}" for name in sorted(CLASSES)]
    for _, rows in named:
        assert sorted(rows["clip_id"]) == sorted(clips.index)
    for column in ("label", "fold"):
        assert (table[column].to_numpy() == clips.loc[table["clip_id"], column].to_numpy()).all()
    np.testing.assert_allclose(table[columns].sum(axis=1), 1, atol=1e-7)
    assert (table["predicted"] == table[columns].idxmax(axis=1).str[2:]).all()


def test_the_heads_give_the_predictions(studied: Path, tiny_module: str) -> None:
    table = read(studied / "run" / PREDICTIONS.name, PREDICTIONS)
    rows = table[table["encoding"] == "stacked"].set_index("clip_id")
    named = {"encoding": "stacked", "module": tiny_module, "head": "lbfgs", "seed": "0"}
    heads, classes = load_heads(studied / "run" / "heads" / f"{combination_name(named)}.npz")
    assert classes == sorted(CLASSES)
    images = read_encoding(studied / "run" / "images" / "images.csv", "stacked")
    values = image_features(
        [Path(p) for p in images["path"]], parse(tiny_module), store=Store(studied / "store")
    ).values
    for fold, head in heads.items():
        of_fold = (images["fold"] == fold).to_numpy()
        expected = rows.loc[images.loc[of_fold, "clip_id"], score_columns(table)]
        np.testing.assert_allclose(head.scores(values[of_fold]), expected, atol=1e-9)


def test_the_record_says_what_was_trained_on_what(studied: Path, tiny_module: str, tiny_yamnet: str) -> None:
    step = read_steps(studied / "run")["train"]
    modules = step["spec"]["modules"]
    assert set(modules) == {tiny_module, tiny_yamnet}
    assert modules[tiny_yamnet]["info"]["sample_rate"] == 16000
    assert len(modules[tiny_module]["info"]["digest"]) == 64
    assert {len(by_fold) for by_fold in step["spec"]["chosen"].values()} == {3}
    assert set(step["inputs"]) == {CLIPS.name, PREDICTIONS.name}
    assert step["versions"]["tensorflow"]
    assert step["seconds"] >= 0


def test_seeds_and_head_sgd(
    images: Path, studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--images", images, "--encoding", "gray", "--module", tiny_module, "--store", studied / "store"]
    said = trainer(*options, "--head", "sgd", "--steps", 20, "--seed", 0, "--seed", 1, "--out", tmp_path, capsys=capsys)
    assert said.code == 0, said.err
    table = read(tmp_path / PREDICTIONS.name, PREDICTIONS)
    scores = {seed: rows[score_columns(table)].to_numpy() for seed, rows in table.groupby("seed")}
    assert set(scores) == {"0", "1"}
    assert np.abs(scores["0"] - scores["1"]).max() > 1e-4
    sizes = read_steps(tmp_path)["train"]["spec"]["sizes"]
    assert [each["seed"] for each in sizes] == ["0", "1"]
    assert sizes[0]["folds"] == {fold: {"train": 9, "test": 9} for fold in "123"}, "a fold is held out"
    of_study = read_steps(studied / "run")["train"]["spec"]["sizes"]
    assert of_study[0]["folds"] == {fold: {"train": 18, "test": 9} for fold in "123"}, "refitted on both"


def test_a_broken_image_is_named_and_the_rest_goes_on(
    images: Path, studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read(images, IMAGES)
    broken = table[table["encoding"] == "gray"].iloc[4]
    (images.parent / broken["path"]).write_bytes(b"\x89PNG broken")
    options = ["--images", images, "--encoding", "gray", "--module", tiny_module, "--store", studied / "store"]
    said = trainer(*options, "--out", tmp_path / "out", capsys=capsys)
    assert said.code == 1
    assert said.err == f"warning: 1 failures, listed in {tmp_path / 'out' / 'failures.csv'}\n"
    failures = read(tmp_path / "out" / FAILURES.name, FAILURES)
    assert failures["clip_id"].tolist() == [broken["clip_id"]]
    assert failures["step"].tolist() == [f"train: gray through {tiny_module}"]
    assert "not an image" in failures["reason"][0]
    scored = read(tmp_path / "out" / PREDICTIONS.name, PREDICTIONS)
    assert sorted(scored["clip_id"]) == sorted(set(table["clip_id"]) - {broken["clip_id"]})

    (images.parent / broken["path"]).write_bytes((studied / "run" / "images" / broken["path"]).read_bytes())
    said = trainer(*options, "--out", tmp_path / "out", capsys=capsys)  # fixed: nothing is listed any more
    assert said.code == 0
    assert not (tmp_path / "out" / FAILURES.name).exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--encoding", "grey"], "no encoding 'grey'; did you mean 'gray'"),
        (["--module", "no/such/folder"], "module 'no/such/folder': no such folder"),
        (["--module", "builtin:scatering"], "did you mean 'builtin:scattering'"),
        (["--head", "lbfsg"], "--head='lbfsg': did you mean 'lbfgs'"),
        (["--encoding", "gray", "--encoding", "gray"], "encoding 'gray' is given twice"),
        (["--module", "builtin:scattering", "--module", "builtin:scattering"], "is given twice"),
        (["--seed", "1", "--seed", "1"], "seed 1 is given twice"),
        (["--steps", "-4", "--head", "sgd"], "--steps=-4: must be an integer of 0 or more"),
    ],
)
def test_what_is_wrong_is_one_line(
    wrong: list[str], says: str, studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = studied / "run" / "images" / "images.csv"
    said = trainer("--images", images, "--out", tmp_path / "out", *wrong, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    assert not (tmp_path / "out" / PREDICTIONS.name).exists()


def test_a_module_that_takes_sounds_needs_the_sounds(
    studied: Path, tiny_yamnet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--images", studied / "run" / "images" / "images.csv", "--module", tiny_yamnet, "--out", tmp_path]
    said = trainer(*options, capsys=capsys)
    assert said.code == 1
    assert said.err == "error: a module that takes the sound itself needs --clips, the table of the sounds\n"
    clips = read(studied / "run" / CLIPS.name, CLIPS)
    clips["path"] = ["../sounds/" + "/".join(Path(p).parts[-2:]) for p in clips["path"]]
    write(clips, studied / "clips" / CLIPS.name, CLIPS)  # relative to the table's own folder
    said = trainer(*options, "--clips", studied / "clips" / CLIPS.name, capsys=capsys)
    assert said.code == 0, said.err
    assert set(read(tmp_path / PREDICTIONS.name, PREDICTIONS)["encoding"]) == {"sound"}


def test_a_group_in_two_folds_is_refused(
    images: Path, tiny_module: str, studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read(images, IMAGES)
    write(table.assign(group="same"), images, IMAGES)
    options = ["--images", images, "--encoding", "gray", "--module", tiny_module, "--out", tmp_path / "out"]
    said = trainer(*options, "--store", studied / "store", capsys=capsys)
    assert said.code == 1
    assert said.err.startswith("error: 1 group is in several folds: same (folds 1, 2, 3)")
    assert len(said.err.splitlines()) == 1
    assert trainer(*options, "--store", studied / "store", "--shared-groups", "allow", capsys=capsys).code == 0


def test_combinations(tiny_module: str, tiny_yamnet: str, studied: Path) -> None:
    store, modules = Store(studied / "store"), [parse(tiny_module), parse(tiny_yamnet)]
    todo = combinations(["gray", "stacked"], modules, HeadSettings(), [0, 1], store=store)
    assert [(c.encoding, c.module.handle == tiny_yamnet, c.seed) for c in todo] == [
        ("gray", False, 0), ("gray", False, 1), ("stacked", False, 0), ("stacked", False, 1),
        ("sound", True, 0), ("sound", True, 1),
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="is given twice"):
        combinations(["gray"], [modules[0], modules[0]], HeadSettings(), [0], store=store)


def test_long_handles_get_short_names_that_differ() -> None:
    handle = "https://tfhub.dev/google/imagenet/" + "very_" * 30 + "deep/feature_vector/"
    names = [
        combination_name({"encoding": "gray", "module": handle + end, "head": "lbfgs", "seed": "0"})
        for end in ("4", "5")
    ]
    assert names[0] != names[1]
    assert all(len(name) < 100 and "/" not in name for name in names)
