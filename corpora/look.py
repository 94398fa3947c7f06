"""A look at the sounds of a clips table: lengths, rates, channels, silence, clipping, the same sound twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import soundfile

from corpora.duplicates import duplicates_of, kinds, name_pairs
from corpora.scanning import summary
from corpora.sounds import digest_clips, fingerprints
from harness import tables
from harness.cli import count
from harness.decoding import QUIET_MPG123
from harness.duplicates import in_two_folds, write_duplicates
from harness.remote import as_path, in_threads, opened
from harness.store import Store
from harness.tables import CLIPS, FAILURES, Schema
from harness.urls import url_of
from harness.written import claim

__all__ = ["SOUNDS", "Look", "look_at", "look_at_table", "missing_before"]

SOUNDS = Schema(
    "sounds.csv",
    text=("clip_id", "digest"),
    number=("duration_s", "sample_rate", "channels", "peak", "clipped_samples", "silent"),
    key=("clip_id",),
    filled=("clip_id",),
)

_NAMED = 3  # clips or pairs that a line names


@dataclass(frozen=True)
class Look:
    """What a look found.

    Parameters
    ----------
    clips : DataFrame
        The clips table, as `harness.tables.CLIPS`.
    sounds : DataFrame
        What each clip holds, as :data:`SOUNDS`: length in seconds, rate in Hz, channels of its file (empty where its
        header does not say), largest magnitude, samples at full scale in runs of three and more, and 1 where it is
        silent. A clip that cannot be read has its name only.
    duplicates : DataFrame
        As `harness.tables.DUPLICATES`: pairs in different folds and in one.
    """

    clips: pd.DataFrame
    sounds: pd.DataFrame
    duplicates: pd.DataFrame

    @property
    def unreadable(self) -> list[str]:
        """The clips that cannot be read."""
        return self.sounds.loc[self.sounds["duration_s"].isna(), "clip_id"].tolist()

    def __str__(self) -> str:
        return "\n".join([summary(self.clips), "", *_sound_lines(self.sounds), *_duplicate_lines(self.duplicates)])


def look_at(clips: pd.DataFrame, *, store: Store, jobs: int = 1) -> Look:
    """Read every sound once, and look for the same one twice.

    Parameters
    ----------
    clips : DataFrame
        A clips table with paths that can be opened.
    store : Store
        Where what is known of the sounds is taken from and put.
    jobs : int
        Processes; -1 takes as many as there are cores.
    """
    tasks = digest_clips(tables.check(clips, CLIPS), store=store, jobs=jobs)
    prints = fingerprints(tasks, jobs=jobs)
    paths = list(dict.fromkeys(task.path for task in tasks))
    each = in_threads(_channels, paths) if any(map(url_of, paths)) else map(_channels, paths)
    channels = dict(zip(paths, each, strict=True))
    rows: list[dict[str, object]] = []
    for clip_id, task in zip(clips["clip_id"], tasks, strict=True):
        row: dict[str, object] = {"clip_id": clip_id}
        if known := prints.get(task.digest):
            row |= {"digest": task.digest, "duration_s": round(known.duration_s, 6), "sample_rate": known.sr}
            row |= {"channels": channels[task.path], "peak": round(known.peak, 6)}
            row |= {"clipped_samples": known.clipped, "silent": int(known.silent)}
        rows.append(row)
    return Look(clips, tables.frame(rows, SOUNDS), duplicates_of(clips, tasks, jobs=jobs))


def look_at_table(
    path: str | Path, *, out: str | Path | None = None, store: Store | None = None, jobs: int = -1
) -> Look:
    """Look at a clips table on disk.

    Parameters
    ----------
    path : path
        The table; relative paths in it are relative to its folder.
    out : path, optional
        Folder for ``sounds.csv`` and ``duplicates.csv``.
    store, jobs
        As for :func:`look_at`; by default the user's cache folder, and as many processes as there are cores.

    Raises
    ------
    TableError
        No such table, or a broken one.
    """
    found = look_at(tables.read_located(path, CLIPS), store=store or Store(), jobs=jobs)
    if out is not None:
        claim(out, [SOUNDS.name])
        tables.write(found.sounds, Path(out) / SOUNDS.name, SOUNDS)
        write_duplicates(found.duplicates, out)
    return found


def missing_before(path: str | Path) -> int:
    """Clips that the scan of a table has put into ``failures.csv`` next to it, because their files are not there."""
    failures = as_path(path).parent / FAILURES.name
    if not failures.is_file():
        return 0
    return int((tables.read(failures, FAILURES)["step"] == "corpus").sum())


def _channels(path: str) -> int | str:
    try:
        with opened(url) if (url := url_of(path)) else nullcontext(path) as file, QUIET_MPG123:
            return int(soundfile.info(file).channels)
    except (soundfile.LibsndfileError, RuntimeError):  # what only FFmpeg reads
        return ""


def _sound_lines(sounds: pd.DataFrame) -> list[str]:
    read = sounds[sounds["duration_s"].notna()]
    lines = []
    if len(read):
        length = read["duration_s"]
        lines.append(f"duration    {length.min():.4g} to {length.max():.4g} s, median {length.median():.4g} s")
        lines.append(f"rates       {_counts(read['sample_rate'], ' Hz')}")
        lines.append(f"channels    {_counts(read['channels'].dropna(), '') or 'unknown'}")
    lines.append(f"silent      {_names(read.loc[read['silent'] > 0, 'clip_id'])}")
    lines.append(f"clipped     {_names(read.loc[read['clipped_samples'] > 0, 'clip_id'])}")
    if len(read) < len(sounds):
        lines.append(f"unreadable  {_names(sounds.loc[sounds['duration_s'].isna(), 'clip_id'])}")
    return lines


def _duplicate_lines(duplicates: pd.DataFrame) -> list[str]:
    if not len(duplicates):
        return ["duplicates  none"]
    across = in_two_folds(duplicates)
    inside = duplicates.drop(across.index)
    lines = [f"duplicates  {count(len(duplicates), 'pair')} of clips with the same sound ({kinds(duplicates)})"]
    for pairs, where in ((across, "in different folds"), (inside, "in one fold")):
        named = f": {name_pairs(pairs, most=_NAMED)}" if len(pairs) else ""
        lines.append(f"            {len(pairs)} {where}{named}")
    return lines


def _counts(values: pd.Series, unit: str) -> str:
    """Each value with its number of clips, the most frequent first: ``380 of 44100 Hz, 20 of 22050 Hz``."""
    return ", ".join(f"{n} of {value:g}{unit}" for value, n in values.value_counts().items())


def _names(clip_ids: Sequence[str] | pd.Series) -> str:
    """A number of clips and the first few by name; ``0`` alone."""
    names = list(clip_ids)
    first = ", ".join(repr(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return str(len(names)) + (f": {first}" if names else "") + (f" and {more} more" if more > 0 else "")
