"""The usual way, as most projects have it: an image of a clip by librosa and matplotlib, one fit for each strength."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

__all__ = ["one_fit", "per_item", "usual_image"]

Item = TypeVar("Item")


def per_item(work: Callable[[Item], object], items: Sequence[Item]) -> float:
    """Seconds per call, after one that is not counted."""
    work(items[0])
    started = time.perf_counter()
    for item in items:
        work(item)
    return (time.perf_counter() - started) / len(items)


def usual_image(path: Path) -> None:
    """One image of one clip: librosa.load, melspectrogram, a 12 x 4 inch figure, specshow, savefig."""
    import librosa
    import librosa.display
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    y, sr = librosa.load(path)
    S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
    figure = plt.figure(figsize=(12, 4))
    figure.add_axes((0, 0, 1, 1)).axis("off")
    librosa.display.specshow(S_db, sr=sr, x_axis="time", y_axis="mel")
    with tempfile.TemporaryDirectory() as scratch:
        figure.savefig(Path(scratch) / "image.png")
    plt.close(figure)


def one_fit(x: np.ndarray, labels: Sequence[str], *, strengths: Sequence[float]) -> float:
    """Seconds of one scikit-learn fit, the mean over `strengths`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for c in strengths:
            make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x, labels)
    return (time.perf_counter() - started) / len(strengths)
