"""Every encoding that there is, held to the same rules; then what each one alone promises."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from converter.drawing import draw_samples
from converter.registry import code_version, describe, encode, encoding_names, make_spec, spec_class, spec_from_json
from converter.sound import as_sound, fit_length, sound_key
from converter.spec import Spec
from harness.errors import AudioError, SettingsError

SR = 22050
RNG = np.random.default_rng(0)
SOUNDS = {
    "noise": RNG.normal(0, 0.1, SR).astype(np.float32),
    "silence": np.zeros(SR, np.float32),
    "one sample": np.ones(1, np.float32),
    "two samples": np.array([0.5, -0.5], np.float32),
    "direct current": np.full(SR, 0.5, np.float32),
    "clipped": np.sign(np.sin(np.arange(SR) / 7)).astype(np.float32),
    "shorter than a frame": RNG.normal(0, 0.1, 700).astype(np.float32),
    "very soft": RNG.normal(0, 1e-30, SR).astype(np.float32),
    "far too loud": RNG.normal(0, 1e6, SR).astype(np.float32),
}


def tone(hz: float, seconds: float = 1.0, sr: int = SR) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * sr)) / sr)).astype(np.float32)


def test_the_promised_encodings_are_there() -> None:
    assert {"linear", "logmel", "gray", "waveform", "mel_power"} <= set(encoding_names())


@pytest.mark.parametrize("name", encoding_names())
class TestEveryEncoding:
    @pytest.mark.parametrize("sound", SOUNDS)
    @pytest.mark.parametrize("duration_s", [0.0, 0.7])
    def test_gives_a_picture_of_anything(self, name: str, sound: str, duration_s: float) -> None:
        spec = make_spec(name, {"size": [40, 60], "duration_s": duration_s})
        with np.errstate(all="raise", under="ignore"):
            picture = encode(SOUNDS[sound], sr=SR, spec=spec)
        assert picture.dtype == np.uint8
        assert picture.shape == (40, 60, 3)

    def test_same_sound_same_pixels_and_the_samples_stay(self, name: str) -> None:
        spec, y = make_spec(name), SOUNDS["noise"].copy()
        assert np.array_equal(encode(y, sr=SR, spec=spec), encode(y, sr=SR, spec=spec))
        assert np.array_equal(y, SOUNDS["noise"])

    def test_shared_sound_gives_the_same_pixels(self, name: str) -> None:
        sound = as_sound(SOUNDS["noise"], sr=SR, spec=make_spec("gray"))
        for other in encoding_names():
            encode(sound, sr=SR, spec=make_spec(other))
        spec = make_spec(name)
        assert np.array_equal(encode(sound, sr=SR, spec=spec), encode(SOUNDS["noise"], sr=SR, spec=spec))

    def test_silence_is_dark_but_for_the_waveforms_line(self, name: str) -> None:
        picture = encode(SOUNDS["silence"], sr=SR, spec=make_spec(name, {"size": [41, 60]}))
        assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] == (2 if name == "waveform" else 1)
        assert picture[0].max() <= 4

    def test_spec_survives_json(self, name: str) -> None:
        spec = make_spec(name, {"size": [30, 50], "duration_s": 2})
        again = spec_from_json(json.loads(json.dumps(spec.to_json())))
        assert again == spec
        assert again.digest() == spec.digest()
        assert again.encoding == name

    def test_every_setting_is_checked_documented_and_in_the_digest(self, name: str) -> None:
        cls = spec_class(name)
        told = "".join(c.__doc__ or "" for c in cls.__mro__ if issubclass(c, Spec))
        for each in fields(cls):
            assert each.name in told, f"{name}.Spec does not document {each.name}"
            assert each.name in cls().to_json()
            with pytest.raises(SettingsError, match=rf"{each.name}=<object"):
                cls(**{each.name: object()})

    def test_code_version_is_stable_and_its_own(self, name: str) -> None:
        assert len(code_version(name)) == 64
        assert code_version(name) == code_version.__wrapped__(name)
        assert len({code_version(other) for other in encoding_names()}) == len(encoding_names())

    def test_has_a_description(self, name: str) -> None:
        assert describe(name).endswith(".")

    def test_refuses_what_is_no_sound(self, name: str) -> None:
        spec = make_spec(name)
        with pytest.raises(AudioError, match="NaN"):
            encode(np.array([0.0, np.nan]), sr=SR, spec=spec)
        with pytest.raises(AudioError, match=r"shape \(0,\)"):
            encode(np.zeros(0), sr=SR, spec=spec)
        with pytest.raises(AudioError, match=r"shape \(9, 2\)"):
            encode(np.zeros((9, 2)), sr=SR, spec=spec)
        with pytest.raises(SettingsError, match="sr=0"):
            encode(np.zeros(9), sr=0, spec=spec)

    def test_draws_samples_of_any_rate(self, name: str) -> None:
        assert draw_samples(tone(440, sr=48000), 48000, make_spec(name)).shape == (224, 224, 3)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 5000.0])
def test_a_tone_lies_on_its_row_low_frequencies_at_the_bottom(hz: float) -> None:
    picture = encode(tone(hz), sr=SR, spec=make_spec("linear", {"size": [1025, 20]}))
    row = picture[:, 10].sum(axis=1).argmax()
    assert abs(row - (1024 - hz / (SR / 2048))) <= 1
    mel = encode(tone(hz), sr=SR, spec=make_spec("gray", {"size": [128, 20]}))[:, 10, 0]
    import librosa

    centres = librosa.mel_frequencies(130, fmin=0, fmax=SR / 2)[1:-1]
    assert abs((127 - int(mel.argmax())) - int(np.abs(centres - hz).argmin())) <= 1


def test_linear_draws_only_the_band_asked_for() -> None:
    low, high = make_spec("linear", {"fmin": 0, "fmax": 2000}), make_spec("linear", {"fmin": 4000, "fmax": 0})
    y = tone(1000) + 1e-3 * SOUNDS["noise"]
    row = encode(y, sr=SR, spec=low)[:, 100].sum(axis=1).argmax()
    assert abs(int(row) - 112) <= 1
    assert encode(y, sr=SR, spec=low).max() > encode(tone(1000), sr=SR, spec=high).mean()


def test_gray_has_the_shades_that_logmel_colours() -> None:
    from converter.colour import table

    gray = encode(SOUNDS["noise"], sr=SR, spec=make_spec("gray"))
    assert np.array_equal(gray[..., 0], gray[..., 1])
    logmel = encode(SOUNDS["noise"], sr=SR, spec=make_spec("logmel", {"colormap": "viridis"}))
    assert np.array_equal(logmel, table("viridis")[gray[..., 0]])


def test_gain_changes_nothing_relative_to_the_clip_and_everything_absolutely() -> None:
    y = SOUNDS["noise"]
    relative = make_spec("gray", {"size": [128, 44]})
    a, b = (encode(g * y, sr=SR, spec=relative).astype(int) for g in (1, 2))
    assert np.abs(a - b).max() <= 1
    absolute = make_spec("gray", {"size": [128, 44], "ref": 1e6, "top_db": 160})
    a, b = (encode(g * y, sr=SR, spec=absolute)[..., 0].astype(int) for g in (1, 10))
    assert np.abs((b - a) - 20 / 160 * 256).max() <= 1


def test_waveform_envelope() -> None:
    y = np.concatenate([np.zeros(1000), np.full(1000, 0.2), np.full(1000, -0.4)]).astype(np.float32)
    picture = encode(y, sr=SR, spec=make_spec("waveform", {"size": [21, 30]}))[..., 0] == 255
    assert np.flatnonzero(picture[:, 5]).tolist() == [10]
    assert np.flatnonzero(picture[:, 15]).tolist() == [5]
    assert np.flatnonzero(picture[:, 25]).tolist() == [20]
    assert np.flatnonzero(picture[:, 20]).tolist() == list(range(5, 21))  # the step is drawn through
    red = encode(y, sr=SR, spec=make_spec("waveform", {"foreground": "red", "background": "#0000ff"}))
    assert {tuple(c) for c in red.reshape(-1, 3).tolist()} == {(255, 0, 0), (0, 0, 255)}


@pytest.mark.parametrize(
    ("pad", "expected"),
    [("end", [1, 2, 3, 0, 0]), ("start", [0, 0, 1, 2, 3]), ("centre", [0, 1, 2, 3, 0]), ("repeat", [1, 2, 3, 1, 2])],
)
def test_padding(pad: str, expected: list[int]) -> None:
    assert fit_length(np.array([1, 2, 3]), 5, pad=pad).tolist() == expected


@pytest.mark.parametrize(
    ("pad", "expected"), [("end", [1, 2]), ("start", [3, 4]), ("centre", [2, 3]), ("repeat", [1, 2])]
)
def test_cropping(pad: str, expected: list[int]) -> None:
    assert fit_length(np.array([1, 2, 3, 4]), 2, pad=pad).tolist() == expected


def test_padding_is_silence() -> None:
    picture = encode(tone(440, 0.5), sr=SR, spec=make_spec("gray", {"duration_s": 1.0}))
    assert picture[:, 150:].max() == 0
    assert picture[:, :100].max() > 200


def test_a_sound_made_for_other_settings_is_refused() -> None:
    sound = as_sound(tone(440), sr=SR, spec=make_spec("gray"))
    other = make_spec("gray", {"sample_rate": 16000})
    assert sound_key(other) != sound.key
    with pytest.raises(SettingsError, match="made for"):
        encode(sound, sr=SR, spec=other)
