"""A look at the sounds of a clips table: lengths, rates, channels, levels, silence, clipping, the same sound twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from corpora.duplicates import duplicates_of, kinds, name_pairs
from corpora.findings import SOUNDS, Finding, findings
from corpora.given_images import is_images_table
from corpora.look_page import PAGE, write_page
from corpora.scanning import summary
from corpora.sounds import digest_clips, fingerprints, levels_of
from harness import tables
from harness.cli import count
from harness.duplicates import in_two_folds, write_duplicates
from harness.errors import TableError
from harness.record import read_shared_groups
from harness.remote import as_path
from harness.run_lock import run_lock
from harness.shared_groups import spanning_groups
from harness.store import Store
from harness.tables import CLIPS, FAILURES
from harness.written import claim

__all__ = ["Look", "look_at", "look_at_table", "missing_before"]

_NAMED = 3  # clips or pairs that a line names
_ALWAYS = ("silent", "clipped")  # lines that are there where nothing was found as well


@dataclass(frozen=True)
class Look:
    """What a look found.

    Parameters
    ----------
    clips : DataFrame
        The clips table, as `harness.tables.CLIPS`.
    sounds : DataFrame
        What each clip holds, as `corpora.findings.SOUNDS`. A clip that cannot be read has its name only.
    duplicates : DataFrame
        As `harness.tables.DUPLICATES`: pairs in different folds and in one.
    exceptions : mapping of str to tuple of str
        Groups that the corpus declares to be in several folds, each with them.
    """

    clips: pd.DataFrame
    sounds: pd.DataFrame
    duplicates: pd.DataFrame
    exceptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def unreadable(self) -> list[str]:
        """The clips that cannot be read."""
        return self.sounds.loc[self.sounds["duration_s"].isna(), "clip_id"].tolist()

    @property
    def findings(self) -> list[Finding]:
        """What is unusual about the sounds, the worst kinds first."""
        return findings(self.sounds)

    @property
    def spanning(self) -> dict[str, tuple[str, ...]]:
        """The groups in several folds, each with them."""
        return spanning_groups(self.clips["fold"].tolist(), self.clips["group"].tolist())

    def __str__(self) -> str:
        return "\n".join([summary(self.clips), "", *self._lines(), *_duplicate_lines(self.duplicates)])

    def _lines(self) -> list[str]:
        lines = []
        if spanning := self.spanning:
            named = [f"{group!r} (folds {', '.join(folds)})" for group, folds in list(spanning.items())[:_NAMED]]
            more = f" and {len(spanning) - _NAMED} more" if len(spanning) > _NAMED else ""
            lines.append(f"leaks       {count(len(spanning), 'group')} in several folds: {', '.join(named)}{more}")
        lines += _range_lines(self.sounds[self.sounds["duration_s"].notna()])
        found = {each.name: each for each in self.findings}
        others = [name for name in found if name not in (*_ALWAYS, "unreadable")]
        last = ["unreadable"] if "unreadable" in found else []
        for name in [*_ALWAYS, *others, *last]:
            clips = found[name].clips if name in found else []
            lines.append(f"{name:<11} {_names(clips)}")
        return lines


def look_at(
    clips: pd.DataFrame, *, store: Store, jobs: int = 1, exceptions: Mapping[str, tuple[str, ...]] | None = None
) -> Look:
    """Read every sound, and look for the same one twice.

    Parameters
    ----------
    clips : DataFrame
        A clips table with paths that can be opened.
    store : Store
        Where what is known of the sounds is taken from and put.
    jobs : int
        Processes; -1 takes as many as there are cores.
    exceptions : mapping of str to tuple of str, optional
        As :class:`Look` has it.
    """
    tasks = digest_clips(tables.check(clips, CLIPS), store=store, jobs=jobs)
    prints, levels = fingerprints(tasks, jobs=jobs), levels_of(tasks, jobs=jobs)
    rows: list[dict[str, object]] = []
    for clip_id, task in zip(clips["clip_id"], tasks, strict=True):
        row: dict[str, object] = {"clip_id": clip_id}
        known, level = prints.get(task.digest), levels.get(task.digest)
        if known and level:
            row |= {"digest": task.digest, "duration_s": round(known.duration_s, 6), "sample_rate": known.sr}
            row |= {"channels": level.channels, "peak": round(known.peak, 6), "level_db": round(level.level_db, 2)}
            row |= {"quiet_share": round(level.quiet_share, 4), "dc": round(level.dc, 6)}
            row |= {"mix_db": round(level.mix_db, 2), "clipped_samples": known.clipped, "silent": int(known.silent)}
            start = 0.0 if task.start_s != task.start_s else task.start_s
            missing = 0.0 if task.end_s != task.end_s else task.end_s - start - known.duration_s
            row |= {"missing_s": round(max(0.0, missing), 6)}
        rows.append(row)
    found = duplicates_of(clips, tasks, jobs=jobs)
    return Look(clips, tables.frame(rows, SOUNDS), found, dict(exceptions or {}))


def look_at_table(
    path: str | Path, *, out: str | Path | None = None, store: Store | None = None, jobs: int = -1, examples: int = 4
) -> Look:
    """Look at a clips table on disk.

    Parameters
    ----------
    path : path
        The table; relative paths in it are relative to its folder.
    out : path, optional
        Folder for ``look.html``, ``sounds.csv`` and ``duplicates.csv``.
    store, jobs
        As for :func:`look_at`; by default the user's cache folder, and as many processes as there are cores.
    examples : int
        Clips of each class to see and hear on the page.

    Raises
    ------
    TableError
        No such table, or a broken one.
    """
    path, store = as_path(path), store or Store()
    if is_images_table(path):
        raise TableError(f"{path}: a table of images, which have no sound; expected a clips table of sounds")
    clips = tables.read_located(path, CLIPS)
    exceptions = read_shared_groups(path.parent, table=path.name).exceptions
    if out is None:
        return look_at(clips, store=store, jobs=jobs, exceptions=exceptions)
    with run_lock(out, adds=True):
        claim(out, [SOUNDS.name, PAGE])
        found = look_at(clips, store=store, jobs=jobs, exceptions=exceptions)
        tables.write(found.sounds, Path(out) / SOUNDS.name, SOUNDS)
        write_duplicates(found.duplicates, out)
        write_page(found, Path(out) / PAGE, title=str(path), store=store, examples=examples)
    return found


def missing_before(path: str | Path) -> int:
    """Clips that the scan of a table has put into ``failures.csv`` next to it, because their files are not there."""
    failures = as_path(path).parent / FAILURES.name
    if not failures.is_file():
        return 0
    return int((tables.read(failures, FAILURES)["step"] == "corpus").sum())


def _range_lines(read: pd.DataFrame) -> list[str]:
    if not len(read):
        return []
    length, level = read["duration_s"], read["level_db"]
    return [
        f"duration    {length.min():.4g} to {length.max():.4g} s, median {length.median():.4g} s",
        f"rates       {_counts(read['sample_rate'], ' Hz')}",
        f"channels    {_counts(read['channels'], '')}",
        f"levels      {round(level.min())} to {round(level.max())} dB of full scale, median {round(level.median())} dB",
    ]


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


def _names(clip_ids: Sequence[str]) -> str:
    """A number of clips and the first few by name; ``0`` alone."""
    first = ", ".join(repr(name) for name in clip_ids[:_NAMED])
    more = len(clip_ids) - _NAMED
    return str(len(clip_ids)) + (f": {first}" if clip_ids else "") + (f" and {more} more" if more > 0 else "")
