"""The pictures of ``retrain.py`` as feature vectors: read, checked, exported as text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import image
from harness.errors import ImageError, SplitError
from harness.files import write_text
from harness.hub.handles import ModuleSpec
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.retrain.image_lists import LOGGER, Picture
from trainer.retrain.split import CATEGORIES, ImageLists
from trainer.sgd import BalancedRows

__all__ = ["Rows", "Sets", "bottleneck_file", "export_text", "read_sets"]

_READERS = 2
_TOLD_EVERY = 100


@dataclass(frozen=True, eq=False)
class Rows:
    """One set of pictures with its feature vectors.

    Parameters
    ----------
    pictures : tuple of Picture, length n
    features : ndarray of float32, shape (n, features)
    targets : ndarray of int64, shape (n,)
    """

    pictures: tuple[Picture, ...]
    features: np.ndarray
    targets: np.ndarray

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Row numbers: all of them where `size` is negative, else as many drawn by class with replacement."""
        return np.arange(len(self.pictures)) if size < 0 else BalancedRows(self.targets)(size, rng)


@dataclass(frozen=True, eq=False)
class Sets:
    """The three sets, without the pictures that could not be read.

    Parameters
    ----------
    training, testing, validation : Rows
        The training rows have no features where they are distorted anew for each step.
    failures : dict of str to str
        Path of a picture to the reason.
    """

    training: Rows
    testing: Rows
    validation: Rows
    failures: dict[str, str]


def read_sets(lists: ImageLists, spec: ModuleSpec, *, store: Store, distorts: bool) -> Sets:
    """Compute or look up the feature vectors of all sets; of the training set only where it is not distorted.

    Raises
    ------
    SplitError
        No training picture can be read.
    """
    wanted = [c for c in CATEGORIES if not (distorts and c == "training")]
    pictures = [p for c in wanted for p in getattr(lists, c)]
    features = image_features(
        [Path(p.path) for p in pictures], spec, store=store, what="bottlenecks", report=_teller(len(pictures))
    )
    failures = {pictures[row].path: reason for row, reason in features.failures.items()}
    rows: dict[str, Rows] = {}
    start = 0
    for category in wanted:
        own = getattr(lists, category)
        rows[category] = _rows(own, features.values[start : start + len(own)], failures)
        start += len(own)
    if distorts:
        failures |= _unreadable(lists.training)
        rows["training"] = _rows(lists.training, np.zeros((len(lists.training), 0), np.float32), failures)
    for path, reason in failures.items():
        LOGGER.warning("WARNING: left out %s: %s", path, reason)
    if not rows["training"].pictures:
        raise SplitError("none of the training images can be read")
    return Sets(**rows, failures=failures)


def _rows(pictures: Sequence[Picture], features: np.ndarray, failures: dict[str, str]) -> Rows:
    good = [i for i, p in enumerate(pictures) if p.path not in failures]
    targets = np.array([pictures[i].target for i in good], dtype=np.int64)
    return Rows(tuple(pictures[i] for i in good), np.ascontiguousarray(features[good]), targets)


def _teller(total: int) -> Callable[[int], None]:
    """Says ``N bottleneck files created.`` whenever another hundred is there."""
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        while told + _TOLD_EVERY <= min(done, total):
            told += _TOLD_EVERY
            LOGGER.info("%d bottleneck files created.", told)

    return tell


def _unreadable(pictures: Sequence[Picture]) -> dict[str, str]:
    def reason(picture: Picture) -> str:
        try:
            image.read(picture.path)
        except ImageError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(_READERS) as pool:
        reasons = pool.map(reason, pictures)
        return {p.path: why for p, why in zip(pictures, reasons, strict=True) if why}


def bottleneck_file(bottleneck_dir: str, name: str, module: str) -> str:
    """Where the old script kept a picture's bottleneck.

    Examples
    --------
    >>> bottleneck_file("/tmp/bottleneck", "dog/a.jpg", "https://tfhub.dev/google/x/1")
    '/tmp/bottleneck/dog/a.jpg_https~tfhub.dev~google~x~1.txt'
    """
    safe = re.sub(r"://|[/:\\]", "~", module)
    return os.path.join(bottleneck_dir, f"{name}_{safe}.txt")


def export_text(sets: Sets, bottleneck_dir: str, module: str) -> int:
    """Write every feature vector as a text file, named as the old script named them; return how many."""
    written = 0
    for rows in (sets.training, sets.testing, sets.validation):
        for picture, vector in zip(rows.pictures, rows.features, strict=True):
            if len(vector):
                text = ",".join(str(value) for value in vector.tolist())
                write_text(bottleneck_file(bottleneck_dir, picture.name, module), text)
                written += 1
    return written
