"""The head of ``retrain.py``: trained on bottlenecks or on distorted images, then tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.head import Head
from harness.hub.base import HubModule
from trainer.retrain.augment import Distortions, distorted_batch
from trainer.retrain.data import DISTORTION_DRAW, TEST_DRAW, FeatureRows
from trainer.retrain.flags import Flags
from trainer.retrain.logs import LOGGER
from trainer.sgd import SgdSettings, SgdState, Step, descend, fit

__all__ = ["evaluate_head", "train_head"]


def train_head(
    rows: FeatureRows,
    n_classes: int,
    flags: Flags,
    *,
    load_module: Callable[[], HubModule],
    on_step: Callable[[Step], None],
    start: SgdState | None,
) -> Head:
    """Train the head, on bottlenecks in memory or on images that are distorted anew for each step.

    Parameters
    ----------
    rows : FeatureRows
        The training set.
    n_classes : int
    flags : Flags
    load_module : callable
        Gives the loaded module; called where images are distorted.
    on_step : callable
        Called after each step.
    start : SgdState or None
        Where a stopped training stood.
    """
    settings = SgdSettings(
        steps=flags.how_many_training_steps,
        learning_rate=flags.learning_rate,
        train_batch_size=flags.train_batch_size,
    )
    if not flags.distorts:
        return fit(
            rows.features, rows.targets, n_classes, settings=settings, seed=flags.seed, on_step=on_step, start=start
        )
    module = load_module()
    distortions = Distortions(**{name: getattr(flags, name) for name in Distortions.model_fields})
    size = {"height": module.info.height, "width": module.info.width}

    def read(drawn: np.ndarray, number: int) -> np.ndarray:
        rng = np.random.default_rng([flags.seed, DISTORTION_DRAW, number])
        return module(distorted_batch([rows.images[row].path for row in drawn], distortions, rng=rng, **size))

    return descend(
        read,
        rows.targets,
        n_classes,
        module.info.features,
        settings=settings,
        seed=flags.seed,
        on_step=on_step,
        start=start,
    )


def evaluate_head(head: Head, rows: FeatureRows, labels: Sequence[str], flags: Flags) -> float | None:
    """Log the final test accuracy, and the misclassified images where asked for.

    Returns
    -------
    float or None
        Accuracy in [0, 1]; None where there is nothing to test on.
    """
    if not rows.images:
        LOGGER.warning("WARNING: there are no test images, so there is no final test accuracy.")
        return None
    drawn = rows.sample(flags.test_batch_size, np.random.default_rng([flags.seed, TEST_DRAW]))
    predicted = head.scores(rows.features[drawn]).argmax(axis=1)
    accuracy = float((predicted == rows.targets[drawn]).mean())
    LOGGER.info("Final test accuracy = %.1f%% (N=%d)", accuracy * 100, len(drawn))
    if flags.print_misclassified_test_images:
        LOGGER.info("=== MISCLASSIFIED TEST IMAGES ===")
        for row, label in zip(drawn, predicted, strict=True):
            if label != rows.targets[row]:
                LOGGER.info("%70s  %s", rows.images[row].path, labels[label])
    return accuracy
