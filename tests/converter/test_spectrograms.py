"""What spectrograms promise beyond what all encodings do: rows, bands, levels, shared shades."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from converter.colour import table
from converter.dsp import stft_power
from converter.encodings.gray import Gray
from converter.encodings.linear import Linear
from converter.encodings.logmel import LogMel
from converter.levels import is_silent, level
from converter.sound import as_sound
from harness.errors import SettingsError

SR = 22050
NOISE = np.random.default_rng(0).normal(0, 0.1, SR).astype(np.float32)


def tone(hz: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(SR) / SR)).astype(np.float32)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 5000.0])
def test_a_tone_lies_on_its_row_low_frequencies_at_the_bottom(hz: float) -> None:
    row = Linear(size=(1025, 20)).draw(tone(hz), sr=SR)[:, 10].sum(axis=1).argmax()
    assert abs(row - (1024 - hz / (SR / 2048))) <= 1
    mel = Gray(size=(128, 20)).draw(tone(hz), sr=SR)[:, 10, 0]
    centres = librosa.mel_frequencies(130, fmin=0, fmax=SR / 2)[1:-1]
    assert abs((127 - int(mel.argmax())) - int(np.abs(centres - hz).argmin())) <= 1


def test_linear_draws_only_the_band_asked_for() -> None:
    low, high = Linear(fmin=0, fmax=2000), Linear(fmin=4000, fmax=0)
    drawn = low.draw(tone(1000) + 1e-3 * NOISE, sr=SR)
    assert abs(int(drawn[:, 100].sum(axis=1).argmax()) - 112) <= 1
    assert drawn.max() > high.draw(tone(1000), sr=SR).mean()


def test_gray_has_the_shades_that_logmel_colours() -> None:
    gray = Gray().draw(NOISE, sr=SR)
    assert np.array_equal(gray[..., 0], gray[..., 1])
    assert np.array_equal(LogMel(colormap="viridis").draw(NOISE, sr=SR), table("viridis")[gray[..., 0]])


class Low(Gray):
    """Another property of the class and nothing else: no setting says so."""

    name = "low"

    @property
    def highest_hz(self) -> float:
        return 2000.0


def test_shades_are_shared_by_classes_that_draw_the_same_only() -> None:
    sound = as_sound(NOISE, sr=SR, settings=Gray())
    assert Gray().shades(sound) is LogMel().shades(sound)
    assert LogMel(n_mels=64).shades(sound) is not LogMel().shades(sound)
    assert np.array_equal(Low().draw(sound, sr=SR), Low().draw(NOISE, sr=SR))
    assert not np.array_equal(Low().draw(sound, sr=SR), Gray().draw(sound, sr=SR))


def test_gain_changes_nothing_relative_to_the_clip_and_everything_absolutely() -> None:
    relative = Gray(size=(128, 44))
    a, b = (relative.draw(gain * NOISE, sr=SR).astype(int) for gain in (1, 2))
    assert np.abs(a - b).max() <= 1
    absolute = Gray(size=(128, 44), ref=1e6, top_db=160)
    a, b = (absolute.draw(gain * NOISE, sr=SR)[..., 0].astype(int) for gain in (1, 10))
    assert np.abs((b - a) - 20 / 160 * 256).max() <= 1


def test_padding_is_silence() -> None:
    drawn = Gray(duration_s=1.0).draw(tone(440)[: SR // 2], sr=SR)
    assert drawn[:, 150:].max() == 0
    assert drawn[:, :100].max() > 200


# ---- the public functions


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_level_agrees_with_librosa(power: float) -> None:
    S = stft_power(NOISE, n_fft=512, hop_length=256, win_length=512) ** np.float32(power / 2)
    to_db = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
    expected = to_db(S, ref=np.max, top_db=30.0) / 30 + 1
    np.testing.assert_allclose(level(S, power=power, top_db=30.0), expected, atol=1e-4)
    assert level(S, power=power).dtype == np.float32


def test_level_is_between_0_and_1_with_the_reference_at_1() -> None:
    S = np.float32([[0.0, 1e-20, 0.5], [1.0, 2.0, 4.0]])
    for ref in ("max", 0.1, 1.0, 1e9):
        for top_db in (80.0, None):
            levels = level(S, ref=ref, top_db=top_db)
            assert 0 <= levels.min() <= levels.max() <= 1
    assert level(S, ref=1.0)[1].tolist() == [1.0, 1.0, 1.0]
    assert level(S, ref=8.0, top_db=None)[1].tolist() == [0.125, 0.25, 0.5]
    assert S[1].tolist() == [1.0, 2.0, 4.0], "the spectrogram stays"
    with pytest.raises(SettingsError, match=r'^ref="corpus": a single clip has no corpus'):
        level(S, ref="corpus")


@pytest.mark.parametrize("silent", [0.0, 0.5])
def test_silence_has_one_level_whatever_the_reference(silent: float) -> None:
    for ref in ("max", "corpus", 1e-30, 1.0):
        for top_db in (80.0, None):
            assert (level(np.zeros((3, 4), np.float32), ref=ref, top_db=top_db, silent=silent) == silent).all()


def test_what_is_silent() -> None:
    for power, smallest in ((2.0, 1e-10), (1.0, 1e-5)):
        assert is_silent(np.zeros(3, np.float32), power=power)
        assert is_silent(np.float32([0, smallest * 0.99]), power=power)
        assert not is_silent(np.float32([0, smallest * 1.01]), power=power)
