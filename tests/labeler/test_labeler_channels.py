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
from harness.errors import AudioError, ModuleError
from harness.hub.base import ModuleInfo
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


def test_a_mix_is_refused_for_such_a_model_and_channels_for_others() -> None:
    with pytest.raises(ModuleError, match=r"all channels of a sound \(encoding 'stereo'\), but scanning"):
        prepare_samples(BOTH[:, 0], SR, card(STACKED, 64))
    with pytest.raises(AudioError, match=r"shape \(11025, 2\): expected mono"):
        prepare_samples(BOTH, SR, card(RECIPES["gray"]))
