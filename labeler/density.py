"""How many windows hold a call, without a threshold: a few reviewed windows from each range of scores.

The windows are binned by their score of a class: the lower half of them, half of the rest, and so on, so that bins get
smaller where calls are. From each bin some are drawn at random and reviewed. The share of calls in a bin has a beta
distribution (Jeffreys' prior and what the review says), and the density is the mean of these shares, weighted by the
sizes of the bins. (A. K. Navine, T. Denton et al.: All Thresholds Barred: Direct Estimation of Call Density in
Bioacoustic Data. arXiv 2402.15360, 2024.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness import tables
from harness.errors import SettingsError
from harness.tables import SCORE_PREFIX, Schema, frame
from labeler.review_page import REVIEWED
from labeler.scanning import SCORES

__all__ = ["BINS", "DENSITY", "Density", "bin_windows", "density_from_files", "draw_sample", "estimate_density"]

BINS = 5
"""How many there are where nothing else is said."""
DENSITY = Schema(
    "density.csv",
    text=("label",),
    number=("windows", "reviewed", "density", "low", "high", "windows_with_calls", "low_windows", "high_windows"),
    key=("label",),
    filled=("label",),
)
_PRIOR = 0.5
_DRAWS = 20000
_DECIMALS = 3  # of a second, by which a window is found again


class Density(NamedTuple):
    """The share of windows that hold a call, with the bounds of an interval, and of the bins each: windows, reviewed,
    with a call."""

    density: float
    low: float
    high: float
    bins: list[tuple[int, int, int]]


def bin_windows(scores: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of each window, from 0 (the lower half of the scores) up.

    Parameters
    ----------
    scores : ndarray of float, shape (windows,)
    bins : int

    Returns
    -------
    ndarray of int, shape (windows,)

    Examples
    --------
    >>> bin_windows(np.arange(8.0), bins=3).tolist()
    [0, 0, 0, 0, 1, 1, 2, 2]
    """
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores)) / max(1, len(scores))
    bounds = 1 - 0.5 ** np.arange(1, bins)
    return np.searchsorted(bounds, ranks, side="right")


def draw_sample(scores: pd.DataFrame, label: str, *, each: int, bins: int = BINS, seed: int = 0) -> pd.DataFrame:
    """Draw windows for a review, some of each bin.

    Parameters
    ----------
    scores : DataFrame
        As `labeler.scanning.SCORES`.
    label : str
    each : int
        Windows of a bin; all of them where there are fewer.
    bins, seed : int

    Returns
    -------
    DataFrame
        Rows of `scores`, in a random order, so that a reviewer does not know the bin.
    """
    rng = np.random.default_rng(seed)
    of_bin = bin_windows(scores[f"{SCORE_PREFIX}{label}"].to_numpy(), bins)
    rows = [rng.permutation(np.flatnonzero(of_bin == k))[:each] for k in range(bins)]
    return scores.iloc[rng.permutation(np.concatenate(rows))]


def estimate_density(
    scores: np.ndarray, reviewed: Sequence[int], calls: Sequence[bool], *, bins: int = BINS, level: float = 0.9
) -> Density:
    """Estimate the share of windows that hold a call.

    Parameters
    ----------
    scores : ndarray of float, shape (windows,)
        Of one class, of all windows.
    reviewed : sequence of int
        Numbers of windows that were drawn at random from their bins and reviewed.
    calls : sequence of bool
        Whether each of them holds a call.
    bins : int
    level : float
        Of the interval.

    Raises
    ------
    SettingsError
        Nothing was reviewed, or nothing of a bin.
    """
    of_bin = bin_windows(scores, bins)
    drawn, found = of_bin[list(reviewed)], np.asarray(calls, dtype=bool)
    counts = []
    for k in range(bins):
        size, n = int((of_bin == k).sum()), int((drawn == k).sum())
        if size and not n:
            raise SettingsError(
                f"no reviewed window has a score of range {k + 1} of {bins}; review windows that were drawn from all "
                "ranges, as `labeler review --sample` does"
            )
        counts.append((size, n, int(found[drawn == k].sum())))
    rng = np.random.default_rng(0)
    weights = np.array([size for size, _, _ in counts]) / len(scores)
    shares = np.stack([rng.beta(_PRIOR + hits, _PRIOR + n - hits, _DRAWS) for _, n, hits in counts])
    # a bin whose windows were all reviewed is known
    for k, (size, n, hits) in enumerate(counts):
        if n >= size:
            shares[k] = hits / max(1, size)
    density = weights @ shares
    low, high = np.quantile(density, [(1 - level) / 2, (1 + level) / 2])
    return Density(float(density.mean()), float(low), float(high), counts)


def density_from_files(
    scores: str | Path, reviewed: str | Path, *, labels: Sequence[str] = (), bins: int = BINS, level: float = 0.9
) -> pd.DataFrame:
    """Estimate densities for the scores of a scan from the CSV of a review page.

    Parameters
    ----------
    scores : path
        ``scores.csv`` of a scan.
    reviewed : path
        What the page of ``labeler review --sample`` gave; rows of other pages do not count.
    labels : sequence of str
        Empty: those that were reviewed.
    bins : int
        As the page was made with.
    level : float
        Of the interval, inside (0, 1).

    Returns
    -------
    DataFrame
        As :data:`DENSITY`.

    Raises
    ------
    TableError
        Files that cannot be read.
    SettingsError
        Nothing of a label was reviewed, or a window that the scan does not have.
    """
    if not 0 < level < 1:
        raise SettingsError(f"level={level:g}: must be a number inside (0, 1)")
    table, review = tables.read(scores, SCORES), tables.read(reviewed, REVIEWED)
    drawn = review[review["chosen"] == "sample"]
    numbers = {
        (name, round(start, _DECIMALS)): k
        for k, (name, start) in enumerate(zip(table["recording"], table["start_s"], strict=True))
    }
    found = {}
    for label in labels or dict.fromkeys(drawn["detected"]):
        some = drawn[drawn["detected"] == label]
        column = f"{SCORE_PREFIX}{label}"
        if some.empty or column not in table:
            raise SettingsError(f"{reviewed}: no windows in it that were drawn for {label!r} by `review --sample`")
        places = zip(some["recording"], some["start_s"].round(_DECIMALS), strict=True)
        windows = [numbers.get(place, -1) for place in places]
        if -1 in windows:
            first = some.iloc[windows.index(-1)]
            raise SettingsError(
                f"{reviewed}: {scores} has no window of {first['recording']} at {first['start_s']:g} s; "
                "the review is of another scan"
            )
        found[label] = estimate_density(
            table[column].to_numpy(), windows, (some["verdict"] == "right").tolist(), bins=bins, level=level
        )
    if not found:
        raise SettingsError(f"{reviewed}: no windows in it that were drawn by `review --sample`")
    return density_table(found)


def density_table(found: dict[str, Density]) -> pd.DataFrame:
    """Densities by label, as :data:`DENSITY`."""
    rows = []
    for label, each in found.items():
        windows = sum(size for size, _, _ in each.bins)
        shares = {"density": each.density, "low": each.low, "high": each.high}
        of_windows = dict(zip(("windows_with_calls", "low_windows", "high_windows"), shares.values(), strict=True))
        rows.append(
            {"label": label, "windows": windows, "reviewed": sum(n for _, n, _ in each.bins)}
            | {name: round(value, 6) for name, value in shares.items()}
            | {name: round(value * windows, 1) for name, value in of_windows.items()}
        )
    return frame(rows, DENSITY)
