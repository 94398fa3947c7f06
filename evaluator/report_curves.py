"""Learning curves in the report: an image for each metric of each network, with what it shows in words."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pandas as pd

from evaluator.combinations import Combination
from evaluator.learning_curves import METRICS, SPLITS, draw_fold_curves, mean_curve
from harness.figures import percent

__all__ = ["curve_values"]

_MOST = 12  # networks, so that the figures of a large study leave room for its sounds


def curve_values(
    histories: Mapping[Combination, pd.DataFrame], names: Mapping[Combination, str]
) -> dict[str, Any] | None:
    """The curves of each network, the best first; None where there are none.

    Parameters
    ----------
    histories : mapping of Combination to DataFrame
        As :func:`evaluator.histories.read_histories` gives them.
    names : mapping of Combination to str
        What each is called in the report.
    """
    rows = [
        {"name": names[each], "images": [_image(history, metric) for metric in METRICS if metric in found]}
        for each, history in list(histories.items())[:_MOST]
        for found in [set(history["metric"])]
    ]
    splits = {split for history in histories.values() for split in history["split"]}
    several = any(len(history[["seed", "fold"]].drop_duplicates()) > 1 for history in histories.values())
    left = len(histories) - len(rows)
    return {"rows": rows, "splits": splits, "several": several, "left": left} if rows else None


def _image(history: pd.DataFrame, metric: str) -> dict[str, Any]:
    """One metric as an image for the page."""
    figure, data = draw_fold_curves(history, metric), io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    uri = "data:image/png;base64," + b64encode(data.getvalue()).decode()
    return {"uri": uri, "width": round(96 * figure.get_figwidth()), "alt": _words(history, metric)}


def _words(history: pd.DataFrame, metric: str) -> str:
    """What a curve shows: its first, best and last value of each split, means over folds and seeds."""
    rows = history[history["metric"] == metric]
    said = []
    for split in (name for name in SPLITS if name in set(rows["split"])):
        mean = mean_curve(rows[rows["split"] == split])
        if mean.empty:
            continue
        best = mean.idxmin() if metric == "loss" else mean.idxmax()
        first, last = _figure(mean.iloc[0], metric), _figure(mean.iloc[-1], metric)
        extreme = f"{'lowest' if metric == 'loss' else 'highest'} {_figure(mean[best], metric)} at epoch {best:g}"
        said.append(f"{SPLITS[split]} {first} at epoch {mean.index[0]:g}, {extreme}, {last} at {mean.index[-1]:g}")
    return f"{METRICS[metric].capitalize()} over epochs, mean over folds: {'; '.join(said)}."


def _figure(value: float, metric: str) -> str:
    return f"{value:.2f}" if metric == "loss" else percent(value)
