"""A new sound is scored as ``predictions.csv`` scores a clip: models of tiles, and of a fixed number of frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_study import CLASSES, PATTERN, RATE, command, sound

import study
from harness.errors import AudioError
from harness.store import Store
from labeler import long_sounds
from labeler.__main__ import app
from labeler.live.snapshot import take_snapshot
from labeler.live.sources import FileSource
from labeler.loading import Model, load_model
from labeler.predict import label_files
from labeler.scanning import Windows
from trainer.export import export_fold

TILE_S = 16 * 100 / RATE
MODULE = "builtin:scattering"
SETTINGS = """
[convert]
encodings = []
sample_rate = 8000
n_fft = 256
hop_length = 100
n_mels = 16
size = [16, 16]
[convert.tiled]
encoding = "gray"
tiles = true
[convert.longer]
encoding = "gray"
frames = 24
tiles = true
[convert.loudest]
encoding = "gray"
frames = 30
crop = "loudest"
ref = "corpus"
[convert.centre]
encoding = "logmel"
frames = 30
pad = "centre"
[merge.merged]
how = "stack"
of = ["tiled", "longer"]
[fuse.both]
how = "mean"
of = ["tiled", "longer"]
"""


def half_cancelled(y: np.ndarray) -> np.ndarray:
    """Two channels that cancel in their first half alone."""
    other = y.copy()
    other[: len(y) // 2] *= -1
    return np.stack([y, other], axis=1)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of clips of 1 to 12 tiles, and of one that is shorter than a tile."""
    home = tmp_path_factory.mktemp("tiled")
    for kind in CLASSES:
        (home / "sounds" / kind).mkdir(parents=True)
        for fold in (1, 2, 3):
            for take, seconds in enumerate((0.31, 0.67, 2.41)):
                y = sound(kind, 10 * fold + take, seconds=seconds + 0.013 * fold)
                path = home / "sounds" / kind / f"{fold}-{10 * fold + take}-{take}.wav"
                soundfile.write(path, half_cancelled(y) if fold == 2 else y, RATE, subtype="PCM_16")
    soundfile.write(home / "sounds" / "hum" / "1-99-9.wav", sound("hum", 9, seconds=0.1), RATE)
    (home / "tiled.toml").write_text(
        f"[corpus]\nname = 'folders'\nroot = '{home / 'sounds'}'\npattern = '{PATTERN}'\n{SETTINGS}"
        f"[train]\nmodules = ['{MODULE}']\n"
    )
    done = study.run_study(study.make_plan(home / "tiled.toml", [], Store(home / "store")), home / "run")
    assert "1-99-9.wav" in done.failures["clip_id"].tolist()
    return home


def model_of(home: Path, encoding: str, fold: str) -> Model:
    predicted = pd.read_csv(home / "run" / "predictions.csv", dtype={"fold": str, "seed": str})
    named = predicted.loc[predicted["encoding"] == encoding, ["encoding", "module", "head", "seed"]].iloc[0].to_dict()
    out = home / f"{encoding}-{fold}"
    if not out.exists():
        export_fold(home / "run", named, fold, out, images_folder=home / "run" / "images", store=Store(home / "store"))
    return load_model(out)


def rows_of(home: Path, model: Model, encoding: str, fold: str) -> list[tuple[Path, np.ndarray]]:
    predicted = pd.read_csv(home / "run" / "predictions.csv", dtype={"fold": str})
    rows = predicted[(predicted["encoding"] == encoding) & (predicted["fold"] == fold)]
    scores = rows[[f"p:{name}" for name in model.card.classes]].to_numpy()
    return [(home / "sounds" / clip, row) for clip, row in zip(rows["clip_id"], scores, strict=True)]


@pytest.mark.parametrize("encoding", ["tiled", "longer", "merged", "both", "loudest", "centre"])
def test_a_file_has_the_scores_of_predictions(tiled: Path, encoding: str, recwarn: pytest.WarningsRecorder) -> None:
    for fold in "12" if encoding == "tiled" else "2":
        model = model_of(tiled, encoding, fold)
        rows = rows_of(tiled, model, encoding, fold)
        assert len(rows) == 9
        labelled = list(label_files(model, [path for path, _ in rows]))
        for (path, expected), item in zip(rows, labelled, strict=True):
            assert model.label(path)[model.card.classes].to_numpy() == pytest.approx(expected, abs=1e-9)
            assert item.scores == pytest.approx(expected, abs=1e-9)
            y, sr = soundfile.read(path, dtype="float32")
            if y.ndim == 1:
                assert model.label(y, sr=sr)[model.card.classes].to_numpy() == pytest.approx(expected, abs=1e-9)
    assert not recwarn.list, "tiles of a long sound are what the model was trained on"


def test_long_files_are_read_in_blocks_with_the_same_tiles(tiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(tiled, "tiled", "1")
    monkeypatch.setattr(long_sounds, "_WHOLE_S", 0.0)
    monkeypatch.setattr(long_sounds, "_BLOCK_S", 0.33)
    for path, expected in rows_of(tiled, model, "tiled", "1"):
        assert model.label(path)[model.card.classes].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_one_window_a_snapshot_and_a_stream_have_the_scores_of_the_file(tiled: Path, tmp_path: Path) -> None:
    model = model_of(tiled, "tiled", "1")
    for k, (path, expected) in enumerate(rows_of(tiled, model, "tiled", "1")):
        seconds = soundfile.info(path).duration
        ((_, row),) = model.scan(path, window=seconds).scores[[f"p:{n}" for n in model.card.classes]].iterrows()
        assert row.to_numpy() == pytest.approx(expected, abs=1e-9)
        heard: list[Any] = []
        model.listen(heard.append, input=path, window=seconds, fast=True)
        assert heard[0].scores[model.card.classes].to_numpy() == pytest.approx(expected, abs=1e-9)
        taken = take_snapshot(model, FileSource(path, fast=True), tmp_path / str(k), seconds=seconds)
        assert taken.scores[model.card.classes].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_what_is_shorter_than_a_tile_is_named(tiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, short = model_of(tiled, "tiled", "1"), tiled / "sounds" / "hum" / "1-99-9.wav"
    with pytest.raises(AudioError, match=r"1-99-9.wav: 0.10 s long, shorter than 0.20 s, the length of the tiles"):
        model.label(short)
    with pytest.raises(AudioError, match=r"samples: 0.10 s long, shorter than 0.20 s"):
        model.label(sound("hum", 9, seconds=0.1), sr=RATE)
    said = command(app, "label", short, rows_of(tiled, model, "tiled", "1")[0][0], "--model", tiled / "tiled-1",
                   capsys=capsys)  # fmt: skip
    assert said.code == 1
    assert any("shorter than 0.20 s" in line for line in said.err.splitlines())
    assert said.out.count(".wav\n") == 1
    (row,) = model.scan(short).scores.to_dict("records")
    assert row["end_s"] == 0.1, "a scan puts silence after what is left of a recording"
    assert Windows(TILE_S, TILE_S).batch == 32
