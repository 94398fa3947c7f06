"""Labels changed by a table, such as the ``suspects.csv`` of an evaluation that a person has gone through.

One row for each clip: ``clip_id``, ``suggested`` and ``accept``. Where ``accept`` is ``yes`` the clip gets the label in
``suggested``; ``drop`` leaves it out; empty or ``no`` changes nothing. A column ``label``, where there is one, must
have the label that the corpus gives: the table was made for it. Other columns do not count. No sound is changed.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from corpora.base import read_metadata
from harness.errors import TableError, did_you_mean
from harness.label_changes import LabelChanges, Scope
from harness.remote import as_path
from harness.split_parts import part_of
from harness.tables import class_order

__all__ = ["notes_on_overlay", "read_overlay"]

_ACCEPT = {
    **dict.fromkeys(("yes", "y", "x", "1", "true"), "yes"),
    **dict.fromkeys(("", "no", "n", "0", "false"), "no"),
    "drop": "drop",
}
_COLUMNS = {"the clip": "clip_id", "its new label": "suggested", "yes, no or drop": "accept"}


def read_overlay(path: str | Path, clips: pd.DataFrame, *, scope: Scope = "training") -> LabelChanges:
    """Read the changes that a table asks for, checked against the corpus.

    Parameters
    ----------
    path : path
        A CSV in UTF-8, separated by comma, semicolon or tab.
    clips : DataFrame
        The clips table as the corpus gives it.
    scope : str
        See :class:`harness.label_changes.LabelChanges`.

    Raises
    ------
    TableError
        No such table, a column missing, a clip that is not there or is named twice, a label that the corpus does not
        have, or that is not the one that the table was made for; the message names file and line.
    """
    path = as_path(path)
    table = read_metadata(path, _COLUMNS)
    given = dict(zip(clips["clip_id"], clips["label"], strict=True))
    classes = class_order(given.values())
    first: dict[str, int] = {}
    labels: dict[str, str] = {}
    dropped = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path}, line {line}"
        clip, new = row["clip_id"].strip(), row["suggested"].strip()
        if first.setdefault(clip, line) != line:
            raise TableError(f"{where}: clip {clip!r} is named in line {first[clip]} too; name each clip once")
        answer = _ACCEPT.get(row["accept"].strip().lower())
        if answer is None:
            raise TableError(f"{where}: accept={row['accept']!r}; expected yes, no, drop, or nothing")
        if answer == "no":
            continue
        _check_clip(where, clip, given, row.get("label"))
        if answer == "drop":
            dropped.append(clip)
        elif new not in classes:
            raise TableError(f"{where}: suggested={new!r} is not a class of the corpus; {did_you_mean(new, classes)}")
        elif new != given[clip]:
            labels[clip] = new
    return LabelChanges(path.name, scope, labels, tuple(dropped))


def notes_on_overlay(changes: LabelChanges, clips: pd.DataFrame) -> list[str]:
    """What is to be said of changes: their own notes, and how many of them are without effect in a single split."""
    tested = {clip for clip, fold in zip(clips["clip_id"], clips["fold"], strict=True) if part_of(fold) == "test"}
    idle = tested & {*changes.labels, *changes.dropped} if changes.scope == "training" else set()
    if not idle:
        return changes.notes()
    are = "1 clip that is" if len(idle) == 1 else f"{len(idle)} clips that are"
    return [*changes.notes(), f"{changes.table} names {are} tested alone, where a change in training has no effect."]


def _check_clip(where: str, clip: str, given: dict[str, str], label: str | None) -> None:
    if clip not in given:
        raise TableError(f"{where}: no clip {clip!r} in the corpus; {did_you_mean(clip, given)}")
    if label is not None and label.strip() != given[clip]:
        raise TableError(
            f"{where}: clip {clip!r} is labelled {given[clip]!r} in the corpus, not {label.strip()!r}: the table was "
            "made for other labels; remove the line, or correct its column label"
        )
