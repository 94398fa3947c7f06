"""Models whose images are drawn from all channels of a sound."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from converter.encodings.gray import Gray
from converter.encodings.stereo import Stereo
from harness.errors import AudioError, SettingsError
from harness.hub.base import ModuleInfo
from harness.model import ModelCard
from labeler.live.listening import Heard
from labeler.live.opening import open_source
from labeler.live.snapshot import take_snapshot
from labeler.loading import Model
from labeler.preprocess import prepare_file, prepare_samples
from merger.methods.stack import Stack

SR = 22050
SIZE = (32, 32)
BOTH = np.random.default_rng(0).normal(0, 0.1, (SR // 2, 2)).astype(np.float32)
RECIPES: dict[str, Any] = {
    each.name: {"encoding": each.name, "spec": each.to_json()} for each in (Gray(size=SIZE), Stereo(size=SIZE))
}
STACKED = {"merge": "stacked", "spec": Stack(of=["gray", "stereo"]).to_json(), "of": RECIPES}


def card(recipe: dict[str, Any], height: int = 32) -> Any:
    info = ModuleInfo("builtin:none", "", "image", height, 32, (0.0, 1.0), 0, 4)
    return SimpleNamespace(members=[], draws=True, recipe=recipe, module_info=info)


def test_a_file_is_drawn_with_all_its_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "both.wav", BOTH, SR, subtype="FLOAT")
    gray = Gray(size=SIZE).draw((BOTH[:, 0] + BOTH[:, 1]) / np.float32(2), sr=SR)
    stereo = Stereo(size=SIZE).draw(BOTH, sr=SR)
    assert np.array_equal(prepare_file(tmp_path / "both.wav", card(RECIPES["gray"])), gray)
    assert np.array_equal(prepare_file(tmp_path / "both.wav", card(RECIPES["stereo"])), stereo)
    assert np.array_equal(prepare_file(tmp_path / "both.wav", card(STACKED, 64)), np.concatenate([gray, stereo]))


def test_a_file_of_one_channel_has_no_difference(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", BOTH[:, 0], SR, subtype="FLOAT")
    assert not prepare_file(tmp_path / "one.wav", card(RECIPES["stereo"]))[..., 1].any()


def test_a_mix_is_drawn_as_a_file_of_one_channel_and_channels_are_refused_by_others() -> None:
    one = prepare_samples(BOTH[:, 0], SR, card(RECIPES["stereo"]))
    assert np.array_equal(one, Stereo(size=SIZE).draw(BOTH[:, 0], sr=SR))
    assert not one[..., 1].any()
    with pytest.raises(AudioError, match=r"shape \(11025, 2\): expected mono"):
        prepare_samples(BOTH, SR, card(RECIPES["gray"]))


def green(batch: np.ndarray) -> np.ndarray:
    """Scores that say how much of the images is in the difference of the channels."""
    share = 0.25 + batch[..., 1].mean(axis=(1, 2)) / 512
    return np.stack([share, 1 - share], axis=1)


def hear(recipe: dict[str, Any], longest_s: float = 0.5) -> Model:
    module = {"handle": "m", "digest": "", "takes": "image", "height": 32, "width": 32, "value_range": [0.0, 1.0],
              "sample_rate": 0, "features": 4}  # fmt: skip
    return Model(ModelCard(["a", "b"], "image", module, recipe, longest_s=longest_s), green)


def expected(y: np.ndarray) -> np.ndarray:
    return np.asarray(green(Stereo(size=SIZE).draw(y, sr=SR)[None])[0])


def test_windows_of_a_scan_and_of_a_stream_have_all_channels(tmp_path: Path) -> None:
    y = np.concatenate([BOTH, BOTH * (1, -1), np.repeat(BOTH[:, :1], 2, axis=1)]).astype(np.float32)
    soundfile.write(tmp_path / "both.wav", y, SR, subtype="FLOAT")
    model, n = hear(RECIPES["stereo"]), len(BOTH)
    parts = [expected(y[start : start + n]) for start in range(0, len(y), n)]
    assert parts[2][0] == 0.25, "no difference between equal channels"
    assert parts[0][0] > 0.3
    assert model.scan(tmp_path / "both.wav").scores[["p:a", "p:b"]].to_numpy() == pytest.approx(np.array(parts))
    heard: list[Heard] = []
    model.listen(heard.append, input=tmp_path / "both.wav", fast=True, hop=0.5, record=tmp_path / "again.wav")
    assert [each.scores["a"] for each in heard] == pytest.approx([part[0] for part in parts])
    assert np.array_equal(soundfile.read(tmp_path / "again.wav", dtype="float32")[0], y)
    source = open_source(str(tmp_path / "both.wav"), fast=True, mono=False)
    taken = take_snapshot(model, source, tmp_path / "snapshot", seconds=0.5)
    assert taken.scores["a"] == pytest.approx(parts[0][0])
    assert soundfile.info(tmp_path / "snapshot" / "snapshot.wav").channels == 2


def test_a_stream_of_one_channel_is_heard_as_a_mono_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", BOTH[:, 0], SR, subtype="FLOAT")
    heard: list[Heard] = []
    hear(RECIPES["stereo"]).listen(heard.append, input=tmp_path / "one.wav", fast=True)
    assert heard[0].scores["a"] == hear(RECIPES["stereo"]).label(tmp_path / "one.wav")["a"] == 0.25


def test_samples_and_long_files_have_all_channels(tmp_path: Path) -> None:
    model = hear(RECIPES["stereo"])
    assert model.label(BOTH, sr=SR)["a"] == pytest.approx(expected(BOTH)[0])
    long = np.resize(BOTH, (5 * SR, 2))
    soundfile.write(tmp_path / "long.wav", long, SR, subtype="FLOAT")
    with pytest.warns(UserWarning, match="the mean over 10 parts"):
        of_file = model.label(tmp_path / "long.wav")
    with pytest.warns(UserWarning, match="the mean over 10 parts"):
        of_samples = model.label(long, sr=SR)
    assert of_file["a"] == pytest.approx(of_samples["a"])
    assert of_file["a"] > 0.3
    with pytest.raises(
        SettingsError, match=r"shape \(2, 11025\).*expected floats of shape \(samples,\) or \(samples, ch"
    ):
        model.label(BOTH.T, sr=SR)
    with pytest.raises(SettingsError, match=r"shape \(11025, 2\).*expected floats of shape \(samples,\)$"):
        hear(RECIPES["gray"]).label(BOTH, sr=SR)
