"""A study with fused rows: mean, weighted mean and joined vectors of encodings through image and waveform modules."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, MERGES, RATE, Said, command, snapshot, sound, write_study

import labeler
import study
from harness import audio
from harness.errors import ModuleError
from harness.model import SEVERAL, is_whole, read_card
from harness.record import read_steps
from harness.store import Store
from harness.tables import PREDICTIONS, REPEATS, read, score_columns
from labeler.__main__ import app as labeler_app
from labeler.live.opening import open_source
from labeler.live.snapshot import take_snapshot
from labeler.preprocess import prepare_file
from trainer.export import export_fold
from trainer.final import write_final
from trainer.fused_final import fused_parts

FUSED = """
[fuse.mean]
how = "mean"
of = ["gray", "sound", "merged"]
[fuse.chosen]
how = "weighted"
of = ["gray", "waveform", "sound"]
[fuse.joined]
how = "vectors"
of = ["gray", "sound"]
"""
NAMES = ("mean", "chosen", "joined")
HOW = {"mean": "fusion:mean", "chosen": "fusion:weighted", "joined": "fusion:vectors"}
ENCODINGS = '["gray", "waveform"]'


def study_file(folder: Path, studied: Path, modules: list[str], *, more: str = FUSED) -> Path:
    """A study of the sounds of the shared one; `more` goes to its end."""
    return write_study(folder / "small.toml", studied / "sounds", modules, encodings=ENCODINGS, more=MERGES + more)


@pytest.fixture(scope="module")
def fused(studied: Path, tiny_module: str, tiny_yamnet: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study in ``run`` and its store, which began with that of the shared study."""
    home = tmp_path_factory.mktemp("fused")
    shutil.copytree(studied / "store", home / "store")
    plan = study.make_plan(study_file(home, studied, [tiny_module, tiny_yamnet]), [], Store(home / "store"))
    assert study.run_study(plan, home / "run").failures.empty
    return home


@pytest.fixture(scope="module")
def scores(fused: Path) -> dict[str, pd.DataFrame]:
    """Scores by encoding, indexed by clip."""
    table = read(fused / "run" / PREDICTIONS.name, PREDICTIONS)
    return {name: rows.set_index("clip_id") for name, rows in table.groupby("encoding")}


@pytest.fixture(scope="module")
def models(fused: Path) -> dict[str, Path]:
    """The model of fold 1 of each fused row."""
    found = {}
    for name, handle in HOW.items():
        named = {"encoding": name, "module": handle, "head": "lbfgs", "seed": "0"}
        found[name] = fused / f"model_{name}"
        export_fold(
            fused / "run", named, "1", found[name], images_folder=fused / "run" / "images", store=Store(fused / "store")
        )
    return found


def logs(rows: pd.DataFrame) -> np.ndarray:
    """Logarithms of the scores."""
    return np.log(rows[score_columns(rows)].to_numpy())


def normalised(log_scores: np.ndarray) -> np.ndarray:
    """Scores that sum to 1."""
    raised = np.exp(log_scores - log_scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def test_the_mean_is_that_of_the_members_log_scores(scores: dict[str, pd.DataFrame]) -> None:
    rows = scores["mean"]
    members = [logs(scores[name].loc[rows.index]) for name in ("gray", "sound", "merged")]
    expected = normalised(np.mean(members, axis=0))
    np.testing.assert_allclose(rows[score_columns(rows)].to_numpy(), expected, atol=1e-5)
    assert set(rows["module"]) == {"fusion:mean"}


def test_the_weights_are_in_run_json_and_give_the_scores(fused: Path, scores: dict[str, pd.DataFrame]) -> None:
    said = read_steps(fused / "run")["train"]["spec"]["fused"]["chosen"]
    assert [each["encoding"] for each in said["members"]] == ["gray", "waveform", "sound"]
    (weights,) = said["weights"].values()
    rows = scores["chosen"]
    assert list(weights) == ["1", "2", "3"]
    for fold, own in weights.items():
        assert min(own) >= 0
        assert sum(own) == pytest.approx(1)
        some = rows[rows["fold"] == fold]
        members = [logs(scores[name].loc[some.index]) for name in ("gray", "waveform", "sound")]
        expected = normalised(np.tensordot(own, members, axes=1))
        np.testing.assert_allclose(some[score_columns(some)].to_numpy(), expected, atol=1e-5)


def test_a_fused_row_is_a_row_like_any_other(fused: Path) -> None:
    table = pd.read_csv(fused / "run" / "ranking.csv")
    assert set(NAMES) < set(table["encoding"])
    heads = {path.name for path in (fused / "run" / "heads").iterdir()}
    assert {f"{name}--fusion_{HOW[name][7:]}--lbfgs--seed0.npz" for name in NAMES} < heads
    assert "fusion:vectors" in (fused / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_file_scan_stream_and_snapshot_agree_with_the_predictions(
    name: str, models: dict[str, Path], scores: dict[str, pd.DataFrame], studied: Path, tmp_path: Path
) -> None:
    model = labeler.load_model(models[name])
    assert (model.card.takes, len(model.card.members)) == (SEVERAL, 2 if name == "joined" else 3)
    rows = scores[name][scores[name]["fold"] == "1"]
    for clip, row in list(rows.iterrows())[::4]:
        expected = row[score_columns(rows)].to_numpy(float)
        file = next((studied / "sounds" / row["label"]).glob(f"{Path(str(clip)).name.split('.')[0]}*"))
        columns = [f"p:{each}" for each in model.card.classes]
        np.testing.assert_allclose(model.label(file)[model.card.classes], expected, atol=1e-5)
        (scanned,) = model.scan(file, window=0.3).scores[columns].to_numpy()
        np.testing.assert_allclose(scanned, expected, atol=1e-5)
    heard = []
    model.listen(lambda each: heard.append(each.scores[model.card.classes]), input=file, fast=True, window=0.3, hop=0.3)
    np.testing.assert_allclose(heard[0], expected, atol=1e-5)
    assert model.single(prepare_file(file, model.card)[None]) is not model.predict, "compiled"
    taken = take_snapshot(model, open_source(str(file), fast=True), tmp_path / "snapshot", seconds=0.3)
    np.testing.assert_allclose(taken.scores[model.card.classes], expected, atol=1e-5)
    labelled = labeler.label_files(model, [file] * 3)
    np.testing.assert_allclose([each.scores for each in labelled], [expected] * 3, atol=1e-5)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*more than three times")
def test_a_long_recording_is_scanned_by_processes(models: dict[str, Path], tmp_path: Path) -> None:
    files = []
    for k in range(2):
        files.append(tmp_path / f"{k}.wav")
        audio.write_wav(files[-1], np.concatenate([sound(name, k) for name in CLASSES] * 4)[:28000], RATE)
    model = labeler.load_model(models["chosen"])
    windows = labeler.windows_for(model.card)
    here = labeler.scan_recordings(model, files, tmp_path / "here", windows)
    there = labeler.scan_recordings(model, files, tmp_path / "there", windows, jobs=2)
    assert here.windows == there.windows == 24
    tables = [pd.read_csv(tmp_path / where / "scores.csv") for where in ("here", "there")]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-6)
    assert model.label(files[0]).sum() == pytest.approx(1)


def test_the_serving_signature_gives_the_scores(models: dict[str, Path], studied: Path) -> None:
    from harness.hub.tensorflow import import_tensorflow

    tf = import_tensorflow()
    model = labeler.load_model(models["mean"])
    file = studied / "sounds" / "hum" / "1-110-0.wav"
    item = prepare_file(file, model.card)
    loaded = tf.saved_model.load(str(models["mean"]))
    inputs = {
        name: tf.constant(item[name][None].astype(np.float32) / (255 if item[name].dtype == np.uint8 else 1))
        for name in item.dtype.names or ()
    }
    found = loaded.signatures["serving_default"](**inputs)["prediction"].numpy()[0]
    np.testing.assert_allclose(found, model.label(file)[model.card.classes], atol=1e-5)
    assert set(loaded.signatures) == {"serving_default", "features_0", "features_1"}, "gray and merged share a module"


def test_a_fused_model_takes_no_single_image(
    models: dict[str, Path], fused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next((fused / "run" / "images" / "gray").rglob("*.png"))
    said: Said = command(labeler_app, "label", image, "--model", models["mean"], capsys=capsys)
    assert said.code == 1
    assert said.warnings == [
        f"error: {image}: a picture, but this model takes several of one sound (gray, merged, sound); give it the sound"
    ]
    with pytest.raises(ModuleError, match="several of one sound"):
        labeler.load_model(models["joined"]).label(image)


def test_a_damaged_model_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(models["mean"], tmp_path / "model"))
    assert is_whole(copy)
    (copy / "head.npz").write_bytes((copy / "head.npz").read_bytes()[:-1])
    assert not is_whole(copy)
    with pytest.raises(ModuleError, match=r"head\.npz: has changed"):
        labeler.load_model(copy)


def test_a_second_time_everything_is_there(
    fused: Path, studied: Path, tiny_module: str, tiny_yamnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, heads = snapshot(fused / "run"), len(list((fused / "store" / "heads").rglob("*.npz")))
    from trainer import fitting, logistic

    for module, name in ((fitting, "fit_folds"), (logistic, "fit_many")):
        monkeypatch.setattr(module, name, None)
    study.run_study(study.make_plan(fused / "small.toml", [], Store(fused / "store")), fused / "run")
    assert snapshot(fused / "run") == before
    assert len(list((fused / "store" / "heads").rglob("*.npz"))) == heads


@pytest.mark.long
def test_without_image_files_and_on_a_cluster_the_scores_are_the_same(
    fused: Path, scores: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    changes = ["convert.keep_images=false", "evaluate.repeats=1", "evaluate.baseline=joined"]
    run = study.study(
        fused / "small.toml", out=tmp_path / "run", settings=changes, store=tmp_path / "store", scheduler="local:2"
    )
    found = {name: rows.set_index("clip_id") for name, rows in run.predictions.groupby("encoding")}
    for name in NAMES:
        columns = score_columns(scores[name])
        expected = scores[name].loc[found[name].index, columns]
        np.testing.assert_allclose(found[name][columns].to_numpy(), expected.to_numpy(), atol=1e-5)
    repeats = read(tmp_path / "run" / REPEATS.name, REPEATS)
    assert repeats.groupby("encoding").size()[list(NAMES)].tolist() == [3, 3, 3]
    assert run.evaluation.differences["family"].isin(["best", "baseline"]).all()


def test_the_final_model_of_a_fused_row(fused: Path, studied: Path, tiny_module: str, tiny_yamnet: str) -> None:
    text = FUSED.split("[fuse.joined]")[0].partition("[fuse.chosen]")
    only = "[fuse.chosen]" + text[2].replace('"waveform", ', "")
    (fused / "only").mkdir()
    file = study_file(fused / "only", studied, [tiny_module, tiny_yamnet], more=only)
    plan = study.make_plan(file, [], Store(fused / "store"))
    assert any(line.startswith("fuse    chosen: weighted mean of gray") for line in study.describe_plan(plan, fused))
    drawn = study.draw(plan, fused / "only" / "run", jobs=1, strict=True)
    study.write_clips(plan, fused / "only" / "run")
    outcome = study.train(plan, drawn, fused / "only" / "run", None)
    best = next(c for c in outcome.trained if c.encoding == "chosen")
    options = {
        "recipe": None, "n_combinations": 6, "figure": {"1": 0.5, "2": 0.6, "3": 0.7}, "store": plan.store,
        "fused": fused_parts(outcome, best, drawn.recipes.recipe),
    }  # fmt: skip
    given = (outcome.tasks[best].table, best, outcome.trained[best], plan.settings, fused / "only" / "model")
    assert write_final(*given, **options) is True
    assert write_final(*given, **options) is False
    card = read_card(fused / "only" / "model")
    weights = outcome.trained[best].weights
    assert card.training["weights"] == pytest.approx(np.mean(list(weights.values()), axis=0))
    assert [each["encoding"] for each in card.training["members"]] == ["gray", "sound"]
    assert card.longest_s == pytest.approx(0.3, abs=1e-3)
    model = labeler.load_model(fused / "only" / "model")
    right = [model.label(path).index[0] == path.parent.name for path in (studied / "sounds").rglob("1-*.wav")]
    assert np.mean(right) > 0.8
