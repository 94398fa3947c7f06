"""Tiny corpora, built in a temporary folder: one builder per corpus; the demo, made once."""

from __future__ import annotations

import csv
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora.datasets import demo
from harness.audio import write_wav

Builder = Callable[[Path], Path]


def write_tone(path: Path, *, hz: float = 0.0, seconds: float = 0.05) -> Path:
    """A short wav at 8 kHz; without a pitch given, each path has another one."""
    hz = hz or 200 + zlib.crc32(bytes(path)) / 2**32 * 3000
    t = np.arange(int(seconds * 8000)) / 8000
    write_wav(path, 0.5 * np.sin(2 * np.pi * hz * t), 8000)
    return path


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A CSV of the rows' keys and values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def build_urbansound8k(root: Path) -> Path:
    """Two classes, two folds, two slices of each recording, with the CSV."""
    rows = []
    for fs_id, fold, class_id, name in ((7061, 1, 6, "gun_shot"), (344, 10, 3, "dog_bark"), (99812, 1, 3, "dog_bark")):
        for slice_id in (0, 1):
            file = f"{fs_id}-{class_id}-0-{slice_id}.wav"
            write_tone(root / "audio" / f"fold{fold}" / file)
            rows.append(
                {"slice_file_name": file, "fsID": fs_id, "start": 2.0 * slice_id, "end": 2.0 * slice_id + 4}
                | {"salience": 1, "fold": fold, "classID": class_id, "class": name}
            )
    write_csv(root / "metadata" / "UrbanSound8K.csv", rows)
    return root


def build_esc50(root: Path) -> Path:
    """Two ESC-10 classes and one other, two folds, two takes of each recording, with the CSV."""
    rows = []
    for target, category, esc10 in ((0, "dog", True), (10, "rain", True), (36, "vacuum_cleaner", False)):
        for fold in (1, 2):
            source = 1000 * fold + target
            for take in "AB":
                file = f"{fold}-{source}-{take}-{target}.wav"
                write_tone(root / "audio" / file)
                rows.append(
                    {"filename": file, "fold": fold, "target": target, "category": category}
                    | {"esc10": esc10, "src_file": source, "take": take}
                )
    write_csv(root / "meta" / "esc50.csv", rows)
    return root


def build_folders(root: Path) -> Path:
    """Two classes, one with a sub-folder and a file name that the other has too."""
    for name in ("bat/a.wav", "bat/night 2/b.wav", "owl/a.wav", "owl/c.WAV", "owl/d.wav"):
        write_tone(root / name)
    (root / "notes.txt").write_text("not a sound", encoding="utf-8")
    write_tone(root / "owl" / ".hidden.wav")
    return root


def build_csv(root: Path) -> Path:
    """Three recordings, each cut in two."""
    rows = []
    for k, label in enumerate(("call", "song", "call"), start=1):
        write_tone(root / "wavs" / f"rec{k}.wav", seconds=1.0)
        for start in (0.0, 0.5):
            rows.append({"path": f"wavs/rec{k}.wav", "label": label, "fold": k, "start_s": start, "end_s": start + 0.5})
    return write_csv(root / "sounds.csv", rows)


def build_speech_commands(root: Path) -> Path:
    """Two words of four speakers, two takes each, with both lists; noise that is not a word."""
    for word in ("yes", "no"):
        for speaker in ("0a7c2a8d", "1b4c9b89", "2aca1e72", "3c257192"):
            for take in (0, 1):
                write_tone(root / word / f"{speaker}_nohash_{take}.wav")
    for speaker, name in (("2aca1e72", "validation_list.txt"), ("3c257192", "testing_list.txt")):
        files = [f"{word}/{speaker}_nohash_{take}.wav" for word in ("yes", "no") for take in (0, 1)]
        (root / name).write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    write_tone(root / "_background_noise_" / "running_tap.wav", seconds=1.0)
    return root


def build_images(root: Path) -> Path:
    """Two classes of small images, one in a sub-folder, one in upper case."""
    rng = np.random.default_rng(0)
    for name in ("bat/a.png", "bat/night 2/b.jpg", "owl/a.png", "owl/c.PNG", "owl/d.png"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (12, 10, 3)).astype(np.uint8)).save(path)
    write_tone(root / "owl" / "e.wav")
    return root


def build_whales(root: Path) -> Path:
    """Two species at two sites, as the corpus of `PLUGIN` has them."""
    for name in ("orca_north_1.wav", "orca_south_1.wav", "minke_north_1.wav", "minke_south_1.wav"):
        write_tone(root / name)
    return root


PLUGIN = '''
"""Whales: a corpus from outside.

Layout::

    ROOT/<species>_<site>_<number>.wav

Citation: none. Licence: CC0.
"""

from corpora import Corpus
from corpora.base import find_sounds, need_folder


def scan(root, options):
    need_folder(root, what="sounds named <species>_<site>_<number>.wav")
    parts = [(path, *path.stem.split("_")) for path in find_sounds(root)]
    return [{"path": path, "label": species, "group": f"{species}_{site}"} for path, species, site, _ in parts]


WHALES = Corpus("whales", "Whales of two bays", "none", "CC0", "", folds="none", group="species and site", scan=scan)
'''


BUILDERS: dict[str, Builder] = {
    "csv": build_csv,
    "esc50": build_esc50,
    "folders": build_folders,
    "images": build_images,
    "speech_commands": build_speech_commands,
    "urbansound8k": build_urbansound8k,
    "whales": build_whales,
}


@pytest.fixture(scope="session")
def tone() -> Callable[..., Path]:
    """Write a short wav; gives its path."""
    return write_tone


@pytest.fixture(scope="session")
def sheet() -> Callable[..., Path]:
    """Write a CSV from rows; gives its path."""
    return write_csv


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus of seed 0, where it lies if no root is given; only to be read."""
    root = tmp_path_factory.getbasetemp() / "store" / "corpora" / f"demo-v{demo.VERSION}-seed0"
    demo.make(root)
    return root


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Root of a tiny corpus by name, built once; a corpus without a builder fails."""
    built: dict[str, Path] = {}

    def root_of(name: str) -> Path:
        if name == "demo":
            return Path(request.getfixturevalue("demo_root"))
        assert name in BUILDERS, f"corpus {name!r}: add a builder of a tiny one to tests/corpora/conftest.py"
        if name not in built:
            built[name] = BUILDERS[name](tmp_path_factory.mktemp(f"tiny_{name}") / name)
        return built[name]

    return root_of


@pytest.fixture
def whales(tmp_path: Path) -> Iterator[Path]:
    """A plugin file with a corpus called whales; what was loaded of it is forgotten after the test."""
    file = tmp_path / "whales.py"
    file.write_text(PLUGIN, encoding="utf-8")
    before = set(sys.modules)
    yield file
    for name in set(sys.modules) - before:
        if name.startswith("soundfold_plugin_"):
            del sys.modules[name]


@pytest.fixture
def build() -> dict[str, Builder]:
    """Builders of the tiny corpora, for tests that change what is built."""
    return BUILDERS
