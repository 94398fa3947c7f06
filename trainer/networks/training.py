"""Train one network for one fold: epochs, early stopping on the validation rows, a checkpoint after every epoch.

What happens in an epoch depends on the seed and the number of the epoch alone, so that a training that was killed goes
on from its last whole epoch as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.errors import DivergedError
from harness.hub.network_settings import NetworkSettings
from trainer.networks.steps import Network, learning_rate

__all__ = ["Data", "Figures", "Progress", "better", "run_epochs", "scores_of", "validation_figures"]

Figures = dict[str, float]
"""Of one epoch and part: ``loss``, ``accuracy``, and of the validation rows ``recall`` and ``precision`` too."""


@dataclass(frozen=True)
class Data:
    """What networks are trained on.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, 3)
    targets : ndarray of int, shape (n,)
        Numbers of classes.
    n_classes : int
    """

    images: np.ndarray
    targets: np.ndarray
    n_classes: int


@dataclass
class Progress:
    """How far a training is.

    Parameters
    ----------
    epoch : int
        Whole epochs so far.
    best : int
        The epoch that was best on the validation rows, counted from 1; 0 without any.
    history : list of dict
        Of every epoch the figures by part: ``train``, and ``validation`` where there is one.
    """

    epoch: int = 0
    best: int = 0
    history: list[dict[str, Figures]] = field(default_factory=list)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether no epoch is left, or the last ones were no better than the best."""
        return self.epoch >= epochs or bool(patience and self.best and self.epoch - self.best >= patience)


def run_epochs(
    network: Network,
    data: Data,
    rows: np.ndarray,
    *,
    epochs: int,
    seeds: tuple[int, int],
    progress: Progress,
    validation: np.ndarray | None = None,
) -> Iterator[Progress]:
    """Train until the last epoch, or until the validation rows say that it is enough.

    Parameters
    ----------
    network : Network
        With the weights and the optimizer of `progress`.
    data : Data
    rows : ndarray of int
        To train on; a row that is in it twice counts twice.
    epochs : int
        Most epochs.
    seeds : (int, int)
        The seed of the run, and a number for the part of it that this training is.
    progress : Progress
        Where to begin; changed.
    validation : ndarray of int, optional
        Rows to choose the epoch on.

    Yields
    ------
    Progress
        The one that was given, after every epoch.

    Raises
    ------
    DivergedError
        The loss, a weight or a score is not a finite number.
    """
    settings = network.settings
    patience = settings.patience if validation is not None else 0
    while not progress.is_over(epochs, patience):
        figures = {"train": _epoch(network, data, rows, epoch=progress.epoch, seeds=seeds)}
        progress.epoch += 1
        if validation is not None:
            figures["validation"] = validation_figures(network, data, validation, epoch=progress.epoch)
        progress.history.append(figures)
        if validation is not None:
            best = progress.history[progress.best - 1]["validation"] if progress.best else None
            if best is None or better(figures["validation"], best, settings):
                progress.best = progress.epoch
        yield progress


def better(figures: Figures, than: Figures, settings: NetworkSettings) -> bool:
    """Whether the figures of an epoch on the validation rows are better than those of another."""
    if settings.monitor == "accuracy" and figures["accuracy"] != than["accuracy"]:
        return figures["accuracy"] > than["accuracy"]
    return figures["loss"] < than["loss"]


def _epoch(network: Network, data: Data, rows: np.ndarray, *, epoch: int, seeds: tuple[int, int]) -> Figures:
    """One pass over the rows in a new order; the last batch is filled up with the first rows."""
    settings = network.settings
    rng = np.random.default_rng([*seeds, epoch])
    size = min(settings.batch_size, len(rows))
    n_steps = -(-len(rows) // size)
    order = np.resize(rng.permutation(rows), n_steps * size)
    loss, right = 0.0, 0
    for number, batch in enumerate(order.reshape(n_steps, size)):
        first, second = (int(each) for each in rng.integers(0, 2**31, 2))
        rate = learning_rate(settings, (epoch + number / n_steps) / settings.epochs)
        of_batch, n_right = network.step(
            data.images[batch], data.targets[batch], (first, second),
            rate=rate, last_only=epoch < settings.warmup_epochs,
        )  # fmt: skip
        loss, right = loss + of_batch / n_steps, right + n_right
    if not np.isfinite(loss):
        raise _diverged("the loss", epoch + 1)
    if not all(np.isfinite(values).all() for values in network.weights()):
        raise _diverged("a weight", epoch + 1)
    return {"loss": loss, "accuracy": right / len(order), "learning_rate": rate}


def _diverged(what: str, epoch: int) -> DivergedError:
    return DivergedError(
        f"training has diverged: {what} of epoch {epoch} is not finite; try a smaller learning_rate, or clip_norm = 1.0"
    )


def scores_of(network: Network, images: np.ndarray, *, epoch: int) -> np.ndarray:
    """Class probabilities, which finite weights alone do not promise.

    Parameters
    ----------
    network : Network
    images : ndarray of uint8, shape (n, H, W, 3)
    epoch : int
        The last one, counted from 1, for the message.

    Returns
    -------
    ndarray of float64, shape (n, classes)

    Raises
    ------
    DivergedError
        A score is not a finite number.
    """
    features = network.features(images)
    scores = network.head().scores(features) if np.isfinite(features).all() else np.full(1, np.nan)
    if not np.isfinite(scores).all():
        raise _diverged("a score", epoch)
    return scores


def validation_figures(network: Network, data: Data, rows: np.ndarray, *, epoch: int) -> Figures:
    """Log loss, accuracy, and recall and precision as means over the classes of the rows; as :func:`scores_of`."""
    scores = scores_of(network, data.images[rows], epoch=epoch)
    targets, found = data.targets[rows], scores.argmax(axis=1)
    matrix = np.zeros((data.n_classes, data.n_classes))
    np.add.at(matrix, (targets, found), 1)
    known, right = matrix.sum(axis=1) > 0, np.diag(matrix)
    recall = right[known] / matrix.sum(axis=1)[known]
    precision = right[known] / np.maximum(matrix.sum(axis=0)[known], 1)
    own: Any = scores[np.arange(len(rows)), targets]
    return {
        "loss": float(-np.log(np.maximum(own, 1e-15)).mean()),
        "accuracy": float(right.sum() / len(rows)),
        "recall": float(recall.mean()),
        "precision": float(precision.mean()),
    }
