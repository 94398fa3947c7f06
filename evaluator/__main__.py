"""``python -m evaluator``: what predictions are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import command_app, main, say, warn

app = command_app(name="python -m evaluator", help="Turn predictions into figures, tests of differences and a report.")

Runs = Annotated[list[Path], typer.Argument(help="Run folders; each holds predictions.csv.", metavar="RUN...")]


@app.command()
def report(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; default: each run folder itself.")
    ] = None,
    baseline: Annotated[
        str, typer.Option("--baseline", help="An encoding to hold all others against; default: every pair.")
    ] = "",
    all_pictures: Annotated[
        bool, typer.Option("--all-pictures", help="Draw every combination, not the best alone.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")] = 0,
) -> None:
    """Write metrics, ranking, confusion matrices and report.html of each run; with several runs also a comparison."""
    from evaluator.evaluation import evaluate, run_names

    names = run_names(runs)
    for name, run in zip(names, runs, strict=True):
        target = _target(out, name, several=len(runs) > 1)
        found = evaluate(run, out=target, baseline=baseline, all_pictures=all_pictures, seed=seed)
        if len(runs) > 1:
            say(f"{name}:")
        say(found.text)
        say("\n" + "\n".join(found.verdict) + f"\n\nreport: {found.report}")
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
    from harness.errors import SettingsError

    if len(runs) < 2:
        raise SettingsError(f"{len(runs)} run given: expected two or more to compare; for one use: report RUN")
    _compare(runs, out)


def run() -> None:
    """The console entry."""
    main(app)


def _target(out: Path | None, name: str, *, several: bool) -> Path | None:
    from harness.files import safe_name

    return out / safe_name(name) if out is not None and several else out


def _compare(runs: list[Path], out: Path | None) -> None:
    from evaluator.evaluation import compare_runs
    from evaluator.tables import as_latex, as_markdown, as_text, readable, write_csv
    from harness.files import write_text

    table = compare_runs(runs)
    text = readable(table)
    say(as_text(text))
    if out is not None:
        write_csv(table, out / "compare.csv")
        write_text(out / "compare.md", as_markdown(text))
        write_text(out / "compare.tex", as_latex(text))
        say(f"\ntable: {out / 'compare.csv'}")


if __name__ == "__main__":
    main(app)
