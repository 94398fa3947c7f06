"""Balanced training sets: every class with as many rows as the smallest has, or as the largest has.

Training rows only: what a head is chosen or tested on stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from harness.protocol import Split

__all__ = ["Balance", "balanced_rows", "balanced_split"]

Balance = Literal["none", "down", "up"]
"""``none``; ``down``: rows are left out of the larger classes; ``up``: rows of the smaller classes are repeated."""


def balanced_rows(rows: np.ndarray, labels: Sequence[str], how: Balance, *, seed: int) -> np.ndarray:
    """Balance the classes of some rows.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Row numbers into `labels`, each once.
    labels : sequence of str
        The class of every row of the table.
    how : {"none", "down", "up"}
        With ``up`` every row is there, and no row of a class is there more than once oftener than another.
    seed : int
        Says which rows are taken.

    Returns
    -------
    ndarray of int
        In ascending order; with ``up`` some rows are there several times.

    Examples
    --------
    >>> labels = ["owl", "owl", "owl", "tit"]
    >>> balanced_rows(np.arange(4), labels, "up", seed=0).tolist()
    [0, 1, 2, 3, 3, 3]
    >>> len(balanced_rows(np.arange(4), labels, "down", seed=0))
    2
    """
    if how == "none" or not len(rows):
        return rows
    of_row = np.asarray(labels, dtype=object)[rows]
    classes = [rows[of_row == name] for name in sorted(set(of_row))]
    sizes = [len(own) for own in classes]
    wanted = min(sizes) if how == "down" else max(sizes)
    rng = np.random.default_rng(seed)
    chosen = [np.resize(rng.permutation(own), wanted) for own in classes]
    return np.sort(np.concatenate(chosen))


def balanced_split(split: Split, labels: Sequence[str], how: Balance, *, seed: int) -> Split:
    """A split whose rows to fit on, and to refit on, are balanced; see :func:`balanced_rows`."""
    if how == "none":
        return split
    train, refit = (balanced_rows(rows, labels, how, seed=seed) for rows in (split.train, split.refit))
    return replace(split, train=train, refit=refit)
