"""``failures.csv``: clips that a step could not read or use, with the reason; written here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from harness import tables
from harness.tables import FAILURES
from harness.written import claim

__all__ = ["join_failures", "update_failures", "write_failures"]


def join_failures(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The failures of several steps, each clip and step once."""
    return pd.concat(list(parts), ignore_index=True).drop_duplicates(["clip_id", "step"])


def write_failures(folder: str | Path, failures: pd.DataFrame) -> None:
    """Write ``failures.csv``; where nothing failed there is no such file."""
    path = Path(folder) / FAILURES.name
    if len(failures) or path.exists():
        claim(folder, [FAILURES.name])
    if len(failures):
        tables.write(failures, path, FAILURES)
    else:
        path.unlink(missing_ok=True)


def update_failures(folder: str | Path, failures: pd.DataFrame, *, step: str) -> None:
    """Replace the rows of one step in ``failures.csv``; those of other steps stay.

    Parameters
    ----------
    folder : path
    failures : DataFrame
        The step's failures, as `harness.tables.FAILURES`; may be empty.
    step : str
        ``convert``, ``train`` ...; of ``train`` also rows of "train: gray".
    """
    path = Path(folder) / FAILURES.name
    old = tables.read(path, FAILURES) if path.is_file() else failures.iloc[:0]
    others = old["step"].map(lambda name: name.partition(":")[0] != step).astype(bool)
    parts = [part for part in (old[others], failures) if len(part)]
    write_failures(folder, pd.concat(parts, ignore_index=True) if parts else failures)
