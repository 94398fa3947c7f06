"""The preset that reproduces the first project's images, on its own recording and its own images."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import pytest
from PIL import Image

from converter.drawing import draw
from converter.encodings.gray import Gray
from converter.selection import preset_encodings
from converter.spec import Encoding
from harness import image
from harness.audio import load

IMAGES = {
    "gray": "gray_scale_spectrogram.png",
    "logmel": "spectrogram.png",
    "linear": "non_log_spectrogram.png",
    "waveform": "wave_form.png",
}
pytestmark = pytest.mark.corpus


def small(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L").resize((300, 100), Image.Resampling.BILINEAR), float).ravel()


@pytest.fixture(scope="module")
def drawn(seed_example: Path) -> Callable[[Encoding], np.ndarray]:
    """The recording drawn with an encoding, each once."""
    return lru_cache(lambda encoding: draw(seed_example / "344-3-5-0.wav", encoding))


def correlation(ours: np.ndarray, theirs: Path) -> float:
    return float(np.corrcoef(small(ours), small(image.read(theirs)))[0, 1])


@pytest.mark.parametrize("name", IMAGES)
def test_its_images_come_out_again(seed_example: Path, drawn: Callable[[Encoding], np.ndarray], name: str) -> None:
    ours, theirs = drawn(preset_encodings("seed")[name]), image.read(seed_example / IMAGES[name])
    assert ours.shape == theirs.shape
    assert correlation(ours, seed_example / IMAGES[name]) > 0.998
    if name != "waveform":
        assert np.abs(ours.astype(int) - theirs).max() <= 1, "pixel by pixel, but for rounding"


@pytest.mark.parametrize("changed", [{"axis": "even"}, {"db": "true"}])
def test_each_quirk_matters(
    seed_example: Path, drawn: Callable[[Encoding], np.ndarray], changed: dict[str, str]
) -> None:
    ours = drawn(preset_encodings("seed")["gray"].replace(**changed))
    assert correlation(ours, seed_example / IMAGES["gray"]) < 0.95


def test_without_the_preset_the_image_is_correct_not_quirky(
    seed_example: Path, drawn: Callable[[Encoding], np.ndarray]
) -> None:
    assert 0.5 < correlation(drawn(Gray(size=(400, 1200))), seed_example / IMAGES["gray"]) < 0.9
    y = load(seed_example / "344-3-5-0.wav", sr=22050)
    S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050), ref=np.max)
    ours = drawn(Gray(size=S_db.shape))[::-1, :, 0]
    assert np.abs(ours / 256 * 80 - 80 - S_db).max() < 80 / 256 + 0.01
