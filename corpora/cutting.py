"""Long recordings and videos cut into clips: windows with a hop, or the times of label files.

::

    OUT/<label>/<recording>_<start in ms>.wav    mono, 16 bits, at the recording's rate
    OUT/clips.csv       the clips, with the recording as group
    OUT/cuts.csv        where each clip is from: recording, its sha256, start and end in seconds
    OUT/failures.csv    recordings that could not be read to their end; their clips before that are there
    OUT/run.json        the settings

A recording is read once, as a stream: hours need no more memory than minutes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from corpora.arranging import write_changed
from corpora.cut_limits import check_cut
from corpora.pieces import CutSettings, pieces
from corpora.recordings import Recording, Span, find_recordings, read_spans
from harness.cli import count
from harness.cutting import exact_wav, write_whole
from harness.errors import AudioError, SettingsError
from harness.failures import update_failures
from harness.files import digest_file, folder_name
from harness.parallel import in_parallel
from harness.record import record_step
from harness.run_lock import locks_folder
from harness.settings import Namer, plain
from harness.tables import CLIPS, FAILURES, Schema, frame, read, write
from harness.written import check_one_folder_each, claim, inside

__all__ = ["CUTS", "CutResult", "cut_recordings"]

CUTS = Schema(
    "cuts.csv",
    text=("clip_id", "path", "recording", "digest", "label"),
    number=("start_s", "end_s"),
    key=("clip_id",),
    filled=("clip_id", "path", "recording"),
)
_LACK_S = 0.011


@dataclass(frozen=True)
class CutResult:
    """What was cut.

    Parameters
    ----------
    clips : DataFrame
        As `harness.tables.CLIPS`, paths relative to the folder.
    failures : DataFrame
        Recordings that could not be read to their end, as `harness.tables.FAILURES`.
    notes : list of str
        What is unusual, one line each.
    """

    clips: pd.DataFrame
    failures: pd.DataFrame
    notes: list[str]


@dataclass(frozen=True)
class _Task:
    """A recording for a worker process; without spans all of it is cut into windows."""

    recording: Recording
    spans: tuple[Span, ...] | None
    settings: CutSettings
    out: Path


@dataclass
class _Outcome:
    rows: list[dict[str, object]] = field(default_factory=list)
    reason: str = ""
    rewritten: int = 0
    short: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@locks_folder("out")
def cut_recordings(
    given: Sequence[str | Path],
    out: str | Path,
    settings: CutSettings,
    *,
    labels: str | Path = "",
    label: str = "",
    jobs: int = -1,
    name_of: Namer = plain,
) -> CutResult:
    """Cut recordings into clips.

    Clips of an earlier cut into the same folder that this one does not make are removed; those that are the same are
    left as they are.

    Parameters
    ----------
    given : sequence of path
        Sounds and videos, and folders of them; see :func:`corpora.recordings.find_recordings`.
    out : path
        The folder to fill.
    settings : CutSettings
    labels : path, optional
        Where calls are, see :func:`corpora.recordings.read_spans`; with a window they are cut into such.
    label : str
        The class of all clips, where there are no label files.
    jobs : int
        Processes, a recording in each at a time; -1 takes as many as there are cores.
    name_of : callable
        How the settings were written, for messages.

    Raises
    ------
    SettingsError
        Neither a window nor labels, a hop without a window, recordings that are not there, somebody's own files in the
        way; see also :func:`corpora.cut_limits.check_cut`.
    TableError
        Labels that cannot be read.
    """
    started, out = time.monotonic(), Path(out)
    _check(settings, labels, label, name_of)
    _check_apart(given, out)
    recordings = find_recordings(given, label=label)
    spans = read_spans(labels, recordings) if str(labels) else None
    wanted = [each for each in recordings if spans is None or each.path in spans]
    check_cut(wanted, spans, settings, name_of)
    names = [span.label for own in spans.values() for span in own] if spans else [each.label for each in wanted]
    check_one_folder_each(names)
    old = _old_files(out)
    claim(out, [CLIPS.name, CUTS.name, *(f"{folder_name(name)}/" for name in dict.fromkeys(names))])
    tasks = [_Task(each, None if spans is None else tuple(spans[each.path]), settings, out) for each in wanted]
    outcomes = list(in_parallel(_cut, tasks, jobs=jobs, what="cutting", if_killed=_killed))
    cuts = _table([row for outcome in outcomes for row in outcome.rows])
    gone = old - set(cuts["path"])
    _remove(out, gone)
    replaced = len(gone) + sum(outcome.rewritten for outcome in outcomes)
    group = {str(each.path): each.name for each in recordings}
    rows = zip(cuts["clip_id"], cuts["path"], cuts["label"], cuts["recording"], strict=True)
    clips = frame(({"clip_id": i, "path": p, "label": c, "group": group[r]} for i, p, c, r in rows), CLIPS)
    write(clips, out / CLIPS.name, CLIPS)
    write(cuts, out / CUTS.name, CUTS)
    failures = _failures(tasks, outcomes)
    update_failures(out, failures, step="cut")
    spec = {**settings.to_json(), "labels": str(labels), "label": label, "recordings": [str(each) for each in given]}
    record_step(out, "cut", spec=spec, started=started)
    notes = _notes(recordings, wanted, outcomes)
    if replaced:
        notes.append(f"{out}: {count(replaced, 'clip')} of the cut that was there before, replaced or removed")
    return CutResult(clips, failures, notes)


def _check(settings: CutSettings, labels: str | Path, label: str, name_of: Namer) -> None:
    if not settings.window_ms and not str(labels) and not settings.whole:
        raise SettingsError(
            f"{name_of('window_ms')}: 0, and no {name_of('labels')} or {name_of('whole')}: say how long the clips are, "
            "or where the calls are"
        )
    if settings.whole and (settings.window_ms or str(labels)):
        other = name_of("window_ms" if settings.window_ms else "labels")
        raise SettingsError(f"{name_of('whole')} and {other}: give one of them")
    if settings.hop_ms and not settings.window_ms:
        raise SettingsError(f"{name_of('hop_ms')}={settings.hop_ms:g}: goes with {name_of('window_ms')} only")
    if label and str(labels):
        raise SettingsError(f"{name_of('label')}={label!r}: the labels say what the clips are; leave one of them out")


def _check_apart(given: Sequence[str | Path], out: Path) -> None:
    """Refuse a folder of clips among the recordings, as its clips would be cut again."""
    for each in given:
        root = Path(each).expanduser()
        if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
            raise SettingsError(f"{out}: lies in {each}, so that its clips would be cut again; choose another folder")


def _old_files(out: Path) -> set[str]:
    return set(read(out / CUTS.name, CUTS)["path"]) if (out / CUTS.name).is_file() else set()


def _remove(out: Path, paths: set[str]) -> None:
    """Remove clips of an earlier cut, and class folders that are empty then."""
    for path in paths:
        file = inside(out, path)
        file.unlink(missing_ok=True)
        with suppress(OSError):
            file.parent.rmdir()


def _cut(task: _Task) -> _Outcome:
    """Cut one recording; a worker process runs this."""
    outcome, recording = _Outcome(), task.recording
    try:
        digest = digest_file(recording.path)
        if task.settings.whole:
            outcome.rows.append(_write_whole(task, digest))
            return outcome
        if (again := len(task.spans or ()) - len(set(task.spans or ()))) > 0:
            outcome.notes.append(f"{recording.name}: {count(again, 'label')} there twice, cut once")
        for name, span, y, sr in pieces(recording, task.spans, task.settings):
            if not len(y):
                outcome.short.append(f"{recording.name}: {span.label!r} at {span.start_s:g} s is after its end")
                continue
            if len(y) / sr < span.end_s - span.start_s - _LACK_S:
                outcome.short.append(f"{recording.name}: {span.label!r} to {span.end_s:g} s ends with the recording")
            path = f"{folder_name(span.label)}/{name}"
            outcome.rewritten += write_changed(inside(task.out, path), exact_wav(y, sr))
            row: dict[str, object] = {"clip_id": name, "path": path, "recording": str(recording.path)}
            row |= {"digest": digest, "label": span.label}
            row |= {"start_s": round(span.start_s, 6), "end_s": round(span.start_s + len(y) / sr, 6)}
            outcome.rows.append(row)
        if not outcome.rows and task.spans is None:
            outcome.reason = f"{recording.path}: shorter than a window of {task.settings.window_ms:g} ms"
    except (AudioError, OSError) as error:
        outcome.reason = str(error)
    return outcome


def _write_whole(task: _Task, digest: str) -> dict[str, object]:
    """Write a whole recording as a wav; give its row."""
    recording = task.recording
    name = f"{recording.stem}.wav"
    path = f"{folder_name(recording.label)}/{name}"
    seconds = write_whole(recording.path, inside(task.out, path))
    row: dict[str, object] = {"clip_id": name, "path": path, "recording": str(recording.path), "digest": digest}
    return row | {"label": recording.label, "start_s": 0.0, "end_s": round(seconds, 6)}


def _killed(task: _Task) -> _Outcome:
    return _Outcome(reason=f"{task.recording.path}: the process that cut it was killed, twice")


def _table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """The cuts, by the names of their files where these are unique, else by their paths."""
    times = Counter(row["clip_id"] for row in rows)
    return frame(
        ({**row, "clip_id": row["clip_id"] if times[row["clip_id"]] == 1 else row["path"]} for row in rows), CUTS
    )


def _failures(tasks: Sequence[_Task], outcomes: Sequence[_Outcome]) -> pd.DataFrame:
    failed: list[dict[str, object]] = [
        {"clip_id": task.recording.name, "path": str(task.recording.path), "step": "cut", "reason": outcome.reason}
        for task, outcome in zip(tasks, outcomes, strict=True)
        if outcome.reason
    ]
    return frame(failed, FAILURES)


def _notes(recordings: Sequence[Recording], wanted: Sequence[Recording], outcomes: Sequence[_Outcome]) -> list[str]:
    notes = []
    without = len(recordings) - len(wanted)
    if without:
        first = next(each.name for each in recordings if each not in wanted)
        notes.append(f"{count(without, 'recording')} without labels: not cut, the first is {first!r}")
    short = [text for outcome in outcomes for text in outcome.short]
    if short:
        notes.append(f"{count(len(short), 'label')} beyond the end of a recording: {'; '.join(short[:3])}")
    return [*notes, *(text for outcome in outcomes for text in outcome.notes)]
