"""Every merge that there is, on arrays: exact values, exact errors; and the first project's own pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness import image
from harness.errors import ImageError, SettingsError
from merger.pixels import byte, luminance
from merger.registry import code_version, describe, flatten, make_spec, methods, spec_from_json, specs_from_study
from merger.spec import MergeSpec

RNG = np.random.default_rng(0)
PICTURES = {name: RNG.integers(0, 256, (6, 8, 3), np.uint8) for name in ("gray", "logmel", "waveform")}
PICTURES["gray"] = np.repeat(PICTURES["gray"][..., :1], 3, axis=2)
SPECS: dict[str, dict[str, Any]] = {
    "channels": {"of": ["gray", 0.25, {"encoding": "waveform", "strength": 0.5, "invert": True, "binarise": 100}]},
    "stack": {"of": ["logmel", "waveform", "gray"]},
    "blend": {"of": ["logmel", "waveform"], "weights": [2, 1]},
}


def merge(how: str, pictures: dict[str, np.ndarray] | None = None, **settings: Any) -> np.ndarray:
    return make_spec(how, settings).merge(PICTURES if pictures is None else pictures)


def gray(value: int, size: tuple[int, int] = (2, 2)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize("how", methods())
class TestEveryMerge:
    def test_has_an_example_here(self, how: str) -> None:
        assert how in SPECS

    def test_is_a_picture_and_leaves_its_partners_alone(self, how: str) -> None:
        before = {name: each.copy() for name, each in PICTURES.items()}
        merged = merge(how, **SPECS[how])
        assert merged.dtype == np.uint8
        assert merged.ndim == 3
        assert np.array_equal(merged, merge(how, **SPECS[how]))
        assert all(np.array_equal(before[name], PICTURES[name]) for name in PICTURES)
        assert np.array_equal(flatten(merged), image.decode(image.encode_png(merged)))

    def test_spec_survives_json(self, how: str) -> None:
        spec = make_spec(how, SPECS[how])
        again: MergeSpec = spec_from_json(json.loads(json.dumps(spec.to_json())))
        assert again == spec
        assert again.digest() == spec.digest()
        assert again.how == how

    def test_needs_what_it_names(self, how: str) -> None:
        spec = make_spec(how, SPECS[how])
        assert set(spec.partners) <= set(PICTURES)
        for name in spec.partners:
            with pytest.raises(ImageError, match=f"encoding='{name}': the clip has no such picture"):
                spec.merge({other: PICTURES[other] for other in spec.partners if other != name})

    def test_refuses_other_sizes(self, how: str) -> None:
        spec = make_spec(how, SPECS[how])
        with pytest.raises(ImageError, match=r"waveform is 5x7|is 6x8.*5x7|5x7.*is 6x8"):
            spec.merge(PICTURES | {"waveform": PICTURES["waveform"][:5, :7]})

    def test_refuses_a_misspelt_setting(self, how: str) -> None:
        with pytest.raises(SettingsError, match=f"{how} has no setting 'off'; did you mean 'of'"):
            make_spec(how, SPECS[how] | {"off": 3})

    def test_code_version_and_description(self, how: str) -> None:
        assert len({code_version(each) for each in methods()}) == len(methods())
        assert describe(how).endswith(".")


def test_channels_are_exact() -> None:
    merged = merge("channels", of=["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}])
    assert np.array_equal(merged[..., 0], PICTURES["gray"][..., 0])
    assert (merged[..., 1] == 63).all()
    assert np.array_equal(merged[..., 2], np.where(luminance(PICTURES["waveform"]) > 100, 0, 255))


def test_four_channels_with_alpha() -> None:
    merged = merge("channels", of=["gray", "gray", "waveform", 255])
    assert merged.shape == (6, 8, 4)
    assert (merged[..., 3] == 255).all()
    assert np.array_equal(flatten(merged), merged[..., :3])


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({}, 200),
        ({"strength": 0.5}, 100),
        ({"strength": 0.29}, 58),
        ({"invert": True}, 55),
        ({"binarise": 199}, 255),
        ({"binarise": 200}, 0),
        ({"binarise": 0.5}, 255),
        ({"binarise": 200, "invert": True}, 255),
        ({"binarise": 199, "invert": True}, 0),
        ({"binarise": 200, "invert": True, "strength": 0.2}, 51),
    ],
)
def test_one_channel_binarised_then_inverted_then_weakened(told: dict[str, Any], value: int) -> None:
    merged = merge("channels", {"gray": gray(200)}, of=[{"encoding": "gray", **told}, 0, 0])
    assert (merged[..., 0] == value).all()


@pytest.mark.parametrize(("told", "value"), [(0, 0), (1, 1), (255, 255), (0.0, 0), (0.25, 63), (0.5, 127), (1.0, 255)])
def test_constants_integers_are_values_and_floats_fractions(told: float, value: int) -> None:
    assert byte("of", told) == value


def test_luminance_is_pillows() -> None:
    for pixels in PICTURES.values():
        assert np.array_equal(luminance(pixels), np.asarray(Image.fromarray(pixels).convert("L")))
    assert np.array_equal(luminance(PICTURES["gray"]), PICTURES["gray"][..., 0])


def test_stacks_halves_equal_their_pictures() -> None:
    merged = merge("stack", of=["logmel", "waveform"])
    assert np.array_equal(merged[:6], PICTURES["logmel"])
    assert np.array_equal(merged[6:], PICTURES["waveform"])
    wide = merge("stack", of=["logmel", "waveform", "logmel"], direction="horizontal")
    assert wide.shape == (6, 24, 3)
    assert np.array_equal(wide[:, 8:16], PICTURES["waveform"])
    assert np.array_equal(wide[:, 16:], PICTURES["logmel"])


def test_a_stack_needs_only_one_side_equal() -> None:
    pictures = PICTURES | {"waveform": PICTURES["waveform"][:3]}
    assert merge("stack", pictures, of=["logmel", "waveform"]).shape == (9, 8, 3)
    with pytest.raises(ImageError, match=r"logmel is 6x8 .*, waveform is 3x8: heights must be equal"):
        merge("stack", pictures, of=["logmel", "waveform"], direction="horizontal")


def test_blend_is_the_weighted_mean() -> None:
    pictures = {"a": gray(100), "b": gray(201)}
    assert (merge("blend", pictures, of=["a", "b"]) == 151).all()
    assert (merge("blend", pictures, of=["a", "b"], weights=[3, 1]) == 125).all()
    assert (merge("blend", pictures, of=["a", "b"], weights=[0, 5]) == 201).all()
    assert (merge("blend", {"a": gray(255), "b": gray(255)}, of=["a", "b"], weights=[0.1, 0.7]) == 255).all()


@pytest.mark.parametrize(
    ("how", "settings", "message"),
    [
        ("chanels", {}, "how='chanels': no such merge; did you mean 'channels'"),
        ("channels", {"of": ["gray", "gray"]}, "channels takes three"),
        ("channels", {"of": [0, 0.5, 255]}, "at least one channel must be an encoding"),
        ("channels", {"of": ["gray", 256, 0]}, "of=256: must be an integer from 0 to 255"),
        ("channels", {"of": ["gray", 1.5, 0]}, "of=1.5: must be .* a fraction"),
        ("channels", {"of": ["gray", True, 0]}, "of=True"),
        ("channels", {"of": ["gray", 0, {"encodings": "gray"}]}, "a channel has no setting 'encodings'; did you mean"),
        ("channels", {"of": ["gray", 0, {"invert": True}]}, "encoding=None: must be the name"),
        (
            "channels",
            {"of": ["gray", 0, {"encoding": "gray", "strength": 2}]},
            "strength=2: must be a number from 0 to 1",
        ),
        ("channels", {"of": ["gray", 0, {"encoding": "gray", "invert": 1}]}, "invert=1: must be true or false"),
        ("channels", {"of": ["gray", 0, {"encoding": "gray", "binarise": 300}]}, "binarise=300"),
        ("stack", {"of": ["gray"]}, "stack takes two"),
        ("stack", {"of": "gray"}, "stack takes two"),
        ("stack", {"of": ["gray", 3]}, "encoding=3: must be the name"),
        ("stack", {"of": ["a", "b"], "direction": "horizontall"}, "did you mean 'horizontal'"),
        ("blend", {"of": ["a", "b"], "weights": [1]}, "one number for each of 2"),
        ("blend", {"of": ["a", "b"], "weights": [1, -1]}, "must be numbers of 0 or more"),
        ("blend", {"of": ["a", "b"], "weights": [0, 0]}, "at least one must be above 0"),
    ],
)
def test_what_is_refused(how: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_spec(how, settings)


ENCODINGS = ["linear", "logmel", "gray", "waveform"]


def test_the_study_of_the_design() -> None:
    table = {
        "stacked": {"how": "stack", "of": ["logmel", "waveform"]},
        "merged": {"how": "channels", "of": ["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}]},
    }
    specs = specs_from_study(table, ENCODINGS)
    assert list(specs) == ["stacked", "merged"]
    assert specs["stacked"].partners == ("logmel", "waveform")
    assert specs["merged"].partners == ("gray", "waveform")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"gray": {"how": "stack", "of": ["logmel", "waveform"]}}, r"\[merge.gray\] an encoding has that name"),
        ({"s": {"how": "stack", "of": ["logmell", "gray"]}}, r"\[merge.s\] 'logmell' is not among .* mean 'logmel'"),
        ({"s": {"of": ["logmel", "gray"]}}, r"\[merge.s\] how is missing; available: blend, channels, stack"),
        ({"s": {"how": "stak", "of": []}}, r"\[merge.s\] how='stak': .* did you mean 'stack'"),
        ({"s": 3}, r"\[merge\] s=3: must be a table"),
        ({"s/t": {"how": "stack", "of": ["logmel", "gray"]}}, "letters, digits"),
    ],
)
def test_what_a_study_may_not_say(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        specs_from_study(table, ENCODINGS)


@pytest.mark.corpus
def test_the_first_projects_merged_picture_comes_out_exactly(seed_example: Path) -> None:
    pictures = {
        "gray": image.read(seed_example / "gray_scale_spectrogram.png"),
        "logmel": image.read(seed_example / "spectrogram.png"),
        "waveform": image.read(seed_example / "wave_form.png"),
    }
    merged = merge("channels", pictures, of=["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}])
    assert np.array_equal(merged, image.read(seed_example / "spectrogram_and_wave_form_merged.png"))
    stacked = merge("stack", pictures, of=["logmel", "waveform"])
    assert np.array_equal(stacked, image.read(seed_example / "spectrogram_and_wave_form_stacked.png"))
