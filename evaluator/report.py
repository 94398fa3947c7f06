"""The report: one HTML file that holds everything it shows, and asks the network for nothing.

`report.html.j2` has what is read without a script; `report.js` makes tables sortable, draws what can be switched, and
plays sounds, from two blocks of JSON: the predictions by clip (:mod:`evaluator.report_clips`), and sounds and images
(:mod:`evaluator.report_media`). No other script can run in the page, and nothing is fetched: its policy forbids it.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evaluator.combinations import COLUMNS, Combination, combinations_of, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.confusion import most_confused
from evaluator.report_clips import ClipTable, clip_table, map_data, nearest_data, row_data
from evaluator.report_made import made
from evaluator.report_media import Media, clips_by_interest, collect_media, image_encodings
from evaluator.report_sources import Sources
from evaluator.results import Evaluation
from evaluator.verdict import p_text, signed
from harness.figures import percent, spread
from harness.store import Store

__all__ = ["BUDGET_MB", "ReportData", "render"]

BUDGET_MB = 10.0
"""Greatest size of a report, in millions of bytes."""
_FAILURES_SHOWN = 100
_SUSPECTS_SHOWN = 200
_SUSPECTS_HEARD = 30
_NOTES = 2000  # bytes of what is said of sounds and images
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
    unit : str
        What the intervals were drawn from, as :class:`evaluator.statistics.Bootstrap` has it.
    sources : Sources
        Where sounds and images are.
    projections : DataFrame, optional
        Columns ``clip_id``, ``encoding``, ``module``, ``x``, ``y``; its ``attrs["method"]`` says how it was made.
    nearest : DataFrame, optional
        Columns ``clip_id``, ``encoding``, ``module``, ``nearest`` (a clip_id of the training folds), ``distance``.
    suspects : DataFrame, optional
        Columns ``clip_id``, ``label``, ``suggested``, ``quality`` (0, the worst, to 1), ``p_label``, ``p_suggested``.
    budget_mb : float
        Greatest size of the report in millions of bytes; sounds and images are left out where it takes that.
    link_sounds : bool
        Refer to the sounds' files instead of including excerpts.
    store : Store, optional
        Where excerpts are looked up and put; default: the user's.
    """

    title: str
    evaluation: Evaluation
    differences: Sequence[Difference]
    baseline: str
    failures: pd.DataFrame
    steps: Mapping[str, Any]
    confusion_plot: Path
    unit: str = "groups"
    sources: Sources = field(default_factory=Sources)
    projections: pd.DataFrame | None = None
    nearest: pd.DataFrame | None = None
    suspects: pd.DataFrame | None = None
    budget_mb: float = BUDGET_MB
    link_sounds: bool = False
    store: Store | None = None


def render(data: ReportData) -> str:
    """Fill the template; the same data give the same text, byte for byte."""
    from jinja2 import Environment, StrictUndefined  # not needed to compare runs
    from markupsafe import Markup  # comes with jinja2

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "signed": signed, "p_text": p_text}
    template = environment.from_string(_file("report.html.j2"))
    table, order = _clip_table(data), combinations_of(data.evaluation.ranking)
    script = f"\n{_file('report.js')}"
    values = {
        **_values(data),
        "style": Markup(_file("report.css")),
        "script": Markup(script),
        "policy": _policy(script, data.link_sounds),
    }
    nearest = nearest_data(data.nearest, table) if data.nearest is not None else {}
    values |= {"clip_data": _json(_clip_data(data, table, order, nearest)), "media": _json(Media().to_json())}
    bare = len(template.render(values, media_notes=[]).encode())
    best = order[0]
    suspected = [] if data.suspects is None else data.suspects["clip_id"].head(_SUSPECTS_HEARD)
    number = {clip: k for k, clip in enumerate(table.clips)}
    media = collect_media(
        table,
        order,
        clips_by_interest(
            table,
            order,
            nearest.get((best.encoding, best.module), {}),
            [number[clip] for clip in suspected if clip in number],
        ),
        data.sources,
        store=data.store or Store(),
        budget=round(1e6 * data.budget_mb) - bare - _NOTES,
        link_from=data.evaluation.report.parent.resolve() if data.link_sounds else None,
    )
    return template.render({**values, "media": _json(media.to_json())}, media_notes=media.notes)


def _values(data: ReportData) -> dict[str, Any]:
    """What the page shows without a script."""
    found = data.evaluation
    names = titles(combinations_of(found.ranking))
    short = short_modules(found.ranking["module"])
    best = names[found.best]
    confused = most_confused(found.confusion, n=12)
    return {
        "title": data.title,
        "verdict": found.verdict,
        "warnings": found.warnings,
        "best": best,
        "ranking": _ranking(found, short),
        "modules": {s: handle for handle, s in short.items() if s != handle},
        "heat": _heat(found.ranking, short),
        "folds": _folds(found.folds, names),
        "confusion": data.confusion_plot.is_file()
        and _image(data.confusion_plot, _confusion_alt(found, best, confused)),
        "seeds": int(found.ranking["seeds"].iloc[0]),
        "classes": _classes(found),
        "confused": confused.to_dict("records"),
        "calibration": _calibration(found, names),
        "differences": data.differences,
        "main": [d for d in data.differences if data.baseline or found.best in (d.a, d.b)],
        "names": names,
        "map_method": data.projections is not None and str(data.projections.attrs.get("method", "")),
        "suspects": _suspects(data.suspects),
        "failures": data.failures.head(_FAILURES_SHOWN).to_dict("records"),
        "n_failures": len(data.failures),
        "unit": "groups of clips from one recording" if data.unit == "groups" else data.unit,
        **made(data.steps, data.sources.image_steps, clips=found.predictions["clip_id"].nunique()),
    }


def _clip_table(data: ReportData) -> ClipTable:
    others = [] if data.nearest is None else data.nearest["nearest"].tolist()
    return clip_table(
        data.evaluation.predictions,
        combinations_of(data.evaluation.ranking),
        data.sources.groups,
        labels=data.sources.labels,
        others=others,
    )


def _clip_data(
    data: ReportData,
    table: ClipTable,
    order: Sequence[Combination],
    nearest: Mapping[tuple[str, str], Mapping[int, int]],
) -> dict[str, Any]:
    """What the script reads of every clip and combination."""
    metrics = data.evaluation.metrics
    by_row = dict(iter(metrics[metrics["fold"] == "pooled"].groupby(list(COLUMNS), sort=False)))
    names, shown = titles(order), image_encodings(order, data.sources)
    maps = {} if data.projections is None else map_data(data.projections, table)
    rows = []
    for row in order:
        own = {"name": names[row], "encoding": row.encoding, "image": shown[row]}
        own |= row_data(table, row, by_row[tuple(row)])
        key = (row.encoding, row.module)
        rows.append({**own, "map": maps.get(key), "nearest": nearest.get(key, {})})
    folds, groups = list(dict.fromkeys(table.folds)), list(dict.fromkeys(table.groups))
    fold_number, group_number = ({name: k for k, name in enumerate(names)} for names in (folds, groups))
    return {
        "classes": table.classes,
        "clips": table.clips,
        "labels": table.labels.tolist(),
        "folds": folds,
        "fold": [fold_number[name] for name in table.folds],
        "groups": groups,
        "group": [group_number[name] for name in table.groups],
        "rows": rows,
    }


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON as a block of a page has it: no name can end the block."""
    from markupsafe import Markup  # comes with jinja2

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _policy(script: str, links: bool) -> str:
    """The page's content security policy: its own script alone, and nothing from elsewhere."""
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    media = "data: file: 'self'" if links else "data:"
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src {media}"
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


def _heat(ranked: pd.DataFrame, short: Mapping[str, str]) -> dict[str, Any] | None:
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


def _calibration(found: Evaluation, names: Mapping[Combination, str]) -> list[dict[str, Any]]:
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


def _suspects(suspects: pd.DataFrame | None) -> dict[str, Any] | None:
    if suspects is None:
        return None
    return {"rows": suspects.head(_SUSPECTS_SHOWN).to_dict("records"), "n": len(suspects)}
