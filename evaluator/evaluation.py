"""Everything about one run folder: read its predictions, write what they are worth.

Reads ``predictions.csv``, and where they are there ``clips.csv`` (groups), ``failures.csv`` and ``run.json``. Writes
``metrics.csv``, ``ranking.csv`` (also ``.md``, ``.tex``), ``folds.csv``, ``recall.csv``, ``differences.csv``,
``confusion/`` and ``report.html``. The same predictions give the same tables, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SettingsError
from harness.files import digest_file, write_text
from harness.record import read_steps, record_step
from harness.tables import CLIPS, FAILURES, PREDICTIONS, frame, read

if TYPE_CHECKING:
    import pandas as pd

    from evaluator.combinations import Combination

__all__ = ["Summary", "compare_runs", "evaluate"]


@dataclass(frozen=True)
class Summary:
    """What an evaluation says on a terminal.

    Parameters
    ----------
    text : str
        The ranking as an aligned table, best first.
    verdict : tuple of str
        The outcome in words, the most important sentence first.
    report : Path
        The HTML report.
    warnings : tuple of str
        Those handed in, then what was found.
    """

    text: str
    verdict: tuple[str, ...]
    report: Path
    warnings: tuple[str, ...]


def evaluate(
    run_folder: str | Path,
    *,
    out: str | Path | None = None,
    baseline: str = "",
    warnings: Iterable[str] = (),
    all_pictures: bool = False,
    seed: int = 0,
) -> Summary:
    """Evaluate the predictions of a run.

    Parameters
    ----------
    run_folder : path
        Holds ``predictions.csv``.
    out : path, optional
        Where to write; default: the run folder itself.
    baseline : str
        An encoding that all others are held against; empty for all pairs.
    warnings : iterable of str
        What the report must also say, such as ``groups are shared across folds``.
    all_pictures : bool
        Draw the confusion matrix and the recall of every combination, not of the best alone.
    seed : int
        Of the bootstrap.

    Raises
    ------
    TableError
        No predictions, or a table that breaks its schema.
    SettingsError
        A baseline that is not among the encodings.
    """
    started = time.monotonic()
    run, target = Path(run_folder), Path(run_folder if out is None else out)
    from evaluator.predictions import read_predictions

    predictions = read_predictions(run)
    clips = read(run / CLIPS.name, CLIPS) if (run / CLIPS.name).is_file() else None
    failures = read(run / FAILURES.name, FAILURES) if (run / FAILURES.name).is_file() else frame([], FAILURES)

    from evaluator.combinations import combinations_of
    from evaluator.comparisons import compare, pairs_of
    from evaluator.confusion import confusion_matrices, over_seeds
    from evaluator.metrics import metrics_table
    from evaluator.outputs import write_confusion, write_heat_map, write_tables
    from evaluator.report import Material, render
    from evaluator.statistics import bootstrap
    from evaluator.tables import as_text, ranking, readable
    from evaluator.verdict import verdict_sentences

    metrics = metrics_table(predictions)
    samples = bootstrap(predictions, _groups(clips), seed=seed)
    ranked = ranking(metrics, predictions, samples)
    order = combinations_of(ranked)
    differences = compare(metrics, pairs_of(order, baseline), samples)
    matrices = confusion_matrices(predictions)
    said = tuple(dict.fromkeys([*warnings, *_oddities(predictions, clips, failures, metrics)]))
    words = verdict_sentences(ranked, differences, predictions, groups=samples.groups)
    best = over_seeds(matrices, order[0])
    material = Material(
        run.resolve().name, words, said, predictions, metrics, ranked, failures, differences, best,
        read_steps(run), baseline,
    )  # fmt: skip
    write_tables(target, metrics, ranked, differences)
    write_confusion(target, matrices, order if all_pictures else order[:1])
    write_heat_map(target, ranked)
    write_text(target / "report.html", render(material))
    _record(run, target, {"baseline": baseline, "bootstrap_seed": seed, "all_pictures": all_pictures}, seed, started)
    return Summary(as_text(readable(ranked)), tuple(words), target / "report.html", said)


def compare_runs(run_folders: Sequence[str | Path]) -> pd.DataFrame:
    """One ranking over several runs, best first, with the run's folder name in the first column, ``run``.

    Parameters
    ----------
    run_folders : sequence of path
        Each holds ``predictions.csv``. Where two have the same name, their paths stand instead.

    Raises
    ------
    TableError
        A run without predictions.
    """
    import pandas as pd

    from evaluator.metrics import metrics_table
    from evaluator.predictions import read_predictions
    from evaluator.statistics import bootstrap
    from evaluator.tables import ranking

    names = run_names(run_folders)
    ranked = []
    for name, folder in zip(names, run_folders, strict=True):
        run = Path(folder)
        predictions = read_predictions(run)
        clips = read(run / CLIPS.name, CLIPS) if (run / CLIPS.name).is_file() else None
        one = ranking(metrics_table(predictions), predictions, bootstrap(predictions, _groups(clips)))
        one.insert(0, "run", name)
        ranked.append(one)
    table = pd.concat(ranked, ignore_index=True)
    return table.sort_values("accuracy", ascending=False, kind="stable").reset_index(drop=True)


def run_names(run_folders: Sequence[str | Path]) -> list[str]:
    """The folders' names, or their paths where a name occurs twice.

    Raises
    ------
    SettingsError
        One folder given twice.
    """
    folders = [Path(f).resolve() for f in run_folders]
    twice = [f for f in folders if folders.count(f) > 1]
    if twice:
        raise SettingsError(f"run={twice[0].name!r} is given twice; give each run folder once")
    names = [f.name for f in folders]
    return names if len(set(names)) == len(names) else [str(f) for f in run_folders]


def _groups(clips: pd.DataFrame | None) -> Mapping[str, str]:
    return {} if clips is None else dict(zip(clips["clip_id"], clips["group"], strict=True))


def _oddities(
    predictions: pd.DataFrame, clips: pd.DataFrame | None, failures: pd.DataFrame, metrics: pd.DataFrame
) -> list[str]:
    """What a reader must know before believing the figures."""
    from evaluator.combinations import COLUMNS, titles

    said = []
    if len(failures):
        n = failures["clip_id"].nunique()
        said.append(f"{n} {'clip' if n == 1 else 'clips'} failed and {'is' if n == 1 else 'are'} in no figure.")
    groups = _groups(clips)
    fold_of = predictions.drop_duplicates(["clip_id", "fold"])
    grouped = fold_of.assign(group=[groups.get(clip, "") for clip in fold_of["clip_id"]])
    spans = grouped[grouped["group"] != ""].groupby("group")["fold"].nunique()
    shared = sorted(spans[spans > 1].index)
    if shared:
        said.append(
            f"Groups are shared across folds: {len(shared)}, the first {shared[0]!r}; models were tested on recordings "
            "that they trained on, so all figures are too high."
        )
    sets = predictions.groupby(list(COLUMNS))["clip_id"].nunique()
    if sets.nunique() > 1:
        said.append(f"Combinations were tested on different numbers of clips ({sets.min()} to {sets.max()}).")
    if clips is not None:
        missing = sorted(set(clips["clip_id"]) - set(predictions["clip_id"]) - set(failures["clip_id"]))
        if missing:
            said.append(f"Without a prediction: {len(missing)} of {len(clips)} clips, the first {missing[0]!r}.")
    names = titles(_combinations(predictions))
    scored = _with_metric(metrics, "log_loss"), _with_metric(metrics, "macro_ap")
    for combination, name in names.items():
        if combination not in scored[1]:
            said.append(f"{name} has no scores: no log loss, calibration error, AP and AUROC.")
        elif combination not in scored[0]:
            said.append(f"The scores of {name} are not probabilities: no log loss and calibration error.")
    return said


def _combinations(predictions: pd.DataFrame) -> list[Combination]:
    from evaluator.combinations import combinations_of

    return combinations_of(predictions)


def _with_metric(metrics: pd.DataFrame, metric: str) -> set[Combination]:
    return set(_combinations(metrics[(metrics["metric"] == metric) & (metrics["fold"] == "pooled")]))


def _record(run: Path, target: Path, spec: Mapping[str, object], seed: int, started: float) -> None:
    inputs = {name: digest_file(run / name) for name in _INPUTS if (run / name).is_file()}
    record_step(target, "evaluate", spec=spec, inputs=inputs, seed=seed, started=started)


_INPUTS = (PREDICTIONS.name, CLIPS.name, FAILURES.name)
