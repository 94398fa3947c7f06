"""What ``retrain.py`` does beside its steps: log lines, summaries, intermediate graphs, the checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness.hub import HubModule
from trainer.head import Head
from trainer.retrain.augment import Distortions, distorted_batch
from trainer.retrain.checkpoint import save_checkpoint
from trainer.retrain.data import Rows, Sets
from trainer.retrain.flags import Flags
from trainer.retrain.frozen_graph import FrozenModule
from trainer.retrain.image_lists import LOGGER
from trainer.retrain.summaries import Summaries
from trainer.sgd import SgdSettings, SgdState, Step, cross_entropy, descend, fit

__all__ = ["CHECKPOINT_SECONDS", "Beside", "test_head", "train_head"]

CHECKPOINT_SECONDS = 1.0  # between two checkpoints
_VALIDATION, _DISTORTIONS, _TEST = 2, 3, 4  # what a generator is for, beside the seed; trainer.sgd has 0 and 1


def train_head(
    sets: Sets,
    n_classes: int,
    flags: Flags,
    *,
    module: Callable[[], HubModule],
    on_step: Callable[[Step], None],
    start: SgdState | None,
) -> Head:
    """Train the head, on bottlenecks in memory or on pictures that are distorted anew for each step.

    Parameters
    ----------
    sets : Sets
    n_classes : int
    flags : Flags
    module : callable
        Gives the loaded module; called where pictures are distorted.
    on_step : callable
    start : SgdState or None
        Where a stopped training stood.
    """
    settings = SgdSettings(flags.how_many_training_steps, flags.learning_rate, flags.train_batch_size)
    rows = sets.training
    if not flags.distorts:
        return fit(
            rows.features, rows.targets, n_classes, settings=settings, seed=flags.seed, on_step=on_step, start=start
        )
    loaded = module()
    spec = Distortions(flags.flip_left_right, flags.random_crop, flags.random_scale, flags.random_brightness)
    size = {"height": loaded.info.height, "width": loaded.info.width}

    def read(drawn: np.ndarray, number: int) -> np.ndarray:
        rng = np.random.default_rng([flags.seed, _DISTORTIONS, number])
        return loaded(distorted_batch([rows.pictures[row].path for row in drawn], spec, rng=rng, **size))

    return descend(
        read, rows.targets, n_classes, loaded.info.features,
        settings=settings, seed=flags.seed, on_step=on_step, start=start,
    )  # fmt: skip


def test_head(head: Head, rows: Rows, labels: list[str], flags: Flags) -> float | None:
    """Log the final test accuracy, and the misclassified pictures where asked for.

    Returns
    -------
    float or None
        Accuracy in [0, 1]; None where there is nothing to test on.
    """
    if not rows.pictures:
        LOGGER.warning("WARNING: there are no test images, so there is no final test accuracy.")
        return None
    drawn = rows.sample(flags.test_batch_size, np.random.default_rng([flags.seed, _TEST]))
    predicted = head.scores(rows.features[drawn]).argmax(axis=1)
    accuracy = float((predicted == rows.targets[drawn]).mean())
    LOGGER.info("Final test accuracy = %.1f%% (N=%d)", accuracy * 100, len(drawn))
    if flags.print_misclassified_test_images:
        LOGGER.info("=== MISCLASSIFIED TEST IMAGES ===")
        for row, label in zip(drawn, predicted, strict=True):
            if label != rows.targets[row]:
                LOGGER.info("%70s  %s", rows.pictures[row].path, labels[label])
    return accuracy


class Beside:
    """Called after each step.

    Parameters
    ----------
    flags : Flags
    validation : Rows
    summaries : Summaries
    frozen : callable
        Gives the module's frozen graph; called when the first intermediate graph is due.
    training : mapping
        What the checkpoint says of the training that it belongs to.
    """

    def __init__(
        self,
        flags: Flags,
        *,
        validation: Rows,
        summaries: Summaries,
        frozen: Callable[[], FrozenModule],
        training: Mapping[str, Any],
    ) -> None:
        self._flags, self._validation, self._summaries = flags, validation, summaries
        self._frozen, self._training = frozen, training
        self._saved = time.monotonic()

    def __call__(self, step: Step) -> None:
        """Do whatever is due after this step."""
        flags, number = self._flags, step.number
        last = number + 1 == flags.how_many_training_steps
        self._summaries.loss("train", number, scores=step.scores, targets=step.targets)
        if number % flags.eval_step_interval == 0 or last:
            self._evaluate(step)
        if flags.intermediate_store_frequency > 0 and number % flags.intermediate_store_frequency == 0 and number > 0:
            path = os.path.join(flags.intermediate_output_graphs_dir, f"intermediate_{number}.pb")
            LOGGER.info("Save intermediate result to : %s", path)
            self._frozen().write(Path(path), step.head, final_tensor_name=flags.final_tensor_name)
        if last or time.monotonic() - self._saved >= CHECKPOINT_SECONDS:
            save_checkpoint(flags.checkpoint_path, SgdState(number + 1, step.head), training=self._training)
            self._saved = time.monotonic()

    def _evaluate(self, step: Step) -> None:
        number, head = step.number, step.head
        self._summaries.head("train", number, head=head, features=step.features)
        scores = head.scores(step.features)
        accuracy = 100 * float((scores.argmax(axis=1) == step.targets).mean())
        LOGGER.info("%s: Step %d: Train accuracy = %.1f%%", datetime.now(), number, accuracy)
        LOGGER.info("%s: Step %d: Cross entropy = %f", datetime.now(), number, cross_entropy(scores, step.targets))
        rows = self._validation
        if not rows.pictures:
            return
        rng = np.random.default_rng([self._flags.seed, _VALIDATION, number])
        drawn = rows.sample(self._flags.validation_batch_size, rng)
        features, targets = rows.features[drawn], rows.targets[drawn]
        scores = head.scores(features)
        self._summaries.head("validation", number, head=head, features=features)
        self._summaries.loss("validation", number, scores=scores, targets=targets)
        accuracy = 100 * float((scores.argmax(axis=1) == targets).mean())
        LOGGER.info("%s: Step %d: Validation accuracy = %.1f%% (N=%d)", datetime.now(), number, accuracy, len(drawn))
