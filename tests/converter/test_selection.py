"""Encodings from a study's table and from options: what is taken, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from converter.encodings.gray import Gray
from converter.encodings.linear import Linear
from converter.encodings.logmel import LogMel
from converter.encodings.mel_power import MelPower
from converter.encodings.waveform import Waveform
from converter.registry import ENCODINGS, encoding_from_json
from converter.selection import DEFAULT, encodings_from_options, encodings_from_study
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
    encodings = encodings_from_study(STUDY)
    assert list(encodings) == ["linear", "logmel", "gray", "waveform", "logmel_fine"]
    assert encodings["logmel"] == LogMel()  # its settings are the defaults
    assert encodings["logmel_fine"] == LogMel(n_mels=224)
    assert type(encodings["logmel_fine"]) is LogMel


def test_an_empty_table_is_the_usual_encodings_with_their_defaults() -> None:
    assert encodings_from_study({}) == {name: ENCODINGS[name]() for name in DEFAULT}


def test_common_settings_go_to_those_that_have_them() -> None:
    encodings = encodings_from_study({"n_mels": 64, "colormap": "viridis", "foreground": "red", "size": [10, 20]})
    assert encodings["gray"] == Gray(n_mels=64, size=(10, 20))
    assert encodings["linear"] == Linear(colormap="viridis", size=(10, 20))
    assert encodings["waveform"] == Waveform(foreground="#ff0000", size=(10, 20))


def test_a_table_named_like_an_encoding_adjusts_it() -> None:
    encodings = encodings_from_study({"encodings": ["gray"], "n_mels": 64, "gray": {"top_db": 60}})
    assert encodings == {"gray": Gray(n_mels=64, top_db=60)}


def test_the_preset_of_a_table_and_of_one_encoding() -> None:
    whole = encodings_from_study({"preset": "seed"})
    assert list(whole) == ["linear", "logmel", "gray", "waveform"]
    assert type(whole["linear"]) is MelPower
    assert whole["gray"].size == (400, 1200)
    assert encodings_from_study({"preset": "seed", "size": [64, 64]})["gray"].size == (64, 64)
    mixed = encodings_from_study(
        {"encodings": ["gray"], "size": [64, 64], "old": {"preset": "seed", "encoding": "gray"}}
    )
    assert mixed["old"] == whole["gray"]
    assert mixed["gray"] == Gray(size=[64, 64])


def test_equal_settings_are_one_encoding_whatever_their_type() -> None:
    a, b = Gray(power=2, n_fft=2048.0), Gray(power=2.0, n_fft=2048)
    assert a == b
    assert a.digest() == b.digest()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"encodings": ["logmell"]}, r"\[convert\] encodings: 'logmell': no such encoding; did you mean 'logmel'\?"),
        ({"encodings": "gray"}, "encodings='gray': must be a list"),
        ({"hop_lenght": 3}, r"\[convert\] hop_lenght: no such setting; did you mean 'hop_length'\?"),
        (
            {"fine": {"encoding": "logmell"}},
            r"\[convert.fine\] encoding='logmell': no such .*mean 'logmel'\? available: .*gray",
        ),
        ({"fine": {"n_mels": 3}}, r"^\[convert.fine\]: no such encoding; .*available: .*gray"),
        ({"fine": {"encoding": ["gray"]}}, r"\[convert.fine\] encoding=\['gray'\]: no such encoding"),
        (
            {"fine": {"encoding": "gray", "colormap": "magma"}},
            r"\[convert.fine\] colormap: encoding 'gray' has no such setting",
        ),
        ({"fine": {"encoding": "gray", "n_mel": 3}}, r"did you mean 'n_mels'"),
        ({"a/b": {"encoding": "gray"}}, "letters, digits"),
        ({"preset": "sead"}, r"\[convert\] preset='sead': no such preset; did you mean 'seed'"),
        ({"preset": ["seed"]}, r"\[convert\] preset=\['seed'\]: no such preset"),
        ({"fine": {"preset": "sead"}}, r"\[convert.fine\] preset='sead'"),
        ({"gray": {"n_mels": 0}}, r"^\[convert.gray\] n_mels=0: must be a positive integer"),
        ({"n_mels": 0, "gray": {"top_db": 3}}, r"^\[convert\] n_mels=0: must be a positive integer"),
        (
            {"preset": "seed", "encodings": ["grey"]},
            r"\[convert\] encodings: 'grey': preset 'seed' has none .*mean 'gray'",
        ),
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
        ({"size": [0, 224]}, r"size=\[0, 224\]: must be \[height, width\] in pixels"),
        ({"size": [224, 100000]}, "neither may be above"),
        ({"colormap": "magmma"}, "colormap='magmma': no such colour map; did you mean 'magma'"),
        ({"foreground": "blurple"}, "foreground='blurple': must be a colour"),
    ],
)
def test_what_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        encodings_from_study(table)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"n_mels": 3}, "no 'encoding'"),
        ({"encoding": "grey"}, "^encoding='grey': no such encoding; did you mean 'gray'"),
        ({"encoding": "gray", "n_mel": 3}, "^n_mel: encoding 'gray' has no such setting; did you mean 'n_mels'"),
    ],
)
def test_json_that_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        encoding_from_json(value)


def test_options_of_the_command_line() -> None:
    encodings = encodings_from_options(["gray"], preset="", size="64x32", pairs=["n_mels=32", "pad=repeat"])
    assert encodings == {"gray": Gray(size=[64, 32], n_mels=32, pad="repeat")}
    assert encodings_from_options([], preset="seed") == encodings_from_study({"preset": "seed"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "64"}, "^--size '64': expected HEIGHTxWIDTH"),
        ({"size": "0x64"}, r"^--size=\[0, 64\]: must be \[height, width\] in pixels"),
        ({"encodings": ["logmell"]}, "^--encoding: 'logmell': no such encoding; did you mean 'logmel'"),
        ({"pairs": ["fmax=12000"]}, "^--set fmax=12000: above 11025 Hz"),
        ({"pairs": ["hop=3"]}, "^--set hop: no such setting"),
        ({"preset": "sed"}, "^--preset='sed': no such preset; did you mean 'seed'"),
    ],
)
def test_messages_name_the_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        encodings_from_options(**{"encodings": [], **options})
