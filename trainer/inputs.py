"""The tables that a training starts from: the rows of an encoding, their order, their classes, their splits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from harness.balance import Balance
from harness.errors import SettingsError, SplitError, TableError, did_you_mean
from harness.images import check_files
from harness.protocol import Split, leak_notes, splits
from harness.settings import Namer
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.split_parts import parts_of
from harness.study_file import TrainSection
from harness.tables import CLIPS, IMAGES, RESERVED_FOLDS, class_order, read_located
from trainer.absent import absent_classes, absent_notes
from trainer.augmented_rows import augmented_notes, originals, with_augmented
from trainer.fitting import HeadSettings
from trainer.logistic import STRENGTHS
from trainer.sgd import SgdSettings

__all__ = [
    "check_classes",
    "check_trainable",
    "describe_splits",
    "head_settings",
    "image_specs",
    "lost_classes",
    "read_encoding",
    "read_sounds",
    "split_table",
    "training_order",
]

_BALANCED: dict[Balance, list[str]] = {
    "none": [],
    "down": ["Every training set has as many clips of each class as of its smallest: the others were left out of it."],
    "up": ["Every training set has as many clips of each class as of its largest: those of the others were repeated."],
}


def head_settings(section: TrainSection, name_of: Namer) -> HeadSettings:
    """The head that ``[train]`` asks for; `name_of` gives a setting's name as it was written."""
    sgd = {name: getattr(section, name) for name in ("steps", "learning_rate", "train_batch_size")}
    settings = {
        "head": section.head,
        "strengths": tuple(section.strengths) or STRENGTHS,
        "sgd": SgdSettings.read(sgd, name_of=name_of),
        "balance": section.balance,
    }
    return HeadSettings.read(settings, name_of=name_of)


def lost_classes(clips: pd.DataFrame, predictions: pd.DataFrame) -> list[str]:
    """Classes of the clips that no prediction is of, in at most one sentence."""
    used = set(predictions["label"])
    lost = [repr(label) for label in dict.fromkeys(clips["label"]) if label not in used]
    return [f"no clip of {', '.join(lost)} could be used: all results are without it; see failures.csv"] if lost else []


def read_encoding(images: str | Path, encoding: str) -> pd.DataFrame:
    """Rows of one encoding of an ``images.csv``, paths made absolute.

    Raises
    ------
    TableError
        No such table, no such encoding in it, or images that have no files.
    """
    path = Path(images)
    table = read_located(path, IMAGES)
    rows = table[table["encoding"] == encoding].reset_index(drop=True)
    if rows.empty:
        raise TableError(f"{path}: no encoding {encoding!r}; {did_you_mean(encoding, set(table['encoding']))}")
    check_files(rows, path)
    return rows


def read_sounds(clips: str | Path | None) -> pd.DataFrame:
    """Rows of a ``clips.csv``, paths made absolute.

    Raises
    ------
    SettingsError
        None given: only images were.
    TableError
        No such table.
    """
    if clips is None:
        raise SettingsError("a module that takes the sound itself needs --clips, the table of the sounds")
    return read_located(clips, CLIPS)


def training_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by class, then by the file name of their image: the order in which every head sees them."""
    keyed = table.assign(_name=[os.path.basename(p) for p in table["path"]])
    return keyed.sort_values(["label", "_name", "clip_id"], kind="stable").drop(columns="_name").reset_index(drop=True)


def image_specs(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """Column ``spec`` of every encoding of images, which says how they were drawn."""
    return {name: sorted(set(table["spec"])) for name, table in tables.items() if "spec" in table}


def check_trainable(
    table: pd.DataFrame, *, shared: SharedGroups = OFFICIAL, seed: int = 0, head: Literal["lbfgs", "sgd"] = "lbfgs"
) -> list[str]:
    """Check that a table of clips or images can be cross-validated.

    Parameters
    ----------
    table : DataFrame
    shared, seed
        As for :func:`harness.protocol.splits`.
    head : str
        As for :func:`trainer.absent.absent_classes`.

    Returns
    -------
    list of str
        Classes that heads cannot know, and where: a sentence for each fold.

    Raises
    ------
    SplitError
        As :func:`check_classes` and :func:`split_table`; or no clip at all can be classified rightly, since none of its
        class is trained on where it is tested.
    """
    check_classes(table)
    table = originals(table)
    labels, splits = table["label"].tolist(), split_table(table, seed=seed, shared=shared)
    absent = absent_classes(labels, splits, head=head)
    lost, tested = sum(each.tested for each in absent), sum(len(split.test) for split in splits)
    if lost == tested:
        first = absent[0]
        raise SplitError(
            f"no clip's class is trained on where the clip is tested (the first: {first.label!r} is in fold "
            f"{first.fold!r} alone), so that every figure would be 0 %: do the folds mean classes? give others"
        )
    return absent_notes(absent)


def check_classes(table: pd.DataFrame) -> None:
    """Check that every clip has a label, and that there are two classes at least.

    Raises
    ------
    SplitError
        A clip without a label, or one class only.
    """
    bare = table.index[table["label"] == ""]
    if len(bare):
        raise SplitError(f"clip {table['clip_id'][bare[0]]!r} has no label; training needs one for every clip")
    classes = class_order(table["label"])
    if len(classes) < 2:
        raise SplitError(f"training needs at least 2 classes, found {len(classes)}: {', '.join(classes) or 'none'}")


def split_table(table: pd.DataFrame, *, seed: int = 0, shared: SharedGroups = OFFICIAL) -> list[Split]:
    """The splits of a table's rows, in natural order of the folds, or the single one; see `harness.protocol.splits`.

    Rows of augmented sounds are in ``train`` and ``refit`` alone, where their clip is.

    Raises
    ------
    SplitError
        Fewer than two folds, a clip without a fold, a fold with the name of a summary, or a group in both the training
        and the test rows of a split.
    """
    taken = sorted(RESERVED_FOLDS.intersection(table["fold"].unique()))
    if taken:
        raise SplitError(
            f"fold {taken[0]!r}: is the name of a summary or a column of the results; give the fold another name"
        )
    own = originals(table)
    columns = (own[name].tolist() for name in ("fold", "group", "label"))
    return with_augmented(splits(*columns, seed=seed, shared=shared), table)


def describe_splits(table: pd.DataFrame, seed: int, shared: SharedGroups, settings: HeadSettings) -> dict[str, Any]:
    """What run.json says of the splits: the policy for shared groups, notes, the sizes of a single split."""
    augmented, table = augmented_notes(table), originals(table)
    splits = split_table(table, seed=seed, shared=shared)
    folds, groups = list(table["fold"]), list(table["group"])
    absent = absent_notes(absent_classes(list(table["label"]), splits, head=settings.head))
    notes = [*leak_notes(splits, folds, groups, shared), *absent, *augmented, *_BALANCED[settings.balance]]
    said: dict[str, Any] = {"shared_groups": shared.policy, "notes": notes}
    parts = parts_of(folds)
    if parts:
        only = splits[0]
        sizes = {"train": len(only.train), "validation": len(only.validation), "test": len(only.test)}
        said["single_split"] = {"tested": only.fold, **sizes, "validation_part": len(parts) == 3}
    return said
