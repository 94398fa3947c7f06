"""The report: one HTML file that holds everything it shows, and asks the network for nothing.

`report.html.j2` has what is read without a script; `report.js` makes tables sortable, draws what can be switched, and
plays sounds, from two blocks of JSON: the predictions by clip (:mod:`evaluator.report_clips`), and sounds and images
(:mod:`evaluator.report_media`). No other script can run in the page, and nothing is fetched: its policy forbids it.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup, escape

from evaluator.answers import p_text, parts_of_answer, signed
from evaluator.combinations import COLUMNS, Combination, combinations_of, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.confusion import most_confused
from evaluator.report_clips import ClipTable, clip_table, map_data, nearest_data, row_data
from evaluator.report_curves import curve_values
from evaluator.report_made import made
from evaluator.report_media import Candidates, Media, clips_by_interest, image_encodings, make_candidates
from evaluator.report_sources import Sources
from evaluator.report_tables import (
    calibration_values,
    class_values,
    confusion_alt,
    fold_values,
    heat_values,
    image_values,
    ranking_values,
    suspect_values,
)
from evaluator.results import Evaluation
from harness.figures import percent
from harness.store import Store
from harness.syntax import remembered_code

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["BUDGET_MB", "Report", "ReportData"]

BUDGET_MB = 10.0
"""Greatest size of a report, in millions of bytes."""
_Nearest = Mapping[tuple[str, str], Mapping[int, int]]
_FAILURES_SHOWN = 100
_SUSPECTS_HEARD = 30
_NOTES = 2000  # bytes of what is said of sounds and images


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
    unit : str
        What the intervals were drawn from, as :class:`evaluator.intervals.Bootstrap` has it.
    sources : Sources
        Where sounds and images are.
    projections : DataFrame, optional
        Columns ``clip_id``, ``encoding``, ``module``, ``x``, ``y``; its ``attrs["method"]`` says how,
        and ``attrs["share"]`` how much of the variance a map has, by encoding and module.
    nearest : DataFrame, optional
        Columns ``clip_id``, ``encoding``, ``module``, ``nearest`` (a clip_id of the training folds), ``distance``.
    suspects : DataFrame, optional
        Columns ``clip_id``, ``label``, ``suggested``, ``quality`` (0, the worst, to 1), ``p_label``, ``p_suggested``;
        its ``attrs["estimate"]`` says how many labels of ``attrs["clips"]`` are wrong, about.
    histories : mapping of Combination to DataFrame
        As :func:`evaluator.histories.read_histories` gives them.
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
    unit: str = "groups"
    sources: Sources = field(default_factory=Sources)
    projections: pd.DataFrame | None = None
    nearest: pd.DataFrame | None = None
    suspects: pd.DataFrame | None = None
    histories: Mapping[Combination, pd.DataFrame] = field(default_factory=dict)
    budget_mb: float = BUDGET_MB
    link_sounds: bool = False
    store: Store | None = None


class Report:
    """A report of which all is made but the plots and the text.

    Parameters
    ----------
    data : ReportData
    """

    def __init__(self, data: ReportData) -> None:
        self._data, table = data, _clip_table(data)
        nearest = _nearest(data, table)
        script = f"\n{_file('report.js')}"
        self._values = {
            **_values(data),
            "style": Markup(_file("report.css")),
            "script": Markup(script),
            "policy": _policy(script, data.link_sounds),
            "clip_data": _json(_clip_data(data, table, nearest)),
        }
        self._candidates = _candidates(data, table, nearest)

    def text(self, confusion_plot: Path) -> str:
        """The page; the same data give the same text, byte for byte.

        Parameters
        ----------
        confusion_plot : path
            PNG of the best combination's confusion matrix.
        """
        plot = confusion_plot.is_file() and image_values(confusion_plot, self._values["confusion_alt"])
        template, values = _template(), {**self._values, "confusion": plot}
        bare = template.render(values, media=_json(Media().to_json()), media_notes=[], heard=True)
        media = self._candidates.within(round(1e6 * self._data.budget_mb) - len(bare.encode()) - _NOTES)
        return template.render(values, media=_json(media.to_json()), media_notes=media.notes, heard=bool(media.sounds))


def _verdict(sentences: Sequence[str]) -> dict[str, Any]:
    """The first sentence, those before the answers, the answers, those after them."""
    answers = [parts_of_answer(sentence) for sentence in sentences]
    at = [k for k, parts in enumerate(answers) if parts] or [len(sentences)]
    return {
        "first": sentences[0],
        "before": sentences[1 : at[0]],
        "answers": [parts for parts in answers if parts],
        "after": [s for s, parts in zip(sentences[at[0] :], answers[at[0] :], strict=True) if not parts],
    }


def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # not needed to compare runs

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "signed": signed, "p_text": p_text, "breakable": _breakable}
    return environment.from_string(_file("report.html.j2"))


def _candidates(data: ReportData, table: ClipTable, nearest: _Nearest) -> Candidates:
    """Sounds and images, the most telling first."""
    order, store = combinations_of(data.evaluation.ranking), data.store or Store()
    number = {clip: k for k, clip in enumerate(table.clips)}
    suspects = [] if data.suspects is None else data.suspects["clip_id"].head(_SUSPECTS_HEARD)
    suspected = [number[clip] for clip in suspects if clip in number]
    with remembered_code(store, write=False):
        return make_candidates(
            table,
            order,
            clips_by_interest(table, order, nearest.get((order[0].encoding, order[0].module), {}), suspected),
            data.sources,
            store=store,
            budget_mb=data.budget_mb,
            link_from=data.evaluation.report.parent.resolve() if data.link_sounds else None,
        )


def _values(data: ReportData) -> dict[str, Any]:
    """What the page shows without a script."""
    found = data.evaluation
    names = titles(combinations_of(found.ranking))
    short = short_modules(found.ranking["module"])
    best = names[found.best]
    confused = most_confused(found.confusion, n=12)
    return {
        "title": data.title,
        "verdict": _verdict(found.verdict),
        "warnings": found.warnings,
        "best": best,
        "ranking": ranking_values(found, short),
        "modules": {s: handle for handle, s in short.items() if s != handle},
        "heat": heat_values(found.ranking, short),
        "folds": fold_values(found.folds, names),
        "seeds": int(found.ranking["seeds"].iloc[0]),
        "classes": class_values(found),
        "confused": confused.to_dict("records"),
        "confusion_alt": confusion_alt(found, best, confused),
        "calibration": calibration_values(found, names),
        "differences": data.differences,
        "main": [d for d in data.differences if data.baseline or found.best in (d.a, d.b)],
        "names": names,
        "map_method": data.projections is not None and str(data.projections.attrs.get("method", "")),
        "suspects": suspect_values(data.suspects),
        "curves": curve_values(data.histories, names),
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


def _nearest(data: ReportData, table: ClipTable) -> _Nearest:
    return nearest_data(data.nearest, table) if data.nearest is not None else {}


def _clip_data(data: ReportData, table: ClipTable, nearest: _Nearest) -> dict[str, Any]:
    """What the script reads of every clip and combination."""
    order = combinations_of(data.evaluation.ranking)
    pooled = data.evaluation.metrics[data.evaluation.metrics["fold"] == "pooled"]
    wide = pooled.groupby([*COLUMNS, "class", "metric"])["value"].mean().unstack("metric")
    by_row = {key: part.droplevel(list(COLUMNS)) for key, part in wide.groupby(level=list(COLUMNS), sort=False)}
    names, shown = titles(order), image_encodings(order, data.sources)
    maps = {} if data.projections is None else map_data(data.projections, table)
    shares = {} if data.projections is None else dict(data.projections.attrs.get("share") or {})
    rows = []
    for row in order:
        own = {"name": names[row], "encoding": row.encoding, "image": shown[row]}
        own |= row_data(table, row, by_row[tuple(row)])
        key = (row.encoding, row.module)
        rows.append({**own, "map": maps.get(key), "share": shares.get(key), "nearest": nearest.get(key, {})})
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


def _breakable(name: str) -> Markup:
    """A name that a narrow screen may break behind its underscores and colons."""
    return Markup(re.sub(r"(?<=[_:/])(?=\w)", "<wbr>", str(escape(name))))


def _json(value: object) -> Markup:
    """JSON as a block of a page has it: no name can end the block."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _policy(script: str, links: bool) -> str:
    """The page's content security policy: its own script alone, and nothing from elsewhere."""
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    media = "data: file: 'self'" if links else "data:"
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src {media}"
    )
