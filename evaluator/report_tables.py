"""What the report shows without a script: ranking, heat map, folds, classes, calibration, suspected labels."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evaluator.combinations import COLUMNS, Combination
from evaluator.results import Evaluation
from harness.figures import percent, spread

__all__ = [
    "calibration_values",
    "class_values",
    "confusion_alt",
    "fold_values",
    "heat_values",
    "image_values",
    "ranking_values",
    "suspect_values",
]

_PER_CLASS = (("precision", "precision"), ("f1", "F1"), ("ap", "AP"), ("auroc", "AUROC"))
SUSPECTS_SHOWN = 200


def ranking_values(found: Evaluation, short: Mapping[str, str]) -> dict[str, Any]:
    """Rows of the ranking, each with places in percent of the strip for its folds, mean and interval."""
    ranked, folds = found.ranking, found.folds
    names = _fold_names(folds)
    dots = {key: part[names].mean().dropna().tolist() for key, part in folds.groupby(list(COLUMNS))}
    lowest = min(min(min(v) for v in dots.values()), ranked["low"].min())
    start = max(0.0, np.floor(20 * lowest) / 20)
    rows = []
    for row in ranked.to_dict("records"):
        key = Combination(*(row[c] for c in COLUMNS))
        ends = [] if np.isnan(row["low"]) else [_place(row["low"], start), _place(row["high"], start)]
        rows.append(
            {
                **row,
                "module": short[row["module"]],
                "figure": spread(row["accuracy"], row["std"]),
                "dots": [_place(v, start) for v in dots[key]] if len(names) > 1 else [],
                "mean": _place(row["accuracy"], start),
                "ends": ends,
            }
        )
    shown = {
        "module": (ranked["module"] != "").any(),
        "head": ranked["head"].nunique() > 1,
        "seeds": (ranked["seeds"] > 1).any(),
        "interval": ranked["low"].notna().any(),
    }
    return {"rows": rows, "start": f"{100 * start:.0f}", "shown": shown, "folds": len(names)}


def _place(share: float, start: float) -> float:
    return round(100 * (share - start) / (1 - start), 2) if start < 1 else 100.0


def image_values(png: Path, alt: str) -> dict[str, Any]:
    """An image for the page: its content as a data URI, its width at 96 dots per inch, the alternative text.

    On a narrow screen it shrinks, but one with many classes only as far as its text is legible.
    """
    with Image.open(png, formats=("PNG",)) as image:
        width = round(image.width * 96 / image.info["dpi"][0])
    uri = "data:image/png;base64," + b64encode(png.read_bytes()).decode()
    return {"uri": uri, "alt": alt, "width": width, "smallest": round(0.75 * width) if width > 1000 else 0}


def heat_values(ranked: pd.DataFrame, short: Mapping[str, str]) -> dict[str, Any] | None:
    """Accuracy by encoding and module, best rows and columns first; of several heads the best."""
    if min(ranked["encoding"].nunique(), ranked["module"].nunique()) < 2:
        return None
    wide = ranked.groupby(["encoding", "module"])["accuracy"].max().unstack("module")
    wide = wide[wide.max().sort_values(ascending=False, kind="stable").index]
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False, kind="stable").index]
    low, high = float(np.nanmin(wide.to_numpy())), float(np.nanmax(wide.to_numpy()))
    extent = max(high - low, 1e-9)
    rows = [
        (encoding, [(percent(v), 0.0 if np.isnan(v) else round((v - low) / extent, 3)) for v in values])
        for encoding, values in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return {"modules": [short[m] for m in wide.columns], "rows": rows}


def confusion_alt(found: Evaluation, best: str, confused: pd.DataFrame) -> str:
    counts = found.confusion.counts
    right = f"{np.trace(counts)} of {counts.sum()} predictions are right"
    text = f"Confusion matrix of {best}, {len(counts)} classes: {right}"
    if confused.empty:
        return text + "."
    most = confused.iloc[0]
    return f"{text}; most often {most['label']} is taken for {most['predicted']} ({most['count']})."


def fold_values(table: pd.DataFrame, names: Mapping[Combination, str]) -> dict[str, Any]:
    folds = _fold_names(table)
    several = table["seed"].nunique() > 1
    rows = []
    for row in table.to_dict("records"):
        values = [row[n] for n in folds]
        known = [v for v in values if not np.isnan(v)]
        cells = [(percent(v), len(known) > 1 and v == min(known) and v < max(known)) for v in values]
        name = names[Combination(*(row[c] for c in COLUMNS))] + (f", seed {row['seed']}" if several else "")
        rows.append({"name": name, "cells": cells, "figure": spread(row["mean"], row["std"]) if len(folds) > 1 else ""})
    return {"names": folds, "rows": rows, "shown": len(folds) > 1 or several}


def _fold_names(table: pd.DataFrame) -> list[str]:
    return [c for c in table.columns if c not in (*COLUMNS, "seed", "mean", "std")]


def class_values(found: Evaluation) -> dict[str, Any]:
    """Pooled figures per class of the best combination, averaged over seeds, weakest recall first."""
    metrics, confusion = found.metrics, found.confusion
    own = (metrics[list(COLUMNS)] == list(found.best)).all(axis=1)
    own &= (metrics["fold"] == "pooled") & (metrics["class"] != "")
    wide = metrics[own].groupby(["class", "metric"])["value"].mean().unstack("metric")
    support = dict(zip(confusion.classes, confusion.counts.sum(axis=1), strict=True))
    columns = [(key, title) for key, title in _PER_CLASS if key in wide]
    rows = [
        {
            "name": name,
            "clips": int(support[name]) // int(found.ranking["seeds"].iloc[0]),
            "recall": float(row["recall"]),
            "rest": [percent(row[key]) for key, _ in columns],
        }
        for name, row in wide.iterrows()
    ]
    return {"titles": [t for _, t in columns], "rows": sorted(rows, key=lambda r: (r["recall"], r["name"]))}


def calibration_values(found: Evaluation, names: Mapping[Combination, str]) -> list[dict[str, Any]]:
    """Calibration error and log loss of each combination whose scores are probabilities, pooled, mean over seeds."""
    overall = found.metrics[(found.metrics["fold"] == "pooled") & (found.metrics["class"] == "")]
    wide = overall.groupby([*COLUMNS, "metric"])["value"].mean().unstack("metric")
    if "calibration_error" not in wide:
        return []
    return [
        {
            "name": name,
            "error": float(wide.loc[tuple(row), "calibration_error"]),
            "loss": float(wide.loc[tuple(row), "log_loss"]),
        }
        for row, name in names.items()
        if not np.isnan(wide.loc[tuple(row), "calibration_error"])
    ]


def suspect_values(suspects: pd.DataFrame | None) -> dict[str, Any] | None:
    """The first of the suspected labels; their quality where that is another number than the score of the label."""
    if suspects is None:
        return None
    return {
        "rows": suspects.head(SUSPECTS_SHOWN).to_dict("records"),
        "n": len(suspects),
        "quality": not np.allclose(suspects["quality"], suspects["p_label"]),
        "estimate": suspects.attrs.get("estimate"),
        "clips": suspects.attrs.get("clips"),
    }
