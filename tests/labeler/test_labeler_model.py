"""A model in Python: one sound, image or array at a time, and encodings that only a plugin knows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, command

from harness import audio
from harness.errors import AudioError, ModuleError, SettingsError
from harness.files import read_json, write_json
from harness.head import Head
from harness.hub.kinds import load, parse
from harness.model import CARD, ModelCard, read_card, write_card
from harness.store import Store
from labeler.__main__ import app
from labeler.loading import Model, load_model
from labeler.predict import label_files
from labeler.preprocess import prepare_file
from labeler.scoring import by_signature
from trainer.export import write_model


@pytest.fixture(scope="module")
def model(studied: Path) -> Model:
    """The study's model, which takes images."""
    return load_model(studied / "run" / "model")


@pytest.fixture
def wav(studied: Path) -> Path:
    """One of the study's sounds."""
    return studied / "sounds" / "hum" / "1-110-0.wav"


def hear(classes: list[str]) -> Model:
    """A model that takes waveforms, and scores by their mean."""
    module = {"handle": "m", "digest": "", "takes": "waveform", "height": 0, "width": 0, "value_range": [-1.0, 1.0],
              "sample_rate": 8000, "features": 1}  # fmt: skip

    def signature(waveform: object) -> dict[str, object]:
        mean = np.asarray(waveform).mean(axis=1, keepdims=True)
        return {"prediction": _Tensor(np.hstack([0.5 + mean, 0.5 - mean]).astype(np.float32))}

    return Model(ModelCard(classes=classes, takes="waveform", module=module), by_signature(signature, "waveform"))


class _Tensor:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def numpy(self) -> np.ndarray:
        return self.values


def test_scores_by_class_best_first(model: Model, wav: Path) -> None:
    scores = model.label(wav)
    assert (scores.name, scores.dtype) == ("score", np.float64)
    assert sorted(scores.index) == sorted(CLASSES)
    assert scores.is_monotonic_decreasing
    assert scores.sum() == pytest.approx(1, abs=1e-6)
    (labelled,) = label_files(model, [wav])
    assert labelled.scores is not None
    assert scores[model.card.classes].to_numpy().tobytes() == labelled.scores.tobytes()


def test_a_path_an_image_and_samples_have_the_same_scores(model: Model, studied: Path, wav: Path) -> None:
    by_path = model.label(str(wav))
    y, sr = audio.read(wav)
    pd.testing.assert_series_equal(model.label(y, sr=sr), by_path)
    pd.testing.assert_series_equal(model.label(y.astype(np.float64), sr=sr), by_path)
    recipe = model.card.recipe
    assert recipe is not None
    name = recipe.get("encoding") or recipe.get("merge")
    image = studied / "run" / "images" / str(name) / "hum" / f"{wav.name}.png"
    pd.testing.assert_series_equal(model.label(image), by_path)


def test_a_waveform_model_hears_samples_and_equals_stay_in_order() -> None:
    quiet = hear(["a", "b"]).label(np.zeros(80, np.float32), sr=8000)
    assert quiet.to_dict() == {"a": 0.5, "b": 0.5}
    assert list(quiet.index) == ["a", "b"]
    loud = hear(["a", "b"]).label(np.full(8000, -0.25), sr=8000)
    assert loud.to_dict() == {"b": 0.75, "a": 0.25}


@pytest.mark.parametrize(
    ("samples", "sr", "error", "says"),
    [
        (np.zeros(9), None, SettingsError, r"sr is missing: samples need their rate in Hz"),
        (np.zeros(9), 0, SettingsError, r"sr=0: must be a positive integer"),
        (np.zeros((9, 2)), 8000, SettingsError, r"samples of shape \(9, 2\).*expected floats of shape \(samples,\)"),
        (np.zeros(9, np.int16), 8000, SettingsError, r"dtype int16: expected floats"),
        (np.zeros(0), 8000, AudioError, "expected at least one, all finite"),
        (np.array([0.0, np.nan]), 8000, AudioError, "expected at least one, all finite"),
    ],
)
def test_samples_that_cannot_be(samples: np.ndarray, sr: int | None, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        hear(["a", "b"]).label(samples, sr=sr)


def test_files_that_cannot_be(model: Model, wav: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sr=8000: a file has its own rate"):
        model.label(wav, sr=8000)
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        model.label(tmp_path / "none.wav")


def test_it_says_what_it_is(model: Model, studied: Path) -> None:
    assert model.folder == studied / "run" / "model"
    for part in (*CLASSES, "takes image", model.card.module["handle"], str(model.folder)):
        assert part in repr(model)


PLUGIN = '''
from typing import ClassVar

import numpy as np

from converter import Encoding, Sound


class Flat(Encoding):
    """One level everywhere."""

    name: ClassVar[str] = "flat"
    level: int = 0

    def encode(self, sound: Sound) -> np.ndarray:
        return np.full((*self.size, 3), self.level, np.uint8)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    """A file with an encoding; what a test loads of it is forgotten again."""
    path, before = tmp_path / "flat.py", set(sys.modules)
    path.write_text(PLUGIN, encoding="utf-8")
    yield path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(path):
            del sys.modules[name]


def test_an_encoding_from_a_plugin(
    studied: Path, wav: Path, plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _copied(studied / "run" / "model", tmp_path / "flat model", {"encoding": "flat", "level": 9})
    said = command(app, "label", wav, "--model", folder, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert "the model draws sounds with 'flat', which cannot be used here (" in said.err
    assert "give the plugin's file (--plugin FILE" in said.err
    with pytest.raises(ModuleError, match=r"'flat'.*plugins=\[\.\.\.\]"):
        load_model(folder).label(wav)

    scores = load_model(folder, plugins=[plugin]).label(wav)
    assert sorted(scores.index) == sorted(CLASSES)
    said = command(app, "label", wav, "--model", folder, "--plugin", plugin, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1].split()[1] == scores.index[0]


def _copied(model: Path, folder: Path, settings: dict[str, object]) -> Path:
    """A model folder with another encoding in its card."""
    folder.mkdir()
    for part in model.iterdir():
        if part.name != CARD:
            (folder / part.name).symlink_to(part)
    card = read_json(model / CARD) | {"picture": {"encoding": settings["encoding"], "spec": settings}}
    write_json(folder / CARD, card)
    return folder


@pytest.fixture(scope="module")
def scattering(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with ``builtin:scattering``; its head is made up."""
    folder, card = tmp_path_factory.mktemp("scattering") / "model", read_card(studied / "run" / "model")
    module = load(parse("builtin:scattering"), store=Store(folder.parent / "store"))
    weights = np.random.default_rng(0).normal(0, 0.1, (module.info.features, len(card.classes)))
    head = Head(weights.astype(np.float32), np.zeros(len(card.classes), np.float32))
    write_model(folder, module=module, head=head, classes=card.classes, recipe=card.recipe)
    return folder


def test_models_of_the_scattering_need_no_tensorflow(scattering: Path, wav: Path) -> None:
    code = (
        "import sys; from labeler.loading import load_model\n"
        "print(*load_model(sys.argv[1]).label(sys.argv[2])); assert 'tensorflow' not in sys.modules"
    )
    words = [sys.executable, "-c", code, str(scattering), str(wav)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert [float(word) for word in done.stdout.split()] == list(load_model(scattering).label(wav))


def test_a_window_scores_the_same_in_any_batch(scattering: Path, wav: Path) -> None:
    model = load_model(scattering)
    images = np.stack([prepare_file(wav, model.card), np.zeros((224, 224, 3), np.uint8)])[[0, 1, 0, 1, 0]]
    np.testing.assert_allclose(model.scores(images)[4], model.scores(images[:1])[0], rtol=1e-12)


def test_the_saved_model_scores_alike(scattering: Path, wav: Path, tmp_path: Path) -> None:
    """It is what serves where soundfold is not, or another version of it."""
    older = shutil.copytree(scattering, tmp_path / "model")
    card = read_card(older)
    write_card(older, replace(card, module={**card.module, "digest": "0" * 64}))
    np.testing.assert_allclose(load_model(older).label(wav), load_model(scattering).label(wav), atol=1e-4)
