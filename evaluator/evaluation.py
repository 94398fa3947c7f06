"""Everything about one run folder, or several: read the predictions, compute and write what they are worth.

Reads ``predictions.csv``, and where they are there ``clips.csv`` (groups), ``repeats.csv``, ``failures.csv``,
``history.csv`` and ``run.json``. Writes ``metrics.csv``, ``ranking.csv``, ``folds.csv`` and ``differences.csv`` (these
also as ``.md`` and ``.tex``), ``recall.csv``, ``verdict.txt``, ``suspects.csv``, ``checklist.md``, ``confusion/`` and
``report.html``. The same predictions give the same tables, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from evaluator.combinations import Combination, combinations_of
from evaluator.comparisons import Difference, compare, differences_table, families_of
from evaluator.confusion import Confusion, confusion_matrices, over_seeds
from evaluator.inspection import inspect_run, write_run_checklist
from evaluator.intervals import bootstrap
from evaluator.legacy import write_legacy
from evaluator.metrics import metrics_table
from evaluator.notes import LEAK, all_notes, find_warnings, notes_of, some_without_group, spec_of
from evaluator.outcomes import outcomes_of
from evaluator.predictions import folder_of, predictions_file, read_groups, read_optional, read_predictions
from evaluator.report import BUDGET_MB, Report, ReportData
from evaluator.report_media import sounds_ahead
from evaluator.report_sources import read_sources
from evaluator.results import Evaluation, begin_plots, check_outputs, plot_worker, write_tables
from evaluator.tables import as_latex, as_markdown, fold_table, ranking, readable, recall_table, write_csv
from evaluator.verdict import unknown_groups, verdict_sentences
from harness.duplicates import copy_notes
from harness.errors import SettingsError, SoundfoldError
from harness.files import digest_file, safe_name, write_text
from harness.parallel import OwnWorker
from harness.record import read_steps, record_step
from harness.run_lock import check_complete, run_lock
from harness.store import Store
from harness.tables import CLIPS, FAILURES, HISTORY, REPEATS, lines_named
from harness.written import check_one_folder_each, claim

__all__ = ["compare_runs", "evaluate", "output_folders"]

_READ = (CLIPS, FAILURES, REPEATS, HISTORY)


def evaluate(
    run_folder: str | Path,
    *,
    out: str | Path | None = None,
    baseline: str = "",
    all_pairs: bool = False,
    warnings: Iterable[str] = (),
    all_plots: bool = False,
    legacy: bool = False,
    seed: int = 0,
    map_method: str = "pca",
    suspects_from: Sequence[str] = (),
    budget_mb: float = BUDGET_MB,
    link_sounds: bool = False,
    store: Store | None = None,
    jobs: int = 1,
    on_figures: Callable[[Evaluation], object] | None = None,
    worker: OwnWorker | None = None,
) -> Evaluation:
    """Evaluate the predictions of a run.

    Parameters
    ----------
    run_folder : path
        Holds ``predictions.csv``; or a table with its columns, which may have been made by anything.
    out : path, optional
        Where to write; default: the run folder itself, of a table with another name a folder with that name.
    baseline : str
        An encoding that all others are held against too.
    all_pairs : bool
        Show the differences of all pairs, not of the best from each other one alone.
    warnings : iterable of str
        What the report must also say, such as ``groups are shared across folds``.
    all_plots : bool
        Draw the confusion matrix and the recall of every combination, not of the best alone.
    legacy : bool
        Write the outputs of the first projects too, into ``legacy/``; see :mod:`evaluator.legacy`.
    seed : int
        Of the bootstrap and of the sign flips.
    map_method : str
        Of the map of clips in the report; one of :data:`evaluator.feature_maps.MAPS`.
    suspects_from : sequence of str
        The rows by whose scores labels are suspected; see :func:`evaluator.suspects.choose_rows`. Default: the best.
    budget_mb : float
        Greatest size of the report in millions of bytes; the most telling sounds and images go into it, as many as fit.
    link_sounds : bool
        The report refers to the sounds' files and includes none of them.
    store : Store, optional
        Where the report's excerpts and small images are looked up and put, default: the user's; where one is given, the
        outcome of sign flips too.
    jobs : int
        Processes that make the report's sounds, -1 for one for each core; 1: threads of this one. Where it is not 1,
        a process of its own draws the plots.
    on_figures : callable, optional
        Is called with the evaluation when its figures are known, while the sounds of the report are made. Where it
        raises a SoundfoldError or an OSError, the report is written first.
    worker : OwnWorker, optional
        Draws the plots, as :func:`evaluator.results.plot_worker` gives it. Default: one that is started now.

    Raises
    ------
    TableError
        No predictions, a table that breaks its schema, or a run that was interrupted.
    SettingsError
        A baseline that is not among the encodings, an unknown map or row.
    """
    started = time.monotonic()
    if not budget_mb > 0:
        raise SettingsError(f"budget={budget_mb:g}: must be more than 0, the greatest size of the report in MB")
    report = {"budget_mb": budget_mb, "link_sounds": link_sounds, "store": store}
    run, target = Path(run_folder), folder_of(run_folder) if out is None else Path(out)
    check_complete(folder_of(run))
    with run_lock(target, adds=True):
        check_outputs(target)
        asked = _Asked(
            baseline, all_pairs, tuple(warnings), all_plots, legacy, seed, map_method, tuple(suspects_from), report,
            jobs, on_figures, worker,
        )  # fmt: skip
        return _evaluate(run, target, asked, started=started)


@dataclass(frozen=True)
class _Asked:
    """What :func:`evaluate` was asked for."""

    baseline: str
    all_pairs: bool
    warnings: tuple[str, ...]
    all_plots: bool
    legacy: bool
    seed: int
    map_method: str
    suspects_from: tuple[str, ...]
    report: Mapping[str, Any]  # budget_mb, link_sounds, store
    jobs: int
    on_figures: Callable[[Evaluation], object] | None
    worker: OwnWorker | None


def _evaluate(run: Path, target: Path, asked: _Asked, *, started: float) -> Evaluation:
    folder = folder_of(run)
    predictions = read_predictions(run)
    sources = read_sources(folder, read_groups(run, predictions))
    made_ahead = sounds_ahead(sources, jobs=asked.jobs, **asked.report)
    plots_by = nullcontext(asked.worker) if asked.worker else plot_worker(target, jobs=asked.jobs)
    with made_ahead as wait_for_sounds, plots_by as worker:
        figures = _figures(run, target, predictions, asked)
        found, order = figures.evaluation, figures.order
        write_tables(found, target, figures.differences)
        if asked.legacy:
            write_legacy(predictions, target)
        look = inspect_run(
            folder, target, predictions, order, map_method=asked.map_method, suspects_from=asked.suspects_from
        )
        drawn = order if asked.all_plots else order[:1]
        wait_for_plots = begin_plots(worker, figures.matrices, found.ranking, target, drawn=drawn)
        failed = _use_figures(found, asked.on_figures)
        steps, failures, unit = figures.steps, figures.failures, figures.unit
        said = write_run_checklist(
            folder, target, found, steps, figures.groups, failures, look.clips, baseline=asked.baseline, unit=unit
        )
        found = replace(found, warnings=(*found.warnings, *look.warnings, *filter(None, [said])))
        data = ReportData(
            folder.resolve().name, found, figures.differences, asked.baseline, failures, steps, unit,
            sources=sources,
            projections=look.projections, nearest=look.nearest, suspects=look.suspects, histories=look.histories,
            **asked.report,
        )  # fmt: skip
        wait_for_sounds()
        report = Report(data)  # takes a second, in which the plots are drawn
        text = report.text(wait_for_plots())
    write_text(found.report, text)
    _record(run, target, asked, started)
    if failed:
        raise failed
    size = len(text.encode()) / 1e6
    if size <= data.budget_mb:
        return found
    said = f"report.html has {size:.1f} MB without sounds and images, more than --budget {data.budget_mb:g}"
    return replace(found, warnings=(*found.warnings, said))


@dataclass(frozen=True)
class _Figures:
    """All figures of a run, and what they were computed from."""

    evaluation: Evaluation
    differences: list[Difference]
    order: list[Combination]
    matrices: Mapping[tuple[Combination, str], Confusion]
    unit: str
    groups: Mapping[str, str]
    failures: pd.DataFrame
    steps: Mapping[str, Any]


def _figures(run: Path, target: Path, predictions: pd.DataFrame, asked: _Asked) -> _Figures:
    folder = folder_of(run)
    failures, steps, groups = read_optional(run, FAILURES), read_steps(folder), read_groups(run, predictions)
    metrics, samples = metrics_table(predictions), bootstrap(predictions, groups, seed=asked.seed)
    ranked, matrices = ranking(metrics, predictions, samples), confusion_matrices(predictions)
    order = combinations_of(ranked)
    trained = spec_of(steps, "train")
    families = families_of(order, asked.baseline, all_pairs=asked.all_pairs)
    outcomes, repeats, sizes = outcomes_of(predictions, groups), read_optional(run, REPEATS), trained.get("sizes", ())
    with lines_named(folder / REPEATS.name):
        differences = compare(
            metrics, families, samples, outcomes, repeats=repeats, sizes=sizes, seed=asked.seed,
            store=asked.report["store"],
        )  # fmt: skip
    noted = "shared_groups" in trained
    notes = all_notes(predictions, groups, steps)
    found_odd = find_warnings(predictions, groups, failures, metrics, leaks_noted=noted)
    limits = [*(line for line in notes if line.startswith(LEAK)), *some_without_group(predictions, groups)]
    single = trained.get("single_split")
    found = Evaluation(
        ranking=ranked,
        folds=fold_table(metrics, ranked),
        recall=recall_table(metrics, ranked),
        metrics=metrics,
        differences=differences_table(differences),
        predictions=predictions,
        verdict=tuple(
            verdict_sentences(ranked, differences, predictions, samples=samples, single=single, limits=limits)
        ),
        warnings=tuple(dict.fromkeys([*asked.warnings, *notes_of(steps), *copy_notes(predictions), *found_odd])),
        notes=(*notes, *unknown_groups(samples)),
        confusion=over_seeds(matrices, order[0]),
        best=order[0],
        report=target / "report.html",
    )
    return _Figures(found, differences, order, matrices, samples.unit, groups, failures, steps)


def _use_figures(found: Evaluation, use: Callable[[Evaluation], object] | None) -> Exception | None:
    """Call `use`; give its error back, so that the report is written all the same."""
    try:
        if use:
            use(found)
    except (SoundfoldError, OSError) as error:  # OSError: a full disk
        return error
    return None


def _record(run: Path, target: Path, asked: _Asked, started: float) -> None:
    """Step ``evaluate`` of ``run.json``."""
    spec = {
        "baseline": asked.baseline,
        "all_pairs": asked.all_pairs,
        "bootstrap_seed": asked.seed,
        "all_pictures": asked.all_plots,
        "map": asked.map_method,
        "suspects_from": list(asked.suspects_from),
    }
    read = [predictions_file(run), *(folder_of(run) / schema.name for schema in _READ)]
    inputs = {path.name: digest_file(path) for path in read if path.is_file()}
    record_step(target, "evaluate", spec=spec, inputs=inputs, seed=asked.seed, started=started)


def compare_runs(run_folders: Sequence[str | Path], *, out: str | Path | None = None) -> pd.DataFrame:
    """Rank the combinations of several runs in one table.

    Parameters
    ----------
    run_folders : sequence of path
        Each holds ``predictions.csv``, or is such a table.
    out : path, optional
        Folder to write ``compare.csv``, ``compare.md`` and ``compare.tex`` to.

    Returns
    -------
    DataFrame
        As :func:`evaluator.tables.ranking` gives it, best first, with the run's folder name in the first column,
        ``run``; where two have the same name, with their paths.

    Raises
    ------
    TableError
        A run without predictions.
    SettingsError
        One folder given twice.
    """
    ranked = []
    for name, run in zip(_run_names(run_folders), run_folders, strict=True):
        predictions = read_predictions(run)
        one = ranking(metrics_table(predictions), predictions, bootstrap(predictions, read_groups(run, predictions)))
        one.insert(0, "run", name)
        ranked.append(one)
    table = pd.concat(ranked, ignore_index=True)
    table = table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)
    if out is not None:
        with run_lock(out, adds=True):
            claim(out, ["compare.csv", "compare.md", "compare.tex"])
            write_csv(table, Path(out) / "compare.csv")
            write_text(Path(out) / "compare.md", as_markdown(readable(table)))
            write_text(Path(out) / "compare.tex", as_latex(readable(table)))
    return table


def output_folders(run_folders: Sequence[str | Path], out: str | Path | None = None) -> dict[str, Path]:
    """Where the evaluation of each run goes, by the run's name.

    Parameters
    ----------
    run_folders : sequence of path
    out : path, optional
        The folder for one run; the folder of their folders for several. Default: each run folder itself.

    Raises
    ------
    SettingsError
        One folder given twice.
    """
    names = _run_names(run_folders)
    if out is None:
        return dict(zip(names, map(folder_of, run_folders), strict=True))
    check_one_folder_each(names, what="runs", folder=safe_name)
    return {name: Path(out) / safe_name(name) if len(names) > 1 else Path(out) for name in names}


def _run_names(run_folders: Sequence[str | Path]) -> list[str]:
    """The folders' names, or their paths where a name occurs twice."""
    folders = [folder_of(f).resolve() for f in run_folders]
    twice = [f for f in folders if folders.count(f) > 1]
    if twice:
        raise SettingsError(f"run={twice[0].name!r} is given twice; give each run folder once")
    names = [f.name for f in folders]
    return names if len(set(names)) == len(names) else [str(f) for f in run_folders]
