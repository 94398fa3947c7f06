"""Labels that may be wrong, by the scores of heads that did not see the clip; ``suspects.csv``, for a person to judge.

A clip is a suspect where another class has the highest score. They are ranked by the score of their given label, the
lowest first, the self-confidence: on ESC-10 with labels swapped on purpose no other ranking of cleanlab 2.9 found more.
How many labels are wrong, about, is estimated by confident learning: Northcutt, Jiang, Chuang, "Confident learning:
estimating uncertainty in dataset labels", Journal of Artificial Intelligence Research 70, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.combinations import COLUMNS, Combination, titles
from evaluator.predictions import classes_of, score_matrix
from harness.cells import write_cells
from harness.errors import SettingsError, TableError, did_you_mean
from harness.tables import SUSPECTS, check, read

__all__ = ["choose_rows", "estimated_errors", "suspected_labels", "write_suspects"]

_TOLERANCE = 1e-3  # of a sum of probabilities


def suspected_labels(predictions: pd.DataFrame, rows: Sequence[Combination]) -> pd.DataFrame:
    """Clips whose given label may be wrong, the least probable label first.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it. Of a single split these are the tested clips alone.
    rows : sequence of Combination
        Whose scores are averaged, over seeds too. Those without probabilities do not count.

    Returns
    -------
    DataFrame
        clip_id, label, suggested (the class with the highest score), quality (0 worst, 1 best: the score of the given
        label), p_label, p_suggested. ``attrs["rows"]`` are the rows that counted, ``attrs["estimate"]`` is how many
        labels are wrong, about (None where no row counts), ``attrs["clips"]`` among how many.
    """
    classes = classes_of(predictions)
    used, scores = _mean_scores(predictions, rows, classes)
    labels = predictions.drop_duplicates("clip_id").set_index("clip_id")["label"].loc[scores.index]
    values, given = scores.to_numpy(), pd.Index(classes).get_indexer(labels)
    best, each = values.argmax(axis=1), np.arange(len(values))
    p_label, p_best = values[each, given], values[each, best]
    table = pd.DataFrame(
        {
            "clip_id": scores.index.to_numpy(object),
            "label": labels.to_numpy(object),
            "suggested": np.array(classes, object)[best],
            "quality": p_label,
            "p_label": p_label,
            "p_suggested": p_best,
        }
    )
    table = table[p_best > p_label].sort_values(["quality", "p_suggested", "clip_id"], ascending=[True, False, True])
    table = table.reset_index(drop=True)
    estimate = estimated_errors(values, given) if used else None
    table.attrs |= {"rows": used, "estimate": estimate, "clips": len(values)}
    return table


def estimated_errors(scores: np.ndarray, given: np.ndarray) -> int:
    """How many labels are wrong, about, by the calibrated confident joint.

    Parameters
    ----------
    scores : ndarray of float64, shape (n, c)
        Probabilities of heads that did not see the clip.
    given : ndarray of int, shape (n,)
        The labels, as numbers of columns.

    Returns
    -------
    int
        0 to n; as ``cleanlab.count.compute_confident_joint`` has it off its diagonal.
    """
    n_classes = scores.shape[1]
    support = np.bincount(given, minlength=n_classes)
    sums = np.bincount(given, weights=scores[np.arange(len(given)), given], minlength=n_classes)
    threshold = np.divide(sums, support, out=np.full(n_classes, np.inf), where=support > 0)
    confident = scores >= threshold - 1e-6
    counted = confident.any(axis=1)
    likely = np.where(confident, scores, -1.0).argmax(axis=1)
    pairs = given[counted] * n_classes + likely[counted]
    joint = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes).astype(float)
    empty = joint.sum(axis=1) == 0
    joint[empty, empty] = 1.0
    shares = joint / joint.sum(axis=1, keepdims=True) * support[:, None]
    return round(float(shares.sum() - np.trace(shares)))


def choose_rows(combinations: Sequence[Combination], names: Sequence[str]) -> list[Combination]:
    """The rows that a person names.

    Parameters
    ----------
    combinations : sequence of Combination
        All of a run, best first.
    names : sequence of str
        An encoding, a row as the ranking writes it (``gray on builtin:scattering``), or ``all``. None: the best.

    Raises
    ------
    SettingsError
        A name of none.
    """
    if not names:
        return list(combinations[:1])
    shown = titles(combinations)
    known = ["all", *dict.fromkeys([*(c.encoding for c in combinations), *shown.values()])]
    for name in names:
        if name not in known:
            raise SettingsError(f"rows={name!r}: no such row; {did_you_mean(name, known)}")
    wanted = {*names}
    return [c for c in combinations if wanted & {"all", c.encoding, shown[c]}]


def write_suspects(found: pd.DataFrame, clips: pd.DataFrame, path: str | Path) -> str:
    """Write the table for a person to judge; what one has judged already stays.

    Parameters
    ----------
    found : DataFrame
        As :func:`suspected_labels` gives it.
    clips : DataFrame
        As `harness.tables.CLIPS`, for the paths; it may have no rows.
    path : path
        Rows of the file there with something in ``accept`` stay as they are.

    Returns
    -------
    str
        What is to be said of it: the file there cannot be read, and was left as it is. Empty where all is well.
    """
    path = Path(path)
    try:
        judged = read(path, SUSPECTS) if path.is_file() else None
    except TableError as error:
        return f"{error}; it was left as it is: repair it, or remove it to have it written anew."
    places = dict(zip(clips["clip_id"], clips["path"], strict=True)) if len(clips) else {}
    new = found.assign(path=[places.get(clip, "") for clip in found["clip_id"]], accept="")
    table = check(new.astype(dict.fromkeys(SUSPECTS.text, "str")), SUSPECTS)
    if judged is not None and (judged["accept"] != "").any():
        judged = judged[judged["accept"] != ""]
        table = pd.concat([judged, table[~table["clip_id"].isin(judged["clip_id"])]], ignore_index=True)
        table = table.sort_values("quality", kind="stable").reset_index(drop=True)
    write_cells(table, path)
    return ""


def _mean_scores(
    predictions: pd.DataFrame, rows: Sequence[Combination], classes: Sequence[str]
) -> tuple[list[Combination], pd.DataFrame]:
    """The rows that have probabilities, and the mean scores of their clips: clip ids x numbers of classes."""
    used, parts = [], [pd.DataFrame(np.zeros((0, len(classes))))]
    for row in rows:
        own = predictions[(predictions[list(COLUMNS)] == list(row)).all(axis=1)]
        scores = score_matrix(own, classes)
        if scores is None or np.abs(scores.sum(axis=1) - 1).max() > _TOLERANCE or scores.min() < 0:
            continue
        used.append(row)
        parts.append(pd.DataFrame(scores, index=own["clip_id"].to_numpy(object)))
    table = pd.concat(parts if used else parts[:1])
    return used, table.groupby(level=0, sort=True).mean() if used else table
