"""Labels that a person changed by a table, ``[corpus] overlay``: which clips, and whether they are tested with them.

The files of a corpus stay as they are. Step ``corpus`` of ``run.json`` names the changes; it goes from folder to folder
with the tables, so that each training of these clips knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from harness.augmented_ids import original_of
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_json
from harness.record import CORPUS, step_of
from harness.shared_groups import python_words
from harness.tile_ids import clip_of

__all__ = [
    "NO_CHANGES",
    "TRAINING_LABEL",
    "LabelChanges",
    "Scope",
    "as_scope",
    "is_trained_on",
    "read_label_changes",
    "training_labels",
]

Scope = Literal["training", "all"]

TRAINING_LABEL = "training_label"
"""Column of a table to train on: the label that heads are fitted with; empty where a clip is left out of training."""

_RECORD = "label_changes"


@dataclass(frozen=True)
class LabelChanges:
    """Labels that were changed, and clips that were left out.

    Parameters
    ----------
    table : str
        Name of the file that said so; empty where nothing was changed.
    scope : str
        ``training``: heads are fitted with the changes, and tested with all clips and the labels that the corpus gives,
        so that a run can be compared with one without them. ``all``: the clips have the new labels wherever they are
        used, so that figures are on another test set.
    labels : mapping of str to str
        New labels by clip_id.
    dropped : tuple of str
        Clips that are left out.
    """

    table: str = ""
    scope: Scope = "training"
    labels: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.dropped)

    @property
    def digest(self) -> str:
        """sha256 of the changes, whatever else their table has."""
        return digest_json([self.scope, sorted(self.labels.items()), sorted(self.dropped)])

    def to_json(self) -> dict[str, Any]:
        """As step ``corpus`` of ``run.json`` has it; empty where nothing was changed."""
        if not self:
            return {}
        about = {"table": self.table, "scope": self.scope, "digest": self.digest}
        return {_RECORD: {**about, "labels": dict(sorted(self.labels.items())), "dropped": sorted(self.dropped)}}

    def everywhere(self, table: pd.DataFrame) -> pd.DataFrame:
        """A clips table with the changes of scope ``all``; with others it stays as it is."""
        if not self or self.scope != "all":
            return table
        left = table[~table["clip_id"].isin(self.dropped)].reset_index(drop=True)
        return left.assign(label=self._new_labels(left))

    def for_training(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table to train on, of clips or images, with a column `TRAINING_LABEL` where the scope is ``training``."""
        if not self or self.scope != "training":
            return table
        return table.assign(**{TRAINING_LABEL: self._new_labels(table)})

    def notes(self) -> list[str]:
        """What a reader of the figures must know, a sentence."""
        if not self:
            return []
        changed = f"Labels of {_clips(len(self.labels))} were changed by {self.table}"
        left_out = f"{_clips(len(self.dropped))} left out by {self.table}"
        what = changed if self.labels else left_out[0].upper() + left_out[1:]
        if self.labels and self.dropped:
            what += f" and {_clips(len(self.dropped))} left out"
        if self.scope == "training":
            return [f"{what} in training alone: all clips are tested, with the labels that the corpus gives."]
        return [
            f"{what}, in training and in testing: figures are on another test set than without {self.table}, and "
            "cannot be compared with those."
        ]

    def _new_labels(self, table: pd.DataFrame) -> list[str]:
        pairs = zip((clip_of(original_of(name)) for name in table["clip_id"]), table["label"], strict=True)
        left_out = dict.fromkeys(self.dropped, "")
        return [left_out.get(clip, self.labels.get(clip, label)) for clip, label in pairs]


NO_CHANGES = LabelChanges()


def training_labels(table: pd.DataFrame) -> list[str]:
    """The label that each row of a table to train on is fitted with; rows that are left out have the one given."""
    given = table["label"].tolist()
    if TRAINING_LABEL not in table:
        return given
    return [new or label for new, label in zip(table[TRAINING_LABEL], given, strict=True)]


def is_trained_on(table: pd.DataFrame) -> list[bool]:
    """Whether each row of a table to train on may be fitted on at all."""
    return [bool(label) for label in table[TRAINING_LABEL]] if TRAINING_LABEL in table else [True] * len(table)


def read_label_changes(folder: str | Path, table: str = "") -> LabelChanges:
    """The changes that the ``run.json`` of a folder names; none where it names none.

    Parameters
    ----------
    folder : path
        The folder of ``clips.csv`` or ``images.csv``.
    table : str
        The table in the folder that is meant, as for :func:`harness.record.step_of`.
    """
    found = step_of(folder, CORPUS, table).get("spec", {}).get(_RECORD)
    if not found:
        return LabelChanges()
    labels = {str(clip): str(label) for clip, label in found["labels"].items()}
    return LabelChanges(str(found["table"]), as_scope(found["scope"]), labels, tuple(map(str, found["dropped"])))


def as_scope(text: str, *, name: str = "overlay_scope") -> Scope:
    """A scope by its name.

    Raises
    ------
    SettingsError
        No such scope.
    """
    for scope in get_args(Scope):
        if text == scope:
            return scope
    raise SettingsError(f"{python_words(name, text)}: no such scope; {did_you_mean(text, get_args(Scope))}")


def _clips(n: int) -> str:
    return f"{n} clip{'' if n == 1 else 's'}"
