"""The results in a folder are those of one scan: what an earlier one wrote there is removed before the next begins.

``OUT/recordings.json`` names the recordings of the last scan that was begun (:mod:`labeler.scanned`). It is written
after the old files are gone and before a new one is there, so that it is right whenever a scan is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from harness import tables
from harness.cli import count
from harness.errors import TableError
from harness.failures import update_failures
from harness.files import read_json, safe_name
from harness.tables import FAILURES, frame
from harness.written import RECORD
from labeler.calls import CALLS
from labeler.extras import CUTS, IMAGES, LABELS
from labeler.files import clip_names, unique_names
from labeler.scanned import Scanned, read_scanned, write_scanned

__all__ = ["PAGE", "STEP", "begin_results", "remove_files"]

STEP = "scan"
"""Name of a scan in ``run.json`` and ``failures.csv``."""
PAGE = "review.html"
"""The usual name of a review page."""

_FILES = {  # the name of the recording in that of a file, with numbers and without
    CUTS: re.compile(r"(?P<name>.*)_\d{8,}\.wav", re.DOTALL),
    LABELS: re.compile(r"(?P<name>.*?)(\.audacity\.txt|\.raven\.txt|\.TextGrid)", re.DOTALL),
    IMAGES: re.compile(r"(?P<name>.*?)(_\d{3,})?\.png", re.DOTALL),
}
_NOUNS = {CUTS: "cut-out", LABELS: "label file", IMAGES: "image", PAGE: "review page"}


def begin_results(out: Path, files: Iterable[Path], results: Collection[str]) -> tuple[list[str], str]:
    """Remove what an earlier scan wrote into a folder, and note which recordings this one is of.

    Parameters
    ----------
    out : Path
        Folder of the scan.
    files : iterable of Path
        The recordings.
    results : collection of str
        Names of the tables; rows of the scan in ``failures.csv`` are removed as well.

    Returns
    -------
    names : list of str
        Of the recordings, as they stand in the names of files.
    removed : str
        A line that says what was removed of recordings that are not among these; empty where nothing was.
    """
    paths = [str(path) for path in files]
    names = dict(zip(paths, unique_names([Path(path) for path in paths]), strict=True))
    former = _former(out)
    removed = remove_files(out, {*former.values(), *names.values()}) | _remove_pages(out)
    gone = sum(_unlink(out / name) for name in results)
    if (out / FAILURES.name).is_file():
        update_failures(out, frame([], FAILURES), step=STEP)
    write_scanned(out, Scanned(names, str(Path.cwd())))
    others = set(former) - set(names)
    if not others or not (gone or removed):
        return list(names.values()), ""
    counts = "".join(f", {count(n, _NOUNS[kind])}" for kind, n in removed.items())
    return list(names.values()), (
        f"{out}: held an earlier scan with {count(len(others), 'recording')} that this one does not have; its results "
        f"were removed (tables{counts}), and what is there now is of this scan alone"
    )


def remove_files(out: Path, names: Collection[str]) -> dict[str, int]:
    """Remove label files, cut-outs and images of some recordings, from the folders that scans have filled.

    Parameters
    ----------
    out : Path
        Folder of the scan.
    names : collection of str
        Of the recordings, as they stand in the names of files.

    Returns
    -------
    dict of str to int
        How many there were, by folder; only folders with some.
    """
    removed: dict[str, int] = {}
    for folder in _filled(out):
        for file in [*(out / folder).glob("*/*" if folder == CUTS else "*")]:
            match = _FILES[folder].fullmatch(file.name)
            if match and (match["name"] in names or file.stem in names) and _unlink(file):
                removed[folder] = removed.get(folder, 0) + 1
    return removed


def _remove_pages(out: Path) -> dict[str, int]:
    """Remove the review pages of the last scan; how many there were, if any."""
    scanned = read_scanned(out)
    pages = {*(scanned.pages if scanned else ()), PAGE} & {*_written(out)}
    removed = sum(_unlink(out / name) for name in sorted(pages))
    return {PAGE: removed} if removed else {}


def _filled(out: Path) -> Iterator[str]:
    """The folders that a scan has written into, and nobody else."""
    written = _written(out)
    yield from (folder for folder in _FILES if f"{folder}/" in written)


def _written(out: Path) -> list[str]:
    """What soundfold has written into a folder, by its record."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return [str(name) for name in read_json(out / RECORD)["written"]]
    return []


def _unlink(file: Path) -> bool:
    """Remove a file; whether it was there."""
    there = file.is_file()
    file.unlink(missing_ok=True)
    return there


def _former(out: Path) -> Mapping[str, str]:
    """The recordings of the last scan with their names in files; from its tables where an older version wrote them."""
    if scanned := read_scanned(out):
        return scanned.recordings
    paths: list[str] = []
    with suppress(OSError, TableError, KeyError):
        known = [(CALLS, "recording"), (FAILURES, "path")]
        found = [tables.read(out / of.name, of)[column] for of, column in known if (out / of.name).is_file()]
        paths = pd.concat(found).drop_duplicates().tolist() if found else []
    return {path: safe_name(name) for path, name in zip(paths, clip_names([Path(p) for p in paths]), strict=True)}
