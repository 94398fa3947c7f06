"""PNGs from shades and a colour map have the bytes of those from pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps

from converter.colour import paint, table
from converter.encodings.logmel import LogMel
from converter.registry import ENCODINGS
from converter.sound import Sound, as_sound
from harness.errors import SettingsError
from harness.image import decode, encode_png, encode_shades

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shades", [range(256), range(100, 140), [3, 200], [0], [255]])
def test_of_every_colour_map(shades: Any) -> None:
    drawn = RNG.choice(np.array(list(shades), np.uint8), (13, 17))
    for name in ["gray", *list(colormaps)]:
        pixels = paint(drawn, name)
        png = encode_shades(drawn, table(name))
        assert png == encode_png(pixels), name
        assert np.array_equal(decode(png), pixels)


def sound_for(spec: Any) -> Sound:
    return as_sound(RNG.uniform(-0.5, 0.5, 16000).astype(np.float32), sr=16000, settings=spec)


@pytest.mark.parametrize("name", list(ENCODINGS))
def test_of_every_encoding(name: str) -> None:
    spec = ENCODINGS[name](size=(24, 32))
    sound = sound_for(spec)
    assert spec.png(sound) == encode_png(spec.checked(sound))


def test_a_class_that_draws_in_a_way_of_its_own_is_drawn_so() -> None:
    class Upside(LogMel):
        name = "upside"

        def encode(self, sound: Sound) -> np.ndarray:
            return super().encode(sound)[::-1]

    class Bad(LogMel):
        name = "bad"

        def layout(self, levels: np.ndarray) -> np.ndarray:
            return levels

    spec = Upside(size=(24, 32))
    sound = sound_for(spec)
    assert np.array_equal(decode(spec.png(sound)), LogMel(size=(24, 32)).checked(sound)[::-1])
    with pytest.raises(SettingsError, match="encoding 'bad': its method encode gave float32"):
        Bad(size=(24, 32)).png(sound_for(spec))
