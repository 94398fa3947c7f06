"""UrbanSound8K: 8732 slices of up to 4 s, 10 classes of city sounds, 10 official folds.

J. Salamon, C. Jacoby, J. P. Bello: A Dataset and Taxonomy for Urban Sound Research, 22nd ACM International Conference
on Multimedia, 2014. Licence: CC BY-NC 3.0.

Layouts::

    ROOT/metadata/UrbanSound8K.csv  ROOT/audio/fold1 ... fold10/*.wav      as published
    ROOT/UrbanSound8K.csv           ROOT/fold1 ... fold10/*.wav            as some mirrors have it
    ROOT/**/*.wav                                                          without the CSV, or any part of it

The CSV has slice_file_name, fsID, start, end, salience, fold, classID, class; its start and end are places in the
original recording, not in the slice, so they are not read. Without the CSV, class and group come from the file's
name, ``[fsID]-[classID]-[occurrenceID]-[sliceID].wav``, and the fold from a folder ``foldN``.

Five recordings (152 slices) have slices of different classes in two folds. They are declared as the exceptions of the
official folds.
"""

from __future__ import annotations

import re
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, match_name, need_folder, read_metadata

__all__ = ["CLASSES", "URBANSOUND8K"]

CLASSES = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling",
    "engine_idling", "gun_shot", "jackhammer", "siren", "street_music",
)  # fmt: skip

_METADATA = ("metadata/UrbanSound8K.csv", "UrbanSound8K.csv")
_NAME = re.compile(r"(?P<fs_id>\d+)-(?P<class_id>\d)-(?P<occurrence>\d+)-(?P<slice>\d+)\.\w+")
_FOLD = re.compile(r"fold(\d+)", re.IGNORECASE)
_COLUMNS = {"file": "slice_file_name", "group": "fsID", "fold": "fold", "label": "class"}


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per line of the CSV, or per sound below `root` where there is no CSV."""
    need_folder(root, what="metadata/UrbanSound8K.csv and audio/fold1 ... fold10, or with its wavs")
    for name in _METADATA:
        if (root / name).is_file():
            return _from_csv(root, root / name)
    return [_from_name(path, root) for path in find_sounds(root)]


def _from_csv(root: Path, file: Path) -> list[Row]:
    table = read_metadata(file, _COLUMNS)
    audio = root / "audio" if (root / "audio").is_dir() else root
    return [
        {"path": audio / f"fold{fold}" / name, "label": label, "fold": fold, "group": group}
        for name, group, fold, label in zip(*(table[c] for c in _COLUMNS.values()), strict=True)
    ]


def _from_name(path: Path, root: Path) -> Row:
    parts = match_name(path, _NAME, expected="[fsID]-[classID 0 to 9]-[occurrenceID]-[sliceID].wav")
    folders = [_FOLD.fullmatch(name) for name in (root.name, *path.relative_to(root).parts[:-1])]
    folds = [match[1] for match in folders if match]
    return {
        "path": path,
        "label": CLASSES[int(parts["class_id"])],
        "fold": folds[-1] if folds else "",
        "group": parts["fs_id"],
    }


URBANSOUND8K = Corpus(
    name="urbansound8k",
    title="UrbanSound8K",
    citation="Salamon, Jacoby, Bello: A Dataset and Taxonomy for Urban Sound Research, ACM Multimedia 2014",
    licence="CC BY-NC 3.0",
    url="https://urbansounddataset.weebly.com/urbansound8k.html",
    folds="10 official",
    group="the Freesound recording (fsID)",
    scan=_scan,
    metadata=_METADATA,
    shared_groups=("77751", "106905", "132016", "176638", "180937"),
)
