"""The figures of every epoch: given to whoever watches, and written as ``history.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.tables import HISTORY, frame, write
from trainer.networks.training import Figures

__all__ = ["CHOOSING", "REFITTING", "Epoch", "OnEpoch", "history_rows", "write_history"]

CHOOSING, REFITTING = "choose", "refit"


@dataclass(frozen=True)
class Epoch:
    """An epoch that is done.

    Parameters
    ----------
    named : mapping of str to str
        encoding, module, head and seed.
    fold : str
        The fold that is tested; ``all`` for the final model.
    phase : str
        ``choose``: on the training folds without the validation fold, to choose the number of epochs; ``refit``: on
        all training folds.
    epoch : int
        Counted from 1.
    of : int
        How many there are at most in this phase.
    figures : mapping
        By part (``train``, ``validation``) and metric: ``loss``, ``accuracy``; ``recall``, ``precision`` of the
        validation clips.
    seconds_left : float
        For all folds of the combination, at most.
    """

    named: Mapping[str, str]
    fold: str
    phase: str
    epoch: int
    of: int
    figures: Mapping[str, Figures]
    seconds_left: float


OnEpoch = Callable[[Epoch], Any]
"""Is called with every epoch that is done; not with those that are in the store from before."""


def history_rows(
    named: Mapping[str, str], histories: Mapping[str, Mapping[str, Sequence[Mapping[str, Figures]]]]
) -> Iterator[dict[str, object]]:
    """Rows of ``history.csv``.

    Parameters
    ----------
    named : mapping of str to str
        encoding, module, head and seed.
    histories : mapping
        By fold, then by phase: of every epoch the figures by part.
    """
    for fold, phases in histories.items():
        for phase, epochs in phases.items():
            for number, figures in enumerate(epochs, start=1):
                for part, values in figures.items():
                    split = part if phase == CHOOSING else REFITTING
                    for metric, value in values.items():
                        row = {"fold": fold, "split": split, "metric": metric, "epoch": number, "value": value}
                        yield {**named, **row}


def write_history(out: str | Path, rows: Sequence[dict[str, object]]) -> None:
    """Write ``history.csv``; without rows remove an old one."""
    path = Path(out) / HISTORY.name
    if rows:
        write(frame(rows, HISTORY), path, HISTORY)
    else:
        path.unlink(missing_ok=True)
