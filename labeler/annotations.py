"""Labels of times as other programs have them: Audacity, Raven and Praat.

crowsetta (the extra ``annotations``) writes the first two and reads the last. It does not write Praat's TextGrid, of
which each label becomes a tier of intervals here, and it refuses tables that Audacity and Raven write (whole seconds,
lines of frequencies): :mod:`harness.label_tables` reads them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness import audio
from harness.files import write_text
from harness.label_tables import RAVEN_LABEL
from harness.time_labels import crowsetta_module, read_time_labels
from labeler.detecting import Event

__all__ = [
    "ANNOTATION_FORMATS",
    "annotation_file",
    "check_installed",
    "read_annotations",
    "write_annotations",
]

Events = Mapping[str, Sequence[Event]]
_ENDINGS = {"audacity": ".audacity.txt", "raven": ".raven.txt", "praat": ".TextGrid"}
ANNOTATION_FORMATS = tuple(_ENDINGS)
"""Names of the formats."""


def check_installed() -> None:
    """Refuse to go on without crowsetta.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    crowsetta_module()


def annotation_file(path: Path, format: str) -> Path:
    """The file of a format for a recording: its name with the ending of the format."""
    return path.with_name(path.name + _ENDINGS[format])


def write_annotations(file: Path, format: str, found: Events, *, path: Path, length_s: float) -> None:
    """Write the calls of a recording.

    Parameters
    ----------
    file : Path
        With the ending of the format, see :func:`annotation_file`.
    format : str
        One of :data:`ANNOTATION_FORMATS`.
    found : mapping of str to sequence of Event
        Calls by label.
    path : Path
        The recording; Raven's boxes reach from 0 to half its rate.
    length_s : float
        Its length in seconds.
    """
    rows = sorted((e.start_s, e.end_s, label) for label, events in found.items() for e in events)
    table = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    _WRITERS[format](file, table, path, length_s)


def read_annotations(file: str | Path) -> pd.DataFrame:
    """Read labels of times.

    Parameters
    ----------
    file : path
        ``.TextGrid`` is Praat's; a ``.txt`` with Raven's header is Raven's, any other Audacity's.

    Returns
    -------
    DataFrame
        start_s, end_s, label; no row where nothing is labelled.

    Raises
    ------
    TableError
        The file is not of its format.
    SettingsError
        It is Praat's, and crowsetta is not installed.
    """
    found = [each[:3] for each in read_time_labels(Path(file))]
    return pd.DataFrame(found, columns=["start_s", "end_s", "label"]).sort_values(["start_s", "label"])


def _write_audacity(file: Path, table: pd.DataFrame, path: Path, length_s: float) -> None:
    if table.empty:  # which crowsetta refuses
        write_text(file, "")
        return
    starts, ends, labels = (table[name].to_numpy() for name in table)
    kind = crowsetta_module().formats.seq.AudSeq
    _through_crowsetta(file, lambda to: kind(starts, ends, labels, annot_path=to).to_file(to))


def _write_raven(file: Path, table: pd.DataFrame, path: Path, length_s: float) -> None:
    named = {"begin_time_s": table["start_s"], "end_time_s": table["end_s"], "low_freq_hz": 0.0}
    rows = pd.DataFrame({"Selection": range(1, 1 + len(table)), "View": "Spectrogram 1", "Channel": 1, **named})
    rows = rows.assign(high_freq_hz=_rate(path) / 2, annotation=table["label"])
    kind = crowsetta_module().formats.bbox.Raven
    _through_crowsetta(file, lambda to: kind(df=rows, annot_path=to, annot_col=RAVEN_LABEL).to_file(to))


def _through_crowsetta(file: Path, write: Callable[[Path], None]) -> None:
    """Have crowsetta write a file, which looks at its ending, and put it in its place whole."""
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "labels.txt"
        write(part)
        write_text(file, part.read_text(encoding="utf-8"))


def _write_praat(file: Path, table: pd.DataFrame, path: Path, length_s: float) -> None:
    """A tier of intervals for each label, which cover all the recording as Praat wants it."""
    labels = list(dict.fromkeys(table["label"]))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {length_s:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(labels)}", "item []:"]
    for k, label in enumerate(labels):
        some = table.loc[table["label"] == label, ["start_s", "end_s"]].to_numpy()
        intervals = list(_covering(some, length_s, label.replace('"', '""')))
        lines += [f"    item [{k + 1}]:", '        class = "IntervalTier"', f"        name = {_quoted(label)}"]
        lines += ["        xmin = 0", f"        xmax = {length_s:.6f}", f"        intervals: size = {len(intervals)}"]
        for n, (start, end, text) in enumerate(intervals):
            lines += [
                f"        intervals [{n + 1}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
            ]
            lines += [f'            text = "{text}"']
    write_text(file, "\n".join([*lines, ""]))


def _covering(parts: np.ndarray, length_s: float, text: str) -> Iterator[tuple[float, float, str]]:
    """Labelled parts with empty ones between them, from 0 to the end."""
    at = 0.0
    for start, end in parts:
        if start > at:
            yield at, start, ""
        yield start, end, text
        at = end
    if at < length_s or not len(parts):
        yield at, length_s, ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _rate(path: Path) -> int:
    return next(audio.read_blocks(path, seconds=0.1))[1]


_WRITERS: dict[str, Callable[[Path, pd.DataFrame, Path, float], None]] = {
    "audacity": _write_audacity,
    "raven": _write_raven,
    "praat": _write_praat,
}
