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

from harness.cli import count, warn
from harness.errors import SettingsError
from harness.files import link_or_copy, read_json, safe_name, write_json, write_text
from harness.image import SUFFIXES
from harness.progress import track
from harness.protocol import Split
from harness.run_lock import locks_folder
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.split_parts import part_of
from harness.written import check_one_folder_each, claim, inside
from trainer.augmented_rows import originals
from trainer.inputs import split_table

__all__ = ["fold_folder", "lay_out", "write_lists"]

_LAID = ".laid.json"  # the images that were laid out, relative
_LISTS = ("test.txt", "validation.txt")
_PARTS = ("training", "evaluation_")  # what a fold's folders of images begin with


def fold_folder(out: str | Path, fold: str) -> Path:
    """Folder of one fold, or of a single split."""
    return Path(out) / f"evaluation_on_{_named(fold)}"


@locks_folder("out")
def lay_out(table: pd.DataFrame, out: str | Path, *, seed: int = 0, shared: SharedGroups = OFFICIAL) -> list[Path]:
    """Lay out every fold; images that are there already stay.

    Those of an earlier layout that no longer belong are removed, with a warning, and so are the folders of folds that
    there are no more, but for what else lies in them.

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
    SettingsError
        Before anything is written: labels with one folder, or an image in a fold's folder that was not laid out there.
    """
    check_one_folder_each(table["label"])
    table = originals(table)  # what retrain.py trains on are the clips as they are
    splits = split_table(table, seed=seed, shared=shared)
    work = [(split, row) for split in splits for rows in (split.train, split.validation, split.test) for row in rows]
    tested = {split.fold: set(split.test.tolist()) for split in splits}
    targets: list[Path] = []
    for split, row in work:
        training, evaluation = _subfolders(out, split)
        folder = evaluation if row in tested[split.fold] else training
        targets.append(inside(folder, "/".join(Path(table["path"][row]).parts[-2:])))
    before, listed = _laid(out), set(targets)
    _claim_folds(out, splits)
    _check_strays(Path(out), before | listed)
    _note_laid(out, before | listed)
    for target, (_, row) in track(zip(targets, work, strict=True), total=len(work), what="laying out folds"):
        link_or_copy(Path(table["path"][row]), target)
    _remove_unlisted(Path(out), listed, {fold_folder(out, split.fold) for split in splits})
    _note_laid(out, listed)
    _write_lists(table, out, splits)
    return [fold_folder(out, split.fold) for split in splits]


@locks_folder("out")
def write_lists(
    table: pd.DataFrame, out: str | Path, *, seed: int = 0, shared: SharedGroups = OFFICIAL
) -> dict[str, tuple[Path, Path]]:
    """Write each fold's ``test.txt`` and ``validation.txt``; give their paths by fold."""
    table = originals(table)
    splits = split_table(table, seed=seed, shared=shared)
    _claim_folds(out, splits)
    return _write_lists(table, out, splits)


def _write_lists(table: pd.DataFrame, out: str | Path, splits: list[Split]) -> dict[str, tuple[Path, Path]]:
    lists = {}
    for split in splits:
        folder = fold_folder(out, split.fold)
        paths = (folder / _LISTS[0], folder / _LISTS[1])
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


def _claim_folds(out: str | Path, splits: list[Split]) -> None:
    folds = [split.fold for split in splits]
    check_one_folder_each(folds, what="folds", folder=lambda fold: fold_folder(out, fold).name)
    claim(out, [f"{fold_folder(out, split.fold).name}/" for split in splits])


def _laid(out: str | Path) -> set[Path]:
    """The images that were laid out there before."""
    try:
        return {inside(out, name) for name in read_json(Path(out) / _LAID)}
    except (OSError, ValueError, TypeError):
        return set()


def _note_laid(out: str | Path, files: set[Path]) -> None:
    write_json(Path(out) / _LAID, sorted(file.relative_to(out).as_posix() for file in files))


def _strays(out: Path, listed: set[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Folders of folds, their folders of images, and in those the images that are not listed."""
    folders = [folder for folder in out.glob("evaluation_on_*") if folder.is_dir()]
    laid = [part for folder in folders for part in folder.iterdir() if part.name.startswith(_PARTS) and part.is_dir()]
    files = (file for part in laid for file in part.glob("*/*") if file not in listed)
    return folders, laid, sorted(file for file in files if file.suffix.lower() in SUFFIXES)


def _check_strays(out: Path, known: set[Path]) -> None:
    *_, strays = _strays(out, known)
    if strays:
        raise SettingsError(
            f"{strays[0]}: belongs to no fold, and was not laid out by soundfold; move it away, or choose another --out"
        )


def _remove_unlisted(out: Path, listed: set[Path], current: set[Path]) -> None:
    """Remove the images that belong to no fold, the lists and folders of folds that are gone; say so."""
    folders, laid, strays = _strays(out, listed)
    for file in strays:
        file.unlink()
    if strays:
        warn(f"{out}: {count(len(strays), 'image')} removed that belong to no fold any more, the first: {strays[0]}")
    for folder in sorted(set(folders) - current):
        if not any(part.parent == folder for part in laid):
            continue  # not one that was laid out here
        for name in _LISTS:
            (folder / name).unlink(missing_ok=True)
        left = _remove_empty(folder)
        warn(f"{folder}: {'what else lies there stays' if left else 'removed'}, since there is no such fold any more")
    for folder in current:
        _remove_empty(folder)


def _remove_empty(folder: Path) -> bool:
    """Remove the folders below that are empty, then this one if it is; whether it is still there."""
    for below in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(below.iterdir()):
            below.rmdir()
    if any(folder.iterdir()):
        return True
    folder.rmdir()
    return False
