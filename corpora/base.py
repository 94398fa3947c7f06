"""What the corpora share: the card, the options of a scan, finding sounds, reading metadata."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.audio import SUFFIXES
from harness.errors import SettingsError, TableError, did_you_mean
from harness.files import natural_key

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Card", "Row", "ScanOptions", "find_sounds", "match_name", "need_folder", "read_metadata"]

Row = dict[str, Any]


def need_folder(root: Path, *, what: str) -> Path:
    """Give `root` back if it is a folder.

    Raises
    ------
    SettingsError
        It is not there, or is a file; `what` says what was expected in it.
    """
    if root.is_dir():
        return root
    found = "is a file" if root.exists() else "no such folder"
    raise SettingsError(f"root={root}: {found}; expected a folder with {what}")


def find_sounds(root: Path) -> list[Path]:
    """All sounds below a folder in natural order, links to folders followed, hidden files left out.

    Raises
    ------
    SettingsError
        There is none.
    """
    found = sorted(_walk(root), key=lambda p: natural_key(p.relative_to(root).as_posix()))
    if not found:
        raise SettingsError(f"root={root}: no sounds in it or below it; known are {', '.join(sorted(SUFFIXES))}")
    return found


def _walk(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield Path(folder, name)


def match_name(path: Path, grammar: re.Pattern[str], *, expected: str) -> dict[str, str]:
    """The named parts of a file's name.

    Raises
    ------
    SettingsError
        The name does not follow the corpus's grammar; `expected` is that grammar in words.
    """
    match = grammar.fullmatch(path.name)
    if match is None:
        raise SettingsError(f"{path}: not named {expected}; move it away, or take the corpus 'folders'")
    return {name: value or "" for name, value in match.groupdict().items()}


def read_metadata(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read a CSV file of text cells and hold it against the columns that are needed.

    Parameters
    ----------
    path : Path
        The file; UTF-8, separated by comma, semicolon or tab, whichever its header has most of.
    columns : mapping of str to str
        What is needed to the name of its column.

    Returns
    -------
    DataFrame of str
        All columns, with empty cells as "".

    Raises
    ------
    TableError
        No such file, not a CSV, or a column missing.
    """
    import pandas as pd

    if not path.is_file():
        raise TableError(f"{path}: no such file; expected a CSV with columns {', '.join(columns.values())}")
    try:
        with open(path, encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a readable CSV ({error})") from error
    for needed, column in columns.items():
        if column not in table.columns:
            raise TableError(f"{path}: column {column!r} ({needed}) is missing; {did_you_mean(column, table.columns)}")
    return table


@dataclass(frozen=True)
class Card:
    """What a person should know about a corpus.

    Parameters
    ----------
    title, citation, licence, url : str
        As its authors give them; `url` may be empty.
    folds : str
        Its official folds in a few words, or "none".
    group : str
        What a group is, in a few words.
    subsets : tuple of str
        Named parts that can be taken alone.
    columns : bool
        Whether the names of its columns can be told.
    metadata : tuple of str
        Files that it reads beside the sounds, relative to the root.
    """

    title: str
    citation: str
    licence: str
    url: str
    folds: str
    group: str
    subsets: tuple[str, ...] = ()
    columns: bool = False
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScanOptions:
    """What a scan is told beyond the root.

    Parameters
    ----------
    columns : mapping of str to str
        A column of the clips table to the name that the corpus's own table has for it.
    subset : str
        A named part of the corpus; empty for all of it.
    seed : int
        For a corpus that is made by the program.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    subset: str = ""
    seed: int = 0
