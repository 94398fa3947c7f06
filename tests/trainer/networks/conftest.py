"""What the tests of networks share: a few small images in three folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import image
from harness.files import write_bytes
from harness.store import Store
from harness.tables import IMAGES, frame, write

FOLDS, TAKES = ("1", "2", "3"), 4


def write_images(folder: Path, *, changed: str = "") -> Path:
    """``images.csv`` of two classes, bright on the left or on the right; those of fold `changed` are others."""
    rows = []
    for k, label in enumerate(("left", "right")):
        for fold in FOLDS:
            for take in range(TAKES):
                rng = np.random.default_rng([k, int(fold), take, int(fold == changed)])
                pixels = rng.integers(0, 120, (16, 16, 3), dtype=np.uint8)
                pixels[:, 8 * k : 8 * k + 8] += 100
                name = f"{label}-{fold}-{take}"
                write_bytes(folder / f"{name}.png", image.encode_png(pixels))
                rows.append({"clip_id": name, "encoding": "gray", "path": f"{name}.png", "label": label, "fold": fold})
    write(frame(rows, IMAGES), folder / IMAGES.name, IMAGES)
    return folder / IMAGES.name


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """``images.csv`` of 24 small images."""
    return write_images(tmp_path / "images")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own."""
    return Store(tmp_path / "store")
