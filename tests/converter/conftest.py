"""A small corpus of made sounds, for the tests of the whole converter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import audio, tables


def clips_table(root: Path, *, n: int = 6) -> pd.DataFrame:
    """`n` short wavs of two classes in two folds below `root`, as a clips table."""
    rows: list[dict[str, object]] = []
    for i in range(n):
        path = root / f"clip{i}.wav"
        rng = np.random.default_rng(i)
        t = np.arange(8000) / 16000
        audio.write_wav(path, (0.3 * np.sin(2 * np.pi * 300 * (i + 1) * t) + rng.normal(0, 0.01, 8000)), 16000)
        rows.append(
            {
                "clip_id": path.name,
                "path": str(path),
                "label": ("dog bark", "siren")[i % 2],
                "fold": str(i % 2 + 1),
                "group": f"g{i // 2}",
            }
        )
    return tables.frame(rows, tables.CLIPS)


@pytest.fixture
def make_clips() -> Callable[..., pd.DataFrame]:
    """:func:`clips_table`."""
    return clips_table


@pytest.fixture
def clips(tmp_path: Path) -> pd.DataFrame:
    """Six clips."""
    return clips_table(tmp_path / "sounds")
