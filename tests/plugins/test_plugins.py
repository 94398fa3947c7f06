"""A package from outside with one extension of each kind, installed; and single files, named on the spot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from plugins.support import (
    CORPUS_FILE,
    ENCODING_FILE,
    HERE,
    MERGE_FILE,
    MODULE_FILE,
    forget_birdtools,
    install_birdtools,
    loaded,
)

from converter.registry import ENCODINGS
from corpora.loading import CORPORA, load
from harness import audio, image, tables
from harness.hub import kinds
from harness.registry import Registry
from harness.store import Store
from harness.toml import read_toml
from merger.registry import METHODS

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES: dict[str, Registry] = {
    "soundfold.encodings": ENCODINGS,
    "soundfold.corpora": CORPORA,
    "soundfold.merges": METHODS,
    "soundfold.modules": kinds.KINDS,
}
POINTS = read_toml(HERE / "birdtools" / "pyproject.toml")["project"]["entry-points"]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two species at two sites."""
    root = tmp_path_factory.mktemp("sounds")
    for i, name in enumerate(("wren_marsh_1", "wren_wood_2", "lark_marsh_3", "lark_wood_4")):
        audio.write_wav(root / f"{name}.wav", 0.5 * np.sin(np.arange(4000) * (i + 1) / 9), 16000)
    return root


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_birdtools(tmp_path_factory.mktemp("site"))


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is installed in this process; the registries look for it afresh, now and afterwards."""
    monkeypatch.syspath_prepend(site)
    forget_birdtools()
    for registry in REGISTRIES.values():
        registry.__dict__.pop("_installed", None)
    yield
    for registry in REGISTRIES.values():
        registry.__dict__.pop("_installed", None)
    forget_birdtools()


@pytest.mark.parametrize("group", REGISTRIES)
def test_an_installed_package_has_one_of_each_kind(group: str, installed: None) -> None:
    (name,) = POINTS[group]
    registry = REGISTRIES[group]
    assert name in registry
    assert name in registry.names()
    assert registry[name].name == name
    assert registry.description(name)


@pytest.mark.parametrize("group", REGISTRIES)
def test_without_the_package_there_is_none(group: str) -> None:
    (name,) = POINTS[group]
    assert name not in REGISTRIES[group]


def test_the_commands_use_an_installed_package_in_all_their_processes(sounds: Path, site: Path, tmp_path: Path) -> None:
    """Scan, draw and merge as a person types it, each with extensions that its registry has from elsewhere only."""
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    env = {**os.environ, "PYTHONPATH": path, "SOUNDFOLD_STORE": str(tmp_path / "store")}
    out, clips = tmp_path / "images", tmp_path / "clips.csv"

    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("corpora", "scan", "bird_sites", sounds, "--out", clips)
    assert sorted(tables.read(clips, tables.CLIPS)["group"].unique()) == ["marsh", "wood"]
    encodings = ("--encoding", "bird_bands", "--encoding", "gray", "--size", "20x30")
    run("converter", "--clips", clips, "--out", out, *encodings, "--jobs", 2)
    of = ("--of", "bird_bands", "--of", "gray")
    run("merger", "--images", out / "images.csv", "--out", out, "--name", "d", "--how", "difference", *of, "--jobs", 2)
    table = tables.read(out / "images.csv", tables.IMAGES)
    assert table["encoding"].value_counts().to_dict() == {"bird_bands": 4, "gray": 4, "d": 4}
    for _, rows in table.groupby("clip_id"):
        each = {row.encoding: image.read(out / row.path).astype(int) for row in rows.itertuples()}
        assert np.array_equal(each["d"], np.abs(each["bird_bands"] - each["gray"]))
    recorded = json.loads((out / "run.json").read_text())["steps"]["convert"]["spec"]["encodings"]
    assert recorded["bird_bands"]["encoding"] == "bird_bands"


def test_a_corpus_from_outside_is_scanned_and_split(sounds: Path, installed: None) -> None:
    clips = load("bird_sites", sounds, folds=2)
    assert clips["label"].tolist() == ["lark", "lark", "wren", "wren"]
    assert sorted(clips.groupby("group")["fold"].nunique()) == [1, 1]
    with loaded(CORPUS_FILE):
        assert load("by_name", sounds)["label"].tolist() == sorted(path.stem for path in sounds.iterdir())


def test_a_kind_of_modules_from_outside_makes_features(installed: None, tmp_path: Path) -> None:
    store = Store(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    blocks = kinds.load(kinds.parse("blocks:4"), store=store)
    expected = images.reshape(3, 4, 8, 4, 8, 3).mean(axis=(2, 4, 5)).reshape(3, 16) / 255
    np.testing.assert_allclose(blocks(images), expected, atol=1e-6)
    assert kinds.describe(kinds.parse("blocks:4"), store=store) == blocks.info
    with loaded(MODULE_FILE):
        rows = kinds.load(kinds.parse("rows:32"), store=store)
        np.testing.assert_allclose(rows(images), images.mean(axis=(2, 3)) / 255, atol=1e-6)


def test_single_files_have_one_of_each_kind_and_nothing_stays_loaded() -> None:
    with loaded(ENCODING_FILE, MERGE_FILE, CORPUS_FILE, MODULE_FILE):
        found = {group: registry.names() for group, registry in REGISTRIES.items()}
    names = [("encodings", "loudness"), ("merges", "brightest"), ("corpora", "by_name"), ("modules", "rows")]
    for group, name in names:
        assert name in found[f"soundfold.{group}"]
        assert name not in REGISTRIES[f"soundfold.{group}"]
