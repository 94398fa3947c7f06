"""One fold trained step by step, the curves that follow it, and the sound at its end."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_study import PATTERN, RATE, sound, write_corpus

import study
from evaluator import live_curves
from evaluator.learning_curves import draw_learning_curves
from evaluator.live_curves import LiveCurves
from harness import audio
from harness.audio import write_wav
from harness.errors import SettingsError, TableError
from harness.player import play
from harness.store import Store
from trainer.sgd import SgdSettings
from trainer.single_fold import StepFigures, train_fold

STEPS = SgdSettings(steps=60, train_batch_size=10)
STUDY = f"""
[corpus]
name = "folders"
root = "sounds"
pattern = '{PATTERN}'
[convert]
encodings = ["gray"]
size = [32, 32]
sample_rate = {RATE}
[train]
modules = ["builtin:scattering"]
head = "sgd"
steps = 60
train_batch_size = 10
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[study.StudyRun, Store]:
    """A finished study whose heads are trained by gradient descent."""
    home = tmp_path_factory.mktemp("curves")
    write_corpus(home / "sounds")
    (home / "small.toml").write_text(STUDY, encoding="utf-8")
    store = Store(home / "store")
    plan = study.make_plan(home / "small.toml", [], store)
    return study.run_study(plan, home / "run"), store


def test_a_fold_has_the_head_and_the_scores_of_the_study(run: tuple[study.StudyRun, Store]) -> None:
    of_study, store = run
    seen: list[StepFigures] = []
    given = {"encoding": "gray", "settings": STEPS, "every": 25, "on_step": seen.append, "store": store}
    found = [train_fold(of_study.folder, fold, **given) for fold in (1, "2", "3")]  # type: ignore[arg-type]
    mine = pd.concat([each.predictions for each in found]).sort_values("clip_id").reset_index(drop=True)
    theirs = of_study.predictions.sort_values("clip_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(mine[theirs.columns], theirs, check_dtype=False)
    assert [each.accuracy for each in found] == of_study.evaluation.folds[["1", "2", "3"]].iloc[0].tolist()
    assert [(each.fold, each.step, each.of) for each in seen[:4]] == [("1", step, 60) for step in (1, 25, 50, 60)]
    assert set(seen[0].figures) == {"train", "validation"}
    history = found[0].history
    assert set(history["metric"]) == {"loss", "accuracy"}
    loss = history.query("metric == 'loss' and split == 'validation'")["value"].tolist()
    assert loss[-1] < loss[0]


def test_wrong_arguments_are_named(run: tuple[study.StudyRun, Store]) -> None:
    folder, store = run[0].folder, run[1]
    with pytest.raises(SettingsError, match=r"fold='7': no such fold.*1, 2, 3"):
        train_fold(folder, 7, encoding="gray", store=store)
    with pytest.raises(TableError, match="no encoding 'grey'; did you mean 'gray'"):
        train_fold(folder, 1, encoding="grey", store=store)
    with pytest.raises(SettingsError, match="every=0: must be a positive integer"):
        train_fold(folder, 1, encoding="gray", every=0, store=store)
    with pytest.raises(TableError, match=r"images\.csv"):
        train_fold(folder / "images" / "gray", 1, encoding="gray", store=store)


def test_curves_follow_a_training_and_end_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    handle = SimpleNamespace(update=drawn.append)
    monkeypatch.setattr(live_curves, "display", lambda first, display_id: drawn.append(first) or handle)
    curves = LiveCurves("a $title$")
    for fold in "12":
        for step in range(1, 31):
            figures = {"train": {"loss": 1 / step, "accuracy": 0.5}, "validation": {"loss": 2 / step, "accuracy": 0.4}}
            curves(StepFigures(fold, step, 30, figures))
            if step == 30:
                whole = drawn[-1].data
                curves.show()
                assert drawn[-1].data == whole, "the end of a training is always drawn"
    assert len(curves.history) == 2 * 30 * 4
    assert Image.open(io.BytesIO(whole)).size[0] > 500
    assert len(drawn) < 40, "not at every step"


def test_curves_of_epochs_have_their_phase_as_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_curves, "display", lambda *_, **__: SimpleNamespace(update=lambda _: None))
    curves = LiveCurves()
    for phase in ("choose", "refit"):
        figures = {"train": {"loss": 1.0, "recall": 0.2}}
        curves(SimpleNamespace(fold="1", phase=phase, epoch=1, of=9, figures=figures))  # type: ignore[arg-type]
    assert curves.history["split"].tolist() == ["train", "train", "refit", "refit"]
    assert [axes.get_ylabel() for axes in draw_learning_curves(curves.history).axes] == ["log loss", "recall in %"]


def test_a_history_that_lacks_a_column_is_named() -> None:
    with pytest.raises(TableError, match="no column fold, value"):
        draw_learning_curves(pd.DataFrame({"split": ["train"], "metric": ["loss"], "epoch": [1]}))


def test_a_player_is_short_and_holds_the_sound(tmp_path: Path) -> None:
    y = sound("hum", 1, seconds=4.0)
    write_wav(tmp_path / "hum.wav", y, RATE)
    player = play(tmp_path / "hum.wav", seconds=2)
    assert "autoplay" not in player._repr_html_()
    assert "autoplay" in play(y, sr=RATE, autoplay=True)._repr_html_()
    (tmp_path / "heard.webm").write_bytes(player.data)
    heard, sr = audio.read(tmp_path / "heard.webm")
    assert len(heard) / sr == pytest.approx(2, abs=0.1)
    assert len(player.data) < 12000
    for wrong, message in (({"sr": None}, "sr is missing"), ({"sr": 8000, "seconds": 0}, "seconds=0: must be above 0")):
        with pytest.raises(SettingsError, match=message):
            play(y, **wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="expected mono samples"):
        play(np.zeros((2, 2)), sr=8000)
    with pytest.raises(SettingsError, match="leave sr out"):
        play(tmp_path / "hum.wav", sr=8000)
