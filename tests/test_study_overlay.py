"""``[corpus] overlay``: heads are fitted with changed labels and tested with those that the corpus gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import Said, command

import study
from harness.label_changes import TRAINING_LABEL, LabelChanges, read_label_changes
from harness.record import read_steps
from harness.shared_groups import OFFICIAL
from harness.store import Store
from harness.tables import CLIPS, PREDICTIONS, read, score_columns
from trainer.__main__ import app as trainer_app
from trainer.crossvalidate import cross_validate, fold_sizes
from trainer.fitting import HeadSettings


def swap(clips: pd.DataFrame) -> dict[str, str]:
    """New labels of four clips: those of chirp become hum and the other way round."""
    other = {"chirp": "hum", "hum": "chirp"}
    chosen = clips[clips["label"].isin(list(other))].groupby(["label", "fold"]).head(1).iloc[:4]
    return {clip: other[label] for clip, label in zip(chosen["clip_id"], chosen["label"], strict=True)}


@pytest.fixture(scope="module")
def changed(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small study with the labels of four clips changed in training, and one clip left out of it."""
    home = tmp_path_factory.mktemp("overlay")
    clips = read(studied / "run" / CLIPS.name, CLIPS)
    new = swap(clips)
    rows = clips[["clip_id", "label"]].assign(suggested=clips["clip_id"].map(new).fillna(""), accept="")
    rows.loc[rows["suggested"] != "", "accept"] = "yes"
    rows.loc[rows.index[-1], "accept"] = "drop"
    rows.to_csv(home / "labels.csv", index=False)
    plan = study.make_plan(studied / "small.toml", [f"corpus.overlay={home / 'labels.csv'}"], Store(studied / "store"))
    study.run_study(plan, home / "run")
    return home


def of_row(run: Path) -> pd.DataFrame:
    table = read(run / PREDICTIONS.name, PREDICTIONS)
    return table[table["encoding"] == "gray"].set_index("clip_id").sort_index()


def test_training_alone_has_the_changes(studied: Path, changed: Path) -> None:
    before, after = of_row(studied / "run"), of_row(changed / "run")
    pd.testing.assert_frame_equal(after[["fold", "group", "label"]], before[["fold", "group", "label"]])
    columns = score_columns(read(changed / "run" / PREDICTIONS.name, PREDICTIONS))
    assert np.abs(after[columns] - before[columns]).to_numpy().max() > 0.01


def test_the_report_and_the_record_say_so(changed: Path) -> None:
    run = changed / "run"
    changes = read_label_changes(run)
    assert (len(changes.labels), len(changes.dropped), changes.scope) == (4, 1, "training")
    recorded = read_steps(run)["corpus"]
    assert recorded["spec"]["label_changes"]["digest"] == changes.digest
    assert "overlay" in recorded["inputs"]
    said = "Labels of 4 clips were changed by labels.csv and 1 clip left out in training alone"
    assert said in (run / "report.html").read_text(encoding="utf-8")
    assert said in (run / "verdict.txt").read_text(encoding="utf-8")


def test_the_heads_are_those_of_the_changed_labels(studied: Path, changed: Path, tmp_path: Path) -> None:
    """A corpus whose labels are wrong, put right by an overlay, gives the scores of one whose labels are right."""
    rng = np.random.default_rng(0)
    n = 60
    right = pd.DataFrame(
        {
            "clip_id": [f"{i:02}.wav" for i in range(n)],
            "label": ["abc"[i % 3] for i in range(n)],
            "fold": [str(i % 4) for i in range(n)],
            "group": [f"g{i}" for i in range(n)],
        }
    )
    centres = rng.standard_normal((3, 8))
    values = (centres[np.arange(n) % 3] + rng.standard_normal((n, 8))).astype(np.float32)
    wrong = right.assign(label=["b" if i in (0, 6, 9) else label for i, label in enumerate(right["label"])])
    labels = {f"{i:02}.wav": right["label"][i] for i in (0, 6, 9)}
    overlaid = LabelChanges("labels.csv", "training", labels, ("59.wav",)).for_training(wrong)
    store, settings = Store(tmp_path), HeadSettings()

    def heads(features: np.ndarray, table: pd.DataFrame) -> dict[str, np.ndarray]:
        trained = cross_validate(features, table, settings=settings, seed=0, store=store)
        return {fold: head.weights for fold, head in trained.heads.items()}

    expected, found = heads(values[:59], right[:59]), heads(values, overlaid)
    for fold, weights in expected.items():
        np.testing.assert_allclose(found[fold], weights, atol=1e-3)
    assert any(np.abs(heads(values, wrong)[fold] - found[fold]).max() > 0.01 for fold in found)
    sizes = fold_sizes(overlaid, settings=settings, seed=0, shared=OFFICIAL)
    assert [sizes[fold] for fold in "03"] == [{"train": 44, "test": 15}, {"train": 45, "test": 15}]
    assert overlaid[TRAINING_LABEL].iloc[-1] == ""


def test_the_trainer_s_command_reads_the_changes_of_its_images(
    studied: Path, changed: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = changed / "run"
    given = ["--images", run / "images" / "images.csv", "--module", tiny_module, "--store", studied / "store"]
    said: Said = command(trainer_app, "run", *given, "--encoding", "gray", "--out", tmp_path / "out", capsys=capsys)
    assert said.code == 0, said.err
    pd.testing.assert_frame_equal(of_row(tmp_path / "out"), of_row(run))
    said = command(trainer_app, "layout", *given[:2], "--encoding", "gray", "--out", tmp_path / "f", capsys=capsys)
    assert said.code != 0
    assert "labels.csv changes labels for training alone, which folders of classes cannot say" in said.err


def test_a_table_that_is_not_there_is_one_line(
    studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", "corpus.overlay=labels.csv", "--store", studied / "store", "--out", tmp_path / "run"]
    said = command(study.app, studied / "small.toml", *words, "--dry-run", capsys=capsys)
    assert said.code != 0
    assert "labels.csv: no such file" in said.err and len(said.err.splitlines()) == 1
    words[1] = "corpus.overlay_scope=train"
    said = command(study.app, studied / "small.toml", *words, "--dry-run", capsys=capsys)
    assert said.code != 0
    assert "overlay_scope" in said.err and "'training'" in said.err
