"""Every merge method that there is, ours and others', on arrays: exact values, exact errors."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from plugins.support import MERGE_FILE, loaded, names_with

from harness import image
from harness.errors import ImageError, SettingsError
from merger.methods.channels import Channels
from merger.methods.stack import Stack
from merger.pixels import byte, luminance
from merger.registry import METHODS, method_code, method_from_json, method_from_options, methods_from_study
from merger.spec import MergeMethod

RNG = np.random.default_rng(0)
IMAGES = {name: RNG.integers(0, 256, (6, 8, 3), np.uint8) for name in ("gray", "logmel", "waveform")}
IMAGES["gray"] = np.repeat(IMAGES["gray"][..., :1], 3, axis=2)
NAMES = names_with(METHODS, MERGE_FILE)


@pytest.fixture(scope="module", autouse=True)
def _plugin() -> Iterator[None]:
    with loaded(MERGE_FILE):
        yield


def method(how: str, **settings: Any) -> MergeMethod:
    return METHODS[how](**settings)


def merge(how: str, images: dict[str, np.ndarray] | None = None, **settings: Any) -> np.ndarray:
    return method(how, **settings).merge(IMAGES if images is None else images)


def gray(value: int, size: tuple[int, int] = (2, 2)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize("how", NAMES)
class TestEveryMethod:
    """Each can merge three encodings with its other settings left out."""

    OF = ("gray", "logmel", "waveform")

    def test_gives_an_image_and_leaves_its_partners_alone(self, how: str) -> None:
        before = {name: each.copy() for name, each in IMAGES.items()}
        merged = merge(how, of=self.OF)
        assert merged.dtype == np.uint8
        assert merged.ndim == 3
        assert np.array_equal(merged, merge(how, of=self.OF))
        assert all(np.array_equal(before[name], IMAGES[name]) for name in IMAGES)
        assert np.array_equal(image.decode(image.encode_png(merged)), merged)

    def test_json_and_pickle_bring_it_back(self, how: str) -> None:
        made = method(how, of=list(self.OF))
        again = method_from_json(json.loads(json.dumps(made.to_json())))
        copy = pickle.loads(pickle.dumps(made))
        assert type(again) is type(copy) is type(made)
        assert again == copy == made
        assert again.digest() == copy.digest() == made.digest()
        assert made.to_json()["how"] == again.name == how

    def test_needs_what_it_names(self, how: str) -> None:
        made = method(how, of=self.OF)
        assert set(made.partners) == set(self.OF)
        for name in made.partners:
            with pytest.raises(ImageError, match=f"encoding='{name}': the clip has no such image"):
                made.merge({other: IMAGES[other] for other in made.partners if other != name})

    def test_refuses_other_sizes(self, how: str) -> None:
        with pytest.raises(ImageError, match=r"waveform is 5x7|is 6x8.*5x7|5x7.*is 6x8"):
            merge(how, IMAGES | {"waveform": IMAGES["waveform"][:5, :7]}, of=self.OF)

    def test_settings_are_documented_and_checked(self, how: str) -> None:
        with pytest.raises(SettingsError, match=f"^off: merge method '{how}' has no such setting; did you mean 'of'"):
            method(how, of=self.OF, off=3)
        for setting in METHODS[how].model_fields:
            assert setting in (METHODS[how].__doc__ or "")
            with pytest.raises(SettingsError, match=f"^{setting}=<object"):
                method(how, **{"of": self.OF, setting: object()})

    def test_the_order_of_partners_is_in_the_digest(self, how: str) -> None:
        assert method(how, of=self.OF).digest() != method(how, of=self.OF[::-1]).digest()

    def test_has_a_description_and_code_of_its_own(self, how: str) -> None:
        assert METHODS.description(how).endswith(".")
        made = {name: method_code(method(name, of=self.OF)) for name in NAMES}
        assert [name for name in NAMES if made[name] == made[how]] == [how]


def test_channels_are_exact() -> None:
    merged = merge("channels", of=["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}])
    assert np.array_equal(merged[..., 0], IMAGES["gray"][..., 0])
    assert (merged[..., 1] == 63).all()
    assert np.array_equal(merged[..., 2], np.where(luminance(IMAGES["waveform"]) > 100, 0, 255))


def test_four_channels_with_alpha() -> None:
    merged = merge("channels", of=["gray", "gray", "waveform", 255])
    assert merged.shape == (6, 8, 4)
    assert (merged[..., 3] == 255).all()
    assert np.array_equal(image.decode(image.encode_png(merged)), merged[..., :3])


@pytest.mark.parametrize(
    ("given", "value"),
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
def test_one_channel_binarised_then_inverted_then_weakened(given: dict[str, Any], value: int) -> None:
    merged = merge("channels", {"gray": gray(200)}, of=[{"encoding": "gray", **given}, 0, 0])
    assert (merged[..., 0] == value).all()


@pytest.mark.parametrize(("given", "value"), [(0, 0), (1, 1), (255, 255), (0.0, 0), (0.25, 63), (0.5, 127), (1.0, 255)])
def test_constants_integers_are_values_and_floats_fractions(given: float, value: int) -> None:
    assert byte(given) == value


def test_luminance_is_pillows() -> None:
    for pixels in IMAGES.values():
        assert np.array_equal(luminance(pixels), np.asarray(Image.fromarray(pixels).convert("L")))
    assert np.array_equal(luminance(IMAGES["gray"]), IMAGES["gray"][..., 0])


def test_parts_of_a_stack_equal_their_images() -> None:
    merged = merge("stack", of=["logmel", "waveform"])
    assert np.array_equal(merged[:6], IMAGES["logmel"])
    assert np.array_equal(merged[6:], IMAGES["waveform"])
    wide = merge("stack", of=["logmel", "waveform", "logmel"], direction="horizontal")
    assert wide.shape == (6, 24, 3)
    assert np.array_equal(wide[:, 8:16], IMAGES["waveform"])
    assert np.array_equal(wide[:, 16:], IMAGES["logmel"])


def test_a_stack_needs_equal_widths_or_equal_heights_only() -> None:
    images = IMAGES | {"waveform": IMAGES["waveform"][:3]}
    assert merge("stack", images, of=["logmel", "waveform"]).shape == (9, 8, 3)
    with pytest.raises(ImageError, match=r"logmel is 6x8 .*, waveform is 3x8: heights must be equal"):
        merge("stack", images, of=["logmel", "waveform"], direction="horizontal")


def test_blend_is_the_weighted_mean() -> None:
    images = {"a": gray(100), "b": gray(201)}
    assert (merge("blend", images, of=["a", "b"]) == 151).all()
    assert (merge("blend", images, of=["a", "b"], weights=[3, 1]) == 125).all()
    assert (merge("blend", images, of=["a", "b"], weights=[0, 5]) == 201).all()
    assert (merge("blend", {"a": gray(255), "b": gray(255)}, of=["a", "b"], weights=[0.1, 0.7]) == 255).all()


@pytest.mark.parametrize(
    ("how", "settings", "message"),
    [
        ("chanels", {}, "^how='chanels': no such merge method; did you mean 'channels'"),
        ("channels", {"of": ["gray", "gray"]}, "channels takes three"),
        ("channels", {"of": [0, 0.5, 255]}, "at least one channel must be an encoding"),
        ("channels", {"of": ["gray", 256, 0]}, "256 must be an integer from 0 to 255"),
        ("channels", {"of": ["gray", 1.5, 0]}, "1.5 must be .* a fraction"),
        ("channels", {"of": ["gray", True, 0]}, "True must be"),
        (
            "channels",
            {"of": ["gray", 0, {"encodings": "gray"}]},
            "encodings: a channel has no such setting; did you mean 'encoding'",
        ),
        ("channels", {"of": ["gray", 0, {"invert": True}]}, "{'invert': True} is not an encoding"),
        (
            "channels",
            {"of": ["gray", 0, {"encoding": "gray", "strength": 2}]},
            "strength=2: must be 1 or less",
        ),
        ("channels", {"of": ["gray", 0, {"encoding": "gray", "invert": 1}]}, "invert=1: must be true or false"),
        ("channels", {"of": ["gray", 0, {"encoding": "gray", "binarise": 300}]}, "binarise=300"),
        ("stack", {"of": ["gray"]}, "must be two encodings or more"),
        ("stack", {"of": "gray"}, "must be two encodings or more"),
        ("stack", {"of": ["gray", 3]}, "3 is not the name of an encoding"),
        ("stack", {"of": ["a", "b"], "direction": "horizontall"}, "did you mean 'horizontal'"),
        ("blend", {"of": ["a", "b"], "weights": [1]}, "one number for each of 2"),
        ("blend", {"of": ["a", "b"], "weights": [1, -1]}, "must be numbers of 0 or more"),
        ("blend", {"of": ["a", "b"], "weights": [0, 0]}, "at least one must be above 0"),
    ],
)
def test_what_is_refused(how: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        method_from_json({"how": how, **settings})


@pytest.mark.parametrize(
    ("how", "of", "pairs", "message"),
    [
        ("stak", ["a", "b"], [], "^--how='stak': no such merge method; did you mean 'stack'"),
        ("stack", ["a"], [], r"^--of=\['a'\]: must be two"),
        ("stack", ["a", "b"], ["direction=up"], "^--set direction='up': available: horizontal, vertical"),
        ("stack", ["a", "b"], ["weights=[1, 2]"], "^--set weights: merge method 'stack' has no such setting"),
    ],
)
def test_messages_name_the_option(how: str, of: list[str], pairs: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        method_from_options(how, of, pairs=pairs)


def test_options_of_the_command_line() -> None:
    made = method_from_options("channels", ["gray", "0.25", '{encoding = "waveform", invert = true}'])
    assert made == Channels(of=["gray", 0.25, {"encoding": "waveform", "invert": True}])
    assert method_from_options("stack", ["a", "b"], pairs=["direction=horizontal"]) == Stack(
        of=["a", "b"], direction="horizontal"
    )


ENCODINGS = ["linear", "logmel", "gray", "waveform"]


def test_the_study_of_the_design() -> None:
    table = {
        "stacked": {"how": "stack", "of": ["logmel", "waveform"]},
        "merged": {"how": "channels", "of": ["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}]},
    }
    methods = methods_from_study(table, ENCODINGS)
    assert list(methods) == ["stacked", "merged"]
    assert methods["stacked"].partners == ("logmel", "waveform")
    assert methods["merged"].partners == ("gray", "waveform")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"gray": {"how": "stack", "of": ["logmel", "waveform"]}}, r"\[merge.gray\] an encoding has that name"),
        ({"s": {"how": "stack", "of": ["logmell", "gray"]}}, r"\[merge.s\] 'logmell' is not among .* mean 'logmel'"),
        ({"s": {"of": ["logmel", "gray"]}}, r"\[merge.s\] how is missing; available: blend, "),
        ({"s": {"how": "stak", "of": []}}, r"\[merge.s\] how='stak': .* did you mean 'stack'"),
        ({"s": {"how": ["stack"]}}, r"^\[merge.s\] how=\['stack'\]: no such merge method"),
        ({"s": {"how": "stack", "of": ["gray"]}}, r"^\[merge.s\] of=\['gray'\]: must be two"),
        ({"s": 3}, r"\[merge\] s=3: must be a table"),
        ({"s/t": {"how": "stack", "of": ["logmel", "gray"]}}, "letters, digits"),
    ],
)
def test_what_a_study_may_not_say(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        methods_from_study(table, ENCODINGS)


@pytest.mark.corpus
def test_the_first_projects_merged_image_comes_out_exactly(seed_example: Path) -> None:
    images = {
        "gray": image.read(seed_example / "gray_scale_spectrogram.png"),
        "logmel": image.read(seed_example / "spectrogram.png"),
        "waveform": image.read(seed_example / "wave_form.png"),
    }
    merged = merge("channels", images, of=["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}])
    assert np.array_equal(merged, image.read(seed_example / "spectrogram_and_wave_form_merged.png"))
    stacked = merge("stack", images, of=["logmel", "waveform"])
    assert np.array_equal(stacked, image.read(seed_example / "spectrogram_and_wave_form_stacked.png"))
