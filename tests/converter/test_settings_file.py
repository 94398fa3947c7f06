"""Settings files: the eight keys in and out, the older pickled ones, and what must not be run or believed."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from converter.__main__ import app
from converter.encodings.gray import Gray
from converter.encodings.logmel import LogMel
from converter.encodings.waveform import Waveform
from converter.selection import encodings_from_study
from converter.settings_file import common_settings, read_settings, write_settings
from harness.cli import guard
from harness.errors import SettingsError
from harness.study_file import read_study

KEYS = {
    "RESOLUTION": 224,
    "SAMPLE_RATE": 22500,
    "N_FFT": 1024,
    "N_MELS": 224,
    "HOP_LENGTH": 64,
    "FMIN": 10,
    "FMAX": 11250,
    "POWER": 2,
}
OURS = {
    "size": (224, 224),
    "sample_rate": 22500,
    "n_fft": 1024,
    "n_mels": 224,
    "hop_length": 64,
    "fmin": 10.0,
    "fmax": 11250.0,
    "power": 2.0,
}


def as_csv(keys: dict[str, Any]) -> str:
    return ",".join(keys) + "\n" + ",".join(map(str, keys.values())) + "\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "spectrum.csv").write_text(as_csv(KEYS))
    return tmp_path / "spectrum.csv"


def test_the_eight_keys_round_trip(file: Path, tmp_path: Path) -> None:
    assert read_settings(file) == OURS
    write_settings(tmp_path / "again.csv", LogMel(**read_settings(file)))
    assert (tmp_path / "again.csv").read_text() == file.read_text()


def test_what_is_no_integer_and_half_of_the_rate_round_trip(tmp_path: Path) -> None:
    write_settings(tmp_path / "a.csv", {"sample_rate": 11025, "fmin": 27.5, "power": 1.7, "size": [64, 64]})
    read = read_settings(tmp_path / "a.csv")
    assert (read["fmax"], read["fmin"], read["power"], read["size"]) == (5512.5, 27.5, 1.7, (64, 64))
    write_settings(tmp_path / "b.csv", read)
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "a.csv").read_text()


def test_files_of_windows_and_of_spreadsheets(tmp_path: Path) -> None:
    text = "\ufeff" + as_csv(KEYS).replace(",", ";").replace("\n", "\r\n") + "\r\n"
    (tmp_path / "excel.csv").write_bytes(text.encode())
    assert read_settings(tmp_path / "excel.csv") == OURS


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_files_of_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "Standard.SpecVar"
    path.write_bytes(pickle.dumps({**KEYS, "POWER": 2.0, "FMAX": "11250"}, protocol=protocol))
    assert read_settings(path) == OURS


class Call:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch called",)


PUT_HUGE = b"\x80\x03}r\xff\xff\xff\x7f."  # the memo's last place: Python's own unpickler takes 16 GiB for it
ATTACKS = {
    "a call": pickle.dumps({**KEYS, "POWER": Call()}),
    "a call of protocol 0": pickle.dumps({**KEYS, "POWER": Call()}, protocol=0),
    "a call instead of all": b"cos\nsystem\n(S'touch called'\ntR.",
    "a call begun as a dictionary": b"(dcos\nsystem\n(S'touch called'\ntR.",
    "an extension": b"\x80\x02}\x82\x01.",
    "a persistent name": b"\x80\x02}Pname\n.",
    "a class": pickle.dumps({"POWER": Path("a")}),
    "lists in lists": b"\x80\x02}U\x01a" + b"]" * 30_000 + b"a" * 29_999 + b"s.",
    "a dictionary in it": pickle.dumps({**KEYS, "POWER": {}}),
    "itself in it": b"\x80\x02}q\x00U\x01ah\x00s.",
    "a number of many digits": pickle.dumps({**KEYS, "POWER": 10**5000}),
    "digits without end": b"(dI" + b"9" * 60000 + b"\ns.",
    "a huge memo": PUT_HUGE,
    "a text of 4 GiB": b"\x80\x04}" + b"X" + struct.pack("<I", 2**32 - 1) + b"a.",
    "a text of 2**60 bytes": b"\x80\x04}\x8d" + struct.pack("<Q", 2**60) + b"a.",
    "an empty stack": b"\x80\x02s.",
    "no mark": b"\x80\x02}u.",
    "an odd number of items": b"\x80\x02}(U\x01au.",
    "cut short": pickle.dumps(KEYS)[:-20],
    "a text": pickle.dumps("RESOLUTION"),
    "nothing": b"\x80\x02.",
    "too long": b"\x80\x02}" + b"0" * 100_000,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_pickle_runs_nothing_and_is_refused_in_one_line(
    attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.SpecVar").write_bytes(ATTACKS[attack])
    with pytest.raises(SettingsError) as error:
        read_settings("bad.SpecVar")
    assert str(error.value).startswith("bad.SpecVar: ")
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)
    assert not Path("called").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (as_csv({**KEYS, "FMAX": 11251}), "FMAX=11251: above 11250 Hz, half of sample_rate=22500"),
        (as_csv({**KEYS, "FMIN": 11250}), "FMIN=11250: must be below"),
        (as_csv({**KEYS, "RESOLUTION": 0}), "RESOLUTION=0: must be a positive integer"),
        (as_csv({**KEYS, "RESOLUTION": 20000}), "RESOLUTION=.*16384"),
        (as_csv({**KEYS, "N_FFT": 10.5}), "N_FFT=10.5: must be a positive integer"),
        (as_csv({**KEYS, "N_MELS": "many"}), "N_MELS='many': must be a number"),
        (as_csv({**KEYS, "POWER": "nan"}), "POWER='nan': must be a number"),
        (as_csv({**KEYS, "HOP": 3}), "'HOP': no such key; available: FMAX"),
        (as_csv({k: v for k, v in KEYS.items() if k != "FMIN"}), "FMIN missing"),
        (as_csv(KEYS) + as_csv(KEYS), "expected one line of keys"),
        ("RESOLUTION,RESOLUTION\n1,2\n", "'RESOLUTION': is there twice"),
        ("", "expected one line of keys"),
        ('"\n', "neither a CSV file"),
        ("\x00", "expected one line of keys|neither a CSV file"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(SettingsError, match=message) as error:
        read_settings(tmp_path / "bad.csv")
    assert str(tmp_path / "bad.csv") in str(error.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, Path("/dev/zero")):
        with pytest.raises(SettingsError, match=str(path)):
            read_settings(path)


def test_a_study_takes_a_file_below_its_own_keys(file: Path) -> None:
    made = encodings_from_study(
        {
            "settings": str(file),
            "encodings": ["logmel", "waveform"],
            "n_fft": 512,
            "coarse": {"encoding": "gray", "n_mels": 8},
            "other": {"encoding": "gray", "settings": str(file), "power": 1.0},
        }
    )
    assert made["logmel"] == LogMel(**{**OURS, "n_fft": 512})
    assert made["waveform"] == Waveform(size=(224, 224), sample_rate=22500)
    assert made["coarse"] == Gray(**{**OURS, "n_fft": 512, "n_mels": 8})
    assert made["other"] == Gray(**{**OURS, "power": 1.0})


def test_a_study_names_the_file_where_it_does_not_fit_the_study(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"spectrum.csv: FMAX=11250.0: above 4000 Hz, half of sample_rate=8000"):
        encodings_from_study({"settings": str(file), "sample_rate": 8000})
    with pytest.raises(SettingsError, match=r"\[convert\] settings=3: must be the path"):
        encodings_from_study({"settings": 3})
    with pytest.raises(SettingsError, match="did you mean 'settings'"):
        encodings_from_study({"setings": "a"})


def test_paths_in_a_study_are_relative_to_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = file.with_name("small.toml")
    study.write_text('[convert]\nsettings = "spectrum.csv"\n[convert.fine]\nencoding = "gray"\nsettings = "fine.csv"\n')
    monkeypatch.chdir("/")
    given = read_study(study)[0].convert
    assert given["settings"] == str(file)
    assert given["fine"]["settings"] == str(file.with_name("fine.csv"))
    monkeypatch.chdir(file.parent)
    assert read_study(study, ["convert.settings=b.csv"])[0].convert["settings"] == str(file.with_name("b.csv"))


def test_a_file_has_one_resolution_and_one_of_every_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"size=\[10, 20\]: .* square"):
        write_settings(tmp_path / "a.csv", LogMel(size=(10, 20)))
    with pytest.raises(SettingsError, match="'a' and 'b' differ in n_mels"):
        common_settings({"a": Gray(), "b": Gray(n_mels=64)})
    with pytest.raises(SettingsError, match="none is a mel spectrogram"):
        common_settings({"waveform": Waveform()})


def test_the_command_line_reads_and_writes_files(
    file: Path, tmp_path: Path, clips: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness import tables
    from harness.recipes import read_recipes

    tables.write(clips, tmp_path / "clips.csv", tables.CLIPS)
    words = ["converter", "--clips", tmp_path / "clips.csv", "--encoding", "gray", "--out", tmp_path / "images"]
    words += ["--settings", file, "--size", "32x32", "--set", "n_mels=32", "--save-settings", tmp_path / "used.csv"]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    with pytest.raises(SystemExit, match="0"):
        guard(app)
    assert read_settings(tmp_path / "used.csv") == {**OURS, "size": (32, 32), "n_mels": 32}
    assert read_recipes(tmp_path / "images").encodings["gray"]["fmax"] == 11250
