"""What a person looks at beyond the figures: maps, nearest clips, suspected labels, learning curves, the checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluator.checklist import NAME, checklist_text, write_checklist
from evaluator.checklist_facts import RunFacts
from evaluator.combinations import Combination
from evaluator.feature_maps import nearest, projections
from evaluator.histories import read_histories
from evaluator.predictions import read_optional
from evaluator.results import Evaluation
from evaluator.suspects import choose_rows, suspected_labels, write_suspects
from harness.errors import TableError
from harness.record import read_steps
from harness.reduced import read_all_reduced
from harness.tables import CLIPS, DUPLICATES, REPEATS, SUSPECTS, read

__all__ = ["Inspection", "inspect_run", "write_run_checklist"]


@dataclass(frozen=True)
class Inspection:
    """What there is to look at.

    Parameters
    ----------
    projections, nearest : DataFrame or None
        As :func:`evaluator.feature_maps.projections` and :func:`evaluator.feature_maps.nearest` give them, the latter
        for the mistakes of each row; None where the run has no reduced features.
    suspects : DataFrame or None
        As :func:`evaluator.suspects.suspected_labels` gives it; None where no row has probabilities.
    clips : DataFrame
        As `harness.tables.CLIPS`; without rows where the run has none.
    warnings : tuple of str
        What could not be done.
    histories : mapping of Combination to DataFrame
        As :func:`evaluator.histories.read_histories` gives them.
    """

    projections: pd.DataFrame | None
    nearest: pd.DataFrame | None
    suspects: pd.DataFrame | None
    clips: pd.DataFrame
    warnings: tuple[str, ...] = ()
    histories: Mapping[Combination, pd.DataFrame] = field(default_factory=dict)


def inspect_run(
    run: Path,
    target: Path,
    predictions: pd.DataFrame,
    order: Sequence[Combination],
    *,
    map_method: str = "pca",
    suspects_from: Sequence[str] = (),
) -> Inspection:
    """Find what there is to look at, and write ``suspects.csv``.

    Parameters
    ----------
    run, target : path
        The run's folder, and that of its evaluation.
    predictions : DataFrame
        As :func:`evaluator.predictions.read_predictions` gives them.
    order : sequence of Combination
        Best first.
    map_method : str
        One of :data:`evaluator.feature_maps.MAPS`.
    suspects_from : sequence of str
        Rows, as :func:`evaluator.suspects.choose_rows` takes them.

    Raises
    ------
    SettingsError
        An unknown map or row.
    """
    rows = choose_rows(order, suspects_from)
    suspects = suspected_labels(predictions, rows)
    clips = read_optional(run, CLIPS)
    said = [write_suspects(suspects, clips, target / SUSPECTS.name)]
    places = near = None
    try:
        features = read_all_reduced(run)
        places = projections(features, method=map_method)
        near = nearest(features, predictions.loc[predictions["predicted"] != predictions["label"]])
    except TableError as error:
        said.append(f"No map and no nearest clips: {error}.")
    histories, damaged = read_histories(run, order)
    known = suspects.attrs["estimate"] is not None
    return Inspection(
        places if places is not None and len(places) else None,
        near if near is not None and len(near) else None,
        suspects if known else None,
        clips,
        tuple(filter(None, [*said, *damaged])),
        histories,
    )


def write_run_checklist(
    run: Path,
    target: Path,
    found: Evaluation,
    steps: Mapping[str, Any],
    groups: Mapping[str, str],
    failures: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    baseline: str = "",
    unit: str = "groups",
) -> str:
    """Write ``checklist.md``; give what is to be said of it, empty where it was written."""
    images = read_steps(run / "images") if (run / "images" / "run.json").is_file() else {}
    duplicates = len(read(run / DUPLICATES.name, DUPLICATES)) if (run / DUPLICATES.name).is_file() else 0
    repeats = read(run / REPEATS.name, REPEATS)["repeat"].nunique() if (run / REPEATS.name).is_file() else 0
    facts = RunFacts(
        found, {**images, **steps}, groups, clips, failures, duplicates=duplicates, baseline=baseline, unit=unit,
        repeats=repeats,
    )  # fmt: skip
    return write_checklist(checklist_text(facts, title=run.resolve().name), target / NAME)
