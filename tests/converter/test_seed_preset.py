"""The preset that reproduces the first project's pictures, on its own recording and its own pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converter.drawing import draw
from converter.registry import make_spec, preset_specs
from converter.spec import Spec
from harness import image
from harness.errors import SettingsError

PICTURES = {
    "gray": "gray_scale_spectrogram.png",
    "logmel": "spectrogram.png",
    "linear": "non_log_spectrogram.png",
    "waveform": "wave_form.png",
}
pytestmark = pytest.mark.corpus


def small(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L").resize((300, 100), Image.Resampling.BILINEAR), float).ravel()


def correlation(folder: Path, name: str, spec: Spec) -> float:
    ours, theirs = draw(folder / "344-3-5-0.wav", spec), image.read(folder / PICTURES[name])
    return float(np.corrcoef(small(ours), small(theirs))[0, 1])


@pytest.mark.parametrize("name", PICTURES)
def test_its_pictures_come_out_again(seed_example: Path, name: str) -> None:
    spec = preset_specs("seed")[name]
    assert draw(seed_example / "344-3-5-0.wav", spec).shape == image.read(seed_example / PICTURES[name]).shape
    assert correlation(seed_example, name, spec) > 0.998


def test_its_gray_picture_comes_out_pixel_by_pixel(seed_example: Path) -> None:
    ours = draw(seed_example / "344-3-5-0.wav", preset_specs("seed")["gray"]).astype(int)
    assert np.abs(ours - image.read(seed_example / PICTURES["gray"])).max() <= 1


def test_its_colours_are_off_by_no_more_than_rounding(seed_example: Path) -> None:
    for name in ("logmel", "linear"):
        ours = draw(seed_example / "344-3-5-0.wav", preset_specs("seed")[name]).astype(int)
        assert np.abs(ours - image.read(seed_example / PICTURES[name])).max() <= 1


@pytest.mark.parametrize("changed", [{"axis": "even"}, {"db": "true"}])
def test_each_quirk_matters(seed_example: Path, changed: dict[str, str]) -> None:
    from dataclasses import replace

    assert correlation(seed_example, "gray", replace(preset_specs("seed")["gray"], **changed)) < 0.95


def test_without_the_preset_the_picture_is_correct_not_quirky(seed_example: Path) -> None:
    plain = make_spec("gray", {"size": [400, 1200]})
    assert 0.5 < correlation(seed_example, "gray", plain) < 0.9
    import librosa

    from harness.audio import load

    y = load(seed_example / "344-3-5-0.wav", sr=22050)
    S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050), ref=np.max)
    ours = draw(seed_example / "344-3-5-0.wav", make_spec("gray", {"size": list(S_db.shape)}))[::-1, :, 0]
    assert np.abs(ours / 256 * 80 - 80 - S_db).max() < 80 / 256 + 0.01


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(SettingsError, match="did you mean 'seed'"):
        preset_specs("sead")
