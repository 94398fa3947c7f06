"""Specs from a study's table and from single settings: what is taken, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from converter.options import specs_from_options
from converter.registry import make_spec, spec_from_json, specs_from_study
from harness.errors import SettingsError

STUDY: dict[str, Any] = {
    "encodings": ["linear", "logmel", "gray", "waveform"],
    "size": [224, 224],
    "sample_rate": 22050,
    "n_fft": 2048,
    "hop_length": 512,
    "n_mels": 128,
    "fmin": 0,
    "fmax": 0,
    "power": 2.0,
    "top_db": 80.0,
    "duration_s": 0.0,
    "pad": "end",
    "colormap": "magma",
    "logmel_fine": {"encoding": "logmel", "n_mels": 224},
}


def test_the_study_of_the_design() -> None:
    specs = specs_from_study(STUDY)
    assert list(specs) == ["linear", "logmel", "gray", "waveform", "logmel_fine"]
    assert specs["logmel"] == make_spec("logmel")  # its settings are the defaults
    assert specs["logmel_fine"] == make_spec("logmel", {"n_mels": 224})
    assert specs["logmel_fine"].encoding == "logmel"


def test_an_empty_table_is_the_four_usual_encodings() -> None:
    assert list(specs_from_study({})) == ["linear", "logmel", "gray", "waveform"]


def test_common_settings_go_to_those_that_have_them() -> None:
    specs = specs_from_study({"n_mels": 64, "colormap": "viridis", "foreground": "red", "size": [10, 20]})
    assert specs["gray"] == make_spec("gray", {"n_mels": 64, "size": (10, 20)})
    assert specs["linear"] == make_spec("linear", {"colormap": "viridis", "size": (10, 20)})
    assert specs["waveform"] == make_spec("waveform", {"foreground": "#ff0000", "size": (10, 20)})


def test_a_table_named_like_an_encoding_adjusts_it() -> None:
    specs = specs_from_study({"encodings": ["gray"], "n_mels": 64, "gray": {"top_db": 60}})
    assert specs == {"gray": make_spec("gray", {"n_mels": 64, "top_db": 60})}


def test_the_preset_of_a_table_and_of_one_encoding() -> None:
    whole = specs_from_study({"preset": "seed"})
    assert list(whole) == ["linear", "logmel", "gray", "waveform"]
    assert whole["linear"].encoding == "mel_power"
    assert whole["gray"].size == (400, 1200)
    assert specs_from_study({"preset": "seed", "size": [64, 64]})["gray"].size == (64, 64)
    mixed = specs_from_study({"encodings": ["gray"], "size": [64, 64], "old": {"preset": "seed", "encoding": "gray"}})
    assert mixed["old"] == whole["gray"]
    assert mixed["gray"] == make_spec("gray", {"size": [64, 64]})


def test_equal_settings_are_one_spec_whatever_their_type() -> None:
    a, b = make_spec("gray", {"power": 2, "n_fft": 2048.0}), make_spec("gray", {"power": 2.0, "n_fft": 2048})
    assert a == b
    assert a.digest() == b.digest()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"encodings": ["logmell"]}, r"\[convert\] 'logmell': no such encoding; did you mean 'logmel'\?"),
        ({"encodings": "gray"}, "encodings='gray': must be a list"),
        ({"hop_lenght": 3}, r"\[convert\] hop_lenght: no such setting; did you mean 'hop_length'\?"),
        ({"fine": {"encoding": "logmell"}}, r"\[convert.fine\] 'logmell': no such encoding; did you mean 'logmel'"),
        ({"fine": {"n_mels": 3}}, r"\[convert.fine\] 'fine': no such encoding"),
        ({"fine": {"encoding": "gray", "colormap": "magma"}}, r"\[convert.fine\] encoding 'gray' has no setting"),
        ({"fine": {"encoding": "gray", "n_mel": 3}}, r"did you mean 'n_mels'"),
        ({"a/b": {"encoding": "gray"}}, "letters, digits"),
        ({"preset": "sead"}, "did you mean 'seed'"),
        ({"preset": "seed", "encodings": ["grey"]}, "preset 'seed' has no 'grey'; did you mean 'gray'"),
        ({"hop_length": 0}, "hop_length=0: must be a positive integer"),
        ({"hop_length": 1.5}, "hop_length=1.5: must be a positive integer"),
        ({"n_fft": float("inf")}, "n_fft=inf: must be a positive integer"),
        ({"n_fft": 1}, "n_fft=1: must be 2 or more"),
        ({"n_mels": True}, "n_mels=True: must be a positive integer"),
        ({"win_length": 4096}, "win_length=4096: must not be above n_fft=2048"),
        ({"fmax": 12000}, "fmax=12000: above 11025 Hz, half of sample_rate=22050"),
        ({"fmin": 5000, "fmax": 4000}, "fmin=5000: must be below fmax=4000"),
        ({"power": 0}, "power=0: must be a number above 0"),
        ({"top_db": float("nan")}, "top_db=nan: must be a number above 0"),
        ({"ref": "min"}, 'ref=\'min\': must be "max", "corpus" or a number above 0'),
        ({"ref": -3}, "ref=-3"),
        ({"duration_s": -1}, "duration_s=-1: must be a number of 0 or more"),
        ({"duration_s": 1e-9}, "shorter than one sample"),
        ({"pad": "middle"}, "pad='middle': available: centre, end, repeat, start"),
        ({"axis": "mel"}, "axis='mel'"),
        ({"size": 224}, r"size=224: must be \[height, width\]"),
        ({"size": [0, 224]}, "size=0: must be a positive integer"),
        ({"size": [224, 100000]}, "no side may be above"),
        ({"colormap": "magmma"}, "colormap='magmma': no such colour map; did you mean 'magma'"),
        ({"foreground": "blurple"}, "foreground='blurple': must be a colour"),
    ],
)
def test_what_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        specs_from_study(table)


def test_json_without_an_encoding_is_refused() -> None:
    with pytest.raises(SettingsError, match="no 'encoding'"):
        spec_from_json({"n_mels": 3})


def test_options_of_the_command_line() -> None:
    specs = specs_from_options(["gray"], preset="", size="64x32", pairs=["n_mels=32", "pad=repeat"])
    assert specs == {"gray": make_spec("gray", {"size": [64, 32], "n_mels": 32, "pad": "repeat"})}
    with pytest.raises(SettingsError, match="expected HEIGHTxWIDTH"):
        specs_from_options([], preset="", size="64", pairs=[])
