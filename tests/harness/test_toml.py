"""Values as people type them after --set."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SettingsError
from harness.toml import apply_settings, read_toml, toml_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("3.0", 3.0),
        ("true", True),
        ("gray", "gray"),
        ("builtin:scattering", "builtin:scattering"),
        ("../data/esc 10", "../data/esc 10"),
        ('"3"', "3"),
        ("", ""),
        (" gray ", "gray"),
        ('["a", 1]', ["a", 1]),
        ('{handle = "x", image_size = [96, 96]}', {"handle": "x", "image_size": [96, 96]}),
        ("[gray", "[gray"),
    ],
)
def test_values(text: str, value: object) -> None:
    got = toml_value(text)
    assert got == value
    assert type(got) is type(value)


def test_settings_reach_any_depth_and_change_nothing_given() -> None:
    table = {"convert": {"n_mels": 128, "logmel_fine": {"n_mels": 224}}, "train": {"seeds": [0]}}
    got = apply_settings(
        table, ["convert.logmel_fine.n_mels=64", "merge.stacked={how = 'stack'}", "train.seeds=[1, 2]"]
    )
    assert got == {
        "convert": {"n_mels": 128, "logmel_fine": {"n_mels": 64}},
        "train": {"seeds": [1, 2]},
        "merge": {"stacked": {"how": "stack"}},
    }
    assert table == {"convert": {"n_mels": 128, "logmel_fine": {"n_mels": 224}}, "train": {"seeds": [0]}}


def test_a_table_replaces_the_table_and_later_settings_win() -> None:
    table = {"merge": {"a": {"how": "stack", "of": ["x"]}}}
    assert apply_settings(table, ['merge.a={how = "blend"}']) == {"merge": {"a": {"how": "blend"}}}
    assert apply_settings({}, ["a.b=1", "a.b=2"]) == {"a": {"b": 2}}
    assert apply_settings({}, ["a.b=x=y"]) == {"a": {"b": "x=y"}}


@pytest.mark.parametrize("setting", ["train.head", "=3", "train.=3", ".head=3", ""])
def test_a_setting_needs_a_name_and_a_value(setting: str) -> None:
    with pytest.raises(SettingsError, match=rf"^--set {setting!r}: expected section\.key=value$"):
        apply_settings({}, [setting])


def test_nothing_lies_below_a_value() -> None:
    with pytest.raises(SettingsError, match=r"^--set 'train\.head\.x=1': 'head' is a value, not a table$"):
        apply_settings({"train": {"head": "sgd"}}, ["train.head.x=1"])


def test_reading_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    with pytest.raises(SettingsError, match=r"study\.toml: No such file"):
        read_toml(path)
    path.write_text("[corpus\nname = 1")
    with pytest.raises(SettingsError, match=r"study\.toml: not TOML \(.*line 1"):
        read_toml(path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match=r"study\.toml: not TOML"):
        read_toml(path)
    path.write_text('[corpus]\nname = "é"', encoding="utf-8")
    assert read_toml(path) == {"corpus": {"name": "é"}}
