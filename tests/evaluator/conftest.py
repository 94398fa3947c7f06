"""Predictions made up for these tests, seeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluator import Evaluation, evaluate
from evaluator.predictions import prepare
from harness.tables import CLIPS, PREDICTIONS, frame, write

Key = tuple[str, str, str]
SCATTERING = "builtin:scattering"
MOBILENET = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"


def predictions(
    accuracy: Mapping[Key, float],
    *,
    n: int = 100,
    folds: int = 5,
    classes: Sequence[str] = ("bell", "cat", "dog", "rain"),
    seeds: Sequence[str] = ("0",),
    random_state: int = 0,
) -> pd.DataFrame:
    """Prepared predictions, right about as often as `accuracy` says; clip i is in fold i mod `folds`."""
    rng = np.random.default_rng(random_state)
    rows = []
    for (encoding, module, head), share in accuracy.items():
        for seed in seeds:
            for i in range(n):
                label = int(i // folds) % len(classes)
                guess = label if rng.random() < share else int(rng.integers(len(classes)))
                z = rng.standard_normal(len(classes))
                z[guess] = z.max() + rng.random()
                p = np.exp(z) / np.exp(z).sum()
                rows.append(
                    {
                        "clip_id": f"{i}.wav", "encoding": encoding, "module": module, "head": head, "seed": seed,
                        "fold": str(i % folds + 1), "label": classes[label], "predicted": classes[guess],
                        **{f"p:{name}": value for name, value in zip(classes, p, strict=True)},
                    }
                )  # fmt: skip
    return prepare(frame(rows, PREDICTIONS))


def clips_of(table: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """A clips table that fits predictions."""
    once = table.drop_duplicates("clip_id")
    rows = [
        {"clip_id": r.clip_id, "path": f"/sounds/{r.clip_id}", "label": r.label, "fold": r.fold,
         "group": groups.get(r.clip_id, "")}
        for r in once.itertuples()
    ]  # fmt: skip
    return frame(rows, CLIPS)


@pytest.fixture
def make_predictions() -> Callable[..., pd.DataFrame]:
    return predictions


@pytest.fixture
def make_clips() -> Callable[..., pd.DataFrame]:
    return clips_of


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Three encodings on two modules, 100 clips, 5 folds."""
    return predictions(
        {
            ("gray", SCATTERING, "lbfgs"): 0.9,
            ("logmel", SCATTERING, "lbfgs"): 0.85,
            ("waveform", SCATTERING, "lbfgs"): 0.3,
            ("gray", MOBILENET, "lbfgs"): 0.7,
            ("logmel", MOBILENET, "lbfgs"): 0.75,
            ("waveform", MOBILENET, "lbfgs"): 0.4,
        }
    )


def write_run(folder: Path, table: pd.DataFrame) -> Path:
    """A run folder with predictions and clips, two neighbouring clips of a fold from one recording."""
    folder.mkdir()
    write(table, folder / "predictions.csv", PREDICTIONS)
    write(clips_of(table, {f"{i}.wav": f"g{i // 10}-{i % 5}" for i in range(100)}), folder / "clips.csv", CLIPS)
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    """A run that tests only read; they write elsewhere."""
    return write_run(tmp_path_factory.mktemp("runs") / "esc10", table)


@pytest.fixture(scope="session")
def evaluated(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The run evaluated, its files in a folder of their own."""
    return evaluate(run_folder, out=tmp_path_factory.mktemp("out"), warnings=["a warning from the study"])


@pytest.fixture
def small_run(tmp_path: Path, table: pd.DataFrame) -> Path:
    """A run of two combinations that a test may change."""
    return write_run(tmp_path / "small", table[(table["module"] == SCATTERING) & (table["encoding"] != "waveform")])
