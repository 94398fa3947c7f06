"""A scan of many recordings: scores, calls and what else is asked for, in parallel, resumed where it was stopped.

::

    OUT/scores.csv          recording, start_s, end_s, p:<class> ...
    OUT/detections.csv      recording, label, start_s, end_s, score
    OUT/calls.csv           recording, label, calls, minutes, per_minute
    OUT/minutes.csv         recording, label, minute, calls
    OUT/failures.csv        recordings that could not be read to their end; not there where all could
    OUT/recordings.json     which recordings these results are of, and where they were
    OUT/labels, cuts, images    what :mod:`labeler.extras` adds
    OUT/windows             scores by recording, from which a scan goes on
    OUT/run.json            model, windows, settings
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from harness import cluster, tables
from harness.cells import csv_line
from harness.cli import count, warn
from harness.errors import AudioError
from harness.failures import update_failures
from harness.files import atomic_path
from harness.parallel import check_jobs, in_parallel
from harness.record import record_step
from harness.run_lock import locks_folder
from harness.tables import FAILURES, SCORE_PREFIX, frame
from harness.written import claim
from labeler.calls import CALLS, MINUTES, call_tables, write_counts
from labeler.detecting import DETECTIONS, Detection, Event, detect, rows_of, smooth_scores
from labeler.extras import Extras, write_extras
from labeler.loading import Model, load_model
from labeler.replacing import STEP, begin_results, remove_files
from labeler.scanned import RECORDINGS, read_scanned, write_scanned
from labeler.scanning import SCORES, Windows
from labeler.score_blocks import FOLDER, ScoreBlocks, model_digest, scored_seconds
from labeler.speed import Speed, speed_words

__all__ = ["ScanResult", "scan_recordings", "summary_lines"]

_TABLES = tuple(schema.name for schema in (SCORES, DETECTIONS, CALLS, MINUTES))


@dataclass(frozen=True)
class ScanResult:
    """What a scan found.

    Parameters
    ----------
    detections, calls : DataFrame
        As `labeler.detecting.DETECTIONS` and `labeler.calls.CALLS`.
    failures : DataFrame
        As `harness.tables.FAILURES`.
    windows : int
        How many were there.
    sound_s : float
        Seconds of sound that were scored, those of an earlier scan left out.
    seconds : float
        By the clock.
    parts : int
        How many recordings are there only up to where they are damaged.
    """

    detections: pd.DataFrame
    calls: pd.DataFrame
    failures: pd.DataFrame
    windows: int
    sound_s: float
    seconds: float
    parts: int = 0


@dataclass(frozen=True)
class _Task:
    """One recording, for a process that has not loaded the model yet."""

    path: str
    name: str
    out: str
    model: str
    digest: str
    windows: Windows
    detection: Detection
    extras: Extras
    plugins: tuple[str, ...] = ()
    threads: int = 0


@dataclass(frozen=True)
class _Outcome:
    """What became of a recording."""

    path: str
    blocks: ScoreBlocks | None = None
    found: dict[str, list[Event]] = field(default_factory=dict)
    windows: int = 0
    length_s: float = 0.0
    scored_s: float = 0.0
    reason: str = ""


@locks_folder("out")
def scan_recordings(
    model: Model,
    files: Sequence[Path],
    out: str | Path,
    windows: Windows,
    *,
    detection: Detection | None = None,
    extras: Extras | None = None,
    jobs: int = 1,
    plugins: Iterable[str | Path] = (),
) -> ScanResult:
    """Find the calls in recordings, and write tables into a folder.

    What an earlier scan into the same folder has scored with the same model and windows is not scored again; its
    results are removed, with a warning where it was of other recordings. Of a recording that is damaged the windows
    before that are in the tables, and the recording is among the failures.

    Parameters
    ----------
    model : Model
    files : sequence of path
        Sounds.
    out : path
        The folder.
    windows : Windows
    detection : Detection, optional
        How scores become calls.
    extras : Extras, optional
        Label files, cut-outs, images.
    jobs : int
        Processes, a recording in each at a time; -1 takes as many as there are cores. Inside
        :func:`harness.cluster_connection.connected` the cluster's workers are used instead.
    plugins : iterable of path
        As for :func:`labeler.loading.load_model`, for the other processes.

    Raises
    ------
    SettingsError
        Settings that do not fit the model.
    """
    started, out = time.monotonic(), Path(out)
    detection, extras, jobs = detection or Detection(), extras or Extras(), min(check_jobs(jobs), max(1, len(files)))
    detection.check(model.card.classes)
    extras.check()
    task = _Task(
        "", "", str(out.absolute()), str(model.folder.absolute()), model_digest(model), windows, detection, extras
    )
    task = replace(task, plugins=tuple(os.fspath(p) for p in plugins), threads=max(1, check_jobs(-1) // jobs))
    cluster.require(files=[model.folder / "model.json", *files[:1]], folders=[out])
    claim(out, [*_TABLES, RECORDINGS, f"{FOLDER}/", *extras.folders])
    names, removed = begin_results(out, files, _TABLES)
    if removed:
        warn(removed)
    tasks = [replace(task, path=str(path), name=name) for path, name in zip(files, names, strict=True)]
    outcomes = list(_outcomes(model, tasks, jobs))
    result = _write(out, outcomes, model.card.classes, started)
    if scanned := read_scanned(out):
        write_scanned(out, scanned._replace(digests={each.path: each.blocks.sound for each in outcomes if each.blocks}))
    spec = {"model": str(model.folder), "windows": windows._asdict(), "detection": detection.to_json()}
    record_step(out, STEP, spec=spec, inputs={"model": task.digest}, started=started)
    return result


def _outcomes(model: Model, tasks: Sequence[_Task], jobs: int) -> Iterator[_Outcome]:
    """What became of each recording, in order: in this process, in others, or on a cluster."""
    speed = Speed([task.path for task in tasks])
    if jobs == 1 and cluster.current() is None:
        with speed:
            for task in tasks:
                outcome = _scan(task, model, speed)
                speed.finished(outcome.path, outcome.scored_s)
                yield outcome
        return
    folder, classes = Path(tasks[0].out) / FOLDER, len(model.card.classes)
    with speed.watching(lambda: scored_seconds(folder, classes, tasks[0].windows.hop_s)):
        for outcome in in_parallel(_scan_elsewhere, tasks, jobs=jobs, what="scanning", batch=1):
            speed.finished(outcome.path, outcome.scored_s)
            yield outcome


def _scan_elsewhere(task: _Task) -> _Outcome:
    """Scan a recording in a process of its own, or a cluster's."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(task.threads))
    return _scan(task, _loaded(task.model, task.digest, task.plugins), None)


@lru_cache(maxsize=1)
def _loaded(folder: str, digest: str, plugins: tuple[str, ...]) -> Model:
    return load_model(folder, plugins=plugins)


def _scan(task: _Task, model: Model, speed: Speed | None) -> _Outcome:
    """Score a recording as far as it can be read, find its calls, write what is asked for."""
    reason, first, last, name = "", -1.0, -1.0, task.path
    try:
        blocks = ScoreBlocks(task.out, name, task.digest, task.windows)
    except AudioError as error:
        return _Outcome(name, reason=str(error))
    try:
        for _, last in blocks.score(model):
            first = last if first < 0 else first
            if speed:
                speed.reached(name, last - first)
    except AudioError as error:
        reason = str(error)
    times, scores = blocks.load(len(model.card.classes))
    if reason and not len(times):
        return _Outcome(name, reason=reason)
    found = detect(scores, times[:, 0], times[:, 1], model.card.classes, task.detection)
    drawn, _ = smooth_scores(scores, times[:, 0], task.detection)
    try:
        write_extras(task.extras, task.out, task.name, Path(name), times, drawn, model.card.classes, found)
    except AudioError as error:
        if not reason:
            remove_files(Path(task.out), {task.name})
            return _Outcome(name, reason=str(error))
    length_s = float(times[-1, 1]) if len(times) else 0.0
    if reason:
        reason += f"; the tables have it up to {length_s:.2f} s"
    return _Outcome(name, blocks, found, len(times), length_s, last - first, reason)


def _write(out: Path, outcomes: Sequence[_Outcome], classes: list[str], started: float) -> ScanResult:
    """Write the tables; scores go from recording to recording, so that memory does not grow with them."""
    good = [each for each in outcomes if each.blocks]
    with atomic_path(out / SCORES.name) as part, open(part, "w", encoding="utf-8", newline="") as stream:
        print(csv_line([*SCORES.columns, *(f"{SCORE_PREFIX}{name}" for name in classes)]), file=stream)
        for each in good:
            assert each.blocks is not None
            times, scores = each.blocks.load(len(classes))
            for row in np.concatenate([times, scores], axis=1):
                print(csv_line([each.path], (f"{value:.9g}" for value in row)), file=stream)
    detections = frame((row for each in good for row in rows_of(each.path, each.found)), DETECTIONS)
    calls, minutes = call_tables([(each.path, each.found, each.length_s) for each in good])
    tables.write(detections, out / DETECTIONS.name, DETECTIONS)
    for table, schema in ((calls, CALLS), (minutes, MINUTES)):
        write_counts(table, out / schema.name)
    failed: list[dict[str, object]] = [
        {"clip_id": Path(e.path).name, "path": e.path, "step": STEP, "reason": e.reason} for e in outcomes if e.reason
    ]
    failures = frame(failed, FAILURES)
    update_failures(out, failures, step=STEP)
    counted, scored = sum(each.windows for each in good), sum(each.scored_s for each in good)
    parts = sum(bool(each.reason) for each in good)
    return ScanResult(detections, calls, failures, counted, scored, time.monotonic() - started, parts)


def summary_lines(result: ScanResult, out: Path, windows: Windows) -> list[str]:
    """What a scan found, for a terminal."""
    hours = result.calls.drop_duplicates("recording")["minutes"].sum() / 60
    files = result.calls["recording"].nunique()
    length = f"{hours:.2f} h" if hours >= 1 else f"{hours * 60:.1f} min"
    windowed = f"{count(result.windows, 'window')} of {windows.length_s:g} s every {windows.hop_s:g} s"
    damaged = f" ({result.parts} only up to where it is damaged)" if result.parts else ""
    lines = [f"{count(files, 'recording')}{damaged}, {length}: {windowed}"]
    if result.sound_s:
        lines[0] += f", {speed_words(result.sound_s, result.seconds)}"
    for label, some in result.calls.groupby("label", sort=False):
        n = int(some["calls"].sum())
        lines.append(f"{n:6} {label}, {n / max(hours * 60, 1e-9):.3g} per minute")
    return [*lines, f"tables: {out}"]
