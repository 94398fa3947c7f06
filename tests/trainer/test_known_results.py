"""Scores that training found before are looked up without the vectors, and only where nothing has changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from harness.label_changes import TRAINING_LABEL
from harness.store import Store
from harness.tables import PREDICTIONS
from harness.vectors import Vectors
from trainer import pairs, running
from trainer.ablation import combinations
from trainer.fitting import HeadSettings
from trainer.inputs import read_encoding
from trainer.running import Outcome, train_all
from trainer.sources import ImageMemory

SETTINGS = HeadSettings(strengths=(0.1, 1.0))


class Home:
    """A copy of the study's images and store, and training from them."""

    def __init__(self, studied: Path, module: str, folder: Path) -> None:
        self.images = Path(shutil.copytree(studied / "run" / "images", folder / "images")) / "images.csv"
        self.store = Store(shutil.copytree(studied / "store", folder / "store"))
        self.module, self.folder = module, folder

    def train(
        self,
        out: str,
        change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
        settings: HeadSettings = SETTINGS,
    ) -> Outcome:
        """Train on gray and stacked images."""
        names, store = ["gray", "stacked"], self.store
        tables = {name: change(read_encoding(self.images, name)) for name in names}
        specs = [running.kinds.parse(self.module)]
        return train_all(
            tables, combinations(names, specs, settings, [0], store=store), settings, self.folder / out, store=store
        )


@pytest.fixture
def home(studied: Path, tiny_module: str, tmp_path: Path) -> Home:
    found = Home(studied, tiny_module, tmp_path)
    found.train("first")
    return found


@pytest.fixture
def read_vectors(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many vectors were asked for, each time."""
    asked, take = [], Vectors.take

    def counted(self: Vectors, keys: Sequence[str], width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        asked.append(len(keys))
        return take(self, keys, width)

    monkeypatch.setattr(Vectors, "take", counted)
    return asked


def test_the_same_files_without_reading_vectors(home: Home, read_vectors: list[int]) -> None:
    again = home.train("again")
    assert read_vectors == []
    assert again.computed == 0
    first, second = home.folder / "first", home.folder / "again"
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.suffix in (".csv", ".npz"))
    assert len(names) == 5  # predictions, two files of heads, two of reduced features
    assert [(second / name).read_bytes() for name in names] == [(first / name).read_bytes() for name in names]


def swapped(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Two clips with other values of a column exchange them."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = table[column].tolist()
        other = next(k for k in range(1, len(values)) if values[k] != values[0])
        values[0], values[other] = values[other], values[0]
        return table.assign(**{column: values})

    return change


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "label": swapped("label"),
    "fold": lambda table: swapped("fold")(table.assign(group="")),
    "path": swapped("path"),
    "one clip less": lambda table: table.iloc[1:].reset_index(drop=True),
    "training labels": lambda table: table.assign(**{TRAINING_LABEL: swapped("label")(table)["label"]}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_is_computed(home: Home, what: str, read_vectors: list[int]) -> None:
    changed = home.train("changed", CHANGES[what])
    assert read_vectors != []
    shutil.rmtree(home.store.root / "scores")
    shutil.rmtree(home.store.root / "heads")
    pd.testing.assert_frame_equal(changed.predictions, home.train("anew", CHANGES[what]).predictions)


def test_other_settings_are_computed(home: Home, read_vectors: list[int]) -> None:
    other = home.train("other", settings=HeadSettings(strengths=(0.01,)))
    assert read_vectors != []
    assert {strength for trained in other.trained.values() for strength in trained.chosen.values()} == {0.01}


@pytest.mark.parametrize("kind", ["scores", "heads", "reduced"])
def test_what_is_damaged_is_computed(home: Home, kind: str) -> None:
    for path in (home.store.root / kind).rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    before = (home.folder / "first" / PREDICTIONS.name).read_bytes()
    home.train("again")
    assert (home.folder / "again" / PREDICTIONS.name).read_bytes() == before


def test_images_are_remembered_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.sources._MEMORY", 2 * 12)
    memory, info = ImageMemory(), type("Info", (), {"height": 2, "width": 2})()
    for name in "abc":
        memory.put(name, info, np.full((2, 2, 3), ord(name), np.uint8))
    assert [name for name in "abc" if memory.get(name, info) is not None] == ["a", "b"]
    assert memory.get("a", type("Info", (), {"height": 4, "width": 2})()) is None


def test_vectors_are_saved_where_the_heads_before_cannot_be_fitted(
    studied: Path, tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(studied, tiny_module, tmp_path)
    home.store = Store(tmp_path / "empty")

    def refuse(*_: object) -> NoReturn:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(pairs, "fit_heads", refuse)
        with pytest.raises(OSError, match="full"):
            home.train("failed")
    assert home.train("again").computed == 0


def test_vectors_are_saved_where_the_thread_that_was_to_save_them_is_interrupted(
    studied: Path, tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(studied, tiny_module, tmp_path)
    home.store = Store(tmp_path / "empty")
    real, asked = running._features, []

    def features_of_one(*args: object) -> object:
        asked.append(args)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    def wait(*_: object) -> NoReturn:
        while True:
            time.sleep(0.001)

    with monkeypatch.context() as patch:
        patch.setattr(running, "_features", features_of_one)
        patch.setattr(pairs.Pair, "fit", wait)
        with pytest.raises(KeyboardInterrupt):
            home.train("interrupted")
    assert home.train("again").computed == 27, "of the second encoding alone"
