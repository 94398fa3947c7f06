"""Identical sounds: clips with the same bytes under several names, which count as one group.

A copy of a training clip in the test part is a leak, whatever the groups say. Where a corpus has no groups, or gives
copies different ones, the clips of one sound are put into one group before folds are assigned. Files are compared
by size and a few bytes first, so that only those that agree are read whole.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeVar, get_args

import pandas as pd

from harness.cli import count
from harness.duplicates import duplicates_table
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_file
from harness.remote import REMOTE_THREADS, fetch_part, sizes_of
from harness.shared_groups import IDENTICAL
from harness.tables import fold_order
from harness.threads import in_threads
from harness.urls import url_of

__all__ = [
    "IdenticalSounds",
    "as_identical_sounds",
    "file_digest",
    "groups_by_sound",
    "identical_clips",
    "torn_notes",
    "torn_pairs",
    "torn_sounds",
]

T = TypeVar("T")
IdenticalSounds = Literal["group", "separate"]

_MIDDLE = 4096  # bytes
_NAMED = 3
_NONE = "\x01"  # before the number of a clip without a group


def as_identical_sounds(text: str, *, name: str = "identical_sounds") -> IdenticalSounds:
    """Check what is to be done about identical sounds.

    Raises
    ------
    SettingsError
        Neither ``group`` nor ``separate``; `name` is how the setting was written.
    """
    for known in get_args(IdenticalSounds):
        if text == known:
            return known
    raise SettingsError(f"{name}={text!r}: {did_you_mean(text, get_args(IdenticalSounds))}")


def identical_clips(table: pd.DataFrame) -> list[list[int]]:
    """Find clips that hold the same bytes, and the same part of them.

    Parameters
    ----------
    table : DataFrame
        A clips table with paths that can be opened; files that cannot are left out.

    Returns
    -------
    list of list of int
        Row numbers in ascending order, two or more for each sound.
    """
    paths = list(dict.fromkeys(table["path"]))
    content: dict[str, Hashable] = {path: path for path in paths}  # a file that is like no other
    sizes = sizes_of(url for path in paths if (url := url_of(path)))
    for own in _alike(_alike([paths], lambda path: _size(path, sizes)), lambda path: _middle(path, sizes)):
        content |= {path: digest for path, digest in zip(own, _each(file_digest, own), strict=True) if digest}
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, (path, start, end) in enumerate(zip(table["path"], table["start_s"], table["end_s"], strict=True)):
        rows[content[path], None if math.isnan(start) else start, None if math.isnan(end) else end].append(row)
    return [own for own in rows.values() if len(own) > 1]


def groups_by_sound(
    table: pd.DataFrame, identical: Sequence[Sequence[int]], *, folds_given: bool, official: bool
) -> tuple[list[str], list[str]]:
    """Put the clips of one sound into one group.

    Parameters
    ----------
    table : DataFrame
        A clips table.
    identical : sequence of sequence of int
        As :func:`identical_clips` gives them.
    folds_given : bool
        Whether the column ``fold`` holds; else folds are assigned afterwards, by the groups that come out.
    official : bool
        Folds that are given are used as they are: groups that would be joined across folds stay apart, and
        :func:`torn_notes` names them.

    Returns
    -------
    groups : list of str
        Of each clip. Copies without a group get one that is named after the first of them.
    notes : list of str
        How many clips were joined, in at most one sentence.
    """
    groups, clip_ids = table["group"].tolist(), table["clip_id"].tolist()
    names = [group or f"{_NONE}{row}" for row, group in enumerate(groups)]
    members: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        members[name].append(row)
    folds = table["fold"].tolist() if folds_given else [""] * len(table)
    joined: set[str] = set()
    for own in _connected([{names[row] for row in rows} for rows in identical]):
        in_order = sorted(own, key=lambda name: members[name][0])
        folds_of = {name: {folds[row] for row in members[name]} - {""} for name in in_order}
        together = _common_name(folds_of, official=official)
        if together is None:
            continue
        for row in (row for name in own for row in members[name]):
            groups[row] = together or f"{IDENTICAL}{clip_ids[members[in_order[0]][0]]}"
        joined |= own
    copies = [len(rows) for rows in identical if names[rows[0]] in joined]
    if not copies:
        return groups, []
    sounds = count(len(copies), "sound")
    return groups, [
        f"{sum(copies)} of {len(table)} clips hold {sounds} in identical copies: identical sounds count as one group."
    ]


def _common_name(folds_of: Mapping[str, Collection[str]], *, official: bool) -> str | None:
    """What groups with a common sound are called as one: empty where none has a name, None where they stay apart.

    Parameters
    ----------
    folds_of : mapping of str to collection of str
        The groups in order of their first clips, each with its folds.
    official : bool
        As for :func:`groups_by_sound`.
    """
    everywhere = set().union(*folds_of.values())
    named = [name for name in folds_of if not name.startswith(_NONE)]
    if len(everywhere) > 1:
        widest = [name for name in named if set(folds_of[name]) == everywhere]
        if official and not widest:
            return None
        named = widest[:1] or named
    if len(folds_of) < 2:
        return None
    return " + ".join(named[:_NAMED]) + (f" + {len(named) - _NAMED} more" if len(named) > _NAMED else "")


def torn_sounds(table: pd.DataFrame, identical: Sequence[Sequence[int]]) -> list[list[int]]:
    """Identical sounds, as :func:`identical_clips`, that are in several folds without being one group."""
    folds, groups = table["fold"].tolist(), table["group"].tolist()
    return [
        list(rows)
        for rows in identical
        if len(fold_order(folds[row] for row in rows)) > 1 and len({groups[row] or row for row in rows}) > 1
    ]


def torn_pairs(table: pd.DataFrame, torn: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Each clip of :func:`torn_sounds` with the first of its sound in another fold, as `harness.tables.DUPLICATES`."""
    folds, pairs = table["fold"].tolist(), set()
    for rows in torn:
        in_folds = [row for row in rows if folds[row]]
        for one in in_folds:
            other = next(each for each in in_folds if folds[each] != folds[one])
            pairs.add((min(one, other), max(one, other)))
    return duplicates_table(table, ((a, b, "exact", 1.0, 0.0) for a, b in sorted(pairs)))


def torn_notes(table: pd.DataFrame, torn: Sequence[Sequence[int]]) -> list[str]:
    """Name the sounds of :func:`torn_sounds`, in at most one sentence."""
    folds, clip_ids = table["fold"].tolist(), table["clip_id"].tolist()
    if not torn:
        return []
    named = [
        " and ".join(f"{clip_ids[row]!r} (fold {folds[row]})" for row in rows[:2])
        + (f" and {len(rows) - 2} more" if len(rows) > 2 else "")
        for rows in torn[:_NAMED]
    ]
    which = "1 sound is" if len(torn) == 1 else f"{len(torn)} sounds are"
    return [
        f"{which} in several folds in identical copies, so that models are tested on sounds that they trained on and "
        f"figures are too high: {'; '.join(named)}{' ...' if len(torn) > _NAMED else '.'}"
    ]


def _each(of: Callable[[str], T], paths: Sequence[str]) -> Iterable[T]:
    """What `of` gives of each path, in order; URLs wait for answers, so several at a time."""
    return in_threads(of, paths, threads=REMOTE_THREADS) if any(map(url_of, paths)) else map(of, paths)


def _alike(parts: Iterable[Sequence[str]], of: Callable[[str], Hashable | None]) -> list[list[str]]:
    """Each list of paths divided by what `of` gives; lists of one, and paths with None, go."""
    found = []
    for paths in parts:
        by: dict[Hashable, list[str]] = defaultdict(list)
        for path, value in zip(paths, _each(of, paths), strict=True):
            if value is not None:
                by[value].append(path)
        found += [own for own in by.values() if len(own) > 1]
    return found


def _size(path: str, remote: Mapping[str, int]) -> int | None:
    """Of a file its size in bytes; None for an empty one, and one that is not there; `remote` has those of URLs."""
    if url := url_of(path):
        return remote.get(url) or None
    try:
        return os.stat(path).st_size or None
    except (OSError, ValueError):  # ValueError: no name that a file can have
        return None


def _middle(path: str, remote: Mapping[str, int]) -> bytes | None:
    try:
        if url := url_of(path):
            return fetch_part(url, remote[url] // 2, remote[url] // 2 + _MIDDLE)
        with open(path, "rb") as file:
            file.seek(os.fstat(file.fileno()).st_size // 2)
            return file.read(_MIDDLE)
    except OSError:
        return None


def file_digest(path: str) -> str:
    """sha256 of a file, 64 hex digits; empty where it cannot be read."""
    try:
        return digest_file(path)
    except OSError:
        return ""


def _connected(sets: Iterable[Collection[str]]) -> list[set[str]]:
    """Sets that share a name, joined until none do; in order of their first one."""
    found: dict[str, set[str]] = {}
    for names in sets:
        together = set(names).union(*(found[name] for name in names if name in found))
        found |= dict.fromkeys(together, together)
    return list({id(own): own for own in found.values()}.values())
