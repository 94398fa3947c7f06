"""The final model: refitted on all folds, honest about its figure, written only when something has changed."""

from __future__ import annotations

import os
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import image
from harness.errors import ModuleError
from harness.files import read_json, write_json
from harness.hub import kinds
from harness.hub.kinds import parse
from harness.model import ModelCard, read_card
from harness.store import Store
from harness.tables import PREDICTIONS, read
from labeler.loading import load_model
from trainer import fitting, logistic
from trainer.ablation import combinations
from trainer.bottlenecks import image_features
from trainer.final import write_final
from trainer.fitting import HeadSettings
from trainer.inputs import read_encoding, training_order
from trainer.running import Outcome, train_all

RECIPE = {"encoding": "gray", "spec": {"encoding": "gray", "n_mels": 32}}
FIGURE = {"1": 0.5, "2": 0.75, "3": 1.0}


@pytest.fixture
def store(studied: Path) -> Store:
    """The store of the study: all of its features are there."""
    return Store(studied / "store")


@pytest.fixture
def outcome(studied: Path, tiny_module: str, store: Store, tmp_path: Path) -> Outcome:
    """A cross-validation of the gray images."""
    table = read_encoding(studied / "run" / "images" / "images.csv", "gray")
    todo = combinations(["gray"], [parse(tiny_module)], HeadSettings(), [0], store=store)
    return train_all({"gray": table}, todo, HeadSettings(), tmp_path / "run", store=store)


@pytest.fixture
def refit(studied: Path, store: Store, outcome: Outcome, tmp_path: Path) -> Any:
    """Write the final model into ``tmp_path / "model"``; give whether it was written."""
    ((best, trained),) = outcome.trained.items()
    table = read_encoding(studied / "run" / "images" / "images.csv", "gray")

    def write(**changed: Any) -> bool:
        options: dict[str, Any] = {
            "table": table, "best": best, "trained": trained, "settings": HeadSettings(), "out": tmp_path / "model",
            "recipe": RECIPE, "n_combinations": 4, "figure": FIGURE, "store": store,
        } | changed  # fmt: skip
        first = [options.pop(name) for name in ("table", "best", "trained", "settings", "out")]
        return write_final(*first, **options)

    return write


def card(tmp_path: Path) -> ModelCard:
    """What the final model says of itself."""
    return read_card(tmp_path / "model")


def test_the_card_says_what_the_figure_is_worth(refit: Any, tmp_path: Path) -> None:
    assert refit() is True
    found = card(tmp_path)
    assert found.training["fold"] == "all"
    assert found.training["folds_accuracy"] == FIGURE
    assert found.training["chosen_among"] == 4
    assert found.training["head_settings"]["head"] == "lbfgs"
    assert "75.0 ± 25.0 % over 3 folds" in found.note
    assert "chosen among 4 combinations" in found.note
    assert found.recipe == RECIPE
    refit(n_combinations=1)
    assert "chosen among" not in card(tmp_path).note


def test_it_is_fitted_on_all_folds(
    refit: Any, studied: Path, tiny_module: str, outcome: Outcome, tmp_path: Path
) -> None:
    refit()
    table = training_order(read_encoding(studied / "run" / "images" / "images.csv", "gray"))
    files = [Path(p) for p in table["path"]]
    values = image_features(files, parse(tiny_module), store=Store(studied / "store")).values
    (trained,) = outcome.trained.values()
    strengths = list(trained.chosen.values())
    targets = np.array([trained.classes.index(label) for label in table["label"]])
    fitted = {s: logistic.fit(values, targets, 3, strength=s).scores(values) for s in strengths}
    pixels = np.stack([image.resize(image.read(f), 16, 16) for f in files])
    scores = load_model(tmp_path / "model").scores(pixels)
    assert min(np.abs(scores - expected).max() for expected in fitted.values()) < 1e-6


def test_a_second_time_nothing_is_written_or_loaded(
    refit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refit()
    stamps = {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (tmp_path / "model").rglob("*")}

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("loaded or fitted although the model is there")

    monkeypatch.setattr(kinds, "load", refuse)
    monkeypatch.setattr(fitting, "fit_final", refuse)
    assert refit() is False
    assert {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (tmp_path / "model").rglob("*")} == stamps


def test_whatever_changes_it_is_written_anew(
    refit: Any, studied: Path, outcome: Outcome, tiny_module: str, tmp_path: Path
) -> None:
    ((best, trained),) = outcome.trained.items()
    table = read_encoding(studied / "run" / "images" / "images.csv", "gray")
    labels = table["label"].to_numpy(copy=True)
    labels[0] = next(name for name in trained.classes if name != labels[0])
    refit()
    for changed in (
        {"figure": FIGURE | {"1": 0.25}},
        {"n_combinations": 5},
        {"table": table.iloc[1:].reset_index(drop=True)},
        {"table": table.assign(label=labels)},
        {"trained": replace(trained, chosen=dict.fromkeys("123", 0.0123))},
        {"best": replace(best, module=parse({"handle": tiny_module, "value_range": [-1, 1]}))},
        {"best": replace(best, encoding="waveform")},
        {"settings": HeadSettings(strengths=(0.1, 0.2))},
    ):
        assert refit(**changed) is True, changed
        assert refit(**changed) is False, changed


@pytest.mark.parametrize("name", ["model.json", "saved_model.pb"])
def test_a_model_that_is_not_whole_is_written_anew(name: str, refit: Any, tmp_path: Path) -> None:
    refit()
    os.truncate(tmp_path / "model" / "model.json", 20) if name == "model.json" else (tmp_path / "model" / name).unlink()
    assert refit() is True
    assert load_model(tmp_path / "model").card.training["fold"] == "all"


def test_a_model_of_another_version_is_written_anew(refit: Any, tmp_path: Path) -> None:
    refit()
    path = tmp_path / "model" / "model.json"
    write_json(path, read_json(path) | {"schema": 0})
    with pytest.raises(ModuleError, match="schema 0"):
        card(tmp_path)
    assert refit() is True
    write_json(path, read_json(path) | {"what is this": 1})
    assert refit() is True
    write_json(path, [1])
    assert refit() is True


def test_the_study_refits_its_best(studied: Path, tiny_module: str, tiny_yamnet: str) -> None:
    table = read(studied / "run" / PREDICTIONS.name, PREDICTIONS)
    accuracy = {
        encoding: rows.groupby("fold").apply(lambda r: (r["predicted"] == r["label"]).mean(), include_groups=False)
        for encoding, rows in table.groupby("encoding")
    }
    found = read_card(studied / "run" / "model")
    mean = {encoding: of_folds.mean() for encoding, of_folds in accuracy.items()}
    best = found.training["encoding"]
    assert mean[best] == max(mean.values())
    assert found.training["folds_accuracy"] == pytest.approx(accuracy[best].to_dict())
    assert found.training["chosen_among"] == 5
    assert found.training["module"] in (tiny_module, tiny_yamnet)
    assert f"{100 * statistics.mean(found.training['folds_accuracy'].values()):.1f}" in found.note
