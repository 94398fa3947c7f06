"""Scores as a person or a program reads them: ranked lines, CSV, JSON lines."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from harness.cells import csv_line, utf8_text
from harness.files import atomic_path
from harness.model import ModelCard
from harness.progress import track
from harness.tables import PREDICTIONS, SCORE_PREFIX
from harness.written import claim
from labeler.files import clip_names
from labeler.loading import Model
from labeler.predict import Labelled, label_files

__all__ = ["FORMATS", "csv_header", "ranked", "write_labels"]

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
    return "\n".join([utf8_text(str(labelled.path)), *lines])


def as_jsonl(clip_id: str, labelled: Labelled, card: ModelCard, top: int) -> str:
    """One JSON object: clip_id, path, predicted, scores of the `top` classes."""
    assert labelled.scores is not None
    best = ranked(labelled.scores, card.classes, top)
    row = {
        "clip_id": utf8_text(clip_id),
        "path": utf8_text(str(labelled.path)),
        "predicted": best[0][0],
        "scores": dict(best),
    }
    return json.dumps(row, ensure_ascii=False)


def as_csv(clip_id: str, labelled: Labelled, card: ModelCard, top: int) -> str:
    """One row of ``predictions.csv``, all classes."""
    assert labelled.scores is not None
    recipe = card.recipe or {}
    known = {"encoding": recipe.get("encoding") or recipe.get("merge") or card.takes, **card.training}
    known |= {"module": card.module["handle"], "clip_id": clip_id, "fold": "", "label": ""}
    known["predicted"] = ranked(labelled.scores, card.classes, 1)[0][0]
    return csv_line([str(known.get(c, "")) for c in PREDICTIONS.columns], [f"{s:.9g}" for s in labelled.scores])


def csv_header(card: ModelCard) -> str:
    """Header line of ``predictions.csv`` for this model's classes."""
    return csv_line([*PREDICTIONS.columns, *(f"{SCORE_PREFIX}{name}" for name in card.classes)])


FORMATS: dict[str, Writer] = {"text": as_text, "csv": as_csv, "jsonl": as_jsonl}


def write_labels(
    model: Model,
    files: Sequence[Path],
    out: Path | None = None,
    *,
    format: str = "text",
    top: int = 5,
    on_failure: Callable[[str], None],
    on_warning: Callable[[str], None] | None = None,
) -> int:
    """Label files and write their scores, each as soon as it is there.

    Parameters
    ----------
    model : Model
    files : sequence of path
        Sounds and images.
    out : path, optional
        File to write to, whole or not at all; default: standard output.
    format : str
        One of `FORMATS`.
    top : int
        How many classes of each file, best first; in ``csv`` always all.
    on_failure : callable
        Called with the reason for every file that cannot be labelled.
    on_warning : callable, optional
        Called with what a reader of a file's scores must know: that the sound is far longer than the training clips.
        Default: a Python warning.

    Returns
    -------
    int
        The number of those files.

    Raises
    ------
    ModuleError
        The model takes no such file at all.
    """
    says = (on_failure, on_warning or warnings.warn)
    if out is None:
        return _write(sys.stdout, model, files, format, top, *says)
    claim(out.parent, [out.name])
    with atomic_path(out) as part, open(part, "w", encoding="utf-8") as stream:
        return _write(stream, model, files, format, top, *says)


def _write(
    stream: TextIO,
    model: Model,
    files: Sequence[Path],
    format: str,
    top: int,
    on_failure: Callable[[str], None],
    on_warning: Callable[[str], None],
) -> int:
    failed = 0
    if format == "csv":
        print(csv_header(model.card), file=stream)
    outcomes = track(label_files(model, files), total=0 if stream.isatty() else len(files), what="labelling")
    for clip_id, labelled in zip(clip_names(files), outcomes, strict=True):
        if labelled.scores is None:
            failed += 1
            on_failure(labelled.reason)
        else:
            if labelled.warning:
                on_warning(labelled.warning)
            print(FORMATS[format](clip_id, labelled, model.card, top), file=stream, flush=True)
    return failed
