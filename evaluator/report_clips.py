"""What every combination made of every clip, compact, for the page to show, sort, compare and draw.

Numbers of clips and classes stand for their names. Arrays are base64 of little-endian numbers, a byte or two for each
clip: 30 combinations of 8,732 clips are a megabyte.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination
from evaluator.metrics import BINS, are_probabilities
from evaluator.predictions import classes_of
from harness.files import natural_key
from harness.tables import SCORE_PREFIX, score_columns

__all__ = ["ClipTable", "base64_text", "clip_table", "map_data", "nearest_data", "row_data"]

_PER_CLASS = ("recall", "precision", "f1", "ap", "auroc")


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Predictions by combination, seed and clip.

    Parameters
    ----------
    classes : sequence of str
    clips : sequence of str
        clip_ids in natural order; behind those with a prediction come others that are shown next to them.
    labels : ndarray of int, shape (clips,)
        Class numbers; -1 where it is not known.
    folds, groups : sequence of str, length clips
    predicted : dict of Combination to ndarray of int, shape (seeds, clips)
        Class numbers; -1 for clips that were not tested.
    given, true : dict of Combination to ndarray of float64, shape (clips,)
        Probability of the predicted and of the true class, mean over seeds; combinations whose scores are
        probabilities only.
    bins : dict of Combination to ndarray of float64, shape (3, bins)
        Of the same: predictions in each bin of confidence, the sum of their confidence, how many are right.
    """

    classes: Sequence[str]
    clips: Sequence[str]
    labels: np.ndarray
    folds: Sequence[str]
    groups: Sequence[str]
    predicted: dict[Combination, np.ndarray]
    given: dict[Combination, np.ndarray]
    true: dict[Combination, np.ndarray]
    bins: dict[Combination, np.ndarray]

    def mistakes(self, row: Combination) -> list[int]:
        """Clips that at least half of the seeds got wrong, worst first: by how far the wrong class was ahead."""
        predicted = self.predicted[row]
        tested, wrong = (predicted >= 0).sum(axis=0), ((predicted >= 0) & (predicted != self.labels)).sum(axis=0)
        found = np.flatnonzero((tested > 0) & (2 * wrong >= tested))
        if row not in self.given:
            return found.tolist()
        ahead = (self.given[row] - self.true[row])[found]
        return found[np.argsort(-np.round(ahead, 6), kind="stable")].tolist()


def clip_table(
    predictions: pd.DataFrame,
    order: Sequence[Combination],
    groups: Mapping[str, str],
    *,
    labels: Mapping[str, str],
    others: Iterable[str] = (),
) -> ClipTable:
    """Bring predictions into arrays by clip.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.
    order : sequence of Combination
    groups, labels : mapping of str to str
        By clip_id, where known.
    others : iterable of str
        clip_ids that have no prediction and are shown.
    """
    classes = classes_of(predictions)
    once = predictions.drop_duplicates("clip_id").set_index("clip_id")
    clips = sorted(once.index.tolist(), key=natural_key)
    more = sorted(set(others) - set(clips), key=natural_key)
    number = {name: i for i, name in enumerate(classes)}
    label_of, fold_of = once["label"].to_dict(), once["fold"].to_dict()
    place = pd.Index([*clips, *more])
    numbers = [number.get(label_of.get(clip, labels.get(clip, "")), -1) for clip in place]
    table = ClipTable(
        classes,
        place.tolist(),
        np.array(numbers, dtype=np.int64),
        [fold_of.get(clip, "") for clip in place],
        [groups.get(clip, "") for clip in place],
        *({}, {}, {}, {}),
    )
    where = place.get_indexer(predictions["clip_id"])
    guessed = pd.Index(list(classes)).get_indexer(predictions["predicted"])
    seeds = pd.factorize(predictions["seed"])[0]
    places = predictions.groupby(list(COLUMNS), sort=False).indices
    for row in order:
        own = places[tuple(row)]
        scores = _scores(predictions.iloc[own], number)
        _add(table, row, where[own], guessed[own], seeds[own], scores)
    return table


def _add(
    table: ClipTable,
    row: Combination,
    where: np.ndarray,
    guessed: np.ndarray,
    seeds: np.ndarray,
    scores: np.ndarray | None,
) -> None:
    """Add one combination to a table that is being made: clip, predicted class, seed and scores of its predictions."""
    probable = scores is not None and are_probabilities(scores)
    shape = (int(seeds.max()) + 1, len(table.clips))
    predicted, given, true = np.full(shape, -1, dtype=np.int64), np.zeros(shape), np.zeros(shape)
    predicted[seeds, where] = guessed
    tested = (predicted >= 0).any(axis=1)
    table.predicted[row] = predicted[tested]
    if scores is None or not probable:
        return
    lines = np.arange(len(where))
    sure = scores[lines, guessed]
    given[seeds, where], true[seeds, where] = sure, scores[lines, table.labels[where]]
    times = np.maximum((predicted >= 0).sum(axis=0), 1)
    table.given[row], table.true[row] = given.sum(axis=0) / times, true.sum(axis=0) / times
    table.bins[row] = _reliability(sure, guessed == table.labels[where])


def _scores(part: pd.DataFrame, number: Mapping[str, int]) -> np.ndarray | None:
    """As :func:`evaluator.predictions.score_matrix`, of scores that were checked before."""
    columns = [c for c in score_columns(part) if c[len(SCORE_PREFIX) :] in number]
    values = part[columns].to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    if not there.any():
        return None
    scores = np.zeros((len(part), len(number)))
    scores[:, [number[c[len(SCORE_PREFIX) :]] for c in columns]] = np.where(there, values, 0)
    return scores


def row_data(table: ClipTable, row: Combination, metrics: pd.DataFrame) -> dict[str, Any]:
    """One combination as JSON values.

    Parameters
    ----------
    table : ClipTable
    row : Combination
    metrics : DataFrame
        Its pooled figures, a column for each metric, by class; overall figures have the class "".
    """
    found: dict[str, Any] = {"predicted": [base64_text(_codes(p, len(table.classes))) for p in table.predicted[row]]}
    if row in table.given:
        found["given"], found["true"] = (base64_text(_bytes(of[row])) for of in (table.given, table.true))
        counts, sums, hits = table.bins[row][:, table.bins[row][0] > 0]
        found["bins"] = np.round([counts, sums / counts, hits / counts], 4).T.tolist()
    values = metrics.reindex(list(table.classes))
    shown = [name for name in _PER_CLASS if name in values and values[name].notna().any()]
    found["figures"] = {name: [None if v != v else round(v, 6) for v in values[name].tolist()] for name in shown}
    return found


def _reliability(sure: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Predictions in each bin of confidence, the sum of their confidence, how many are right, shape (3, BINS)."""
    place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    return np.array([np.bincount(place, weights=w, minlength=BINS) for w in (None, sure, right)], dtype=np.float64)


def map_data(projections: pd.DataFrame, table: ClipTable) -> dict[tuple[str, str], dict[str, str]]:
    """Places of the clips on each map, 0 to 65534 on both axes, of one scale; 65535 for clips that are not on it."""
    place = pd.Index(table.clips)
    found = {}
    for (encoding, module), part in projections.groupby(["encoding", "module"], sort=False):
        where = place.get_indexer(part["clip_id"])
        xy = part[["x", "y"]].to_numpy(dtype=np.float64)
        good = (where >= 0) & np.isfinite(xy).all(axis=1)
        where, xy = where[good], xy[good]
        if not len(where):
            continue
        low, extent = xy.min(axis=0), float(np.ptp(xy, axis=0).max()) or 1.0
        codes = np.full((2, len(place)), 65535, dtype="<u2")
        codes[:, where] = np.rint((xy - low).T * (65534 / extent)).astype("<u2")
        found[str(encoding), str(module)] = {"x": base64_text(codes[0]), "y": base64_text(codes[1])}
    return found


def nearest_data(nearest: pd.DataFrame, table: ClipTable) -> dict[tuple[str, str], dict[int, int]]:
    """From a clip's number to that of the nearest training clip, by encoding and module."""
    place = pd.Index(table.clips)
    found: dict[tuple[str, str], dict[int, int]] = {}
    for (encoding, module), part in nearest.groupby(["encoding", "module"], sort=False):
        pairs = zip(place.get_indexer(part["clip_id"]), place.get_indexer(part["nearest"]), strict=True)
        found[str(encoding), str(module)] = {int(a): int(b) for a, b in pairs if min(a, b) >= 0}
    return found


def base64_text(data: np.ndarray | bytes) -> str:
    """Bytes as text that a page reads again."""
    raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    return "base64," + b64encode(raw).decode()


def _codes(numbers: np.ndarray, n_classes: int) -> np.ndarray:
    """Class numbers in as few bytes as they need; -1 becomes the largest number."""
    return numbers.astype(np.uint8 if n_classes < 255 else "<u2")


def _bytes(shares: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
