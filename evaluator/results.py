"""The result of an evaluation: its tables in memory, and everything but the report as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from evaluator.combinations import Combination, short_modules, titles
from evaluator.comparisons import Difference
from evaluator.confusion import Confusion, over_seeds, report_text
from evaluator.plots import draw_confusion, draw_heat_map, draw_recall, is_drawn, try_png
from evaluator.tables import (
    as_latex,
    as_markdown,
    ranking_text,
    readable,
    readable_differences,
    readable_folds,
    write_csv,
)
from harness.code_version import code_version
from harness.files import atomic_folder, digest_file, read_json, remove_parts, safe_name, write_json, write_text
from harness.parallel import OwnWorker, own_worker
from harness.record import versions
from harness.store import key_of
from harness.tables import METRICS, write
from harness.written import check_only, claim

__all__ = [
    "OUTPUTS",
    "Evaluation",
    "begin_plots",
    "check_outputs",
    "file_stems",
    "plot_worker",
    "write_confusion",
    "write_heat_map",
    "write_tables",
]

_PLOTS_IMPORT = ("evaluator.results", "matplotlib.backends.backend_agg", "matplotlib.figure")
_MADE = ".made.json"  # what the folder was made of
_CONFUSION = "confusion"
OUTPUTS = """
metrics.csv ranking.csv ranking.md ranking.tex verdict.txt folds.csv folds.md folds.tex recall.csv differences.csv
differences.md differences.tex report.html heatmap.png
suspects.csv checklist.md confusion/
""".split()
"""What an evaluation writes into its folder."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What the predictions of a run are worth.

    Parameters
    ----------
    ranking : DataFrame
        One row per combination, best first, as :func:`evaluator.tables.ranking` gives it.
    folds : DataFrame
        Accuracy on each fold, as :func:`evaluator.tables.fold_table` gives it.
    recall : DataFrame
        Recall per class, as :func:`evaluator.tables.recall_table` gives it.
    metrics : DataFrame
        All figures, as `harness.tables.METRICS`.
    differences : DataFrame
        One row per pair, as :func:`evaluator.comparisons.differences_table` gives it.
    predictions : DataFrame
        As `harness.tables.PREDICTIONS`, sorted.
    verdict : tuple of str
        The outcome in words, the most important sentence first.
    warnings : tuple of str
        Those handed in, then notes of the steps before, then what was found.
    notes : tuple of str
        What must be known of the clips and their folds wherever a figure is quoted: notes of the steps before, leaks,
        and whether groups are known.
    confusion : Confusion
        Of the best combination, over folds and seeds.
    best : Combination
        The first of the ranking.
    report : Path
        The HTML report.
    """

    ranking: pd.DataFrame
    folds: pd.DataFrame
    recall: pd.DataFrame
    metrics: pd.DataFrame
    differences: pd.DataFrame
    predictions: pd.DataFrame
    verdict: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    confusion: Confusion
    best: Combination
    report: Path

    def __str__(self) -> str:
        """The ranking as aligned text, an empty line, the verdict."""
        return "\n".join([ranking_text(self.ranking), "", *self.verdict])

    __repr__ = __str__


def check_outputs(folder: str | Path) -> None:
    """Make sure that an evaluation may be written into a folder; see :func:`harness.written.claim`.

    Raises
    ------
    SettingsError
        A file of somebody's own is in the way, or in the folder ``confusion``, which is replaced as a whole.
    """
    claim(folder, OUTPUTS)
    made = _made_files(Path(folder) / _CONFUSION)
    if made:
        check_only(Path(folder) / _CONFUSION, [_MADE, *made])


def write_tables(found: Evaluation, folder: Path, differences: Sequence[Difference]) -> None:
    """Write every table that is not about confusion, and the verdict with what it needs to be understood."""
    write(found.metrics, folder / METRICS.name, METRICS)
    write_csv(found.ranking, folder / "ranking.csv")
    printed = {
        "ranking": readable(found.ranking),
        "folds": readable_folds(found.folds),
        "differences": readable_differences(differences),
    }
    for name, table in printed.items():
        write_text(folder / f"{name}.md", as_markdown(table))
        write_text(folder / f"{name}.tex", as_latex(table))
    write_text(
        folder / "verdict.txt", "".join(f"{line}\n" for line in dict.fromkeys((*found.verdict, *found.warnings)))
    )
    write_csv(found.folds, folder / "folds.csv")
    write_csv(found.recall, folder / "recall.csv")
    write_csv(found.differences, folder / "differences.csv")


def plot_worker(folder: Path, *, jobs: int, imports: Sequence[str] = ()) -> AbstractContextManager[OwnWorker]:
    """Have a worker process import matplotlib, which takes a second, for the plots of an evaluation.

    Where the folder has plots already, which may be the same, it is started when it is needed.

    Parameters
    ----------
    folder : Path
        That of the evaluation.
    jobs : int
        1: no process; the plots are drawn here when they are waited for.
    imports : sequence of str
        What else it is to import, before.
    """
    at_once = not (folder / _CONFUSION / _MADE).is_file()
    return own_worker(jobs=jobs, imports=[*imports, *_PLOTS_IMPORT], at_once=at_once)


def begin_plots(
    worker: OwnWorker,
    matrices: Mapping[tuple[Combination, str], Confusion],
    ranked: pd.DataFrame,
    folder: Path,
    *,
    drawn: Sequence[Combination],
) -> Callable[[], Path]:
    """Have ``confusion/`` and ``heatmap.png`` drawn by a worker, unless they are there.

    Returns
    -------
    callable
        Waits until they are there, for what :func:`write_confusion` gives.
    """
    write = partial(_write_plots, matrices, ranked, folder, drawn)
    return write if _is_made(folder / _CONFUSION, _confusion_key(matrices, drawn)) else worker(write)


def _write_plots(
    matrices: Mapping[tuple[Combination, str], Confusion],
    ranked: pd.DataFrame,
    folder: Path,
    drawn: Sequence[Combination],
) -> Path:
    for name in ("heatmap.png", _CONFUSION):  # of a worker process that was killed
        remove_parts(folder / name)
    write_heat_map(ranked, folder / "heatmap.png")
    return write_confusion(matrices, folder / _CONFUSION, drawn=drawn)


def write_confusion(
    matrices: Mapping[tuple[Combination, str], Confusion], folder: Path, *, drawn: Sequence[Combination]
) -> Path:
    """Write counts, shares and report text of each combination and seed, and plots of those in `drawn`, over seeds.

    Returns
    -------
    Path
        The PNG of the first of `drawn`; there is none where it could not be drawn.
    """
    names = titles(dict.fromkeys(c for c, _ in matrices))
    stems = file_stems(names)
    key = _confusion_key(matrices, drawn)
    if _is_made(folder, key):
        return folder / f"{stems[drawn[0]]}.png"
    several = len({seed for _, seed in matrices}) > 1
    with atomic_folder(folder) as part:
        for (combination, seed), matrix in matrices.items():
            stem = stems[combination] + (f"-seed{safe_name(seed)}" if several else "")
            write_csv(matrix.table(), part / f"{stem}.csv")
            write_csv(matrix.table(shares=True), part / f"{stem}.shares.csv")
            write_text(part / f"{stem}.txt", report_text(matrix))
        for combination in drawn:
            matrix, name = over_seeds(matrices, combination), names[combination]
            try_png(partial(draw_confusion, matrix, title=name), part / f"{stems[combination]}.png")
            support = matrix.counts.sum(axis=1) > 0
            shares = matrix.shares
            recall = {c: float(shares[i, i]) for i, c in enumerate(matrix.classes) if support[i]}
            try_png(partial(draw_recall, recall, title=f"Recall, {name}"), part / f"{stems[combination]}.recall.png")
        files = {path.name: digest_file(path) for path in sorted(part.iterdir())}
        check_only(folder, {_MADE, *files, *_made_files(folder)})
        write_json(part / _MADE, {"key": key, "files": files})
    return folder / f"{stems[drawn[0]]}.png"


def _confusion_key(matrices: Mapping[tuple[Combination, str], Confusion], drawn: Sequence[Combination]) -> str:
    stems = file_stems(titles(dict.fromkeys(c for c, _ in matrices)))
    shown = [[list(c), seed, list(m.classes), m.counts.tolist()] for (c, seed), m in matrices.items()]
    return key_of(matrices=shown, drawn=[stems[c] for c in drawn], code=code_version(__name__), versions=versions())


def _is_made(folder: Path, key: str) -> bool:
    """Whether a folder has what was made under this key, and has it whole: plots and reports take seconds."""
    try:
        made = read_json(folder / _MADE)
        return bool(
            made["key"] == key and all(digest_file(folder / name) == digest for name, digest in made["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _made_files(folder: Path) -> list[str]:
    """The files that were made there last, as far as the folder says."""
    try:
        return [str(name) for name in read_json(folder / _MADE)["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def file_stems(names: Mapping[Combination, str]) -> dict[Combination, str]:
    """File names that differ even where letter case does not count: the later of two gets a number."""
    short = short_modules(c.module for c in names)
    taken: dict[str, int] = {}
    found = {}
    for c in names:
        stem = safe_name("-".join(filter(None, (c.encoding, short[c.module], c.head))))[:150]
        taken[stem.lower()] = number = taken.get(stem.lower(), 0) + 1
        found[c] = stem if number == 1 else f"{stem}~{number}"
    return found


def write_heat_map(ranked: pd.DataFrame, path: Path) -> Path | None:
    """Draw encodings by modules; where there is one of either, there is nothing to draw and an old file goes."""
    if min(ranked["encoding"].nunique(), ranked["module"].nunique()) < 2:
        path.unlink(missing_ok=True)
        return None
    title = "Mean accuracy over folds, in %" if (ranked["folds"] > 1).any() else "Accuracy, in %"
    shown = ranked[["encoding", "module", "accuracy"]].to_numpy().tolist()
    key = key_of(shown=shown, title=title, code=code_version(__name__), versions=versions())
    there = is_drawn(path, key) or try_png(partial(draw_heat_map, ranked, title=title), path, key=key)
    return path if there else None
