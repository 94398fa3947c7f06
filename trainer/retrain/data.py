"""The images of ``retrain.py`` as feature vectors: read, checked, sampled, exported as text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import ImageError, SplitError
from harness.files import write_text
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.image import read
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.retrain.image_lists import ImageFile
from trainer.retrain.logs import LOGGER
from trainer.retrain.split import CATEGORIES, ImageSets
from trainer.sgd import BalancedRows

__all__ = [
    "DISTORTION_DRAW",
    "TEST_DRAW",
    "VALIDATION_DRAW",
    "FeatureRows",
    "FeatureSets",
    "bottleneck_file",
    "export_text",
    "read_sets",
]

VALIDATION_DRAW, DISTORTION_DRAW, TEST_DRAW = 2, 3, 4  # what a generator is for, after the seed; trainer.sgd has 0, 1

_READERS = 2
_LOG_EVERY = 100


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """One set of images with its feature vectors.

    Parameters
    ----------
    images : tuple of ImageFile, length n
    features : ndarray of float32, shape (n, features)
    targets : ndarray of int64, shape (n,)
    """

    images: tuple[ImageFile, ...]
    features: np.ndarray
    targets: np.ndarray

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Row numbers: all of them where `size` is negative, else as many drawn by class with replacement."""
        return np.arange(len(self.images)) if size < 0 else BalancedRows(self.targets)(size, rng)


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """The three sets, without the images that could not be read.

    Parameters
    ----------
    training, testing, validation : FeatureRows
        The training rows have no features where they are distorted anew for each step.
    failures : dict of str to str
        Path of an image to the reason.
    """

    training: FeatureRows
    testing: FeatureRows
    validation: FeatureRows
    failures: dict[str, str]


def read_sets(
    sets: ImageSets, spec: ModuleSpec, *, load_module: Callable[[], HubModule], store: Store, distorts: bool
) -> FeatureSets:
    """Compute or look up the feature vectors of all sets; of the training set only where it is not distorted.

    Parameters
    ----------
    sets : ImageSets
    spec : ModuleSpec
    load_module : callable
        Gives the loaded module; called where a feature vector is not in the store.
    store : Store
    distorts : bool
        Whether training images are distorted anew for each step.

    Raises
    ------
    SplitError
        No training image can be read.
    """
    wanted = [c for c in CATEGORIES if not (distorts and c == "training")]
    images = [image for c in wanted for image in getattr(sets, c)]
    features = image_features(
        [Path(image.path) for image in images],
        spec,
        store=store,
        load=load_module,
        what="bottlenecks",
        report=_progress_log(len(images)),
    )
    failures = {images[row].path: reason for row, reason in features.failures.items()}
    rows: dict[str, FeatureRows] = {}
    start = 0
    for category in wanted:
        own = getattr(sets, category)
        rows[category] = _rows(own, features.values[start : start + len(own)], failures)
        start += len(own)
    if distorts:
        failures |= _unreadable(sets.training)
        rows["training"] = _rows(sets.training, np.zeros((len(sets.training), 0), np.float32), failures)
    for path, reason in failures.items():
        LOGGER.warning("WARNING: left out %s: %s", path, reason)
    if not rows["training"].images:
        raise SplitError("none of the training images can be read")
    readable = {image.target for image in rows["training"].images}
    lost = sorted({image.name.split("/")[0] for image in sets.training if image.target not in readable})
    if lost:
        LOGGER.warning("WARNING: no images that can be read for training in: %s.", ", ".join(lost))
    return FeatureSets(**rows, failures=failures)


def _rows(images: Sequence[ImageFile], features: np.ndarray, failures: Mapping[str, str]) -> FeatureRows:
    good = [row for row, image in enumerate(images) if image.path not in failures]
    targets = np.array([images[row].target for row in good], dtype=np.int64)
    return FeatureRows(tuple(images[row] for row in good), np.ascontiguousarray(features[good]), targets)


def _progress_log(total: int) -> Callable[[int], None]:
    """Make a function that logs ``N bottleneck files created.`` for every hundred of them."""
    logged = 0

    def report(done: int) -> None:
        nonlocal logged
        while logged + _LOG_EVERY <= min(done, total):
            logged += _LOG_EVERY
            LOGGER.info("%d bottleneck files created.", logged)

    return report


def _unreadable(images: Sequence[ImageFile]) -> dict[str, str]:
    """Paths of images that cannot be read, with the reason."""

    def reason(image: ImageFile) -> str:
        try:
            read(image.path)
        except ImageError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(_READERS) as pool:
        reasons = pool.map(reason, images)
        return {image.path: why for image, why in zip(images, reasons, strict=True) if why}


def bottleneck_file(bottleneck_dir: str, name: str, module: str) -> str:
    """The file in which the old script had an image's bottleneck.

    Examples
    --------
    >>> bottleneck_file("/tmp/bottleneck", "dog/a.jpg", "https://tfhub.dev/google/x/1")
    '/tmp/bottleneck/dog/a.jpg_https~tfhub.dev~google~x~1.txt'
    """
    safe = re.sub(r"://|[/:\\]", "~", module)
    return os.path.join(bottleneck_dir, f"{name}_{safe}.txt")


def export_text(sets: FeatureSets, bottleneck_dir: str, module: str) -> int:
    """Write every feature vector as a text file, named as the old script named them; return how many."""
    written = 0
    for rows in (sets.training, sets.testing, sets.validation):
        for image, vector in zip(rows.images, rows.features, strict=True):
            if len(vector):
                text = ",".join(str(value) for value in vector.tolist())
                write_text(bottleneck_file(bottleneck_dir, image.name, module), text)
                written += 1
    return written
