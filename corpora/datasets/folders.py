"""A folder per class, as people have their own recordings.

Layouts::

    ROOT/<class>/**/*.wav                      sounds in sub-folders count to the class
    ROOT/train/<class>/**/*.wav                and test, validation ...: a single split, taken as it is
    ROOT/*.wav                                 one class, named after the folder

Labels are the folders' names as they are. A regular expression on the path (`pattern`) gives fold, group and label
where folders do not; without groups each sound stands for itself. Sounds next to class folders have no label.

Folders of two or more parts of a split may have nothing next to them, and need class folders in them: anything else is
refused, as split names would become classes. A single folder ``train`` among others is a class.

Licence and citation are those of the recordings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, need_folder
from harness.errors import SplitError
from harness.split_parts import part_of

__all__ = ["FOLDERS", "class_folder_rows"]

_FOLD = re.compile(r"fold[ _-]?\d+", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per sound below `root`."""
    need_folder(root, what="class folders of sounds, or with sounds")
    return class_folder_rows(root, find_sounds(root), options, what="sound")


def class_folder_rows(root: Path, paths: Sequence[Path], options: ScanOptions, *, what: str) -> list[Row]:
    """One row for each file below `root`: its class folder as label, and its part where the folders are a split.

    Parameters
    ----------
    root : Path
    paths : sequence of Path
        The files.
    options : ScanOptions
    what : str
        What a file is, for messages.

    Raises
    ------
    SplitError
        Folders that are parts of a split, but not all, or without class folders in them.
    """
    parts = [path.relative_to(root).parts for path in paths]
    split = _is_split(root, parts, options.pattern_parts, what)
    flat = all(len(p) == 1 for p in parts)
    rows = []
    for path, below in zip(paths, parts, strict=True):
        if flat:
            label = root.name
        elif split:
            label = below[1] if len(below) > 2 else ""
        else:
            label = below[0] if len(below) > 1 else ""
        rows.append({"path": path, "label": label, "fold": below[0] if split else ""})
    return rows


def _is_split(root: Path, parts: Sequence[tuple[str, ...]], pattern_parts: Sequence[str], what: str) -> bool:
    """Whether the folders are the parts of a single split.

    Raises
    ------
    SplitError
        They are, but not all, or without class folders in them.
    """
    top = list(dict.fromkeys(p[0] for p in parts if len(p) > 1))
    named = [name for name in top if part_of(name)]
    if len({part_of(name) for name in named}) < 2:
        if "label" not in pattern_parts:
            _check_no_near_names(root, top, parts)
        return bool(named) and all(part_of(p[0]) and len(p) > 2 for p in parts)
    strays = [f"the folder {name!r}" for name in top if name not in named]
    strays += [f"the {what} {p[0]!r}" for p in parts if len(p) == 1]
    direct = "" if "label" in pattern_parts else next(("/".join(p) for p in parts if len(p) == 2 and part_of(p[0])), "")
    if strays and {"fold", "label"} <= set(pattern_parts):
        return False
    listed = " and ".join(repr(name) for name in named)
    if strays:
        more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        raise SplitError(
            f"root={root}: {listed} are parts of a split, but {strays[0]}{more} lies next to them; move it away or "
            "into a part, or name fold and label by a pattern"
        )
    if direct:
        raise SplitError(
            f"root={root}: {listed} are parts of a split, but {direct} is not in a class folder; expected "
            f"{named[0]}/<class>/<{what}>, or a label by a pattern; if these are classes, rename the folders"
        )
    return True


def _check_no_near_names(root: Path, top: Sequence[str], parts: Sequence[tuple[str, ...]]) -> None:
    """Refuse folders that hold the same class folders and are named nearly as parts of a split, or as folds."""
    below = {name: {p[1] for p in parts if p[0] == name and len(p) > 2} for name in top}
    shared = set.intersection(*below.values()) if len(below) > 1 else set()
    near = [name for name in top if _FOLD.fullmatch(name) or any(part_of(word) for word in _WORD.findall(name))]
    if len(shared) > 1 and near:
        listed = " and ".join(repr(name) for name in top[:3]) + (" ..." if len(top) > 3 else "")
        raise SplitError(
            f"root={root}: {listed} hold folders of the same names ({', '.join(sorted(shared)[:3])}): if they are "
            "parts of a split, name them train, validation, test; if they are folds, or classes after all, say so by a "
            r"pattern, as '(?P<fold>[^/]+)/(?P<label>[^/]+)/'"
        )


FOLDERS = Corpus(
    name="folders",
    title="Class folders of your own",
    citation="none: your own recordings",
    licence="that of the recordings",
    url="",
    folds="train/test/validation folders, or by --pattern",
    group="each sound, or by --pattern",
    scan=_scan,
)
