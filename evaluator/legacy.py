"""The outputs of the first projects, for scripts that read them: JSON for each fold, and counts for each class.

::

    OUT/legacy/<combination>/fold3.json   [accuracy, [[clip_id, label, predicted], ...]]
    OUT/legacy/<combination>/total.json   the same over all folds; accuracy is the share of all clips
    OUT/legacy/<combination>/tally.json   {class: {"correct": 28, "incorrect": 2}}
    OUT/legacy/<combination>/classes.txt  a line for each class

Where there are several seeds, each has a folder of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from evaluator.combinations import COLUMNS, Combination, combinations_of, titles
from evaluator.results import file_stems
from harness.figures import percent
from harness.files import safe_name, write_json, write_text
from harness.tables import fold_order
from harness.written import check_one_folder_each, claim

__all__ = ["class_lines", "tally", "write_legacy"]

FOLDER = "legacy"


def tally(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many clips of each class are right and wrong, classes sorted.

    Parameters
    ----------
    rows : DataFrame
        Predictions of one combination and seed.
    """
    right = rows["label"] == rows["predicted"]
    counts = pd.crosstab(rows["label"], right).reindex(columns=[True, False], fill_value=0)
    return {str(name): {"correct": int(row[True]), "incorrect": int(row[False])} for name, row in counts.iterrows()}


def class_lines(rows: pd.DataFrame) -> list[str]:
    """A line for each class: ``dog_bark: 93.3 % (28 of 30)``; parameters as for :func:`tally`."""
    lines = []
    for name, counts in tally(rows).items():
        n = sum(counts.values())
        lines.append(f"{name}: {percent(counts['correct'] / n)} % ({counts['correct']} of {n})")
    return lines


def write_legacy(predictions: pd.DataFrame, folder: str | Path) -> Path:
    """Write them for every combination and seed.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.
    folder : path
        Of the evaluation.

    Returns
    -------
    Path
        The folder ``legacy`` in it.

    Raises
    ------
    SettingsError
        A file of somebody's own is in the way, or two folds would have files of one name.
    """
    check_one_folder_each(fold_order(predictions["fold"]), what="folds", folder=_fold_file)
    stems = file_stems(titles(combinations_of(predictions)))
    several = predictions["seed"].nunique() > 1
    files: dict[str, Any] = {}
    for key, rows in predictions.groupby([*COLUMNS, "seed"], sort=False):
        *names, seed = key
        place = stems[Combination(*names)] + (f"-seed{safe_name(seed)}" if several else "")
        for fold, part in rows.groupby("fold", sort=False):
            files[f"{place}/{_fold_file(str(fold))}"] = _accuracy_and_predictions(part)
        files[f"{place}/total.json"] = _accuracy_and_predictions(rows)
        files[f"{place}/tally.json"] = tally(rows)
        files[f"{place}/classes.txt"] = class_lines(rows)
    claim(folder, [f"{FOLDER}/{name}" for name in files])
    root = Path(folder) / FOLDER
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".txt"):
            write_text(root / name, "".join(f"{line}\n" for line in content))
        else:
            write_json(root / name, content)
    return root


def _fold_file(fold: str) -> str:
    return f"fold{safe_name(fold)}.json"


def _accuracy_and_predictions(rows: pd.DataFrame) -> list[Any]:
    right = rows["label"] == rows["predicted"]
    return [float(right.mean()), rows[["clip_id", "label", "predicted"]].to_numpy().tolist()]
