"""The folders of each fold, as the first project laid them out, and the lists that ``retrain.py`` reads.

::

    OUT/evaluation_on_fold3/
      training_all_folds_but_fold3/<class>/<picture>     hard links, copies where links fail
      evaluation_fold3/<class>/<picture>
      test.txt, validation.txt                           one picture a line, relative to the image folder
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SettingsError, TableError, did_you_mean
from harness.files import link_or_copy, safe_name, write_text
from harness.progress import track
from harness.protocol import Split, splits
from harness.tables import CLIPS, IMAGES, read

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fold_folder", "lay_out", "read_encoding", "read_sounds", "write_lists"]


def read_encoding(images: str | Path, encoding: str) -> pd.DataFrame:
    """Rows of one encoding of an ``images.csv``, paths made absolute.

    Raises
    ------
    TableError
        No such table, or no such encoding in it.
    """
    path = Path(images)
    table = read(path, IMAGES)
    rows = table[table["encoding"] == encoding].reset_index(drop=True)
    if rows.empty:
        raise TableError(f"{path}: no encoding {encoding!r}; {did_you_mean(encoding, set(table['encoding']))}")
    root = path.resolve().parent
    return rows.assign(path=[str(root / p) for p in rows["path"]])


def read_sounds(clips: str | Path | None) -> pd.DataFrame:
    """Rows of a ``clips.csv``, paths made absolute.

    Raises
    ------
    SettingsError
        None given: only pictures were.
    TableError
        No such table.
    """
    if clips is None:
        raise SettingsError("a module that takes the sound itself needs --clips, the table of the sounds")
    table = read(clips, CLIPS)
    root = Path(clips).resolve().parent
    return table.assign(path=[str(root / p) for p in table["path"]])


def fold_folder(out: str | Path, fold: str) -> Path:
    """Folder of one fold."""
    return Path(out) / f"evaluation_on_fold{safe_name(fold)}"


def lay_out(table: pd.DataFrame, out: str | Path, *, seed: int = 0, allow_shared: bool = False) -> list[Path]:
    """Lay out every fold; what is there already stays, pictures that no longer belong go.

    Parameters
    ----------
    table : DataFrame
        One encoding's rows, as :func:`read_encoding` gives them.
    out : path
    seed, allow_shared
        As for :func:`harness.protocol.splits`.

    Returns
    -------
    list of path
        One folder for each fold.
    """
    turns = list(_turns(table, seed, allow_shared))
    work = [(turn, row) for turn in turns for row in range(len(table))]
    wanted: set[Path] = set()
    for turn, row in track(work, total=len(work), what="laying out folds"):
        target = _side(out, turn, row) / Path(table["path"][row]).parent.name / Path(table["path"][row]).name
        link_or_copy(table["path"][row], target)
        wanted.add(target)
    for turn in turns:
        _remove_strangers(out, turn, wanted)
    write_lists(table, out, seed=seed, allow_shared=allow_shared)
    return [fold_folder(out, turn.fold) for turn in turns]


def write_lists(
    table: pd.DataFrame, out: str | Path, *, seed: int = 0, allow_shared: bool = False
) -> dict[str, tuple[Path, Path]]:
    """Write each fold's ``test.txt`` and ``validation.txt``; give their paths by fold."""
    lists = {}
    for turn in _turns(table, seed, allow_shared):
        folder = fold_folder(out, turn.fold)
        paths = (folder / "test.txt", folder / "validation.txt")
        for path, rows in zip(paths, (turn.test, turn.validation), strict=True):
            names = sorted("/".join(Path(table["path"][row]).parts[-2:]) for row in rows)
            write_text(path, "".join(f"{name}\n" for name in names))
        lists[turn.fold] = paths
    return lists


def _turns(table: pd.DataFrame, seed: int, allow_shared: bool) -> Iterator[Split]:
    return splits(list(table["fold"]), list(table["group"]), list(table["label"]), seed=seed, allow_shared=allow_shared)


def _side(out: str | Path, turn: Split, row: int) -> Path:
    name = safe_name(turn.fold)
    side = f"evaluation_fold{name}" if row in turn.test else f"training_all_folds_but_fold{name}"
    return fold_folder(out, turn.fold) / side


def _remove_strangers(out: str | Path, turn: Split, wanted: set[Path]) -> None:
    name = safe_name(turn.fold)
    for side in (f"evaluation_fold{name}", f"training_all_folds_but_fold{name}"):
        for file in (fold_folder(out, turn.fold) / side).glob("*/*"):
            if file not in wanted:
                file.unlink()
