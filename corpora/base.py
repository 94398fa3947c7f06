"""What the corpora share: what a corpus is, the options of a scan, finding sounds, reading metadata."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import field_validator

from harness import audio, image
from harness.cells import unguarded_columns
from harness.decoder_messages import pass_on
from harness.errors import SettingsError, TableError, did_you_mean
from harness.files import natural_key, walk
from harness.registry import Extension
from harness.remote import as_path, files_below
from harness.settings import Settings
from harness.tables import CLIPS
from harness.urls import url_of

__all__ = [
    "Archive",
    "Corpus",
    "Row",
    "ScanOptions",
    "find_images",
    "find_sounds",
    "match_name",
    "need_folder",
    "read_metadata",
]

Row = dict[str, Any]

_NO_SOUNDS = image.SUFFIXES | frozenset(
    (
        " .svg .pdf .md .rst .txt .html .htm .css .js .xml .rtf .doc .docx .odt .tex .bib .ppt .pptx "  # documents
        ".csv .tsv .json .toml .yaml .yml .ini .cfg .xls .xlsx .ods .parquet .npy .npz .pkl .h5 .hdf5 .db "
        ".sqlite .textgrid .lab .eaf .jams .phn .wrd .srt .vtt .cue .m3u .m3u8 .pls .log .nfo .lnk .bak .tmp .part "
        ".zip .tar .gz .tgz .bz2 .xz .7z .rar .md5 .sha1 .sha256 .py .pyc .ipynb .sh .bat .m .r .jsonl .url"
    ).split(" ")
)  # the empty one is of a README


class ScanOptions(Settings):
    """What a scan is given beyond the root.

    Parameters
    ----------
    columns : mapping of str to str
        A column of the clips table to the name that the corpus's own table has for it.
    subset : str
        A named part of the corpus; empty for all of it.
    seed : int
        For a corpus that is made by the program.
    pattern_parts : tuple of str
        The columns (fold, group, label) that a pattern on the path will fill in afterwards.
    store : str
        Folder in which a corpus that is made by the program lies where no root is given; empty: of the default store.
    make : bool
        Whether such a corpus is made where it is not there; else its rows are given all the same.
    """

    columns: Mapping[str, str] = {}
    subset: str = ""
    seed: int = 0
    pattern_parts: tuple[str, ...] = ()
    store: str = ""
    make: bool = True

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: Mapping[str, str]) -> Mapping[str, str]:
        for column in columns:
            if column not in CLIPS.columns:
                raise ValueError(f"{column!r} is not in a clips table; {did_you_mean(column, CLIPS.columns)}")
        return columns


@dataclass(frozen=True)
class Archive:
    """A file of a corpus on the web.

    Parameters
    ----------
    url : str
    filename : str
    checksum : str
        ``md5:`` or ``sha256:``, and hex digits.
    unpack : str
        The folder in it that is the corpus; empty: all of it.
    """

    url: str
    filename: str
    checksum: str
    unpack: str = ""


@dataclass(frozen=True)
class Corpus(Extension):
    """One corpus: what a person should know about it, and how its sounds are found.

    Parameters
    ----------
    name : str
        As people type it.
    title, citation, licence, url : str
        As its authors give them; `url` may be empty.
    folds : str
        Its official folds in a few words, or "none".
    group : str
        What a group is, in a few words.
    scan : callable
        A function of the same module. Gives a row (a dict) for each clip below a root (an absolute path, or a
        :class:`harness.remote.RemotePath`, which has the methods that looking for files needs): ``path`` (absolute)
        and, as far as the corpus knows them, ``label, fold, group, start_s, end_s``. Clip ids, the wanted classes,
        folds where there are none, the check of the groups and the order are the same for all corpora: see
        `corpora.loading`.
    subsets : tuple of str
        Named parts that can be taken alone.
    columns : bool
        Whether the names of its columns can be given.
    metadata : tuple of str
        Files that it reads apart from the sounds, relative to the root.
    default_root : callable, optional
        Where it lies if no root is given.
    shared_groups : tuple of str
        Groups that span its official folds, as its authors released it: the declared exceptions.
    archives : tuple of Archive
        Where it can be fetched from; empty: where soundata says, if it knows a corpus of this name.
    media : str
        ``sounds``, or ``images`` where its clips are images already, which are neither drawn nor heard.
    """

    name: str  # type: ignore[misc]  # of the instance here, of the class where an extension is one
    title: str
    citation: str
    licence: str
    url: str
    folds: str
    group: str
    scan: Callable[[Path, ScanOptions], list[Row]]
    subsets: tuple[str, ...] = ()
    columns: bool = False
    metadata: tuple[str, ...] = ()
    default_root: Callable[[ScanOptions], Path] | None = None
    shared_groups: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    media: Literal["sounds", "images"] = "sounds"

    @property
    def source(self) -> Callable[[Path, ScanOptions], list[Row]]:
        """What stands in the module that defines the corpus."""
        return self.scan


def need_folder(root: Path, *, what: str) -> Path:
    """Give `root` back if it is a folder, local or behind a URL.

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
    """All sounds, and videos, below a folder in natural order, links to folders followed, hidden files left out.

    A warning counts files with endings that are neither those of sounds nor usual for what lies next to them.

    `root` may be a :class:`harness.remote.RemotePath`; so are the sounds then.

    Raises
    ------
    SettingsError
        There is none, or a folder cannot be read.
    """
    others: list[str] = []
    found = _find(root, audio.SUFFIXES, "sounds", others)
    if others:
        are = "file with another ending is" if len(others) == 1 else "files with other endings are"
        pass_on([f"{root}: {len(others)} {are} not taken, such as {min(others, key=natural_key)}"])
    return found


def find_images(root: Path) -> list[Path]:
    """All images below a folder, as :func:`find_sounds`."""
    return _find(root, image.SUFFIXES, "images")


def _find(root: Path, suffixes: Collection[str], what: str, others: list[str] | None = None) -> list[Path]:
    found = sorted(_walk(root, suffixes, others), key=lambda p: natural_key(p.relative_to(root).as_posix()))
    if not found:
        raise SettingsError(f"root={root}: no {what} in it or below it; known are {', '.join(sorted(suffixes))}")
    return found


def _walk(root: Path, suffixes: Collection[str], others: list[str] | None) -> Iterator[Path]:
    """Files with some endings; the names of those that may be sounds all the same are added to `others`."""
    if url := url_of(root):
        start = len(url.rstrip("/")) + 1
        for found in files_below(url):
            if "/." not in f"/{found[start:]}" and _is_one(os.path.basename(found), suffixes, others):
                yield as_path(found)
        return
    seen: set[str] = set()
    for folder, below, names in _readable(root):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and _is_one(name, suffixes, others):
                yield Path(folder, name)


def _is_one(name: str, suffixes: Collection[str], others: list[str] | None) -> bool:
    ending = os.path.splitext(name)[1].lower()
    if ending in suffixes:
        return True
    if others is not None and ending not in _NO_SOUNDS and not name.endswith("~"):
        others.append(name)
    return False


def _readable(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """What :func:`harness.files.walk` gives; a class whose folder cannot be read would be missing without a word."""
    try:
        yield from walk(root)
    except OSError as error:
        raise SettingsError(
            f"{error.filename}: cannot be read ({error.strerror}), so sounds in it would be missing; change its "
            "permissions, or move it out of the corpus"
        ) from error


def match_name(path: Path, grammar: re.Pattern[str], *, expected: str, folders_pattern: str = "") -> dict[str, str]:
    """The named parts of a file's name.

    Raises
    ------
    SettingsError
        The name does not follow the corpus's grammar; `expected` is that grammar in words. Where `folders_pattern`
        fits the name, it is advised for the corpus ``folders``.
    """
    match = grammar.fullmatch(path.name)
    if match is None:
        fits = folders_pattern and re.search(folders_pattern, path.name)
        pattern = f" with the pattern {folders_pattern!r}" if fits else ""
        raise SettingsError(f"{path}: not named {expected}; move it away, or take the corpus 'folders'{pattern}")
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
    if not path.is_file():
        raise TableError(f"{path}: no such file; expected a CSV with columns {', '.join(columns.values())}")
    try:
        data = path.read_bytes()
        header = data.partition(b"\n")[0].decode("utf-8-sig")
        separator = max(",;\t", key=header.count)
        table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)
        table = unguarded_columns(table, table.columns)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a readable CSV ({error})") from error
    for needed, column in columns.items():
        if column not in table.columns:
            raise TableError(f"{path}: column {column!r} ({needed}) is missing; {did_you_mean(column, table.columns)}")
    return table
