"""Tables for people: ranking, folds, recall per class; as text, CSV, Markdown and LaTeX.

Figures are computed per seed first. The deviation over folds is the mean of the seeds' own deviations; the deviation
over seeds, of their means over folds, is a figure of its own. CSV holds shares in full precision, the
others percentages.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.answers import p_text, signed
from evaluator.combinations import COLUMNS, Combination, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.intervals import Bootstrap
from evaluator.predictions import OVERALL
from harness.cells import write_cells
from harness.figures import percent, spread
from harness.tables import fold_order

__all__ = [
    "as_latex",
    "as_markdown",
    "as_text",
    "fold_table",
    "ranking",
    "ranking_text",
    "readable",
    "readable_differences",
    "readable_folds",
    "recall_table",
    "write_csv",
]

_LATEX = str.maketrans(
    {**{letter: f"\\{letter}" for letter in "&%$#_{}"}, "\\": r"\textbackslash ", "~": r"\textasciitilde "}
    | {"^": r"\textasciicircum ", "\0": r"\space "}
)


def ranking(metrics: pd.DataFrame, predictions: pd.DataFrame, samples: Bootstrap | None = None) -> pd.DataFrame:
    """Rank combinations by mean accuracy over folds, best first; those that lack folds behind all others.

    Folds differ in difficulty: a combination that was not tested on the hardest is not better for that.

    Parameters
    ----------
    metrics : DataFrame
        As :func:`evaluator.metrics.metrics_table` gives it.
    predictions : DataFrame
        What `metrics` was computed from; for the number of clips.
    samples : Bootstrap, optional
        For the interval.

    Returns
    -------
    DataFrame
        encoding, module, head, accuracy, std (over folds; empty with one), std_seeds (empty with one), low, high
        (95 % interval, with `samples`), macro_f1, balanced_accuracy, folds, seeds, clips. Ties are in order of names.
    """
    overall = metrics[metrics["class"] == ""]
    clips = predictions.groupby(list(COLUMNS))["clip_id"].nunique()
    rows = []
    for key, part in overall.groupby(list(COLUMNS)):
        name = Combination(*key)
        accuracy = _by_seed(part, "accuracy", "mean")
        low, high = samples.interval(name) if samples else (None, None)
        deviation = _by_seed(part, "accuracy", "std")
        rows.append(
            {
                **name._asdict(),
                "accuracy": accuracy.mean(),
                "std": deviation.mean() if len(deviation) else None,
                "std_seeds": accuracy.std(ddof=1) if len(accuracy) > 1 else None,
                "low": low,
                "high": high,
                "macro_f1": _by_seed(part, "macro_f1", "mean").mean(),
                "balanced_accuracy": _by_seed(part, "balanced_accuracy", "mean").mean(),
                "folds": len(set(part["fold"]) - set(OVERALL)),
                "seeds": len(accuracy),
                "clips": int(clips.loc[tuple(key)]),
            }
        )
    table = pd.DataFrame(rows).astype(dict.fromkeys(("std", "std_seeds", "low", "high"), "float64"))
    table["_lacks"] = table["folds"] < table["folds"].max()
    table["_place"] = -table["accuracy"].round(12)
    return table.sort_values(["_lacks", "_place", *COLUMNS]).drop(columns=["_lacks", "_place"]).reset_index(drop=True)


def fold_table(metrics: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each combination and seed on each fold, then, of several, mean and std; in the order of `ranked`."""
    chosen = metrics[(metrics["metric"] == "accuracy") & (metrics["fold"] != "pooled")]
    folds = fold_order(set(chosen["fold"]) - set(OVERALL))
    folds += ["mean", "std"] if len(folds) > 1 else []
    wide = chosen.pivot(index=[*COLUMNS, "seed"], columns="fold", values="value").reindex(columns=folds)
    return _in_order(wide, ranked)


def recall_table(metrics: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """Pooled recall per class (columns) of each combination, averaged over seeds, in the order of `ranked`."""
    chosen = metrics[(metrics["metric"] == "recall") & (metrics["fold"] == "pooled")]
    wide = chosen.groupby([*COLUMNS, "class"])["value"].mean().unstack("class")
    return _in_order(wide, ranked)


def readable(ranked: pd.DataFrame) -> pd.DataFrame:
    """The ranking in words and percentages, with only the columns that tell rows apart or carry a figure."""
    out = _named_rows(ranked)
    out["accuracy"] = [spread(a, s) for a, s in zip(ranked["accuracy"], ranked["std"], strict=True)]
    if ranked["std_seeds"].notna().any():
        out["over seeds"] = ["" if np.isnan(s) else f"± {percent(s)}" for s in ranked["std_seeds"]]
    if ranked["low"].notna().any():
        ends = zip(ranked["low"], ranked["high"], strict=True)
        out["95 % interval"] = ["" if np.isnan(a) else f"{percent(a)} to {percent(b)}" for a, b in ends]
    out["macro F1"] = [percent(v) for v in ranked["macro_f1"]]
    for column in ("folds", "seeds", "clips"):
        if column == "clips" or (ranked[column] > 1).any():
            out[column] = ranked[column].astype(str)
    return out


def readable_folds(folds: pd.DataFrame) -> pd.DataFrame:
    """The table of folds in percentages, with only the columns that tell rows apart."""
    names = {*COLUMNS, "seed", "mean", "std"}
    out = _named_rows(folds)
    if folds["seed"].nunique() > 1:
        out["seed"] = folds["seed"]
    for fold in (name for name in folds if name not in names):
        out[fold] = [percent(v) for v in folds[fold]]
    if "mean" in folds:
        out["mean"] = [spread(m, s) for m, s in zip(folds["mean"], folds["std"], strict=True)]
    return out


def readable_differences(differences: Sequence[Difference]) -> pd.DataFrame:
    """Differences in points, with both answers: p adjusted for the family, and above which difference it is decided.

    A star marks what is decided.
    """
    names = titles(dict.fromkeys(c for d in differences for c in (d.a, d.b)))
    rows = []
    for d in differences:
        answers = (
            ("recordings", d.p_permutation_adjusted, d.decided_recordings, d.smallest_recordings),
            ("training sets", d.p_corrected_adjusted, d.decided_training, d.smallest_training),
        )
        row = {"first": names[d.a], "second": names[d.b], "difference": signed(d.difference)}
        for question, p, decided, smallest in answers:
            row[f"new {question}: p"] = p_text(p) + "*" * decided
            row[f"{question}: decided above"] = "" if smallest is None else percent(smallest)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["first", "second", "difference"])


def ranking_text(ranked: pd.DataFrame) -> str:
    """The ranking of one run or several as people read it on a terminal, without a line end after the last row."""
    return as_text(readable(ranked))


def as_text(table: pd.DataFrame) -> str:
    """Columns of a table of text, aligned with two spaces between them; figures to the right."""
    columns = []
    for name in table:
        cells = [str(name), *table[name]]
        adjust = str.rjust if _is_figure(table[name]) else str.ljust
        columns.append([adjust(cell, max(map(len, cells))) for cell in cells])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def as_markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown, figures to the right."""
    rule = ["---:" if _is_figure(table[c]) else "---" for c in table]
    lines = [list(table.columns), rule, *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(_markdown(v) for v in line) + " |" for line in lines) + "\n"


def _markdown(text: object) -> str:
    """A text as Markdown shows it: no HTML, no end of a cell."""
    return html.escape(str(text), quote=False).replace("|", "\\|")


def as_latex(table: pd.DataFrame) -> str:
    """A table of text as a LaTeX ``tabular`` with rules of the package booktabs."""
    columns = "".join("r" if _is_figure(table[c]) else "l" for c in table)
    head, *rows = (" & ".join(map(_latex, line)) + r" \\" for line in [list(table.columns), *table.to_numpy().tolist()])
    start = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*start, *rows, r"\bottomrule", r"\end{tabular}", ""])


def _latex(text: object) -> str:
    """A text as LaTeX writes it; as pandas does it, whose module for it takes longer to load than a table to write."""
    return re.sub(r"([\\~^]) ", r"\1\0", str(text)).translate(_LATEX).replace("±", r"$\pm$").replace("−", "$-$")


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table atomically, numbers in full precision, what is missing empty, nothing that a spreadsheet runs."""
    write_cells(table, path)


def _named_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that name a table's combinations, and of several runs these."""
    out = pd.DataFrame(index=table.index)
    if "run" in table:
        out["run"] = table["run"]
    out["encoding"] = table["encoding"]
    if (table["module"] != "").any():
        out["module"] = table["module"].map(short_modules(table["module"]))
    if table["head"].nunique() > 1:
        out["head"] = table["head"]
    return out


def _by_seed(part: pd.DataFrame, metric: str, fold: str) -> pd.Series:
    return part.loc[(part["metric"] == metric) & (part["fold"] == fold), "value"]


def _in_order(wide: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """A table with combinations as its index as one with columns, which a class may be named like, in order."""
    place = {tuple(key): i for i, key in enumerate(ranked[list(COLUMNS)].itertuples(index=False, name=None))}
    names = wide.index.to_frame(index=False)
    order = [place[key] for key in names[list(COLUMNS)].itertuples(index=False, name=None)]
    table = pd.concat([names, wide.reset_index(drop=True)], axis=1).iloc[np.argsort(order, kind="stable")]
    table.columns.name = None
    return table.reset_index(drop=True)


def _is_figure(column: Sequence[str] | pd.Series) -> bool:
    return all(not v or v[0].isdigit() or v[0] in "±+−-" for v in map(str, column))
