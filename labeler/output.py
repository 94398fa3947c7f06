"""Scores as a person or a program reads them: ranked lines, CSV, JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import numpy as np

from harness.model import ModelCard
from harness.tables import PREDICTIONS, SCORE_PREFIX
from labeler.predict import Labelled

__all__ = ["FORMATS", "csv_header", "ranked"]

Writer = Callable[[str, Labelled, ModelCard, int], str]


def ranked(scores: np.ndarray, classes: list[str], top: int) -> list[tuple[str, float]]:
    """The `top` classes with their scores, best first; of equals, the earlier class.

    Examples
    --------
    >>> ranked(np.array([0.2, 0.5, 0.3]), ["a", "b", "c"], 2)
    [('b', 0.5), ('c', 0.3)]
    """
    order = np.argsort(-scores, kind="stable")[:top]
    return [(classes[k], float(scores[k])) for k in order]


def as_text(clip_id: str, labelled: Labelled, card: ModelCard, top: int) -> str:
    """The file, then ``score label`` lines."""
    assert labelled.scores is not None
    lines = [f"{score:.5f} {name}" for name, score in ranked(labelled.scores, card.classes, top)]
    return "\n".join([str(labelled.path), *lines])


def as_jsonl(clip_id: str, labelled: Labelled, card: ModelCard, top: int) -> str:
    """One JSON object: clip_id, path, predicted, scores of the `top` classes."""
    assert labelled.scores is not None
    best = ranked(labelled.scores, card.classes, top)
    row = {"clip_id": clip_id, "path": str(labelled.path), "predicted": best[0][0], "scores": dict(best)}
    return json.dumps(row, ensure_ascii=False)


def as_csv(clip_id: str, labelled: Labelled, card: ModelCard, top: int) -> str:
    """One row of ``predictions.csv``, all classes."""
    assert labelled.scores is not None
    picture = card.picture or {}
    known = {"encoding": picture.get("encoding") or picture.get("merge") or card.takes, **card.training}
    known |= {"module": card.module["handle"], "clip_id": clip_id, "fold": "", "label": ""}
    known["predicted"] = ranked(labelled.scores, card.classes, 1)[0][0]
    return _row([str(known.get(c, "")) for c in PREDICTIONS.columns] + [f"{s:.9g}" for s in labelled.scores])


def csv_header(card: ModelCard) -> str:
    """Header line of ``predictions.csv`` for this model's classes."""
    return _row([*PREDICTIONS.columns, *(f"{SCORE_PREFIX}{name}" for name in card.classes)])


def _row(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


FORMATS: dict[str, Writer] = {"text": as_text, "csv": as_csv, "jsonl": as_jsonl}
