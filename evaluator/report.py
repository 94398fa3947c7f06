"""The report: one HTML file that holds everything it shows, and asks the network for nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination, combinations_of, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.confusion import Confusion, most_confused
from evaluator.tables import fold_table, percent, spread
from evaluator.verdict import p_text, signed
from harness.record import versions
from harness.tables import fold_order

__all__ = ["Material", "render"]

_FAILURES_SHOWN = 100
_PER_CLASS = (("precision", "precision"), ("f1", "F1"), ("ap", "AP"), ("auroc", "AUROC"))


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Parameters
    ----------
    title : str
        Name of the run.
    verdict, warnings : sequence of str
        Sentences.
    predictions, metrics, ranked, failures : DataFrame
    differences : sequence of Difference
    confusion : Confusion
        Of the best combination, over all its seeds.
    steps : mapping
        As `harness.record.read_steps` gives them; the step ``evaluate`` is not shown.
    baseline : str
        An encoding, or empty.
    """

    title: str
    verdict: Sequence[str]
    warnings: Sequence[str]
    predictions: pd.DataFrame
    metrics: pd.DataFrame
    ranked: pd.DataFrame
    failures: pd.DataFrame
    differences: Sequence[Difference]
    confusion: Confusion
    steps: Mapping[str, Any]
    baseline: str = ""


def render(material: Material) -> str:
    """Fill the template; the same material gives the same text, byte for byte."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "signed": signed, "p_text": p_text}
    template = environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))
    order = combinations_of(material.ranked)
    names = titles(order)
    short = short_modules(c.module for c in order)
    return template.render(
        m=material,
        best=names[order[0]],
        ranking=_ranking(material, short),
        heat=_heat(material.ranked, short),
        folds=_folds(material, short),
        modules={s: handle for handle, s in short.items() if s != handle},
        matrix=_matrix(material.confusion),
        seeds=int(material.ranked["seeds"].iloc[0]),
        classes=_classes(material, order[0]),
        confused=most_confused(material.confusion, n=12).to_dict("records"),
        main=[d for d in material.differences if material.baseline or order[0] in (d.a, d.b)],
        names=names,
        failures=material.failures.head(_FAILURES_SHOWN).to_dict("records"),
        **_made(material.steps),
    )


def _ranking(material: Material, short: Mapping[str, str]) -> dict[str, Any]:
    """Rows of the ranking, each with places in percent of the strip for its folds, mean and interval."""
    ranked = material.ranked
    folds = fold_table(material.metrics, ranked)
    names = [c for c in folds.columns if c not in (*COLUMNS, "seed", "mean", "std")]
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
                "dots": [_place(v, start) for v in dots[key]],
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
    return {"rows": rows, "start": f"{100 * start:.0f}", "shown": shown}


def _place(share: float, start: float) -> float:
    return round(100 * (share - start) / (1 - start), 2) if start < 1 else 100.0


def _heat(ranked: pd.DataFrame, short: Mapping[str, str]) -> dict[str, Any] | None:
    """Encodings by modules, with a strength in [0, 1] for the colour; None where there is a single row or column."""
    wide = ranked.groupby(["encoding", "module"], sort=False)["accuracy"].max().unstack("module", sort=False)
    if min(wide.shape) < 2:
        return None
    low, high = float(np.nanmin(wide.to_numpy())), float(np.nanmax(wide.to_numpy()))
    rows = [
        (
            encoding,
            [None if np.isnan(v) else (percent(v), round((v - low) / (high - low or 1), 3)) for v in line],
        )
        for encoding, line in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return {"modules": [short[m] for m in wide.columns], "rows": rows}


def _folds(material: Material, short: Mapping[str, str]) -> dict[str, Any]:
    table = fold_table(material.metrics, material.ranked)
    names = [c for c in table.columns if c not in (*COLUMNS, "seed", "mean", "std")]
    several = table["seed"].nunique() > 1
    rows = []
    for row in table.to_dict("records"):
        title = titles(combinations_of(material.ranked))[Combination(*(row[c] for c in COLUMNS))]
        values = [row[n] for n in names]
        known = [v for v in values if not np.isnan(v)]
        cells = [(percent(v), len(known) > 1 and v == min(known) and v < max(known)) for v in values]
        name = title + (f", seed {row['seed']}" if several else "")
        rows.append({"name": name, "cells": cells, "figure": spread(row["mean"], row["std"])})
    return {"names": fold_order(names), "rows": rows}


def _matrix(confusion: Confusion) -> dict[str, Any]:
    """Geometry of the confusion matrix in SVG units; opacity grows with the root of the share, so that errors show."""
    n = len(confusion.classes)
    cell = 34 if n <= 20 else 20
    left = 14 + round(6.6 * max(len(c) for c in confusion.classes))
    cells = [
        {
            "x": left + cell * j,
            "y": cell * i,
            "count": int(confusion.counts[i, j]),
            "strength": round(float(confusion.shares[i, j]) ** 0.6, 3),
            "right": i == j,
            "title": f"{a} taken for {b}: {confusion.counts[i, j]} ({percent(confusion.shares[i, j])} %)",
        }
        for i, a in enumerate(confusion.classes)
        for j, b in enumerate(confusion.classes)
        if confusion.counts[i, j]
    ]
    bottom = 20 + round(0.72 * (left - 14))
    return {
        "n": n, "cell": cell, "left": left, "cells": cells, "classes": list(confusion.classes),
        "width": left + cell * n + 20, "height": cell * n + bottom,
    }  # fmt: skip


def _classes(material: Material, best: Combination) -> dict[str, Any]:
    """Pooled figures per class of the best combination, averaged over seeds, weakest recall first."""
    metrics = material.metrics
    own = (metrics[list(COLUMNS)] == list(best)).all(axis=1)
    own &= (metrics["fold"] == "pooled") & (metrics["class"] != "")
    wide = metrics[own].groupby(["class", "metric"])["value"].mean().unstack("metric")
    support = dict(zip(material.confusion.classes, material.confusion.counts.sum(axis=1), strict=True))
    columns = [(key, title) for key, title in _PER_CLASS if key in wide]
    rows = [
        {
            "name": name,
            "clips": int(support[name]) // int(material.ranked["seeds"].iloc[0]),
            "recall": float(row["recall"]),
            "rest": [percent(row[key]) for key, _ in columns],
        }
        for name, row in wide.iterrows()
    ]
    return {"titles": [t for _, t in columns], "rows": sorted(rows, key=lambda r: (r["recall"], r["name"]))}


def _made(steps: Mapping[str, Any]) -> dict[str, Any]:
    """Commands, versions and settings of the steps that led to the predictions."""
    earlier = {name: step for name, step in steps.items() if name != "evaluate"}
    commands: dict[str, list[str]] = {}
    for name, step in earlier.items():
        commands.setdefault(str(step.get("command") or ""), []).append(name)
    found: dict[str, str] = {}
    for step in earlier.values():
        found |= step.get("versions") or {}
    settings = {name: step.get("spec") for name, step in earlier.items() if step.get("spec")}
    return {
        "commands": [(command, names) for command, names in commands.items() if command],
        "versions": found or versions(),
        "settings": json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True) if settings else "",
    }
