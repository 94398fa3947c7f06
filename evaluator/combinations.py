"""What is compared: combinations of encoding, module and head, and their short names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

__all__ = ["COLUMNS", "Combination", "combinations_of", "short_modules", "titles"]

_KINDS = ("feature_vector", "feature-vector", "classification")


class Combination(NamedTuple):
    """One thing that was trained and tested over the folds."""

    encoding: str
    module: str
    head: str


COLUMNS = Combination._fields


def combinations_of(table: pd.DataFrame) -> list[Combination]:
    """The distinct combinations in a table that has their three columns, in its order: of a ranking, best first."""
    rows = table[list(COLUMNS)].drop_duplicates().itertuples(index=False, name=None)
    return [Combination(*map(str, row)) for row in rows]


def short_modules(handles: Iterable[str]) -> dict[str, str]:
    """A short name for each handle where that stays unambiguous, else the handle.

    Examples
    --------
    >>> url = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"
    >>> list(short_modules(["builtin:scattering", url]).values())
    ['builtin:scattering', 'mobilenet_v2_100_224']
    """
    handles = sorted(set(handles))
    short = {handle: _short(handle) for handle in handles}
    names = list(short.values())
    return {h: s if names.count(s) == 1 else h for h, s in short.items()}


def _short(handle: str) -> str:
    if re.match(r"^[a-z]{2,}:(?!//)", handle):  # builtin:, keras:, kaggle:
        return handle
    parts = [p for p in re.split(r"[\\/]+", handle.split("://")[-1]) if p]
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _KINDS):
        parts.pop()
    return parts[-1] if parts else handle


def titles(combinations: Iterable[Combination]) -> dict[Combination, str]:
    """What to call each combination in a sentence: ``gray on builtin:scattering``, with the head where several are."""
    combinations = list(combinations)
    modules = short_modules(c.module for c in combinations)
    several = len({c.head for c in combinations}) > 1
    return {
        c: c.encoding + (f" on {modules[c.module]}" if c.module else "") + (f" ({c.head})" if several else "")
        for c in combinations
    }
