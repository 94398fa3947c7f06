"""Train the head of one fold as ``[train] head = "sgd"`` does, and say after some steps how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import SettingsError, did_you_mean
from harness.head import Head
from harness.hub import kinds
from harness.label_changes import read_label_changes, training_labels
from harness.protocol import Split
from harness.record import read_shared_groups
from harness.settings import positive_int
from harness.store import Store
from harness.tables import IMAGES, class_order, fold_order
from trainer import sgd
from trainer.ablation import Combination
from trainer.crossvalidate import predictions, training_splits
from trainer.fitting import Trained
from trainer.head_tasks import features_of, readable_rows
from trainer.inputs import check_trainable, read_encoding, training_order
from trainer.sgd import SgdSettings, Step

__all__ = ["FoldTraining", "StepFigures", "train_fold"]

_COLUMNS = ["fold", "split", "metric", "step", "value"]


@dataclass(frozen=True)
class StepFigures:
    """Where a training is after a step.

    Parameters
    ----------
    fold : str
        The fold that is tested in the end.
    step : int
        Counted from 1.
    of : int
        How many steps there are.
    figures : mapping
        ``loss`` (mean cross entropy, in nats) and ``accuracy`` (0 to 1): under ``train`` of the rows of this step,
        under ``validation`` of the whole validation fold.
    """

    fold: str
    step: int
    of: int
    figures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class FoldTraining:
    """The head of one fold, and how it came about.

    Parameters
    ----------
    fold : str
    head : Head
    classes : list of str
        In the order of the scores.
    history : DataFrame
        fold, split (``train`` or ``validation``), metric (``loss`` or ``accuracy``), step, value.
    predictions : DataFrame
        The clips of the fold with their scores, rows of ``predictions.csv``.
    """

    fold: str
    head: Head
    classes: list[str]
    history: pd.DataFrame
    predictions: pd.DataFrame

    @property
    def accuracy(self) -> float:
        """Share of the fold's clips that are classified rightly, 0 to 1."""
        return float((self.predictions["label"] == self.predictions["predicted"]).mean())


def train_fold(
    run: str | Path,
    fold: str | int,
    *,
    encoding: str,
    module: str = "builtin:scattering",
    settings: SgdSettings | None = None,
    seed: int = 0,
    every: int = 50,
    on_step: Callable[[StepFigures], Any] | None = None,
    store: Store | None = None,
) -> FoldTraining:
    """Train one fold's head on the images of a run by gradient descent, step by step, then test it on the fold.

    The head is the one that a study with ``[train] head = "sgd"`` has for this fold: nothing is chosen on the
    validation fold, which is held out, so that its curve says when a longer training no longer helps.

    Parameters
    ----------
    run : path
        Folder of a run, with ``images/images.csv``; or such a table.
    fold : str
        The fold that is tested.
    encoding : str
        Of the images in the run.
    module : str
        Handle of a module that takes images.
    settings : SgdSettings, optional
        Steps, learning rate, rows a step.
    seed : int
    every : int
        After so many steps there are figures.
    on_step : callable, optional
        Is called with the figures, for instance an :class:`evaluator.learning_curves.LiveCurves`.
    store : Store, optional
        Where feature vectors are. Default: the user's.

    Raises
    ------
    TableError
        No images, or no such encoding among them.
    SettingsError
        No such fold, or a module that takes the sound itself.
    DivergedError
        The learning rate is too large.

    Examples
    --------
    ::

        train_fold("runs/demo", 1, encoding="logmel").accuracy
    """
    settings, store, every = settings or SgdSettings(), store or Store(), _checked_every(every)
    images = Path(run) / "images" / IMAGES.name if Path(run).is_dir() else Path(run)
    table, features, named = _read(images, encoding, module, seed, store)
    split = _split_of(table, str(fold), images, seed)
    labels = training_labels(table)
    classes = class_order(labels)
    targets = np.array([classes.index(label) for label in labels])
    watch = _Watch(str(fold), settings.steps, every, features[split.validation], targets[split.validation], on_step)
    own = features[split.train], targets[split.train]
    head = sgd.fit(*own, len(classes), settings=settings, seed=seed, on_step=watch)
    tested = predictions(features, table, Trained({str(fold): head}, classes), named=named)
    return FoldTraining(str(fold), head, classes, pd.DataFrame(watch.rows, columns=_COLUMNS), tested)


class _Watch:
    """Called after every step; takes the figures of some."""

    def __init__(
        self,
        fold: str,
        of: int,
        every: int,
        features: np.ndarray,
        targets: np.ndarray,
        on_step: Callable[[StepFigures], Any] | None,
    ) -> None:
        self._fold, self._of, self._every, self._on_step = fold, of, every, on_step
        self._validation = features, targets
        self.rows: list[dict[str, object]] = []

    def __call__(self, step: Step) -> None:
        """Take the figures where it is time."""
        number = step.number + 1
        if number % self._every and number not in (1, self._of):
            return
        figures = {"train": _figures(step.scores, step.targets)}
        features, targets = self._validation
        if len(targets):
            figures["validation"] = _figures(step.head.scores(features), targets)
        for split, values in figures.items():
            for metric, value in values.items():
                self.rows.append(dict(zip(_COLUMNS, (self._fold, split, metric, number, value), strict=True)))
        if self._on_step:
            self._on_step(StepFigures(self._fold, number, self._of, figures))


def _figures(scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    return {"loss": sgd.cross_entropy(scores, targets), "accuracy": float((scores.argmax(axis=1) == targets).mean())}


def _read(
    images: Path, encoding: str, module: str, seed: int, store: Store
) -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    """The rows of an encoding that could be read, their feature vectors, and what predictions.csv calls them."""
    spec = kinds.parse(module)
    if kinds.describe(spec, store=store).takes == "waveform":
        raise SettingsError(f"module={module!r}: takes the sound itself; give a module that takes images")
    table = training_order(read_label_changes(images.parent).for_training(read_encoding(images, encoding)))
    features = features_of(table, spec, store=store, load=partial(kinds.load, spec, store=store), what=encoding)
    values, table = readable_rows(features, table)
    return table, values, Combination(encoding, spec, "sgd", seed).named()


def _split_of(table: pd.DataFrame, fold: str, images: Path, seed: int) -> Split:
    """The split that tests a fold."""
    shared = read_shared_groups(images.parent)
    check_trainable(table, shared=shared, seed=seed, head="sgd")
    splits = {split.fold: split for split in training_splits(table, seed, shared)}
    if fold not in splits:
        raise SettingsError(f"fold={fold!r}: no such fold; {did_you_mean(fold, fold_order(splits))}")
    return splits[fold]


def _checked_every(every: int) -> int:
    try:
        return positive_int(every)
    except ValueError as error:
        raise SettingsError(f"every={every!r}: {error}, the steps from one row of figures to the next") from None
