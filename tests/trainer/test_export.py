"""A fold's head as a model folder: the labeler gives the very scores that predictions.csv has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from retrain_parts import small_module
from small_study import CLASSES, Said, command

import corpora
from converter.encodings.gray import Gray
from converter.pipeline import convert_clips
from harness.errors import ModuleError
from harness.files import read_json
from harness.hub.kinds import parse
from harness.model import read_card
from harness.store import Store
from harness.tables import CLIPS, PREDICTIONS, read, score_columns
from labeler.__main__ import app as labeler
from trainer.__main__ import app
from trainer.ablation import SOUND, combinations
from trainer.export import export_fold
from trainer.fitting import HeadSettings
from trainer.running import train_all


def export(run: Path, out: Path, *options: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python -m trainer export`` in this process."""
    return command(app, "export", run, "--out", out, *options, capsys=capsys)


def label(model: Path, files: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> pd.DataFrame:
    """``python -m labeler label --format csv`` in this process, as a table."""
    said = command(labeler, "label", *files, "--model", model, "--format", "csv", "--out", out, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    return read(out, PREDICTIONS)


def scores_of(run: Path, encoding: str, fold: str) -> pd.DataFrame:
    """Rows of predictions.csv, with the path of each sound."""
    table = read(run / PREDICTIONS.name, PREDICTIONS)
    paths = read(run / CLIPS.name, CLIPS).set_index("clip_id")["path"]
    rows = table[(table["encoding"] == encoding) & (table["fold"] == fold)].reset_index(drop=True)
    return rows.assign(path=paths[rows["clip_id"]].to_numpy())


@pytest.mark.parametrize(
    ("encoding", "fold"),
    [("gray", "1"), ("gray", "2"), ("gray", "3"), ("waveform", "1"), ("stacked", "2"), ("merged", "3"), ("sound", "2")],
)
def test_the_labeler_gives_a_test_sound_the_scores_of_predictions_csv(
    encoding: str,
    fold: str,
    studied: Path,
    tiny_module: str,
    tiny_yamnet: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = tiny_yamnet if encoding == "sound" else tiny_module
    options = ["--encoding", encoding, "--module", module, "--fold", fold, "--store", studied / "store"]
    said = export(studied / "run", tmp_path / "model", *options, capsys=capsys)
    assert (said.code, said.out, said.err) == (0, f"{tmp_path / 'model'}\n", "")

    expected = scores_of(studied / "run", encoding, fold)
    assert len(expected) == 9
    labelled = label(tmp_path / "model", list(expected["path"]), tmp_path / "labels.csv", capsys).set_index("clip_id")
    columns = score_columns(expected)
    got = labelled.loc[expected["clip_id"]]
    np.testing.assert_allclose(got[columns], expected[columns], rtol=0, atol=1e-4)
    assert (got["predicted"].to_numpy() == expected["predicted"].to_numpy()).all()
    for column in ("encoding", "module", "head", "seed"):
        assert (got[column].to_numpy() == expected[column].to_numpy()).all()
    assert (got["label"] == "").all()

    assert (tmp_path / "model" / "labels.txt").read_text().splitlines() == sorted(CLASSES)
    assert read_json(tmp_path / "model" / "model.json")["classes"] == sorted(CLASSES)


def test_the_card_says_where_the_model_comes_from(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--module", tiny_module, "--fold", "2", "--store", studied / "store"]
    export(studied / "run", tmp_path / "model", "--encoding", "merged", *options, capsys=capsys)
    card = read_card(tmp_path / "model")
    assert card.takes == "image"
    assert card.training == {
        "encoding": "merged", "module": tiny_module, "head": "lbfgs", "seed": "0", "fold": "2",
    }  # fmt: skip
    assert "without fold 2" in card.note
    assert card.recipe is not None
    assert card.recipe["merge"] == "merged"
    assert set(card.recipe["of"]) == {"gray", "waveform"}
    assert card.recipe["of"]["gray"]["spec"]["sample_rate"] == 8000
    assert (card.module["height"], card.module["features"]) == (16, 12)
    assert card.versions["tensorflow"]


def test_an_older_model_is_replaced_and_another_folder_is_not(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--encoding", "gray", "--module", tiny_module, "--store", studied / "store"]
    for fold in ("1", "2"):
        assert export(studied / "run", tmp_path / "model", *options, "--fold", fold, capsys=capsys).code == 0
    assert read_card(tmp_path / "model").training["fold"] == "2"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    said = export(studied / "run", tmp_path / "mine", *options, "--fold", "1", capsys=capsys)
    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--encoding", "grya", "--fold", "1"], "'grya--.*' was not trained in .*; did you mean 'gray--"),
        (["--encoding", "gray", "--fold", "1", "--head", "sgd"], "was not trained in .*; did you mean 'gray--"),
        (["--encoding", "gray", "--fold", "1", "--seed", "7"], "was not trained in .*; did you mean 'gray--"),
        (["--encoding", "gray", "--fold", "11"], "fold='11': no such fold; did you mean '1'. available: 1, 2, 3"),
    ],
)
def test_an_unknown_combination_or_fold_is_one_line(
    wrong: list[str],
    says: str,
    studied: Path,
    tiny_module: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = export(studied / "run", tmp_path / "model", "--module", tiny_module, *wrong, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert re.search(says, said.err), said.err
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_run_is_one_line(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--encoding", "gray", "--module", tiny_module, "--fold", "1", "--store", studied / "store"]
    for run, says in ((tmp_path / "nowhere", "was not trained in"), (tmp_path / "bare", "run.json does not say")):
        if run.name == "bare":
            shutil.copytree(studied / "run" / "heads", run / "heads")
        said = export(run, tmp_path / "model", *options, capsys=capsys)
        assert said.code == 1
        assert len(said.err.splitlines()) == 1
        assert says in said.err


def test_a_module_that_has_changed_is_refused(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tiny_module, mine)
    images = studied / "run" / "images" / "images.csv"
    options = ["--module", mine, "--encoding", "gray", "--store", studied / "store"]
    assert command(app, "run", "--images", images, *options, "--out", tmp_path / "run", capsys=capsys).code == 0
    folder = ["--images", images.parent, "--fold", "1"]
    assert export(tmp_path / "run", tmp_path / "model", *options, *folder, capsys=capsys).code == 0
    shutil.rmtree(mine)
    small_module(mine, fake_quant=True)
    said = export(tmp_path / "run", tmp_path / "model2", *options, *folder, capsys=capsys)
    assert said.code == 1
    assert said.err == f"error: module '{mine}' has changed since this run was trained; run it again\n"
    shutil.rmtree(mine)
    said = export(tmp_path / "run", tmp_path / "model2", *options, *folder, capsys=capsys)
    assert said.code == 1
    assert "no such folder" in said.err
    assert not (tmp_path / "model2").exists()


def test_the_module_is_found_from_another_working_directory(
    studied: Path, tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Path(tiny_module).parent
    monkeypatch.chdir(home)
    images = studied / "run" / "images" / "images.csv"
    options = ["--module", Path(tiny_module).name, "--encoding", "gray", "--store", studied / "store"]
    assert command(app, "run", "--images", images, *options, "--out", tmp_path / "run", capsys=capsys).code == 0
    monkeypatch.chdir(tmp_path)
    said = export(tmp_path / "run", tmp_path / "model", *options, "--fold", "1", capsys=capsys)
    assert said.code == 0
    assert "labels pictures, not sounds; see --images" in said.err  # nobody said where the record of the images lies
    assert read_card(tmp_path / "model").recipe is None


def test_images_that_were_drawn_anew_with_other_settings_are_refused(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The card would say how the new images are drawn; the head was trained on the old ones."""
    run = tmp_path / "run"
    shutil.copytree(studied / "run", run, ignore=shutil.ignore_patterns("model"))
    encodings = {"gray": Gray(size=(32, 32), sample_rate=8000, n_fft=512)}
    convert_clips(read(run / CLIPS.name, CLIPS), encodings, run / "images", store=Store(studied / "store"))
    options = ["--encoding", "gray", "--module", tiny_module, "--fold", "1", "--store", studied / "store"]
    said = export(run, tmp_path / "model", *options, capsys=capsys)
    assert said.code == 1
    assert "'gray' has been drawn anew since this run was trained; train again" in said.err
    assert len(said.err.splitlines()) == 1


def test_heads_that_the_last_training_did_not_write_are_refused(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, options = tmp_path / "run", ["--module", tiny_module, "--store", studied / "store"]
    train = ["run", "--images", studied / "run" / "images" / "images.csv", *options, "--out", run]
    more = ["--images", studied / "run" / "images", "--fold", "1"]
    assert command(app, *train, "--encoding", "gray", "--encoding", "waveform", capsys=capsys).code == 0
    gray, waveform = sorted((run / "heads").glob("*.npz"))
    stale = waveform.read_bytes()
    assert command(app, *train, "--encoding", "gray", capsys=capsys).code == 0
    assert list((run / "heads").iterdir()) == [gray]
    waveform.write_bytes(stale)  # as an older version left it
    said = export(run, tmp_path / "model", "--encoding", "waveform", *options, *more, capsys=capsys)
    assert (said.code, len(said.err.splitlines())) == (1, 1)
    assert "was not trained in" in said.err
    assert "gray--" in said.err
    gray.write_bytes(stale)
    said = export(run, tmp_path / "model", "--encoding", "gray", *options, *more, capsys=capsys)
    assert said.code == 1
    assert said.err == f"error: {gray}: is not what the last training has written; run it again\n"
    assert not (tmp_path / "model").exists()


@pytest.mark.corpus
def test_a_real_waveform_module(esc10: Path, yamnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = corpora.load("esc50", esc10, classes=["rooster", "rain"])
    clips = clips.groupby(["label", "fold"]).head(3).reset_index(drop=True)
    store, settings = Store(tmp_path / "store"), HeadSettings()
    todo = combinations([], [parse(str(yamnet))], settings, [0], store=store)
    outcome = train_all({SOUND: clips}, todo, settings, tmp_path / "run", store=store)
    assert (outcome.predictions["predicted"] == outcome.predictions["label"]).mean() > 0.9
    folder = tmp_path / "model"
    with pytest.raises(ModuleError):
        read_card(folder)
    export_fold(tmp_path / "run", todo[0].named(), "4", folder, images_folder=tmp_path, store=store)
    rows = outcome.predictions[outcome.predictions["fold"] == "4"]
    paths = clips.set_index("clip_id")["path"]
    labelled = label(folder, list(paths[rows["clip_id"]]), tmp_path / "labels.csv", capsys).set_index("clip_id")
    columns = score_columns(rows)
    np.testing.assert_allclose(labelled.loc[rows["clip_id"], columns], rows[columns], rtol=0, atol=1e-4)
