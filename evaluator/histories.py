"""``history.csv``, the figures of every epoch of the networks of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination
from evaluator.learning_curves import METRICS, SPLITS
from harness.errors import TableError
from harness.tables import HISTORY, read

__all__ = ["read_histories"]


def read_histories(
    run: str | Path, order: Sequence[Combination]
) -> tuple[Mapping[Combination, pd.DataFrame], tuple[str, ...]]:
    """Read the histories of the combinations that were tested.

    Parameters
    ----------
    run : path
        Folder of a run; where it has no ``history.csv``, there are none.
    order : sequence of Combination
        Those that were tested, best first.

    Returns
    -------
    histories : mapping of Combination to DataFrame
        Rows of :data:`harness.tables.HISTORY` of each that has any, in that order, by epoch; figures that are not
        finite are left out.
    warnings : tuple of str
        What could not be read, a sentence at most.
    """
    path = Path(run) / HISTORY.name
    if not path.is_file():
        return {}, ()
    try:
        table = read(path, HISTORY)
    except (TableError, OSError) as error:
        return {}, (f"No learning curves: {error}.",)
    known = table["metric"].isin(list(METRICS)) & table["split"].isin(list(SPLITS))
    finite = np.isfinite(table["value"]) & (table["epoch"] >= 1)
    drawn = table[known & finite].sort_values("epoch", kind="stable")
    parts = {Combination(*map(str, key)): part for key, part in drawn.groupby(list(COLUMNS), sort=False)}
    tested = set(order)
    others = len({*table[list(COLUMNS)].itertuples(index=False, name=None)} - {tuple(each) for each in tested})
    said = f"{HISTORY.name} has {others} rows of networks that predictions.csv does not have; they are not drawn."
    return {each: parts[each] for each in order if each in parts}, (said,) if others else ()
