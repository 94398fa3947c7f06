"""Rows of augmented sounds: they follow the clip that they are of into what is trained on, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.augmented_ids import is_augmented, original_of
from harness.errors import SettingsError
from harness.protocol import Split
from trainer.ablation import SOUND

__all__ = [
    "augmented_notes",
    "check_images_only",
    "is_original",
    "of_originals",
    "original_rows",
    "originals",
    "with_augmented",
]


def has_augmented(table: pd.DataFrame) -> bool:
    """Whether any row of a table with clip_id is of a changed sound."""
    return any(map(is_augmented, table["clip_id"]))


def is_original(table: pd.DataFrame) -> np.ndarray:
    """Which rows of a table with clip_id are of sounds as they are; ndarray of bool, shape (n,)."""
    return np.array([not is_augmented(name) for name in table["clip_id"]], bool)


def originals(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of sounds as they are, numbered anew; a table that has no others is given back itself."""
    mask = is_original(table)
    return table if mask.all() else table[mask].reset_index(drop=True)


def original_rows(table: pd.DataFrame) -> np.ndarray:
    """The row of the clip that each row is of: its own, or for a changed sound that of the sound as it is.

    Parameters
    ----------
    table : DataFrame
        clip_id of n rows.

    Returns
    -------
    ndarray of int, shape (n,)
        -1 where the table does not have the clip, since it could not be read.
    """
    rows = np.arange(len(table))
    if not has_augmented(table):
        return rows
    row_of = dict(zip(table["clip_id"], rows.tolist(), strict=True))
    return np.array([row_of.get(original_of(clip), -1) for clip in table["clip_id"]], int)


def of_originals(values: np.ndarray, table: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Feature vectors and rows of the sounds as they are; both as given where there are no others."""
    mask = is_original(table)
    return (values, table) if mask.all() else (values[mask], originals(table))


def with_augmented(splits: Iterable[Split], table: pd.DataFrame) -> list[Split]:
    """Splits of the sounds as they are, with the changed sounds of the clips that are trained on.

    Parameters
    ----------
    splits : iterable of Split
        Their row numbers count the rows of :func:`harness.augmented_ids.originals` alone.
    table : DataFrame
        All rows.

    Returns
    -------
    list of Split
        Row numbers into `table`. A changed sound is in ``train`` where its clip is, in ``refit`` where its clip is, and
        never in ``validation`` or ``test``.
    """
    own = np.flatnonzero(is_original(table))
    if len(own) == len(table):
        return list(splits)
    of = original_rows(table)
    changed = np.flatnonzero(~is_original(table) & (of >= 0))

    def extended(rows: np.ndarray) -> np.ndarray:
        inside = np.zeros(len(table), bool)
        inside[own[rows]] = True
        inside[changed] = inside[of[changed]]
        return np.flatnonzero(inside)

    return [
        replace(
            split, train=extended(split.train), refit=extended(split.refit),
            validation=own[split.validation], test=own[split.test],
        )
        for split in splits
    ]  # fmt: skip


def augmented_notes(table: pd.DataFrame) -> list[str]:
    """What a reader of the figures must know of changed sounds, in at most one sentence."""
    n_clips = int(is_original(table).sum())
    n = len(table) - n_clips
    if not n:
        return []
    return [
        f"Training sets also have the augmented sounds of their clips ({n} of {n_clips} clips in all); what is "
        "validated and tested are the clips as they are."
    ]


def check_images_only(encodings: Sequence[str], tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse modules that take the sound itself where images are augmented.

    Raises
    ------
    SettingsError
        Naming the encoding whose images are.
    """
    if SOUND not in encodings:
        return
    for name in encodings:
        if name in tables and any(map(is_augmented, tables[name]["clip_id"])):
            raise SettingsError(
                f"images of {name!r} are augmented, but a module takes the sound itself, which is not: train it in a "
                "run of its own, without augmented sounds"
            )
