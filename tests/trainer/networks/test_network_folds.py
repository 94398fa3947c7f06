"""Networks over folds: nothing of the tested fold is used, runs are repeated exactly, and stopped ones go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import command

from harness.errors import DivergedError, ModuleError, SettingsError
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import load, network_settings, parse
from harness.hub.network_settings import NetworkSettings
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store
from harness.tables import HISTORY, PREDICTIONS, read
from labeler.loading import load_model
from trainer.__main__ import app
from trainer.ablation import combinations
from trainer.export import export_fold
from trainer.fitting import HeadSettings
from trainer.from_tables import train_images
from trainer.networks import checkpoints, fitting
from trainer.networks.curves import Epoch
from trainer.networks.steps import Network
from trainer.networks.trained import read_weights
from trainer.run_record import read_networks
from trainer.running import Outcome

from .conftest import write_images

QUICK = {"image_size": [8, 8], "epochs": 3, "patience": 2, "batch_size": 8}


def module(**given: Any) -> ModuleSpec:
    """``cnn:small`` on small images, trained for a moment."""
    return parse({"handle": "cnn:small", **QUICK, **given})


def train(images: Path, out: Path, store: Store, *modules: ModuleSpec, **given: Any) -> Outcome:
    """Cross-validate networks."""
    return train_images(images, out, modules=modules or [module()], store=store, **given)


def tables(out: Path) -> tuple[bytes, bytes]:
    """Bytes of the predictions and of the history."""
    return (out / PREDICTIONS.name).read_bytes(), (out / HISTORY.name).read_bytes()


def named(outcome: Outcome) -> dict[str, str]:
    """The name of the only combination."""
    (combination,) = outcome.trained
    return combination.named()


def test_predictions_history_and_a_second_run_that_trains_nothing(
    images: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Epoch] = []
    outcome = train(images, tmp_path / "a", store, on_epoch=seen.append)
    assert named(outcome)["head"] == "network"
    assert named(outcome)["module"] == "cnn:small (epochs=3, patience=2, batch_size=8, image_size=8x8)"
    assert len(read(tmp_path / "a" / PREDICTIONS.name, PREDICTIONS)) == 24
    history = read(tmp_path / "a" / HISTORY.name, HISTORY)
    assert set(history["split"]) == {"train", "validation", "refit"}
    assert set(history.loc[history["split"] == "validation", "metric"]) == {"loss", "accuracy", "recall", "precision"}
    (trained,) = outcome.trained.values()
    for fold, epochs in trained.chosen.items():
        own = history[(history["fold"] == fold) & (history["metric"] == "loss")].set_index("epoch")
        assert own.loc[own["split"] == "validation", "value"].idxmin() == epochs
        assert own.loc[own["split"] == "refit"].index.max() == epochs
    assert {(e.fold, e.phase) for e in seen} == {(fold, phase) for fold in "123" for phase in ("choose", "refit")}
    assert len(list(store.keys(checkpoints.KIND))) == 3, "checkpoints are removed"
    monkeypatch.setattr("trainer.networks.fitting.run_epochs", None)
    train(images, tmp_path / "b", store)
    assert tables(tmp_path / "a") == tables(tmp_path / "b")


def test_a_stopped_training_goes_on_to_the_same_numbers(
    images: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = module(mixup=0.2, spec_augment=0.2, dropout=0.3, optimizer="adam")
    train(images, tmp_path / "whole", store, spec)
    monkeypatch.setattr(fitting, "_SAVED_S", -1.0)
    other = Store(tmp_path / "other")
    for fold, phase, epoch in (("1", "choose", 2), ("2", "refit", 1)):

        def stop(done: Epoch, at: tuple[str, str, int] = (fold, phase, epoch)) -> None:
            if (done.fold, done.phase, done.epoch) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(images, tmp_path / "stopped", other, spec, on_epoch=stop)
    first: list[Epoch] = []
    train(images, tmp_path / "stopped", other, spec, on_epoch=first.append)
    assert first[0].fold == "2"
    assert tables(tmp_path / "whole") == tables(tmp_path / "stopped")
    assert sorted(store.keys(checkpoints.KIND)) == sorted(other.keys(checkpoints.KIND)), "checkpoints are removed"


def test_nothing_of_the_tested_fold_is_used(store: Store, tmp_path: Path) -> None:
    weights = []
    for changed in ("", "2"):
        table = write_images(tmp_path / f"images{changed}", changed=changed)
        outcome = train(table, tmp_path / f"run{changed}", store)
        run = tmp_path / f"run{changed}"
        weights.append({f: read_weights(run, named(outcome), f, read_networks(run)) for f in "123"})
    same = {f: all((a == b).all() for a, b in zip(weights[0][f], weights[1][f], strict=True)) for f in "123"}
    assert same == {"1": False, "2": True, "3": False}


def test_sizes_of_images_are_rows_of_their_own(store: Store) -> None:
    modules = [module(), module(image_size=[8, 9]), module(value_range=[0, 1])]
    found = combinations(["gray"], modules, HeadSettings(), [0], store=store)
    assert len({c.module.row for c in found}) == 3


def test_the_labeler_gives_the_scores_of_the_predictions(images: Path, store: Store, tmp_path: Path) -> None:
    outcome = train(images, tmp_path / "run", store)
    folder = tmp_path / "model"
    export_fold(tmp_path / "run", named(outcome), "3", folder, images_folder=images.parent, store=store)
    model, rows = load_model(folder), outcome.predictions
    for row in rows[rows["fold"] == "3"].to_dict("records"):
        scores = model.label(images.parent / f"{row['clip_id']}.png")
        assert scores.to_numpy() == pytest.approx([row[f"p:{name}"] for name in scores.index], abs=1e-5)


def test_fine_tuning_starts_from_the_frozen_head_and_has_a_row_of_its_own(
    images: Path, store: Store, tmp_path: Path, tiny_module: str
) -> None:
    given = {
        "handle": tiny_module,
        "finetune": True,
        "epochs": 2,
        "patience": 0,
        "batch_size": 8,
        "learning_rate": 0.05,
    }
    still = parse({**given, "learning_rate": 1e-12, "dropout": 0.0})
    specs = [parse(tiny_module), still, parse(given)]
    outcome = train(images, tmp_path / "run", store, *specs)
    scores = {}
    for c in outcome.trained:
        rows = outcome.predictions[outcome.predictions["module"] == c.module.row]
        scores[c.module.row] = rows[["p:left", "p:right"]].to_numpy()
    frozen, unmoved, tuned = scores.values()
    assert list(scores)[2] == f"{tiny_module} (fine-tuned, epochs=2, patience=0, batch_size=8, learning_rate=0.05)"
    assert unmoved == pytest.approx(frozen, abs=1e-7)
    assert np.abs(tuned - frozen).max() > 1e-3


def test_fine_tuning_takes_small_steps_unless_others_are_asked_for(tiny_module: str) -> None:
    given = {"handle": tiny_module, "finetune": True}
    assert network_settings(parse(given)).learning_rate == 0.001  # five times as much wrecks MobileNet V2 in two steps
    assert network_settings(parse({**given, "learning_rate": 0.005})).learning_rate == 0.005


def test_warm_up_trains_the_last_layer_alone_and_the_first_step_after_it_is_a_whole_one(
    store: Store, tiny_module: str
) -> None:
    settings = NetworkSettings(optimizer="adam", learning_rate=0.01, dropout=0.0)
    network = Network(load(parse(tiny_module), store=store), 2, settings)
    info = network.module.info
    images = np.random.default_rng(0).integers(0, 256, (4, info.height, info.width, 3), dtype=np.uint8)
    network.begin(np.random.default_rng(0), body=network.original, head=None)
    before = network.weights()

    def step(*, last_only: bool) -> None:
        network.step(images, np.array([0, 1, 0, 1]), (0, 0), rate=0.01, last_only=last_only)

    for _ in range(5):
        step(last_only=True)
    warm = network.weights()
    assert all((a == b).all() for a, b in zip(before[:-2], warm[:-2], strict=True))
    assert (before[-2] != warm[-2]).any()
    step(last_only=False)
    moved = np.abs(network.weights()[0] - before[0])
    assert moved.max() == pytest.approx(0.01, rel=0.02)  # Adam's first step is as long as the learning rate


def test_balanced_classes_and_an_image_that_cannot_be_read(images: Path, store: Store, tmp_path: Path) -> None:
    (images.parent / "left-1-0.png").write_bytes(b"no image")
    outcome = train(images, tmp_path / "run", store)
    assert outcome.failures["clip_id"].tolist() == ["left-1-0"]
    assert len(outcome.predictions) == 23
    assert "left-1-0" not in set(outcome.predictions["clip_id"])
    train(images, tmp_path / "again", store)
    assert tables(tmp_path / "run") == tables(tmp_path / "again")


def test_a_training_that_diverges_says_so(images: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"the loss of epoch 1 is not finite; try a smaller learning_rate"):
        train(images, tmp_path / "run", store, module(optimizer="sgd", learning_rate=1e30, batch_size=4))


def test_a_last_step_that_diverges_says_so_before_anything_is_written(
    images: Path, store: Store, tmp_path: Path
) -> None:
    spec = module(optimizer="sgd", learning_rate=1e18, epochs=1, patience=0, batch_size=32)
    with pytest.raises(DivergedError, match=r"a score of epoch 1 is not finite; try a smaller learning_rate"):
        train(images, tmp_path / "run", store, spec)
    assert not list(store.keys(checkpoints.KIND))
    assert not (tmp_path / "run" / PREDICTIONS.name).exists()


def test_what_cannot_be_trained_is_said(images: Path, store: Store, tmp_path: Path, tiny_yamnet: str) -> None:
    tf = import_tensorflow()
    fixed = tf.Module()
    spec = tf.TensorSpec((None, 16, 16, 3), tf.float32)
    fixed.__call__ = tf.function(lambda x: tf.reduce_mean(x, axis=(1, 2)), [spec], autograph=False)
    tf.saved_model.save(fixed, str(tmp_path / "fixed"), signatures=fixed.__call__.get_concrete_function())
    with pytest.raises(ModuleError, match=r"/fixed' has no weights that can be trained; leave out finetune"):
        train(images, tmp_path / "a", store, parse({"handle": str(tmp_path / "fixed"), "finetune": True}))
    with pytest.raises(SettingsError, match=r"^finetune: module 'builtin:scattering' has no weights that can be"):
        parse({"handle": "builtin:scattering", "finetune": True})
    with pytest.raises(SettingsError, match=r"takes the sound itself; only modules that take images can be fine-tuned"):
        train(images, tmp_path / "b", store, parse({"handle": tiny_yamnet, "finetune": True}))
    with pytest.raises(SettingsError, match=r"repeats=2: networks \(cnn:small .*\) are not trained over other"):
        train(images, tmp_path / "c", store, repeats=2)
    with pytest.raises(ModuleError, match=r"'cnn:small' must be trained before it is of use"):
        load(parse("cnn:small"), store=store)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, r"^epochs=0: must be a positive integer"),
        ({"epoch": 3}, r"^epoch: a module has no such setting; did you mean 'epochs'\?"),
        ({"schedule": "cosin"}, r"^schedule='cosin': did you mean 'cosine'\?"),
        ({"dropout": 1.0}, r"^dropout=1\.0: must be a number from 0, below 1"),
        ({"named": "a\nb"}, r"^named='a\\nb': expected a few words, at most 40 characters"),
        ({"handle": "keras:ResNet50", "named": "x"}, r"^named: module 'keras:ResNet50' is not trained"),
        ({"mixup": "yes"}, r"^mixup='yes': must be a number of 0 or more"),
        ({"finetune": True}, r"^finetune: module 'cnn:small' is trained from scratch; leave it out"),
        ({"momentum": 0.5}, r"momentum=0\.5: the optimizer is adam; leave it out, or give optimizer = 'sgd'"),
        ({"patience": 0, "monitor": "accuracy"}, r"monitor='accuracy': with patience = 0 nothing is chosen"),
        ({"warmup_epochs": 60}, r"warmup_epochs=60: must be below epochs=60"),
        (
            {"handle": "keras:ResNet50", "finetune": True, "warmup_epochs": 10},
            r"^warmup_epochs=10: must be below epochs=10",
        ),
        (
            {"handle": "keras:ResNet50", "finetune": True, "optimizer": "adam", "momentum": 0.5},
            r"^momentum=0\.5: the optimizer is adam",
        ),
        ({"start": "fitted"}, r"^start='fitted': module 'cnn:small' has no features before"),
        ({"sample_rate": 8000}, r"'cnn:small' takes images; leave out sample_rate"),
        ({"image_size": [4, 4]}, r"image_size=4x4: must be 8x8 or more"),
        ({"handle": "cnn:smal"}, r"'cnn:smal' is not known; did you mean 'cnn:small'\?"),
        (
            {"handle": "keras:ResNet50", "epochs": 2},
            r"^epochs: module 'keras:ResNet50' is not trained, .* finetune = t",
        ),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse({"handle": "cnn:small", **given})


@pytest.mark.long
def test_killed_in_the_middle_of_an_epoch_and_resumed(images: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    given = {"handle": "cnn:capuchin", "image_size": [96, 96], "epochs": 40, "patience": 0, "batch_size": 2}
    script.write_text(
        "import sys\nfrom harness.hub.kinds import parse\nfrom harness.store import Store\n"
        "from trainer.networks import fitting\nfrom trainer.from_tables import train_images\nfitting._SAVED_S = 0.1\n"
        f"train_images({str(images)!r}, sys.argv[1], modules=[parse({given!r})], store=Store(sys.argv[2]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begin(out: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, str(script), str(tmp_path / out), str(tmp_path / f"{out}_store")]
        return subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)

    assert begin("whole").wait() == 0
    killed = begin("killed")
    heads = tmp_path / "killed_store" / checkpoints.KIND
    deadline = time.monotonic() + 300
    while not list(heads.glob("*/*.npz")) and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)  # until its first checkpoint is there
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert begin("killed").wait() == 0
    assert tables(tmp_path / "whole") == tables(tmp_path / "killed")


@pytest.mark.long
def test_a_residual_network_of_keras_is_fine_tuned(
    images: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applications = import_tensorflow().keras.applications
    build = applications.ResNet50

    def untrained(**given: Any) -> Any:
        import_tensorflow().keras.utils.set_random_seed(0)
        return build(**{**given, "weights": None})

    untrained.__module__ = build.__module__
    monkeypatch.setattr(applications, "ResNet50", untrained)
    given = {"handle": "keras:ResNet50", "image_size": [32, 32], "finetune": True, "epochs": 1, "patience": 0}
    outcome = train(images, tmp_path / "run", store, parse({**given, "batch_size": 16}))
    run = tmp_path / "run"
    assert len(read_weights(run, named(outcome), "1", read_networks(run))) > 150
    assert json.loads((run / "run.json").read_text())
    assert isinstance(outcome.predictions, pd.DataFrame)


@pytest.mark.long
def test_a_fine_tuned_mobilenet_labels_as_in_its_predictions(
    images: Path, store: Store, tmp_path: Path, mobilenet: Path
) -> None:
    handle = str(mobilenet)
    spec = parse({"handle": handle, "finetune": True, "epochs": 1, "patience": 0, "batch_size": 8})
    outcome = train(images, tmp_path / "run", store, spec)
    folder = tmp_path / "model"
    export_fold(tmp_path / "run", named(outcome), "3", folder, images_folder=images.parent, store=store)
    model, rows = load_model(folder), outcome.predictions
    for row in rows[rows["fold"] == "3"].to_dict("records"):
        scores = model.label(images.parent / f"{row['clip_id']}.png")
        assert scores.to_numpy() == pytest.approx([row[f"p:{name}"] for name in scores.index], abs=1e-5)


def test_a_network_by_the_command_line(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--images", images, "--out", tmp_path / "run", "--store", tmp_path / "store"]
    table = '{handle = "cnn:capuchin", named = "one", image_size = [8, 8], epochs = 1, patience = 0}'
    said = command(app, "run", *options, "--module", table, capsys=capsys)
    assert said.code == 0
    assert "gray  cnn:capuchin (one)  seed 0  " in said.out
    said = command(app, "run", *options, "--module", '{handle = "cnn:small", epochs = 0}', capsys=capsys)
    assert said.err.strip() == "error: --module: epochs=0: must be a positive integer"
