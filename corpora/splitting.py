"""Where the folds of a corpus come from: its own, folds by group, a single split by percentages, or lists of files."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from corpora.base import Row
from harness.errors import SettingsError, SplitError
from harness.protocol import assign_folds
from harness.remote import as_path
from harness.split_parts import assign_parts, parse_shares, parts_of
from harness.urls import expanded, located

__all__ = ["DEFAULT_FOLDS", "Listed", "assigned_folds", "check_ways", "is_official", "listed_folds", "split_by_shares"]

DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class Listed:
    """Rows with the folds that lists of files give them, and what is to be said about it."""

    rows: list[Row]
    notes: list[str]


def check_ways(*, folds: int, split: str | Mapping[str, float], lists: Mapping[str, str]) -> None:
    """Check that folds are asked for in one way only, and that what is asked for can be read.

    Raises
    ------
    SettingsError
        A number of folds below 2, percentages that are none, or two ways together.
    """
    if folds < 0 or folds == 1:
        raise SettingsError(f"folds={folds}: expected 2 or more, or 0 for the corpus's own")
    asked = [name for name, value in (("folds", folds), ("split", split), ("lists", lists)) if value]
    if len(asked) > 1:
        raise SettingsError(f"{asked[0]} and {asked[1]}: both say which clip is in which fold; give one of them")
    if split:
        parse_shares(split)


def assigned_folds(table: pd.DataFrame, folds: int, seed: int) -> list[str]:
    """The corpus's own folds, those asked for, or five where there is enough to share out."""
    own = table["fold"].tolist()
    groups, labels = table["group"].tolist(), table["label"].tolist()
    largest, most = Counter(labels).most_common(1)[0]
    apart = len(set(groups) - {""}) + groups.count("")
    if folds == 0:
        if any(own) or min(apart, most) < DEFAULT_FOLDS:
            return own
        folds = DEFAULT_FOLDS
    if most < folds <= apart:
        raise SplitError(f"folds={folds}: the largest class, {largest!r}, has only {most} clips; ask for fewer folds")
    return assign_folds(groups, labels, n_folds=folds, seed=seed)


def split_by_shares(table: pd.DataFrame, split: str | Mapping[str, float], seed: int) -> tuple[list[str], str]:
    """The part of every clip by percentages, and a sentence on what was assigned."""
    shares = parse_shares(split)
    parts = assign_parts(table["group"].tolist(), table["label"].tolist(), shares, seed=seed)
    counts = Counter(parts)
    got = [f"{part} {counts[part]} clips ({100 * counts[part] / len(parts):.1f} %)" for part in shares]
    asked = "/".join(f"{share:g}" for share in shares.values())
    return (
        parts,
        f"Assigned a {'/'.join(shares)} split of {asked} by class and whole groups, seed {seed}: {', '.join(got)}.",
    )


def listed_folds(rows: Sequence[Row], relative: Sequence[str], lists: Mapping[str, str | Path], root: Path) -> Listed:
    """Give rows the folds that lists of files name.

    Parameters
    ----------
    rows : sequence of Row, length n
        With their clip ids.
    relative : sequence of str, length n
        Each row's path relative to the root.
    lists : mapping of str to path
        Fold to a text file with one clip a line: its path relative to the root, its clip id, or its file name where
        no other has it. Empty lines and lines that begin with ``#`` do not count.
    root : Path
        A list that is not there by its own path is looked for here.

    Returns
    -------
    Listed
        Clips in no list are ``train`` where the lists are parts of a single split without train, and are left out
        otherwise.

    Raises
    ------
    SettingsError
        No such list, a line that names no clip or several, a clip in two lists, or an empty list.
    SplitError
        Names of parts together with other names.
    """
    parts = parts_of(lists)
    places = _places(rows, relative)
    fold_of: dict[int, str] = {}
    for fold, file in lists.items():
        path = _list_file(fold, file, root)
        found = [place for number, line in _lines(path) for place in _named(line, places, f"{path}, line {number}")]
        if not found:
            raise SettingsError(f"{path}: names no clips for {fold!r}; expected one path a line")
        for place in found:
            if fold_of.setdefault(place, fold) != fold:
                clip = rows[place]["clip_id"]
                raise SettingsError(f"clip {clip!r} is in the list of {fold_of[place]!r} and in that of {fold!r}")
    rest = "train" if parts is not None and "train" not in parts else ""
    chosen = [{**row, "fold": fold_of.get(i, rest)} for i, row in enumerate(rows) if i in fold_of or rest]
    without = len(rows) - len(fold_of)
    if not without:
        return Listed(chosen, [])
    clips = f"{without} clip{'' if without == 1 else 's'}"
    if rest:
        return Listed(chosen, [f"{clips} in no list: in train."])
    first = next(row["clip_id"] for i, row in enumerate(rows) if i not in fold_of)
    return Listed(chosen, [f"{clips} in no list: left out, the first {first!r}."])


def is_official(folds: int, split: object, lists: Mapping[str, str], pattern_parts: Sequence[str]) -> bool:
    """Whether the folds are the corpus's own, for which its exceptions are declared."""
    return not (folds or split or lists or {"fold", "group"} & set(pattern_parts))


def _list_file(fold: str, file: str | Path, root: Path) -> Path:
    path = expanded(file)
    candidates = dict.fromkeys((as_path(path), as_path(located(path, root))))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise SettingsError(f"list of {fold!r}: no such file; looked for {' and '.join(map(str, candidates))}")


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: not a readable list ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}, line {line}: expected text in UTF-8; save the list as UTF-8") from error
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _places(rows: Sequence[Row], relative: Sequence[str]) -> tuple[dict[str, list[int]], ...]:
    """Rows by path, by clip id and by file name; parts of one file share its path and name."""
    by_path: dict[str, list[int]] = {}
    by_id: dict[str, list[int]] = {}
    by_name: dict[str, list[int]] = {}
    for i, (row, below) in enumerate(zip(rows, map(_composed, relative), strict=True)):
        by_path.setdefault(below, []).append(i)
        by_id.setdefault(_composed(str(row["clip_id"])), []).append(i)
        by_name.setdefault(below.rpartition("/")[2], []).append(i)
    return by_path, by_id, by_name


def _named(line: str, places: tuple[dict[str, list[int]], ...], where: str) -> list[int]:
    by_path, by_id, by_name = places
    text = _composed(line).replace("\\", "/").removeprefix("./")
    for found in (by_path.get(text), by_id.get(_composed(line))):
        if found:
            return found
    found = by_name.get(text)
    if not found:
        raise SettingsError(f"{where}: {line!r} names no clip; expected a path relative to the root, or a clip id")
    owners = [path for path, own in by_path.items() if own[0] in found]
    if len(owners) > 1:
        raise SettingsError(
            f"{where}: {line!r} names {len(owners)} files, as {owners[0]} and {owners[1]}; give the path"
        )
    return found


def _composed(text: str) -> str:
    """The text with each accent in its letter; some systems name files with both apart."""
    return unicodedata.normalize("NFC", text)
