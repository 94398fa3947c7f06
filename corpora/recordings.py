"""Long recordings and videos to be cut: which there are, what they are called, and where label files say calls are."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.base import find_sounds
from harness.errors import SettingsError, TableError
from harness.files import digest_bytes, safe_name
from harness.tables import Schema, read
from harness.time_labels import read_time_labels

__all__ = ["TIMES", "Recording", "Span", "find_recordings", "read_spans"]

TIMES = Schema("times.csv", text=("recording", "label"), number=("start_s", "end_s"), filled=("recording", "label"))
"""Labels of times as a CSV; a scan's ``detections.csv`` has these columns too."""
_ENDINGS = (".txt", ".textgrid")
_INNER = (".audacity", ".raven", ".selections", ".table", ".1")  # night.wav.raven.txt, night.Table.1.selections.txt
_MOST_BYTES = 200  # of a name to which endings are added


@dataclass(frozen=True)
class Span:
    """A part of a recording, in seconds, and its label."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Recording:
    """A recording.

    Parameters
    ----------
    path : Path
    name : str
        Its path below the folder that was given, with forward slashes: the group of its clips.
    stem : str
        How the names of its clips begin; no other recording has it.
    label : str
        The class of all of it: its folder.
    """

    path: Path
    name: str
    stem: str
    label: str


def find_recordings(given: Sequence[str | Path], *, label: str = "") -> list[Recording]:
    """Sounds and videos, by file or by folder with what is below it.

    Parameters
    ----------
    given : sequence of path
    label : str
        The class of all of them. Default: of each the folder directly below the one given, as for the corpus
        ``folders``, and the folder that it lies in otherwise.

    Raises
    ------
    SettingsError
        Nothing of that name, a folder without sounds, or one recording twice.
    """
    found: dict[Path, tuple[str, str]] = {}
    for each in given:
        root = Path(os.path.abspath(Path(each).expanduser()))
        if root.is_dir():
            for path in find_sounds(root):
                below = path.relative_to(root)
                found[path] = below.as_posix(), below.parts[0] if len(below.parts) > 1 else root.name
        elif root.is_file():
            found[root] = root.name, root.parent.name
        else:
            raise SettingsError(f"{each}: no such file or folder; expected recordings, or folders of them")
    times = Counter(name for name, _ in found.values())
    stems = Counter(safe_name(Path(name).stem).lower() for name, _ in found.values())
    return [
        Recording(path, name if times[name] == 1 else path.as_posix(), _stem(path, name, stems), label or own)
        for path, (name, own) in found.items()
    ]


def _stem(path: Path, name: str, stems: Counter[str]) -> str:
    stem = safe_name(Path(name).stem)
    short = os.fsencode(stem)[:_MOST_BYTES].decode(errors="ignore")
    return short if stems[stem.lower()] == 1 and short == stem else f"{short}-{digest_bytes(os.fsencode(path))[:8]}"


def read_spans(labels: str | Path, recordings: Sequence[Recording]) -> dict[Path, list[Span]]:
    """The labelled parts of recordings.

    Parameters
    ----------
    labels : path
        A CSV with the columns recording, label, start_s, end_s; a label file of Audacity, Raven or Praat that is named
        as its recording (``night.txt``, ``night.wav.raven.txt``); or a folder of such files.
    recordings : sequence of Recording

    Returns
    -------
    dict of Path to list of Span
        By recording, in the order of their starts; those without labels are left out.

    Raises
    ------
    TableError
        Nothing to read, a file that cannot be read, or a part that ends before it starts.
    SettingsError
        Labels of a recording that was not given, or whose name several have.
    """
    labels = Path(labels).expanduser()
    found: dict[Path, list[Span]] = defaultdict(list)
    if labels.suffix.lower() == ".csv":
        for row in read(labels, TIMES).to_dict("records"):
            path = _meant(row["recording"], recordings, labels)
            found[path].append(_checked(Span(row["start_s"], row["end_s"], row["label"]), labels))
    else:
        files = sorted(f for f in labels.iterdir() if f.suffix.lower() in _ENDINGS) if labels.is_dir() else [labels]
        if not files or not labels.exists():
            raise TableError(f"{labels}: no labels there; expected a CSV, or label files of Audacity, Raven or Praat")
        for file in files:
            path = _meant(_recording_name(file), recordings, file)
            found[path] += [_checked(Span(*each[:3]), file) for each in read_time_labels(file)]
    return {path: sorted(spans, key=lambda span: (span.start_s, span.end_s)) for path, spans in found.items()}


def _checked(span: Span, file: Path) -> Span:
    if not (math.isfinite(span.start_s) and math.isfinite(span.end_s) and 0 <= span.start_s < span.end_s):
        raise TableError(
            f"{file}: a label {span.label!r} from {span.start_s:g} to {span.end_s:g} s; expected seconds, "
            "0 <= start < end"
        )
    return span


def _recording_name(file: Path) -> str:
    """``night.wav.raven.txt`` is of ``night.wav``, ``night.TextGrid`` of ``night``."""
    name = file.name[: -len(file.suffix)]
    while name.lower().endswith(_INNER):
        name = name.rpartition(".")[0]
    return name


def _meant(name: str, recordings: Sequence[Recording], file: Path) -> Path:
    """The recording of that path, else of that file name, else of that name without its ending."""
    wanted = Path(name).name
    ways = (
        [each for each in recordings if name in (each.name, str(each.path))],
        [each for each in recordings if each.path.name == wanted],
        [each for each in recordings if each.path.stem == wanted],
    )
    found = next((own for own in ways if own), [])
    if len(found) == 1:
        return found[0].path
    why = "several recordings have that name" if found else "no such recording was given"
    raise SettingsError(f"{file}: labels of {name!r}: {why}")
