"""A clips table as class folders, for other programs and for ears."""

from __future__ import annotations

import filecmp
import io
import math
import time
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import soundfile

from corpora.base import Row
from harness.audio import read
from harness.errors import AudioError, SettingsError
from harness.failures import update_failures
from harness.files import digest_file, folder_name, link_or_copy, safe_name, short_name, write_bytes
from harness.record import record_step
from harness.remote import as_path, fetch
from harness.run_lock import locks_folder
from harness.tables import CLIPS, FAILURES, frame, read_located, write
from harness.urls import url_of
from harness.written import check_one_folder_each, claim, inside

__all__ = ["ARRANGED", "arrange", "arrange_table", "write_changed"]

ARRANGED = "arranged.csv"
"""Clips table of what was laid out."""


@locks_folder("out")
def arrange(clips: pd.DataFrame, out: str | Path, *, strict: bool = False) -> pd.DataFrame:
    """Lay every clip at ``OUT/<label>/<clip_id>``: whole files as links or copies, parts cut out as 16-bit wavs.

    What lies there already as it should is left alone, so that a second run does nothing.

    Parameters
    ----------
    clips : DataFrame
        A clips table with absolute paths and a label for every clip.
    out : path
        The folder to fill.
    strict : bool
        Raise at the first clip that cannot be laid out.

    Returns
    -------
    DataFrame
        The clips that could not be laid out, as rows of ``failures.csv``.

    Raises
    ------
    SettingsError
        A clip without a label, two clips that would have the same place, two labels with one folder, or a folder in the
        way that soundfold has not written.
    AudioError
        With `strict`, the first clip that cannot be read.
    """
    targets = [_target(Path(out), row) for row in clips.to_dict("records")]
    _check_apart(targets)
    check_one_folder_each(clips["label"])
    claim(out, [f"{target.parent.name}/" for target in targets])
    failed = []
    for row, target in zip(clips.to_dict("records"), targets, strict=True):
        try:
            _lay(row, target)
        except (AudioError, OSError) as error:
            if strict:
                raise AudioError(f"clip {row['clip_id']!r}: {error}") from error
            failed.append({"clip_id": row["clip_id"], "path": row["path"], "step": "arrange", "reason": str(error)})
    return frame(failed, FAILURES)


@locks_folder("out")
def arrange_table(clips: str | Path, out: str | Path, *, strict: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out the clips of a table on disk, with ``arranged.csv``, ``run.json`` and ``failures.csv`` next to them.

    ``arranged.csv`` is a clips table of the files that were laid out, with the labels, folds and groups of `clips`: the
    way back, for the corpus ``csv``.

    Parameters
    ----------
    clips : path
        The table; relative paths in it are relative to its folder.
    out, strict
        As for :func:`arrange`.

    Returns
    -------
    table, failures : DataFrame
        All clips, and those that could not be laid out.

    Raises
    ------
    TableError
        The table cannot be read. Else as :func:`arrange`.
    """
    started, clips = time.monotonic(), as_path(clips)
    table = read_located(clips, CLIPS)
    failures = arrange(table, out, strict=strict)
    update_failures(out, failures, step="arrange")
    laid = table[~table["clip_id"].isin(failures["clip_id"])]
    paths = [_target(Path(out), row).relative_to(out).as_posix() for row in laid.to_dict("records")]
    claim(out, [ARRANGED])
    write(laid.assign(path=paths, start_s=math.nan, end_s=math.nan), Path(out) / ARRANGED, CLIPS)
    record_step(out, "arrange", spec={"clips": str(clips)}, inputs={clips.name: digest_file(clips)}, started=started)
    return table, failures


def _target(out: Path, row: Row) -> Path:
    if not row["label"]:
        raise SettingsError(f"clip {row['clip_id']!r} has no label, so no class folder; label it or leave it out")
    name = safe_name(row["clip_id"])
    if not _is_whole(row):
        name = f"{name}.wav"
    return inside(out, f"{folder_name(row['label'])}/{short_name(name)}")


def _check_apart(targets: Iterable[Path]) -> None:
    seen: set[Path] = set()
    for target in targets:
        if target in seen:
            raise SettingsError(f"{target}: two clips would have this place; rename one of them")
        seen.add(target)


def _lay(row: Row, target: Path) -> None:
    if not _is_whole(row):
        wav = io.BytesIO()
        soundfile.write(
            wav, *read(row["path"], start_s=row["start_s"], end_s=row["end_s"]), subtype="PCM_16", format="WAV"
        )
        write_changed(target, wav.getvalue())
        return
    if url := url_of(row["path"]):
        write_changed(target, fetch(url))
        return
    source = Path(row["path"])
    if not source.is_file():
        raise AudioError(f"{source}: no such file")
    if not (target.is_file() and (target.samefile(source) or filecmp.cmp(source, target, shallow=False))):
        link_or_copy(source, target)


def write_changed(target: Path, data: bytes) -> bool:
    """Write a file, unless it has these bytes already; give whether it had others."""
    there = target.is_file()
    if there and target.read_bytes() == data:
        return False
    write_bytes(target, data)
    return there


def _is_whole(row: Row) -> bool:
    return math.isnan(row["start_s"]) and math.isnan(row["end_s"])
