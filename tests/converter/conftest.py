"""Sounds made once, for all tests of the converter."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import audio, tables


@pytest.fixture(scope="session")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Six short wavs of two classes in two folds, as a clips table; a test that changes them takes `clips`."""
    root = tmp_path_factory.mktemp("made") / "sounds"
    t = np.arange(4000) / 16000
    rows: list[dict[str, object]] = []
    for i in range(6):
        path = root / f"clip{i}.wav"
        y = (0.1 + 0.1 * i) * np.sin(2 * np.pi * 300 * (i + 1) * t) + np.random.default_rng(i).normal(0, 0.01, len(t))
        audio.write_wav(path, np.clip(y, -1, 1), 16000)
        clip = {"clip_id": path.name, "path": str(path), "label": ("dog bark", "siren")[i % 2]}
        rows.append({**clip, "fold": str(i % 2 + 1), "group": f"g{i // 2}"})
    return tables.frame(rows, tables.CLIPS)


@pytest.fixture
def clips(made_clips: pd.DataFrame, tmp_path: Path) -> pd.DataFrame:
    """The six clips in a folder of the test's own."""
    shutil.copytree(Path(made_clips["path"][0]).parent, tmp_path / "sounds")
    return made_clips.assign(path=[str(tmp_path / "sounds" / name) for name in made_clips["clip_id"]])
