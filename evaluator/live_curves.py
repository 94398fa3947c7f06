"""A figure in a notebook that follows a training."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from evaluator.learning_curves import draw_learning_curves

try:
    from IPython.display import Image, display
except ImportError as error:
    raise ImportError(
        f"live curves need IPython, which cannot be imported ({error}): pip install 'soundfold[notebooks]'"
    ) from error

__all__ = ["LiveCurves", "TrainingFigures"]

_SHARE = 4.0  # between two drawings lies this many times the time that one takes


class TrainingFigures(Protocol):
    """What a training says after an epoch, or after some steps; it also has the number ``epoch`` or ``step``."""

    @property
    def fold(self) -> str:
        """The fold that is tested in the end."""
        ...

    @property
    def of(self) -> int:
        """How many epochs or steps there are, at most."""
        ...

    @property
    def figures(self) -> Mapping[str, Mapping[str, float]]:
        """By split (``train``, ``validation``), then by metric (``loss``, ``accuracy`` ...)."""
        ...


class LiveCurves:
    """Called with the figures of a training as it goes; draws them into the output of the cell.

    Drawing takes a fifth of the time at most; the last figure is drawn in any case, where the training runs to its
    end, else by :meth:`show`.

    Parameters
    ----------
    title : str

    Examples
    --------
    ::

        curves = sf.LiveCurves("logmel")
        sf.train_fold("runs/demo", 1, encoding="logmel", on_step=curves)
    """

    def __init__(self, title: str = "") -> None:
        self._title = title
        self._rows: list[dict[str, object]] = []
        self._handle: Any = None
        self._next = 0.0

    @property
    def history(self) -> pd.DataFrame:
        """All figures so far: fold, split, metric, ``epoch`` or ``step``, value."""
        return pd.DataFrame(self._rows)

    def __call__(self, done: TrainingFigures) -> None:
        """Add the figures of an epoch or a step, and draw if it is time."""
        unit = "epoch" if hasattr(done, "epoch") else "step"
        number = getattr(done, unit)
        refitting = getattr(done, "phase", "") == "refit"
        for split, values in done.figures.items():
            for metric, value in values.items():
                name = "refit" if refitting else split
                self._rows.append({"fold": done.fold, "split": name, "metric": metric, unit: number, "value": value})
        if number >= done.of or time.monotonic() >= self._next:
            self.show()

    def show(self) -> None:
        """Draw the curves as they are now."""
        if not self._rows:
            return
        started = time.monotonic()
        data = io.BytesIO()
        draw_learning_curves(self.history, title=self._title).savefig(data, format="png", metadata={"Software": None})
        image = Image(data=data.getvalue(), format="png")
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)
        now = time.monotonic()
        self._next = now + _SHARE * (now - started)
