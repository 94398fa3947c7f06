"""What holds for every corpus, found by discovery, and for one from outside."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from corpora.loading import CORPORA, load
from harness.errors import SettingsError, SoundfoldError
from harness.files import natural_key
from harness.protocol import check_groups
from harness.registry import defining_module, load_plugin
from harness.tables import CLIPS, check, read, write

NAMES = [*CORPORA.names(), "whales"]
Tiny = Callable[[str], Path]


@pytest.fixture(autouse=True)
def outside(whales: Path) -> None:
    """The corpus from outside is there, too."""
    load_plugin(whales)


@pytest.mark.parametrize("name", NAMES)
class TestEveryCorpus:
    def test_table_has_its_schema(self, name: str, tiny: Tiny) -> None:
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

    def test_it_says_what_it_is(self, name: str) -> None:
        corpus = CORPORA[name]
        assert all((corpus.title, corpus.citation, corpus.licence, corpus.folds, corpus.group))
        text = sys.modules[defining_module(corpus)].__doc__ or ""
        assert "icence" in text
        assert len(text.splitlines()) > 5, "citation, licence and layout on disk"

    def test_missing_root_is_one_line(self, name: str, tmp_path: Path) -> None:
        if CORPORA[name].default_root:
            return
        with pytest.raises(SoundfoldError, match="nowhere") as caught:
            load(name, tmp_path / "nowhere")
        assert "\n" not in str(caught.value)
        with pytest.raises(SettingsError, match="needs the folder or file where it lies"):
            load(name)
