"""ESC-50 and ESC-10: 2000 (400) clips of 5 s, 50 (10) classes of environmental sounds, 5 official folds.

K. J. Piczak: ESC: Dataset for Environmental Sound Classification, 23rd ACM International Conference on Multimedia,
2015. Licence: ESC-50 CC BY-NC 3.0; ESC-10 CC BY 3.0.

Layouts::

    ROOT/meta/esc50.csv  ROOT/audio/1-100032-A-0.wav      filename, fold, target, category, esc10, src_file, take
    ROOT/001 - Dog bark/1-30226-A.ogg                     the older release: fold-freesoundid-take

Labels are the CSV's categories; the older release's folders lose their number (``001 - Dog bark`` is ``dog_bark``).
The older ESC-10 release has names of its own for some classes (``dog_bark`` for ``dog``), which stay as they are.
The subset ``esc10`` takes the ten classes of ESC-10.
"""

from __future__ import annotations

import re
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, match_name, need_folder, read_metadata
from harness.errors import SettingsError

__all__ = ["ESC10", "ESC50", "class_name"]

ESC10 = frozenset(
    "chainsaw clock_tick crackling_fire crying_baby dog helicopter rain rooster sea_waves sneezing".split()
)

_NAME = re.compile(r"(?P<fold>\d+)-(?P<source>\d+)-(?P<take>[A-Z]+)(?:-(?P<target>\d+))?\.\w+")
_FOLDER = re.compile(r"(?P<number>\d{3}) - (?P<name>.+)")
_COLUMNS = {"file": "filename", "fold": "fold", "label": "category", "group": "src_file"}


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per line of the CSV, or per sound in the older release's class folders."""
    need_folder(root, what="meta/esc50.csv and audio/, or with folders like '001 - Dog bark'")
    if (root / "meta" / "esc50.csv").is_file():
        return _from_csv(root, only_esc10=options.subset == "esc10")
    return _from_folders(root, only_esc10=options.subset == "esc10")


def class_name(folder: str) -> str:
    """The label of one of the older release's folders.

    Examples
    --------
    >>> class_name("001 - Dog bark"), class_name("307 - Insects (flying)"), class_name("402 - Door - wood creaks")
    ('dog_bark', 'insects', 'door_wood_creaks')
    """
    match = _FOLDER.fullmatch(folder)
    name = re.sub(r"\(.*?\)", "", match["name"] if match else folder)
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _from_csv(root: Path, *, only_esc10: bool) -> list[Row]:
    table = read_metadata(root / "meta" / "esc50.csv", {**_COLUMNS, **({"subset": "esc10"} if only_esc10 else {})})
    if only_esc10:
        table = table[table["esc10"].str.lower() == "true"]
    return [
        {"path": root / "audio" / name, "label": label, "fold": fold, "group": group}
        for name, fold, label, group in zip(*(table[c] for c in _COLUMNS.values()), strict=True)
    ]


def _from_folders(root: Path, *, only_esc10: bool) -> list[Row]:
    rows = []
    for path in find_sounds(root):
        folder = _FOLDER.fullmatch(path.parent.name)
        if folder is None:
            raise SettingsError(
                f"{path}: neither next to a meta/esc50.csv in {root} nor in a folder like '001 - Dog bark'; "
                "is the root the corpus's own folder?"
            )
        label = class_name(path.parent.name)
        if only_esc10 and not (folder["number"].startswith("0") or label in ESC10):
            continue
        parts = match_name(path, _NAME, expected="[fold]-[freesoundid]-[take].ogg")
        rows.append({"path": path, "label": label, "fold": parts["fold"], "group": parts["source"]})
    return rows


ESC50 = Corpus(
    name="esc50",
    title="ESC-50 and ESC-10",
    citation="Piczak: ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015",
    licence="CC BY-NC 3.0 (ESC-10: CC BY 3.0)",
    url="https://github.com/karolpiczak/ESC-50",
    folds="5 official",
    group="the Freesound recording",
    scan=_scan,
    subsets=("esc10",),
    metadata=("meta/esc50.csv",),
)
