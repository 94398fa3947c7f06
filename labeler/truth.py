"""Where the calls of recordings really are, as a person has labelled them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.cli import count
from harness.errors import SettingsError, TableError
from harness.tables import RowError, Schema, frame, lines_named, read
from harness.time_labels import read_time_labels
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


def read_truth(
    path: str | Path,
    recordings: Sequence[str],
    *,
    failed: Collection[str] = (),
    ends: Mapping[str, float] | None = None,
) -> Truth:
    """Read the calls of recordings.

    Parameters
    ----------
    path : path
        A CSV with the columns recording, label, start_s, end_s; a label file of Audacity, Raven or Praat that is named
        as its recording, as ``night.txt`` or ``night.wav.raven.txt``; or a folder of such files, one for each
        recording. With a CSV all recordings count as labelled, and a warning says how many it does not name; with label
        files those that have one.
    recordings : sequence of str
        Paths of the recordings that were scanned; a file's name is enough to mean one.
    failed : collection of str
        Paths of those of which the scan has no scores: they are left out, with a warning.
    ends : mapping of str to float, optional
        Recordings and the second after which they have no call, where that is known.

    Raises
    ------
    TableError
        There is nothing to read, or it cannot be read; a call that cannot be (see :func:`_impossible`), with its line.
    SettingsError
        A recording that was not scanned, whose name several have, or that has two label files; none left.
    """
    path, known = Path(path), [*recordings, *failed]
    if path.suffix.lower() == ".csv":
        table = _from_table(path, known, ends or {})
        named = dict.fromkeys(table["recording"])
        said = _unnamed(path, [each for each in recordings if each not in named], len(recordings))
        return _without(failed, path, table, [*recordings, *named], said)
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in _ENDINGS) if path.is_dir() else [path]
    if not files or not path.exists():
        raise TableError(f"{path}: no labels there; expected a CSV, or label files of Audacity, Raven or Praat")
    tables: dict[str, pd.DataFrame] = {}
    labelled: dict[str, Path] = {}
    for file in files:
        recording = _meant(_recording_name(file), known, file)
        if recording in labelled:
            raise SettingsError(
                f"{path}: {labelled[recording].name} and {file.name} are both label files of {recording}, so that its "
                "calls would count twice; put those of one format into a folder of their own"
            )
        labelled[recording] = file
        tables[recording] = _from_file(file, recording, ends or {})
    return _without(failed, path, pd.concat(tables.values(), ignore_index=True), list(labelled), [])


def _from_table(path: Path, known: Sequence[str], ends: Mapping[str, float]) -> pd.DataFrame:
    """The calls of a CSV, recordings by the paths of the scan."""
    table = read(path, TRUTH)
    names = {name: _meant(name, known, path) for name in dict.fromkeys(table["recording"])}
    table = table.assign(recording=table["recording"].map(names))
    if found := _impossible(table, ends):
        row, why = found
        with lines_named(path):
            raise RowError("line {0}: " + why.replace("{", "{{").replace("}", "}}"), [row])
    return table


def _from_file(file: Path, recording: str, ends: Mapping[str, float]) -> pd.DataFrame:
    """The calls of a label file."""
    found = read_time_labels(file)
    table = frame(({"recording": recording, **each._asdict()} for each in found), TRUTH)
    if wrong := _impossible(table, ends):
        row, why = wrong
        raise TableError(f"{file}: {f'line {found[row].line}: ' if found[row].line else ''}{why}")
    return table


def _impossible(table: pd.DataFrame, ends: Mapping[str, float]) -> tuple[int, str] | None:
    """The number of the first call that cannot be, and why: by its times, or because it is there twice."""
    calls = zip(table["recording"], table["start_s"], table["end_s"], table.duplicated(), strict=True)
    for row, (recording, start, end, again) in enumerate(calls):
        last = ends.get(recording, math.inf)
        times = f"a call from {start:g} to {end:g} s"
        if not (math.isfinite(start) and math.isfinite(end)):
            return row, f"{times}: expected start_s and end_s, both in seconds"
        if start < 0 or end < start:
            return row, f"{times}: expected a start of 0 or more, and an end that is not before it"
        if end > last:
            return row, f"{times} in {recording}, which ends before {last:.2f} s; expected seconds, not milliseconds"
        if again:
            return row, f"{times} is there twice; leave it there once"
    return None


def _unnamed(path: Path, missing: Sequence[str], recordings: int) -> list[str]:
    """A warning of recordings that a table does not name; none where it names all."""
    if not missing:
        return []
    first = missing[0] if len(missing) == 1 else f"{missing[0]} and others"
    return [
        f"{path}: {len(missing)} of {count(recordings, 'recording')} not named, and taken as without calls: {first}"
    ]


def _without(
    failed: Collection[str], path: Path, table: pd.DataFrame, labelled: Sequence[str], said: Sequence[str]
) -> Truth:
    """The calls of recordings that have scores; `said` are warnings that there are already."""
    if table.empty:
        raise TableError(f"{path}: no calls in it; thresholds are chosen by labelled calls")
    named = dict.fromkeys(labelled)
    missing = [recording for recording in named if recording in failed]
    gone = table["recording"].isin(missing)
    left = [recording for recording in named if recording not in failed]
    if missing and (not left or gone.all()):
        raise SettingsError(f"{path}: the recordings of its calls all failed in the scan, see failures.csv")
    calls = {recording: count(int((table["recording"] == recording).sum()), "labelled call") for recording in missing}
    warnings = [*said]
    warnings += [f"{each}: failed in the scan and is left out; {n} not counted" for each, n in calls.items()]
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
