"""What ``retrain.py`` does after each step: log lines, summaries, intermediate graphs, the checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from trainer.retrain.checkpoint import save_checkpoint
from trainer.retrain.data import VALIDATION_DRAW, FeatureRows
from trainer.retrain.flags import Flags
from trainer.retrain.frozen_graph import FrozenModule
from trainer.retrain.logs import LOGGER
from trainer.retrain.summaries import Summaries
from trainer.sgd import SgdState, Step, cross_entropy

__all__ = ["CHECKPOINT_SECONDS", "TrainingCallback"]

CHECKPOINT_SECONDS = 1.0  # between two checkpoints


class TrainingCallback:
    """Called after each step.

    Parameters
    ----------
    flags : Flags
    validation : FeatureRows
        The validation set.
    summaries : Summaries
    freeze_module : callable
        Gives the module's frozen graph; called when the first intermediate graph is due.
    training : mapping
        What the checkpoint says of the training that it belongs to.
    """

    def __init__(
        self,
        flags: Flags,
        *,
        validation: FeatureRows,
        summaries: Summaries,
        freeze_module: Callable[[], FrozenModule],
        training: Mapping[str, Any],
    ) -> None:
        self._flags, self._validation, self._summaries = flags, validation, summaries
        self._freeze_module, self._training = freeze_module, training
        self._saved = time.monotonic()

    def __call__(self, step: Step) -> None:
        """Do whatever is due after this step."""
        flags, number = self._flags, step.number
        last = number + 1 == flags.how_many_training_steps
        self._summaries.loss("train", number, scores=step.scores, targets=step.targets)
        if last or number % flags.eval_step_interval == 0:
            self._evaluate(step)
        if number and flags.intermediate_store_frequency and number % flags.intermediate_store_frequency == 0:
            path = os.path.join(flags.intermediate_output_graphs_dir, f"intermediate_{number}.pb")
            LOGGER.info("Save intermediate result to : %s", path)
            self._freeze_module().write(path, step.head, final_tensor_name=flags.final_tensor_name)
        if last or time.monotonic() - self._saved >= CHECKPOINT_SECONDS:
            save_checkpoint(flags.checkpoint_path, SgdState(number + 1, step.head), training=self._training)
            self._saved = time.monotonic()

    def _evaluate(self, step: Step) -> None:
        number, head = step.number, step.head
        scores = head.scores(step.features)
        self._summaries.head("train", number, head=head, features=step.features, scores=scores)
        LOGGER.info("%s: Step %d: Train accuracy = %.1f%%", datetime.now(), number, _per_cent(scores, step.targets))
        LOGGER.info("%s: Step %d: Cross entropy = %f", datetime.now(), number, cross_entropy(scores, step.targets))
        rows = self._validation
        if not rows.images:
            return
        rng = np.random.default_rng([self._flags.seed, VALIDATION_DRAW, number])
        drawn = rows.sample(self._flags.validation_batch_size, rng)
        features, targets = rows.features[drawn], rows.targets[drawn]
        scores = head.scores(features)
        self._summaries.head("validation", number, head=head, features=features, scores=scores)
        self._summaries.loss("validation", number, scores=scores, targets=targets)
        accuracy = _per_cent(scores, targets)
        LOGGER.info("%s: Step %d: Validation accuracy = %.1f%% (N=%d)", datetime.now(), number, accuracy, len(drawn))


def _per_cent(scores: np.ndarray, targets: np.ndarray) -> float:
    """Accuracy in per cent."""
    return 100 * float((scores.argmax(axis=1) == targets).mean())
