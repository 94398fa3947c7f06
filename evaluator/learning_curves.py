"""A figure of loss and accuracy over the steps or epochs of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.errors import TableError
from harness.tables import fold_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure  # only where a plot is drawn

__all__ = ["METRICS", "SPLITS", "draw_fold_curves", "draw_learning_curves", "mean_curve"]

METRICS = {"loss": "log loss", "accuracy": "accuracy in %", "recall": "recall in %", "precision": "precision in %"}
"""What is drawn where a history has it, and what its axis says."""
_COLOURS = ["#2f77b4", "#d9822b", "#3a8f5c", "#b0413e", "#7a5ea8", "#5b6770"]
_DASHES = {"train": ":", "validation": "-", "refit": "--"}
_MOST_NAMED = 6  # folds
SPLITS = {"train": "training", "validation": "validation", "refit": "trained anew"}
"""What each split of a history is called in a legend."""
_SPLIT_COLOURS = {"train": "#7d8790", "validation": "#1f6fb4", "refit": "#c96a12"}


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


def draw_fold_curves(history: pd.DataFrame, metric: str) -> Figure:
    """Draw one metric over epochs: a thin line for each fold and seed, a thick one for their mean.

    Parameters
    ----------
    history : DataFrame
        seed, fold, split, metric, epoch, value: of one combination of encoding and module.
    metric : str
        One of :data:`METRICS`.
    """
    from matplotlib.figure import Figure  # only where a plot is drawn
    from matplotlib.ticker import MaxNLocator  # only where a plot is drawn

    rows = history[history["metric"] == metric]
    figure = Figure(figsize=(4.3, 2.7), dpi=144, facecolor="white")
    figure.set_layout_engine("constrained")
    axes, scale = figure.add_subplot(), 1 if metric == "loss" else 100
    for split in (name for name in SPLITS if name in set(rows["split"])):
        part = rows[rows["split"] == split]
        style: dict[str, Any] = {"color": _SPLIT_COLOURS[split], "linestyle": "-" if split == "validation" else "--"}
        curves = list(part.groupby(["seed", "fold"], sort=False))
        for _, curve in curves if len(curves) > 1 else []:
            axes.plot(curve["epoch"], scale * curve["value"], linewidth=0.6, alpha=0.45, **style)
        mean = mean_curve(part)
        marker = "." if len(mean) == 1 else ""
        axes.plot(mean.index, scale * mean, linewidth=2, marker=marker, label=SPLITS[split], **style)
    _finish_axes(axes, "epoch", metric)
    axes.set_xlim(1, max(2.0, float(rows["epoch"].max())))
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.legend(fontsize=9, frameon=False)
    return figure


def mean_curve(rows: pd.DataFrame) -> pd.Series:
    """The mean over folds and seeds by epoch, as far as all of them go: with fewer of them it would jump.

    Parameters
    ----------
    rows : DataFrame
        seed, fold, epoch, value: of one combination, split and metric.

    Examples
    --------
    >>> rows = [("0", "1", 1, 2.0), ("0", "1", 2, 1.0), ("0", "2", 1, 4.0)]
    >>> mean_curve(pd.DataFrame(rows, columns=["seed", "fold", "epoch", "value"])).to_dict()
    {1: 3.0}
    """
    wide = rows.pivot_table(index="epoch", columns=["seed", "fold"], values="value")
    mean: pd.Series = wide.dropna().mean(axis=1)
    return mean


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
    _finish_axes(axes, x, metric)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7.5, frameon=False)


def _finish_axes(axes: Axes, x: str, metric: str) -> None:
    """Names, limits and grid."""
    axes.set(xlabel=x, ylabel=METRICS[metric])
    if metric == "loss":
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(0, 103)
    axes.grid(color="#e4e8ec", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
