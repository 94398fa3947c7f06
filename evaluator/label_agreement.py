"""Whether several runs were tested on the same clips with the same labels, so that their figures can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluator.predictions import read_predictions

__all__ = ["differing_labels"]


def differing_labels(run_folders: Sequence[str | Path], names: Sequence[str]) -> list[str]:
    """Name the runs that were tested on other labels than the first, or on other clips, a sentence each.

    Parameters
    ----------
    run_folders : sequence of path
        Each holds ``predictions.csv``.
    names : sequence of str
        What to call them.

    Returns
    -------
    list of str
        Empty where all figures are on one test set. Runs without a clip in common are not compared.

    Raises
    ------
    TableError
        A run without predictions.
    """
    tables = [read_predictions(run).drop_duplicates("clip_id") for run in run_folders]
    labels = [dict(zip(table["clip_id"].tolist(), table["label"].tolist(), strict=True)) for table in tables]
    found = []
    for name, own in zip(names[1:], labels[1:], strict=True):
        both = [clip for clip in labels[0] if clip in own]
        other = [clip for clip in both if own[clip] != labels[0][clip]]
        if other:
            clips = f"{len(other)} clip{'' if len(other) == 1 else 's'}"
            found.append(
                f"{names[0]} and {name} were tested on other labels of {clips}, the first {other[0]!r} "
                f"({labels[0][other[0]]!r} and {own[other[0]]!r}): their figures are on different test sets, so that a "
                "difference says nothing of the methods"
            )
        elif both and len(both) < max(len(own), len(labels[0])):
            found.append(
                f"{names[0]} and {name} have {len(both)} tested clips in common, of {len(labels[0])} and {len(own)}: "
                "their figures are on different test sets"
            )
    return found
