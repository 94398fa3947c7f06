"""A folder per class, as people have their own recordings.

Layouts::

    ROOT/<class>/**/*.wav                      sounds in sub-folders count to the class
    ROOT/train/<class>/**/*.wav                and test, validation ...: taken as they are, as folds
    ROOT/*.wav                                 one class, named after the folder

Labels are the folders' names as they are. A regular expression on the path (`pattern`) gives fold, group and label
where folders do not; without groups each sound stands for itself. Sounds next to class folders have no label.

Licence and citation are those of the recordings.
"""

from __future__ import annotations

from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, need_folder

__all__ = ["FOLDERS", "SPLIT_FOLDERS"]

SPLIT_FOLDERS = frozenset("train training test testing validation valid val dev eval evaluation".split())


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per sound below `root`."""
    need_folder(root, what="class folders of sounds, or with sounds")
    paths = find_sounds(root)
    parts = [path.relative_to(root).parts for path in paths]
    split = all(len(p) >= 3 and p[0].lower() in SPLIT_FOLDERS for p in parts)
    flat = all(len(p) == 1 for p in parts)
    rows = []
    for path, below in zip(paths, parts, strict=True):
        if flat:
            label = root.name
        elif split:
            label = below[1]
        else:
            label = below[0] if len(below) > 1 else ""
        rows.append({"path": path, "label": label, "fold": below[0] if split else ""})
    return rows


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
