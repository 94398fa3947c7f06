"""What a reader of the figures must know: notes of the steps before, leaks, clips that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evaluator.combinations import COLUMNS, Combination, combinations_of, titles
from evaluator.predictions import folder_of, read_groups, read_predictions
from harness.duplicates import copy_notes
from harness.record import read_steps
from harness.shared_groups import IDENTICAL

__all__ = [
    "LEAK",
    "all_notes",
    "find_leaks",
    "find_warnings",
    "notes_of",
    "notes_of_run",
    "some_without_group",
    "spec_of",
]

LEAK = "Groups are shared across folds"
"""How the sentence begins that says that models were tested on what they trained on."""


def notes_of(steps: Mapping[str, Any]) -> list[str]:
    """What the steps before noted on the clips and their folds, of the corpus first.

    Parameters
    ----------
    steps : mapping
        As `harness.record.read_steps` gives them.
    """
    return [str(line) for step in ("corpus", "train") for line in spec_of(steps, step).get("notes") or ()]


def notes_of_run(run_folder: str | Path) -> list[str]:
    """What a reader of a run's figures must know of its clips and their folds, a sentence each.

    Parameters
    ----------
    run_folder : path
        Holds ``predictions.csv``.
    """
    predictions = read_predictions(run_folder)
    return all_notes(predictions, read_groups(run_folder, predictions), read_steps(folder_of(run_folder)))


def all_notes(predictions: pd.DataFrame, groups: Mapping[str, str], steps: Mapping[str, Any]) -> list[str]:
    """The notes of the steps before; where the training noted nothing of shared groups, those that there are."""
    noted = "shared_groups" in spec_of(steps, "train")
    found = [*notes_of(steps), *([] if noted else find_leaks(predictions, groups)), *copy_notes(predictions)]
    return list(dict.fromkeys(found))


def some_without_group(predictions: pd.DataFrame, groups: Mapping[str, str]) -> list[str]:
    """That some of the tested clips have no group while others have, in at most one sentence; parameters as there."""
    tested = predictions["clip_id"].unique()
    lone = sum(not groups.get(clip) for clip in tested)
    if not 0 < lone < len(tested):
        return []
    return [
        f"{lone} of {len(tested)} clips have no group and count as a recording each: if some are of one recording, "
        "intervals are too narrow and p values too small."
    ]


def find_leaks(predictions: pd.DataFrame, groups: Mapping[str, str]) -> list[str]:
    """Name the groups that were tested in several folds, in at most one sentence.

    Copies of a sound that are a group for that alone are left to :func:`harness.duplicates.copy_notes`.

    Parameters
    ----------
    predictions : DataFrame
    groups : mapping of str to str
        From clip_id to group, which may be empty.
    """
    copies = set(predictions.loc[predictions["copy_of"] != "", "clip_id"])
    named = {clip: own for clip, own in groups.items() if own and not (clip in copies and own.startswith(IDENTICAL))}
    spans = predictions.groupby(predictions["clip_id"].map(named))["fold"].nunique()
    shared = sorted(spans[spans > 1].index)
    if not shared:
        return []
    return [
        f"{LEAK}: {len(shared)}, the first {shared[0]!r}; models were tested on recordings "
        "that they trained on, so all figures are too high."
    ]


def spec_of(steps: Mapping[str, Any], step: str) -> dict[str, Any]:
    """The settings of one step, as ``run.json`` has them; empty where it has none."""
    spec: dict[str, Any] = steps.get(step, {}).get("spec") or {}
    return spec


def find_warnings(
    predictions: pd.DataFrame,
    groups: Mapping[str, str],
    failures: pd.DataFrame,
    metrics: pd.DataFrame,
    *,
    leaks_noted: bool = False,
) -> list[str]:
    """What a reader must know before believing the figures.

    Parameters
    ----------
    predictions : DataFrame
    groups : mapping of str to str
        From the clip_id of every clip of the run to its group, which may be empty; no keys where that is not known.
    failures : DataFrame
        As `harness.tables.FAILURES`.
    metrics : DataFrame
        As :func:`evaluator.metrics.metrics_table` gives it.
    leaks_noted : bool
        The training has noted what was done about groups that span folds.
    """
    found = []
    n = failures["clip_id"].nunique()
    if n:
        found.append(f"{n} {'clip' if n == 1 else 'clips'} failed and {'is' if n == 1 else 'are'} in no figure.")
    found += [] if leaks_noted else find_leaks(predictions, groups)
    found += _different_clips(predictions)
    missing = sorted(set(groups) - set(predictions["clip_id"].unique().tolist()) - set(failures["clip_id"]))
    if missing:
        found.append(f"Without a prediction: {len(missing)} of {len(groups)} clips, the first {missing[0]!r}.")
    with_metric = {name: set(combinations_of(part)) for name, part in metrics.groupby("metric")}
    for combination, name in titles(combinations_of(predictions)).items():
        if combination not in with_metric.get("macro_ap", ()):
            found.append(f"{name} has no scores: no log loss, calibration error, AP and AUROC.")
        elif combination not in with_metric.get("log_loss", ()):
            found.append(f"The scores of {name} are not probabilities: no log loss and calibration error.")
    return found


def _different_clips(predictions: pd.DataFrame) -> list[str]:
    """That combinations were tested on different clips, and which lacks the most of them, in at most one sentence."""
    every = set(predictions["clip_id"].unique().tolist())
    tested = {Combination(*key): set(part) for key, part in predictions.groupby(list(COLUMNS))["clip_id"]}
    if all(own == every for own in tested.values()):
        return []
    fewest = min(tested, key=lambda c: len(tested[c]))
    lacking = sorted(every - tested[fewest])
    numbers = [len(own) for own in tested.values()]
    return [
        f"Combinations were tested on different numbers of clips ({min(numbers)} to {max(numbers)}): "
        f"{titles(tested)[fewest]} lacks {len(lacking)}, the first {lacking[0]!r}."
    ]
