"""Laws that every encoding obeys, on sounds that hypothesis makes up: any length, rate, channels, silence, impulses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from converter.registry import ENCODINGS
from converter.sound import SoundSettings, as_sound
from converter.spec import Encoding
from converter.time_frequency import TimeFrequency
from harness.audio import to_mono
from harness.errors import AudioError

SIZE = (24, 32)
HOP, FRAMES = 512, 130
RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000)
EVERY = [ENCODINGS[name](size=SIZE) for name in ENCODINGS.names()]
BY_FRAMES = [
    ENCODINGS[name](size=(24, FRAMES), hop_length=HOP)
    for name in ENCODINGS.names()
    if issubclass(ENCODINGS[name], TimeFrequency)
]
few = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=5,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@st.composite
def sounds(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Samples, of one channel or of several, and their rate."""
    sr = draw(st.sampled_from(RATES))
    length = draw(st.one_of(st.integers(1, 3), st.floats(0.01, 3.0).map(lambda seconds: int(seconds * sr))))
    channels = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["noise", "impulses", "direct current", "silence in one channel", "steps"]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    y = rng.uniform(-1, 1, (length, channels)).astype(np.float32)
    if kind == "impulses":
        y[rng.random(length) > 1e-3] = 0
    elif kind == "direct current":
        y[:] = y[:1]
    elif kind == "silence in one channel":
        y[:, 0] = 0
    elif kind == "steps":
        y = np.sign(y.cumsum(axis=0))
    return (y * np.float32(10.0 ** draw(st.integers(-6, 1)))), sr


def drawn(encoding: Encoding, y: np.ndarray, sr: int) -> np.ndarray:
    return encoding.draw(y if encoding.all_channels else to_mono(y), sr=sr)


@few
@given(sounds())
def test_any_sound_is_drawn_in_the_size_asked_for(sound: tuple[np.ndarray, int]) -> None:
    y, sr = sound
    before = y.copy()
    for encoding in EVERY:
        with np.errstate(all="raise", under="ignore"):
            image = drawn(encoding, y, sr)
        assert (image.dtype, image.shape) == (np.uint8, (*SIZE, 3)), encoding.name
    assert np.array_equal(y, before)


@few
@given(st.integers(1, 60000), st.sampled_from(RATES), st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_silence_is_the_image_of_silence(length: int, sr: int, size: tuple[int, int]) -> None:
    for encoding in (each.replace(size=size) for each in EVERY):
        assert np.array_equal(encoding.draw(np.zeros(length, np.float32), sr=sr), encoding.silence()), encoding.name


@few
@given(sounds(), st.sampled_from([np.nan, np.inf, -np.inf]), st.floats(0, 1, exclude_max=True))
def test_what_is_not_finite_is_refused(sound: tuple[np.ndarray, int], value: float, place: float) -> None:
    y, sr = sound
    y = y.copy()
    y[int(place * len(y))] = value
    for encoding in EVERY:
        with pytest.raises(AudioError, match="NaN or infinite"):
            encoding.draw(y if encoding.all_channels else y[:, 0], sr=sr)


@few
@given(st.integers(1, 20), st.integers(0, 9))
def test_a_later_sound_is_the_same_image_further_to_the_right(frames: int, seed: int) -> None:
    length = (FRAMES - 1) * HOP
    burst = np.random.default_rng(seed).normal(0, 0.1, 8 * HOP).astype(np.float32)
    burst *= np.hanning(len(burst)).astype(np.float32)
    early, late = np.zeros((2, length), np.float32)
    early[50 * HOP :][: len(burst)] = late[(50 + frames) * HOP :][: len(burst)] = burst
    for encoding in BY_FRAMES:
        a, b = (encoding.draw(y, sr=encoding.sample_rate).astype(int) for y in (early, late))
        assert np.abs(a[:, : FRAMES - frames] - b[:, frames:]).max() <= 2, encoding.name


@few
@given(st.integers(-6, 6), st.integers(0, 9))
def test_gain_changes_nothing_where_the_reference_is_the_maximum(doublings: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(0, 0.1, 20000).astype(np.float32)
    for encoding in EVERY:
        if encoding.name != "pcen":  # adds constants, as ears do
            a, b = (encoding.draw(gain * y, sr=22050).astype(int) for gain in (1, np.float32(2.0**doublings)))
            assert np.abs(a - b).max() <= 4, encoding.name  # a shade, in colour


@few
@given(sounds(), st.floats(0.05, 2.0), st.sampled_from(["end", "start", "centre", "repeat"]))
def test_every_channel_has_the_length_asked_for(sound: tuple[np.ndarray, int], duration_s: float, pad: str) -> None:
    class Wide(SoundSettings):
        all_channels = True

    y, sr = sound
    made = as_sound(y, sr=sr, settings=Wide(duration_s=duration_s, pad=pad))
    assert made.channels.shape == (y.shape[1], round(duration_s * 22050))
    assert made.y.shape == made.channels.shape[1:]
    assert np.isfinite(made.channels).all()
