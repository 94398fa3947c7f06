"""A whole study with augmented sounds: its tables, its report, its model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, write_corpus, write_study

from harness.errors import SettingsError
from harness.reduced import read_all_reduced
from labeler.loading import load_model
from study import study

AUGMENT = '[convert.augment]\ncopies = 1\ntransforms = ["gain", "noise"]\n[convert.augment.noise]\nmin_snr_db = 20\n'
STACKED = "[merge.stacked]\nhow = 'stack'\nof = ['gray', 'waveform']\n"
MORE = f"{STACKED}[fuse.both]\nhow = 'mean'\nof = ['gray', 'waveform']\n[evaluate]\nrepeats = 1\n{AUGMENT}"


def test_a_study_trains_on_changed_sounds_and_tests_clips_alone(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "sounds")
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more=MORE, encodings='["gray", "waveform"]')
    run = study(file, out=tmp_path / "run", store=tmp_path / "store", jobs=1)
    clips = {path.name for kind in CLASSES for path in (root / kind).glob("*.wav")}
    images = pd.read_csv(tmp_path / "run" / "images" / "images.csv")
    assert not len(run.failures)
    for name in ("gray", "waveform", "stacked"):
        own = set(images.loc[images["encoding"] == name, "clip_id"])
        assert own == clips | {f"{clip}@augmented0" for clip in clips}, name
    for _, rows in run.predictions.groupby("encoding"):
        assert sorted(rows["clip_id"]) == sorted(clips)
    repeats = pd.read_csv(tmp_path / "run" / "repeats.csv")
    assert set(repeats["test"]) == {9} and set(repeats["train"]) == {18}
    for reduced in read_all_reduced(tmp_path / "run"):
        assert set(reduced.clips["clip_id"]) == clips
    sizes = json.loads((tmp_path / "run" / "run.json").read_text())["steps"]["train"]["spec"]
    assert "augmented sounds, 27 of 27 clips" in json.dumps(sizes)
    assert "augmented0" not in (tmp_path / "run" / "report.html").read_text()
    row = run.predictions.iloc[0]
    said = load_model(tmp_path / "run" / "model").label(next(root.rglob(row["clip_id"])))
    assert np.isfinite(list(said.scores.values())).all()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[convert.augment]\ncopies = 0\n", r"s\.toml: \[convert\.augment\] copies=0: must be 1 or more"),
        ("[convert.augment]\n[convert.gray]\ntiles = true\n", "encoding 'gray' cuts clips into tiles"),
    ],
)
def test_what_a_study_cannot_augment_is_refused_before_anything_is_drawn(
    tmp_path: Path, tiny_yamnet: str, more: str, message: str
) -> None:
    root = write_corpus(tmp_path / "sounds", takes=2)
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more=more)
    with pytest.raises(SettingsError, match=message):
        study(file, out=tmp_path / "run", store=tmp_path / "store")
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering", tiny_yamnet], more="[convert.augment]\n")
    with pytest.raises(SettingsError, match="a module takes the sound itself, which is not augmented"):
        study(file, out=tmp_path / "run", store=tmp_path / "store")
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more="[convert.augment]\n")
    with pytest.raises(SettingsError, match="augmented sounds are drawn to files"):
        study(file, out=tmp_path / "run", store=tmp_path / "store", settings=["convert.keep_images=false"])
    with pytest.raises(SettingsError, match=r"--set convert\.augment=3: must be a table, \[convert\.augment\]"):
        study(file, out=tmp_path / "run", store=tmp_path / "store", settings=["convert.augment=3"])
