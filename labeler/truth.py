"""Where the calls of recordings really are, as a person has labelled them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.cli import count
from harness.errors import SettingsError, TableError
from harness.tables import Schema, frame, read
from labeler.annotations import read_annotations
from labeler.files import unique_names

__all__ = ["TRUTH", "Truth", "read_truth"]

TRUTH = Schema("truth.csv", text=("recording", "label"), number=("start_s", "end_s"), filled=("recording", "label"))
_ENDINGS = (".txt", ".textgrid")
_SUFFIXES = (".audacity", ".raven", ".selections", ".Table", ".1")


class Truth(NamedTuple):
    """True calls.

    Parameters
    ----------
    calls : DataFrame
        As :data:`TRUTH`, recordings by the paths of the scan.
    labelled : list of str
        The recordings that are labelled.
    warnings : list of str
        What was left out, and why.
    """

    calls: pd.DataFrame
    labelled: list[str]
    warnings: list[str]


def read_truth(path: str | Path, recordings: Sequence[str], *, failed: Collection[str] = ()) -> Truth:
    """Read the calls of recordings.

    Parameters
    ----------
    path : path
        A CSV with the columns recording, label, start_s, end_s; a label file of Audacity, Raven or Praat that is named
        as its recording, as ``night.txt`` or ``night.wav.raven.txt``; or a folder of such files. With a CSV all
        recordings count as labelled, with label files those that have one.
    recordings : sequence of str
        Paths of the recordings that were scanned; a file's name is enough to mean one.
    failed : collection of str
        Paths of those of which the scan has no scores: they are left out, with a warning.

    Raises
    ------
    TableError
        There is nothing to read, or it cannot be read.
    SettingsError
        A recording that was not scanned, or whose name several have; none left.
    """
    path, known = Path(path), [*recordings, *failed]
    if path.suffix.lower() == ".csv":
        table = read(path, TRUTH)
        names = {name: _meant(name, known, path) for name in dict.fromkeys(table["recording"])}
        table = table.assign(recording=table["recording"].map(names))
        return _without(failed, path, table, [*recordings, *dict.fromkeys(names.values())])
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in _ENDINGS) if path.is_dir() else [path]
    if not files or not path.exists():
        raise TableError(f"{path}: no labels there; expected a CSV, or label files of Audacity, Raven or Praat")
    rows: list[dict[str, object]] = []
    labelled: list[str] = []
    for file in files:
        recording = _meant(_recording_name(file), known, file)
        labelled.append(recording)
        rows += [{"recording": recording, **row} for row in read_annotations(file).to_dict("records")]
    return _without(failed, path, frame(rows, TRUTH), labelled)


def _without(failed: Collection[str], path: Path, table: pd.DataFrame, labelled: Sequence[str]) -> Truth:
    """The calls of recordings that have scores."""
    named = dict.fromkeys(labelled)
    missing = [recording for recording in named if recording in failed]
    gone = table["recording"].isin(missing)
    left = [recording for recording in named if recording not in failed]
    if missing and (not left or gone.all()):
        raise SettingsError(f"{path}: the recordings of its calls all failed in the scan, see failures.csv")
    calls = {recording: count(int((table["recording"] == recording).sum()), "labelled call") for recording in missing}
    warnings = [f"{each}: failed in the scan and is left out; {n} not counted" for each, n in calls.items()]
    return Truth(table[~gone], left, warnings)


def _recording_name(file: Path) -> str:
    """``night.wav.raven.txt`` is of ``night.wav``, ``night.TextGrid`` of ``night``."""
    name = file.name[: -len(file.suffix)]
    while name.endswith(_SUFFIXES):
        name = name.rpartition(".")[0]
    return name


def _meant(name: str, recordings: Sequence[str], file: Path) -> str:
    """The recording of that path, of that file name, of that name in our label files, or of it without its ending."""
    if name in recordings:
        return name
    by_name: Mapping[str, int] = Counter(Path(each).name for each in recordings)
    wanted = Path(name).name
    ours = unique_names([Path(each) for each in recordings])  # of the label files that a scan writes
    found = [each for each in recordings if Path(each).name == wanted]
    found = found or [each for each, own in zip(recordings, ours, strict=True) if own == wanted]
    found = found or [each for each in recordings if Path(each).stem == wanted]
    if len(found) == 1:
        return found[0]
    why = "several recordings have that name" if found else f"it was not scanned; scanned are {', '.join(by_name)}"
    raise SettingsError(f"{file}: labels of {name!r}: {why[:200]}")
