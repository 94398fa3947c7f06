"""A figure of loss and accuracy over the steps or epochs of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.errors import TableError
from harness.tables import fold_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure  # only where a plot is drawn

__all__ = ["METRICS", "draw_learning_curves"]

METRICS = {"loss": "log loss", "accuracy": "accuracy in %", "recall": "recall in %", "precision": "precision in %"}
"""What is drawn where a history has it, and what its axis says."""
_COLOURS = ["#2f77b4", "#d9822b", "#3a8f5c", "#b0413e", "#7a5ea8", "#5b6770"]
_DASHES = {"train": ":", "validation": "-", "refit": "--"}
_MOST_NAMED = 6  # folds


def draw_learning_curves(history: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw the curves of one or several folds, a colour for each: training rows dotted, validation rows solid.

    Parameters
    ----------
    history : DataFrame
        fold, split, metric, value, and ``epoch`` or ``step``: of one combination of encoding and module. Metrics that
        are not in :data:`METRICS` are not drawn; of those in it only ``loss`` is not between 0 and 1.
    title : str

    Raises
    ------
    TableError
        A column is missing.

    Examples
    --------
    >>> rows = [("1", "train", "loss", 1, 2.3), ("1", "train", "loss", 2, 1.9)]
    >>> figure = draw_learning_curves(pd.DataFrame(rows, columns=["fold", "split", "metric", "step", "value"]))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['log loss']
    """
    from matplotlib.figure import Figure  # only where a plot is drawn

    x = "epoch" if "epoch" in history else "step"
    missing = [name for name in ("fold", "split", "metric", x, "value") if name not in history]
    if missing:
        raise TableError(f"history: no column {', '.join(missing)}; expected fold, split, metric, epoch or step, value")
    metrics = [name for name in METRICS if name in set(history["metric"])] or ["loss"]
    rows, columns = -(-len(metrics) // 2), min(len(metrics), 2)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), dpi=100, facecolor="white")
    figure.set_layout_engine("constrained")
    for k, metric in enumerate(metrics, start=1):
        _draw_metric(figure.add_subplot(rows, columns, k), history[history["metric"] == metric], metric, x)
    if title:
        figure.suptitle(title.replace("$", r"\$"), fontsize=11, fontweight="bold", x=0.02, ha="left")
    return figure


def _draw_metric(axes: Axes, rows: pd.DataFrame, metric: str, x: str) -> None:
    """The curves of one metric."""
    folds = fold_order(map(str, rows["fold"]))
    scale = 1 if metric == "loss" else 100
    for (fold, split), curve in rows.groupby(["fold", "split"], sort=False):
        style: dict[str, Any] = {"linestyle": _DASHES.get(str(split), "-.")}
        style["color"] = _COLOURS[folds.index(str(fold)) % len(_COLOURS)]
        if len(curve) == 1:
            style["marker"] = "."
        if len(folds) == 1:
            style["label"] = str(split)
        elif len(folds) <= _MOST_NAMED and split == "validation":
            style["label"] = f"fold {fold}"
        axes.plot(curve[x], scale * curve["value"], linewidth=1.4, **style)
    axes.set(xlabel=x, ylabel=METRICS[metric])
    if metric == "loss":
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(0, 103)
    axes.grid(color="#e4e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7.5, frameon=False)
