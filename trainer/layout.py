"""The folders of each fold, as the first project laid them out, and the lists that ``retrain.py`` reads.

::

    OUT/evaluation_on_fold3/
      training_all_folds_but_fold3/<class>/<image>     hard links, copies where links fail
      evaluation_fold3/<class>/<image>
      test.txt, validation.txt                         one image a line, relative to the image folder

A single split has one such folder, ``evaluation_on_test`` with ``training`` and ``evaluation_test``. Clips of shared
groups that are left out of a split's training are in neither of its folders.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.files import link_or_copy, safe_name, write_text
from harness.progress import track
from harness.protocol import Split
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.split_parts import part_of
from trainer.inputs import split_table

__all__ = ["fold_folder", "lay_out", "write_lists"]


def fold_folder(out: str | Path, fold: str) -> Path:
    """Folder of one fold, or of a single split."""
    return Path(out) / f"evaluation_on_{_named(fold)}"


def lay_out(table: pd.DataFrame, out: str | Path, *, seed: int = 0, shared: SharedGroups = OFFICIAL) -> list[Path]:
    """Lay out every fold; images that are there already stay, those that no longer belong are removed.

    Parameters
    ----------
    table : DataFrame
        One encoding's rows, as :func:`trainer.inputs.read_encoding` gives them.
    out : path
    seed, shared
        As for :func:`harness.protocol.splits`.

    Returns
    -------
    list of path
        One folder for each fold.

    Raises
    ------
    SplitError
        Before anything is written: too few folds, or a group in several of them.
    """
    splits = split_table(table, seed=seed, shared=shared)
    work = [(split, row) for split in splits for rows in (split.train, split.validation, split.test) for row in rows]
    tested = {split.fold: set(split.test.tolist()) for split in splits}
    listed: set[Path] = set()
    for split, row in track(work, total=len(work), what="laying out folds"):
        image = Path(table["path"][row])
        training, evaluation = _subfolders(out, split)
        target = (evaluation if row in tested[split.fold] else training) / image.parent.name / image.name
        link_or_copy(image, target)
        listed.add(target)
    for split in splits:
        _remove_unlisted(_subfolders(out, split), listed)
    _write_lists(table, out, splits)
    return [fold_folder(out, split.fold) for split in splits]


def write_lists(
    table: pd.DataFrame, out: str | Path, *, seed: int = 0, shared: SharedGroups = OFFICIAL
) -> dict[str, tuple[Path, Path]]:
    """Write each fold's ``test.txt`` and ``validation.txt``; give their paths by fold."""
    return _write_lists(table, out, split_table(table, seed=seed, shared=shared))


def _write_lists(table: pd.DataFrame, out: str | Path, splits: list[Split]) -> dict[str, tuple[Path, Path]]:
    lists = {}
    for split in splits:
        folder = fold_folder(out, split.fold)
        paths = (folder / "test.txt", folder / "validation.txt")
        for path, rows in zip(paths, (split.test, split.validation), strict=True):
            names = sorted("/".join(Path(table["path"][row]).parts[-2:]) for row in rows)
            write_text(path, "".join(f"{name}\n" for name in names))
        lists[split.fold] = paths
    return lists


def _subfolders(out: str | Path, split: Split) -> tuple[Path, Path]:
    """The training and the evaluation folder of a fold."""
    folder, name = fold_folder(out, split.fold), _named(split.fold)
    training = "training" if part_of(split.fold) else f"training_all_folds_but_{name}"
    return folder / training, folder / f"evaluation_{name}"


def _named(fold: str) -> str:
    """``fold3`` of a fold, ``test`` of a single split."""
    return safe_name(fold) if part_of(fold) else f"fold{safe_name(fold)}"


def _remove_unlisted(folders: tuple[Path, Path], listed: set[Path]) -> None:
    for folder in folders:
        for file in folder.glob("*/*"):
            if file not in listed:
                file.unlink()
