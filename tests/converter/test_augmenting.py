"""Augmented sounds: which rows and images there are, that they are the same everywhere, and what is refused."""

from __future__ import annotations

import random
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import command

from converter import __main__ as converter_main
from converter.augmenting import AugmentSettings, SoundChange, augment_from_study, change_sound
from converter.encodings.gray import Gray
from converter.encodings.waveform import Waveform
from converter.pipeline import convert_clips, count_cached
from converter.spec import Encoding
from harness import tables
from harness.errors import SettingsError, TableError
from harness.recipes import read_recipes
from harness.store import Store

ENCODINGS: dict[str, Encoding] = {
    "gray": Gray(sample_rate=8000, n_fft=256, hop_length=64, n_mels=32, size=(32, 32)),
    "waveform": Waveform(size=(32, 32)),
}
AUGMENT = AugmentSettings(copies=2)


def _files(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.png"))}


def test_every_process_draws_the_same_images_and_only_further_copies_are_new(
    clips: pd.DataFrame, tmp_path: Path
) -> None:
    here = convert_clips(clips, ENCODINGS, tmp_path / "a", store=Store(tmp_path / "s1"), augment=AUGMENT)
    convert_clips(clips[::-1], ENCODINGS, tmp_path / "b", store=Store(tmp_path / "s2"), jobs=2, augment=AUGMENT)
    files = _files(tmp_path / "a")
    assert len(files) == 6 * 3 * 2 and files == _files(tmp_path / "b")
    one = {"waveform": ENCODINGS["waveform"]}  # alone, and with another number of copies: the same sounds
    more = AUGMENT.replace(copies=3)
    convert_clips(clips, one, tmp_path / "c", store=Store(tmp_path / "s3"), augment=more)
    waves = {name: data for name, data in files.items() if name.startswith("waveform")}
    assert waves.items() <= _files(tmp_path / "c").items()
    assert count_cached(clips, ENCODINGS, store=Store(tmp_path / "s1"), augment=AUGMENT) == dict.fromkeys(ENCODINGS, 6)
    for other in (more, AUGMENT.replace(seed=1), AUGMENT.replace(transforms=["gain"])):
        assert count_cached(clips, ENCODINGS, store=Store(tmp_path / "s1"), augment=other)["gray"] == 0
    gray = here.images[here.images["encoding"] == "gray"].set_index("clip_id")
    for clip in clips.itertuples():
        for k in range(2):
            row = gray.loc[f"{clip.clip_id}@augmented{k}"]
            assert (row["label"], row["fold"], row["group"]) == (clip.label, clip.fold, clip.group)
            assert row["path"].startswith("gray@augmented/"), "retrain.py is given the folder of the others"
    assert read_recipes(tmp_path / "a").augment["gray"]["copies"] == 2
    plain = convert_clips(clips, ENCODINGS, tmp_path / "a", store=Store(tmp_path / "s1"))
    assert len(plain.images) == len(_files(tmp_path / "a")) == 12 and not (tmp_path / "a" / "gray@augmented").exists()
    assert not read_recipes(tmp_path / "a").augment


def test_each_copy_is_another_sound_and_the_global_generators_are_as_before() -> None:
    y = np.random.default_rng(0).normal(0, 0.1, (4000, 2)).astype(np.float32)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before, before_numpy = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    always = {name: {"probability": 1.0} for name in ("gain", "noise", "shift", "pitch", "stretch")}
    settings = AugmentSettings.read(always)
    changes = [SoundChange.of(settings, digest, copy) for digest in "ab" for copy in range(2)]
    changed = [change_sound(y, 8000, each) for each in changes]
    assert all(each.shape == y.shape and each.dtype == np.float32 for each in changed)
    assert len({each.tobytes() for each in [y, *changed]}) == 5
    assert np.array_equal(changed[0], change_sound(y, 8000, changes[0]))
    assert random.getstate() == before and np.random.get_state()[1].tolist() == before_numpy  # noqa: NPY002
    loud = AugmentSettings.read({"transforms": ["gain"], "gain": {"min_db": 6, "max_db": 6, "probability": 1.0}})
    assert change_sound(y, 8000, SoundChange(loud, 0)) == pytest.approx(y * 10 ** (6 / 20), rel=1e-4)
    for silent in (np.zeros(1, np.float32), np.zeros((100, 2), np.float32)):
        assert not change_sound(silent, 8000, changes[0]).any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"copies": 0}, r"\[convert.augment\] copies=0: must be 1 or more"),
        ({"copys": 1}, r"\[convert.augment\] copys: no such setting; did you mean 'copies'"),
        ({"transforms": ["echo"]}, r"\[convert.augment\] transforms='echo'"),
        ({"transforms": ["gain", "gain"]}, "must name each transform once"),
        ({"gain": {"min_db": 7}}, r"min_db=7.*must not be above max_db=6"),
        ({"gain": 3}, r"\[convert.augment\] gain=3: must be a table"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        augment_from_study(table, ENCODINGS)


def test_what_cannot_be_augmented_is_refused(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiled = {"tiled": Gray(sample_rate=8000, n_fft=256, hop_length=64, size=(32, 32), tiles=True)}
    with pytest.raises(SettingsError, match=r"copies=2: encoding 'tiled' cuts clips into tiles, which are not"):
        augment_from_study({}, tiled)
    with pytest.raises(TableError, match="clip_id='x@augmented0': ends as those of augmented sounds do"):
        convert_clips(clips.assign(clip_id=["x@augmented0", *"bcdef"]), ENCODINGS, tmp_path, store=Store(tmp_path))

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("converter.augmenting.version", missing)
    tables.write(clips, tmp_path / "clips.csv", tables.CLIPS)
    given = ["--clips", tmp_path / "clips.csv", "--out", tmp_path / "images", "--encoding", "gray", "--augment", "2"]
    said = command(converter_main.app, *given, capsys=capsys)
    assert said.code and not said.out and not (tmp_path / "images").exists()
    assert said.warnings == [
        "error: --augment=2: needs the package audiomentations, which is not installed; "
        "pip install 'soundfold[augment]'"
    ]
