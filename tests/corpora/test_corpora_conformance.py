"""What holds for every corpus of the catalogue, found by discovery."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from corpora import available, card, load
from harness.errors import SettingsError
from harness.files import natural_key
from harness.protocol import check_groups
from harness.tables import CLIPS, check, read, write

NAMES = available()
Tiny = Callable[[str], Path]


def test_the_five_first_corpora_are_found() -> None:
    assert {"csv", "demo", "esc50", "folders", "urbansound8k"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
class TestEveryCorpus:
    def test_table_keeps_its_schema(self, name: str, tiny: Tiny) -> None:
        table = load(name, tiny(name))
        pd.testing.assert_frame_equal(check(table, CLIPS), table)
        assert len(table) > 0
        assert (table["label"] != "").all()

    def test_paths_are_absolute_and_there(self, name: str, tiny: Tiny) -> None:
        paths = [Path(path) for path in load(name, tiny(name))["path"]]
        assert all(path.is_absolute() and path.is_file() for path in paths)

    def test_rows_stand_in_natural_order(self, name: str, tiny: Tiny) -> None:
        ids = load(name, tiny(name))["clip_id"].tolist()
        assert ids == sorted(ids, key=natural_key)

    def test_no_group_spans_folds(self, name: str, tiny: Tiny) -> None:
        for folds in (0, 2):
            table = load(name, tiny(name), folds=folds)
            check_groups(table["fold"].tolist(), table["group"].tolist())

    def test_again_is_the_same(self, name: str, tiny: Tiny) -> None:
        for folds in (0, 2):
            first, second = (load(name, tiny(name), folds=folds, seed=0) for _ in range(2))
            pd.testing.assert_frame_equal(first, second)

    def test_one_class_alone(self, name: str, tiny: Tiny) -> None:
        whole = load(name, tiny(name))
        label = whole["label"].iloc[0]
        part = load(name, tiny(name), classes=[label])
        assert set(part["label"]) == {label}
        assert part["clip_id"].tolist() == whole.loc[whole["label"] == label, "clip_id"].tolist()

    def test_unknown_class_is_named(self, name: str, tiny: Tiny) -> None:
        label = load(name, tiny(name))["label"].iloc[0]
        with pytest.raises(SettingsError, match=f"'{label}x' is not a class.*did you mean '{label}'"):
            load(name, tiny(name), classes=[label + "x"])

    def test_written_and_read_is_the_same(self, name: str, tiny: Tiny, tmp_path: Path) -> None:
        table = load(name, tiny(name))
        write(table, tmp_path / "clips.csv", CLIPS)
        pd.testing.assert_frame_equal(read(tmp_path / "clips.csv", CLIPS), table)
        pd.testing.assert_frame_equal(load("csv", tmp_path / "clips.csv"), table)

    def test_relative_root_gives_the_same(self, name: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
        root = tiny(name)
        table = load(name, root)
        monkeypatch.chdir(root.parent)
        pd.testing.assert_frame_equal(load(name, root.name), table)

    def test_card_is_complete(self, name: str, tiny: Tiny) -> None:
        told = card(name)
        for field in dataclasses.fields(told):
            if field.type == "str" and field.name != "url":
                assert getattr(told, field.name), f"{name}: the card's {field.name} is empty"

    def test_docstring_says_licence_and_layout(self, name: str, tiny: Tiny) -> None:
        text = import_module(f"corpora.datasets.{name}").__doc__ or ""
        assert "icence" in text
        assert len(text.splitlines()) > 5

    def test_empty_or_missing_root_is_one_line(self, name: str, tiny: Tiny, tmp_path: Path) -> None:
        if name == "demo":
            pytest.skip("the demo makes itself where it is not")
        with pytest.raises(Exception, match="nowhere") as caught:
            load(name, tmp_path / "nowhere")
        assert "\n" not in str(caught.value)
        with pytest.raises(SettingsError, match="needs to be told where"):
            load(name)
