"""A whole study with augmented sounds: its tables, its report, its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, write_corpus, write_study

from harness.errors import SettingsError
from harness.reduced import read_all_reduced
from harness.store import Store
from study import draw, make_plan, repeat, study, train, write_clips

AUGMENT = '[convert.augment]\ncopies = 1\ntransforms = ["gain", "noise"]\n[convert.augment.noise]\nmin_snr_db = 20\n'
STACKED = "[merge.stacked]\nhow = 'stack'\nof = ['gray', 'waveform']\n"
MORE = f"{STACKED}[fuse.both]\nhow = 'mean'\nof = ['gray', 'waveform']\n[evaluate]\nrepeats = 1\n{AUGMENT}"


def _study(tmp_path: Path) -> tuple[Path, Path, set[str]]:
    root = write_corpus(tmp_path / "sounds")
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more=MORE, encodings='["gray", "waveform"]')
    return file, root, {path.name for kind in CLASSES for path in (root / kind).glob("*.wav")}


def test_a_study_trains_on_changed_sounds_and_tests_clips_alone(tmp_path: Path) -> None:
    file, _, clips = _study(tmp_path)
    out = tmp_path / "run"
    plan = make_plan(file, [], Store(tmp_path / "store"))
    write_clips(plan, out)
    drawn = draw(plan, out, jobs=1, strict=True)
    for name in ("gray", "waveform", "stacked"):
        own = drawn.images.loc[drawn.images["encoding"] == name, "clip_id"]
        assert sorted(own) == sorted(clips | {f"{clip}@augmented0" for clip in clips}), name
    outcome = train(plan, drawn, out, None)
    assert outcome.failures.empty and outcome.computed > 3 * len(clips)
    assert outcome.predictions["encoding"].nunique() == 4
    for _, rows in outcome.predictions.groupby("encoding"):
        assert sorted(rows["clip_id"]) == sorted(clips)
    assert "augmented sounds of their clips (27 of 27 clips in all)" in " ".join(outcome.notes)
    repeat(plan, drawn, out)
    repeats = pd.read_csv(out / "repeats.csv")
    assert set(repeats["train"]) == {18} and len(repeats) == 4 * 3
    for reduced in read_all_reduced(out):
        assert set(reduced.clips["clip_id"]) == clips


@pytest.mark.long
def test_the_report_names_no_changed_sound_and_the_model_draws_sounds_as_they_are(
    tmp_path: Path, tiny_yamnet: str
) -> None:
    file, root, _ = _study(tmp_path)
    sounds = [f"train.modules=['builtin:scattering', '{tiny_yamnet}']"]
    with pytest.raises(SettingsError, match="a module takes the sound itself, which is not augmented"):
        study(file, out=tmp_path / "run", store=tmp_path / "store", settings=[*sounds, "fuse={}"])
    run = study(file, out=tmp_path / "run", store=tmp_path / "store", jobs=1)
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Training sets also have the augmented sounds" in report and "@augmented" not in report
    said = run.model.label(next(root.rglob(run.predictions["clip_id"].iloc[0])))
    assert np.isfinite(said.to_numpy()).all()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[convert.augment]\ncopies = 0\n", r"s\.toml: \[convert\.augment\] copies=0: must be 1 or more"),
        ("[convert.augment]\n[convert.gray]\ntiles = true\n", "encoding 'gray' cuts clips into tiles"),
    ],
)
def test_what_a_study_cannot_augment_is_refused_before_anything_is_drawn(
    tmp_path: Path, more: str, message: str
) -> None:
    root = write_corpus(tmp_path / "sounds", takes=2)
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more=more)
    with pytest.raises(SettingsError, match=message):
        study(file, out=tmp_path / "run", store=tmp_path / "store")
    file = write_study(tmp_path / "s.toml", root, ["builtin:scattering"], more="[convert.augment]\n")
    with pytest.raises(SettingsError, match="augmented sounds are drawn to files"):
        study(file, out=tmp_path / "run", store=tmp_path / "store", settings=["convert.keep_images=false"])
    with pytest.raises(SettingsError, match=r"--set convert\.augment=3: must be a table, \[convert\.augment\]"):
        study(file, out=tmp_path / "run", store=tmp_path / "store", settings=["convert.augment=3"])
