"""The files of an evaluation: tables, confusion matrices, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from evaluator.combinations import Combination, short_modules, titles
from evaluator.comparisons import Difference, differences_table
from evaluator.confusion import Confusion, over_seeds, report_text
from evaluator.plots import draw_confusion, draw_heat_map, draw_recall
from evaluator.tables import as_latex, as_markdown, fold_table, readable, recall_table, write_csv
from harness.files import atomic_folder, safe_name, write_text
from harness.tables import METRICS, write

__all__ = ["write_confusion", "write_heat_map", "write_tables"]


def write_tables(target: Path, metrics: pd.DataFrame, ranked: pd.DataFrame, differences: Sequence[Difference]) -> None:
    """Write every table that is not about confusion."""
    write(metrics, target / METRICS.name, METRICS)
    write_csv(ranked, target / "ranking.csv")
    write_text(target / "ranking.md", as_markdown(readable(ranked)))
    write_text(target / "ranking.tex", as_latex(readable(ranked)))
    write_csv(fold_table(metrics, ranked), target / "folds.csv")
    write_csv(recall_table(metrics, ranked), target / "recall.csv")
    write_csv(differences_table(differences), target / "differences.csv")


def write_confusion(
    target: Path, matrices: Mapping[tuple[Combination, str], Confusion], drawn: Sequence[Combination]
) -> None:
    """Counts, shares and report text of each combination and seed; pictures of those in `drawn`, over seeds."""
    names = titles(dict.fromkeys(c for c, _ in matrices))
    short = short_modules(c.module for c in names)
    several = len({seed for _, seed in matrices}) > 1
    stems = _unique({c: safe_name("-".join(filter(None, (c.encoding, short[c.module], c.head)))) for c in names})
    with atomic_folder(target / "confusion") as folder:
        for (combination, seed), matrix in matrices.items():
            stem = stems[combination] + (f"-seed{safe_name(seed)}" if several else "")
            write_csv(matrix.table(), folder / f"{stem}.csv")
            write_csv(matrix.table(shares=True), folder / f"{stem}.shares.csv")
            write_text(folder / f"{stem}.txt", report_text(matrix))
        for combination in drawn:
            matrix = over_seeds(matrices, combination)
            draw_confusion(matrix, folder / f"{stems[combination]}.png", title=names[combination])
            support = matrix.counts.sum(axis=1) > 0
            recall = {c: float(matrix.shares[i, i]) for i, c in enumerate(matrix.classes) if support[i]}
            draw_recall(recall, folder / f"{stems[combination]}.recall.png", title=f"Recall, {names[combination]}")


def _unique(stems: Mapping[Combination, str]) -> dict[Combination, str]:
    """File names that differ even where letter case does not count: the later of two gets a number."""
    taken: dict[str, int] = {}
    found = {}
    for combination, long in stems.items():
        stem = long[:150]
        taken[stem.lower()] = taken.get(stem.lower(), 0) + 1
        found[combination] = stem if taken[stem.lower()] == 1 else f"{stem}~{taken[stem.lower()]}"
    return found


def write_heat_map(target: Path, ranked: pd.DataFrame) -> None:
    """Draw encodings by modules; where there is one of either there is no picture, and an old one goes."""
    path = target / "heatmap.png"
    if min(ranked["encoding"].nunique(), ranked["module"].nunique()) < 2:
        path.unlink(missing_ok=True)
        return

    draw_heat_map(ranked, path, title="Mean accuracy over folds, in %")
