"""``python -m evaluator``: what predictions are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import evaluator
from harness.cli import command_app, main, say, warn
from harness.errors import SettingsError

app = command_app(name="python -m evaluator", help="Turn predictions into figures, tests of differences and a report.")

Runs = Annotated[
    list[Path], typer.Argument(help="Run folders that hold predictions.csv, or such tables.", metavar="RUN...")
]


@app.command()
def report(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; default: each run folder itself.")
    ] = None,
    baseline: Annotated[str, typer.Option("--baseline", help="An encoding to hold all others against too.")] = "",
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Show the differences of all pairs.")] = False,
    all_plots: Annotated[
        bool, typer.Option("--all-pictures", help="Draw every combination, not the best alone.")
    ] = False,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="Also the first projects' JSON and counts per class, into legacy/.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of bootstrap and sign flips.")] = 0,
    map_method: Annotated[str, typer.Option("--map", help="Map of the clips: pca, tsne or umap.")] = "pca",
    suspects_from: Annotated[
        list[str] | None,
        typer.Option(
            "--suspects-from",
            metavar="ROW",
            help="Suspect labels by an encoding, a row of the ranking, or all; repeat. Default: the best row.",
        ),
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", help="Greatest size of report.html in MB, with its sounds.", metavar="MB")
    ] = 10.0,
    link_sounds: Annotated[
        bool, typer.Option("--link-sounds", help="Refer to the sounds' files; the report then needs them there.")
    ] = False,
) -> None:
    """Write metrics, ranking, confusion matrices and report.html of each run; with several runs also a comparison."""
    folders = evaluator.output_folders(runs, out)
    for run, (name, folder) in zip(runs, folders.items(), strict=True):
        found = evaluator.evaluate(
            run, out=folder, baseline=baseline, all_pairs=all_pairs, all_plots=all_plots, legacy=legacy, seed=seed,
            map_method=map_method, suspects_from=suspects_from or (), budget_mb=budget, link_sounds=link_sounds,
        )  # fmt: skip
        if len(runs) > 1:
            say(f"{name}:")
        say(f"{found}\n\nreport: {found.report}")
        if legacy:
            _print_classes(found)
        for line in found.warnings:
            warn(line)
    if len(runs) > 1:
        _compare(runs, out)


@app.command()
def compare(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for compare.csv, compare.md and compare.tex.")
    ] = None,
) -> None:
    """Rank the combinations of two or more runs in one table."""
    if len(runs) < 2:
        raise SettingsError(f"{len(runs)} run given: expected two or more to compare; for one use: report RUN")
    for name, folder in zip(evaluator.output_folders(runs), runs, strict=True):
        for line in evaluator.notes_of_run(folder):
            warn(f"{name}: {line}")
    _compare(runs, out)


def run() -> None:
    """The console entry."""
    main(app)


def _print_classes(found: evaluator.Evaluation) -> None:
    """The best combination's classes, a line each."""
    rows = found.predictions[(found.predictions[list(found.best._fields)] == list(found.best)).all(axis=1)]
    for line in evaluator.class_lines(rows):
        say(line)


def _compare(runs: list[Path], out: Path | None) -> None:
    for line in evaluator.differing_labels(runs, list(evaluator.output_folders(runs))):
        warn(line)
    say(evaluator.ranking_text(evaluator.compare_runs(runs, out=out)))
    if out is not None:
        say(f"\ntable: {out / 'compare.csv'}")


if __name__ == "__main__":
    main(app)
