"""The report: one HTML file that holds everything it shows, and asks the network for nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evaluator.combinations import COLUMNS, Combination, combinations_of, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.confusion import most_confused
from evaluator.results import Evaluation
from evaluator.verdict import p_text, signed
from harness.figures import percent, spread
from harness.record import versions

__all__ = ["ReportData", "render"]

_FAILURES_SHOWN = 100
_PER_CLASS = (("precision", "precision"), ("f1", "F1"), ("ap", "AP"), ("auroc", "AUROC"))


@dataclass(frozen=True)
class ReportData:
    """What a report is made of.

    Parameters
    ----------
    title : str
        Name of the run.
    evaluation : Evaluation
    differences : sequence of Difference
        Of `evaluation`, as records.
    baseline : str
        An encoding, or empty.
    failures : DataFrame
        As `harness.tables.FAILURES`.
    steps : mapping
        As `harness.record.read_steps` gives them; the step ``evaluate`` is not shown.
    confusion_plot : path
        PNG of the best combination's confusion matrix.
    heat_map : path or None
        PNG of accuracy by encoding and module.
    unit : str
        What the intervals were drawn from, as :class:`evaluator.statistics.Bootstrap` has it.
    """

    title: str
    evaluation: Evaluation
    differences: Sequence[Difference]
    baseline: str
    failures: pd.DataFrame
    steps: Mapping[str, Any]
    confusion_plot: Path
    heat_map: Path | None
    unit: str = "groups"
    projections: pd.DataFrame | None = None
    nearest: pd.DataFrame | None = None
    suspects: pd.DataFrame | None = None


def render(data: ReportData) -> str:
    """Fill the template; the same data give the same text, byte for byte."""
    from jinja2 import Environment, StrictUndefined  # not needed to compare runs

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "signed": signed, "p_text": p_text}
    template = environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))
    found = data.evaluation
    names = titles(combinations_of(found.ranking))
    short = short_modules(found.ranking["module"])
    best = names[found.best]
    confused = most_confused(found.confusion, n=12)
    return template.render(
        title=data.title,
        verdict=found.verdict,
        warnings=found.warnings,
        best=best,
        ranking=_ranking(found, short),
        modules={s: handle for handle, s in short.items() if s != handle},
        heat_map=data.heat_map and _image(data.heat_map, _heat_map_alt(found.ranking, short)),
        folds=_folds(found.folds, names),
        confusion=data.confusion_plot.is_file() and _image(data.confusion_plot, _confusion_alt(found, best, confused)),
        seeds=int(found.ranking["seeds"].iloc[0]),
        classes=_classes(found),
        confused=confused.to_dict("records"),
        differences=data.differences,
        main=[d for d in data.differences if data.baseline or found.best in (d.a, d.b)],
        names=names,
        failures=data.failures.head(_FAILURES_SHOWN).to_dict("records"),
        n_failures=len(data.failures),
        unit="groups of clips from one recording" if data.unit == "groups" else data.unit,
        **_made(data.steps),
    )


def _ranking(found: Evaluation, short: Mapping[str, str]) -> dict[str, Any]:
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


def _image(png: Path, alt: str) -> dict[str, Any]:
    """An image for the page: its content as a data URI, its width at 96 dots per inch, the alternative text.

    On a narrow screen it shrinks, but one with many classes only as far as its text is legible.
    """
    with Image.open(png, formats=("PNG",)) as image:
        width = round(image.width * 96 / image.info["dpi"][0])
    uri = "data:image/png;base64," + b64encode(png.read_bytes()).decode()
    return {"uri": uri, "alt": alt, "width": width, "smallest": round(0.75 * width) if width > 1000 else 0}


def _heat_map_alt(ranked: pd.DataFrame, short: Mapping[str, str]) -> str:
    shown = ranked.drop_duplicates(["encoding", "module"])  # of several heads the best
    best, last = shown.iloc[0], shown.iloc[-1]
    mean = "mean accuracy" if (ranked["folds"] > 1).any() else "accuracy"
    return (
        f"Heat map of {mean}, {ranked['encoding'].nunique()} encodings by {ranked['module'].nunique()} modules: "
        f"from {percent(last['accuracy'])} % ({last['encoding']} on {short[last['module']]}) "
        f"to {percent(best['accuracy'])} % ({best['encoding']} on {short[best['module']]})."
    )


def _confusion_alt(found: Evaluation, best: str, confused: pd.DataFrame) -> str:
    counts = found.confusion.counts
    right = f"{np.trace(counts)} of {counts.sum()} predictions are right"
    text = f"Confusion matrix of {best}, {len(counts)} classes: {right}"
    if confused.empty:
        return text + "."
    most = confused.iloc[0]
    return f"{text}; most often {most['label']} is taken for {most['predicted']} ({most['count']})."


def _folds(table: pd.DataFrame, names: Mapping[Combination, str]) -> dict[str, Any]:
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


def _classes(found: Evaluation) -> dict[str, Any]:
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
