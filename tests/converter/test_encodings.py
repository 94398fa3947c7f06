"""Every encoding that there is, ours and others', held to the same rules."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pandas as pd
import pytest
from plugins.support import ENCODING_FILE, loaded, names_with

from converter.drawing import draw
from converter.pipeline import convert_clips
from converter.registry import ENCODINGS, encoding_code, encoding_from_json
from converter.sound import SoundSettings, as_sound
from converter.spec import Encoding
from harness import image
from harness.errors import AudioError, SettingsError
from harness.store import Store

SR = 22050
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.1, SR // 2).astype(np.float32)
FADING = NOISE * np.logspace(0, -3, len(NOISE), dtype=np.float32)
SOUNDS = {
    "noise": NOISE,
    "silence": np.zeros(SR // 2, np.float32),
    "one sample": np.ones(1, np.float32),
    "two samples": np.array([0.5, -0.5], np.float32),
    "direct current": np.full(SR // 2, 0.5, np.float32),
    "clipped": np.sign(np.sin(np.arange(SR // 2) / 7)).astype(np.float32),
    "shorter than a frame": NOISE[:700],
    "very soft": NOISE * np.float32(1e-29),
    "far too loud": NOISE * np.float32(1e7),
}
NAMES = names_with(ENCODINGS, ENCODING_FILE)
SMALL = (40, 60)
ONE_VALUE = {("multires", "center")}  # of settings that an encoding inherits: frames of three lengths have one centre


@pytest.fixture(scope="module", autouse=True)
def _plugin() -> Iterator[None]:
    with loaded(ENCODING_FILE):
        yield


def variants(cls: type[Encoding], **settings: Any) -> list[Encoding]:
    """An encoding, and where it has styles, in each of them."""
    styles = choices(cls, "style")
    return [cls(**settings, style=style) for style in styles] if styles else [cls(**settings)]


def choices(cls: type[Encoding], setting: str) -> tuple[str, ...]:
    """The values of a setting that has a few."""
    field = cls.model_fields.get(setting)
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def has_ref(name: str) -> bool:
    with loaded(ENCODING_FILE):
        return "ref" in ENCODINGS[name].model_fields


@pytest.mark.parametrize("name", NAMES)
class TestEveryEncoding:
    @pytest.mark.parametrize("duration_s", [0.0, 0.7])
    def test_draws_anything(self, name: str, duration_s: float) -> None:
        for encoding in variants(ENCODINGS[name], size=SMALL, duration_s=duration_s):
            for sound, y in SOUNDS.items():
                with np.errstate(all="raise", under="ignore"):
                    drawn = encoding.draw(y, sr=SR)
                assert (drawn.dtype, drawn.shape) == (np.uint8, (*SMALL, 3)), sound

    @pytest.mark.parametrize("size", [(41, 60), (40, 61), (1, 1), (2, 3)])
    def test_silence_looks_as_it_says(self, name: str, size: tuple[int, int]) -> None:
        for encoding in variants(ENCODINGS[name], size=size):
            for samples in (1, 300, SR // 2):
                drawn = encoding.draw(np.zeros(samples, np.float32), sr=SR)
                assert np.array_equal(drawn, encoding.silence())

    def test_same_sound_same_pixels_and_the_samples_stay(self, name: str) -> None:
        encoding, y = ENCODINGS[name](size=SMALL), NOISE.copy()
        assert np.array_equal(encoding.draw(y, sr=SR), encoding.draw(y, sr=SR))
        assert np.array_equal(y, NOISE)

    def test_a_shared_sound_gives_the_same_pixels(self, name: str) -> None:
        encoding = ENCODINGS[name](size=SMALL)
        sound = as_sound(FADING, sr=SR, settings=encoding)
        for other in (ENCODINGS[other](size=SMALL) for other in NAMES):
            if other.sound_key() == encoding.sound_key():
                other.draw(sound, sr=SR)
        assert np.array_equal(encoding.draw(sound, sr=SR), encoding.draw(FADING, sr=SR))

    def test_a_sound_is_drawn_at_any_rate_but_not_at_another_than_it_was_made_for(self, name: str) -> None:
        encoding = ENCODINGS[name](size=SMALL)
        assert encoding.draw(np.repeat(NOISE, 2), sr=2 * SR).shape == (*SMALL, 3)
        other = encoding.replace(sample_rate=16000)
        with pytest.raises(SettingsError, match="made for"):
            other.draw(as_sound(NOISE, sr=SR, settings=encoding), sr=SR)

    def test_json_and_pickle_bring_it_back(self, name: str) -> None:
        encoding = ENCODINGS[name](size=[30, 50], duration_s=2)
        again = encoding_from_json(json.loads(json.dumps(encoding.to_json())))
        copy = pickle.loads(pickle.dumps(encoding))
        assert type(copy) is type(again) is type(encoding)
        assert copy == again == encoding
        assert copy.digest() == again.digest() == encoding.digest()
        assert encoding.to_json()["encoding"] == again.name == name

    def test_every_setting_is_documented_checked_and_in_the_digest(self, name: str) -> None:
        cls = ENCODINGS[name]
        documented = "".join(each.__doc__ or "" for each in cls.__mro__ if issubclass(each, SoundSettings))
        for setting in cls.model_fields:
            assert setting in documented
            with pytest.raises(SettingsError, match=rf"^{setting}=<object"):
                cls(**{setting: object()})
        several = [setting for setting in cls.model_fields if (name, setting) not in ONE_VALUE]
        digests = {setting: another(cls(), setting).digest() for setting in several}
        assert len({cls().digest(), *digests.values()}) == 1 + len(digests)

    def test_a_misspelt_setting_is_refused(self, name: str) -> None:
        with pytest.raises(SettingsError, match=rf"^siz: encoding '{name}' has no such setting; did you mean 'size'"):
            ENCODINGS[name](siz=SMALL)

    def test_has_a_description_and_code_of_its_own(self, name: str) -> None:
        assert ENCODINGS.description(name).endswith(".")
        same_file = [n for n in NAMES if ENCODINGS[n].__module__ == ENCODINGS[name].__module__]
        assert [n for n in NAMES if encoding_code(ENCODINGS[n]()) == encoding_code(ENCODINGS[name]())] == same_file

    def test_refuses_what_is_no_sound(self, name: str) -> None:
        encoding = ENCODINGS[name]()
        many = (9, 2, 2) if encoding.all_channels else (9, 2)
        for y, message in ((np.array([0, np.nan]), "NaN"), (np.zeros(0), r"shape \(0,\)"), (np.zeros(many), "9, 2")):
            with pytest.raises(AudioError, match=message):
                encoding.draw(y, sr=SR)
        with pytest.raises(SettingsError, match="sr=0"):
            encoding.draw(np.zeros(9), sr=0)


@pytest.mark.parametrize("name", [name for name in NAMES if has_ref(name)])
class TestEveryEncodingWithAReference:
    def test_a_number_is_a_reference(self, name: str) -> None:
        cls = ENCODINGS[name]
        peak = cls().peak(as_sound(FADING, sr=SR, settings=cls()))
        own, equal, high = (cls(size=SMALL, ref=ref).draw(FADING, sr=SR) for ref in ("max", peak, 1e4 * peak))
        assert np.array_equal(own, equal)
        assert not np.array_equal(own, high)
        assert np.array_equal(cls(size=SMALL, ref=peak).draw(SOUNDS["silence"], sr=SR), cls(size=SMALL).silence())

    def test_one_reference_for_a_corpus(self, name: str, made_clips: pd.DataFrame, tmp_path: Path) -> None:
        encoding = ENCODINGS[name](size=SMALL, ref="corpus")
        with pytest.raises(SettingsError, match="no corpus"):
            encoding.draw(NOISE, sr=SR)
        run = convert_clips(made_clips, {name: encoding}, tmp_path / "images", store=Store(tmp_path / "store"))
        found = encoding_from_json(run.recipes.encodings[name])
        images = [image.read(tmp_path / "images" / path) for path in run.images["path"]]
        alone = encoding.replace(ref="max")
        assert all(np.array_equal(a, draw(path, found)) for a, path in zip(images, made_clips["path"], strict=True))
        same = [np.array_equal(a, draw(path, alone)) for a, path in zip(images, made_clips["path"], strict=True)]
        assert any(same), "the clip that reaches the reference"
        assert not all(same)


def another(encoding: Encoding, setting: str) -> Encoding:
    """The same encoding with another value of one setting."""
    value = getattr(encoding, setting)
    others: tuple[Any, ...] = (*choices(type(encoding), setting), "corpus", "viridis", "#123456")
    if isinstance(value, tuple):
        others = (tuple(each + 1 for each in value),)
    elif isinstance(value, bool):
        others = (not value,)
    elif isinstance(value, (int, float)):
        others = (value + 1, value + 1000)  # a highest frequency must be above the lowest
    for other in others:
        try:
            changed = encoding.replace(**{setting: other})
        except SettingsError:
            continue
        if changed != encoding:
            return changed
    raise AssertionError(f"{encoding.name}: no other value known for {setting}={value!r}")
