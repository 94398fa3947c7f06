"""Fixtures shared by all tests: real recordings where they are there, and a store of their own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests; the store is shared by the tests of one run."""
    root = tmp_path_factory.getbasetemp() / "store"
    monkeypatch.setenv("SOUNDFOLD_STORE", str(root))


@pytest.fixture(autouse=True)
def _own_plugins() -> Iterator[None]:
    """Forget the plugin files that a test has loaded."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("soundfold_plugin_"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real sounds and modules, or a skip that says why."""
    told = os.environ.get("SOUNDFOLD_TEST_DATA")
    if not told:
        pytest.skip("SOUNDFOLD_TEST_DATA is not set")
    root = Path(told).resolve()
    if not (root / "data").is_dir():
        pytest.skip(f"SOUNDFOLD_TEST_DATA={told}: no data/ folder there")
    return root


@pytest.fixture(scope="session")
def esc10(test_data: Path) -> Path:
    """ESC-10 in its class-folder release: 400 oggs, 10 classes, 5 folds."""
    return test_data / "data" / "esc10"


@pytest.fixture(scope="session")
def seed_example(test_data: Path) -> Path:
    """One UrbanSound8K clip and the pictures that the first project drew of it."""
    return test_data / "data" / "seed_example"


@pytest.fixture(scope="session")
def mobilenet(test_data: Path) -> Path:
    """MobileNet V2 on ImageNet as a TF2 SavedModel."""
    return test_data / "modules" / "mobilenet_v2_100_224_imagenet"


@pytest.fixture(scope="session")
def yamnet(test_data: Path) -> Path:
    """YAMNet on AudioSet as a TF2 SavedModel that takes waveforms."""
    return test_data / "modules" / "yamnet_waveform_audioset"


@pytest.fixture(scope="session")
def tiny_module(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SavedModel of a few weights that takes pictures, 16 x 16."""
    from retrain_parts import small_module

    return small_module(tmp_path_factory.mktemp("modules") / "tiny")


@pytest.fixture(scope="session")
def tiny_yamnet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SavedModel of a few bands that takes waveforms, at the rate that its name tells."""
    from small_study import sound_module

    return sound_module(tmp_path_factory.mktemp("modules") / "tiny_yamnet")


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory, tiny_module: str, tiny_yamnet: str) -> Path:
    """A folder with a finished study in ``run``: two encodings, two merges, two modules; its store, its sounds."""
    from small_study import MERGES, write_corpus, write_study

    import study
    from harness.store import Store

    home = tmp_path_factory.mktemp("studied")
    file = write_study(
        home / "small.toml",
        write_corpus(home / "sounds"),
        [tiny_module, tiny_yamnet],
        encodings='["gray", "waveform"]',
        more=MERGES,
    )
    plan = study.make_plan(file, [], Store(home / "store"))
    assert study.run_study(plan, home / "run").failures.empty
    return home


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    arguments = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
    with api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()
