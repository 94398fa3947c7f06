"""Make a store smaller: by age, by size, by run; without any of these, what nobody reads any more.

Nothing that another process writes just now is removed: an entry that is younger than an hour and a temporary file that
is younger than a day stay, and an entry that changed since it was looked at stays too. What is removed costs only the
time to make it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.errors import SettingsError, SoundfoldError, did_you_mean
from harness.progress import track
from harness.store import Store
from harness.store_care.compacting import VECTORS, YOUNG_S, keys_in, rewrite
from harness.store_care.runs import (
    KIND,
    RunRecord,
    key_numbers,
    needed_by_none_but,
    recorded_runs,
    records_below,
)
from harness.store_care.scanning import KINDS, OUTDATED, State, StoreFile, scan
from harness.store_care.units import size_words

__all__ = ["PrunePlan", "Pruned", "plan_prune", "prune"]

_UNTOUCHED = frozenset({KIND, "indexes"})  # neither age nor size says whether these are needed
_TEMPORARY_S = 86400.0
_TOGETHER = 64  # files between two steps of the progress bar


@dataclass
class PrunePlan:
    """What would be removed.

    Parameters
    ----------
    files : list of StoreFile
        Files that go.
    rewritten : list of StoreFile
        Files of vectors that lose some of them.
    drop : ndarray of uint64
        First eight bytes of the keys of those vectors.
    vectors : int
        How many vectors these files lose.
    young : int
        Entries that stay for no other reason than that they are too young.
    before : int
        Bytes of the store.
    freed : int
        Bytes that go, about.
    to_size : int, optional
        What was asked for.
    """

    files: list[StoreFile] = field(default_factory=list)
    rewritten: list[StoreFile] = field(default_factory=list)
    drop: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    vectors: int = 0
    young: int = 0
    before: int = 0
    freed: int = 0
    to_size: int | None = None

    def __bool__(self) -> bool:
        return bool(self.files or self.rewritten)

    @property
    def left(self) -> int:
        """Bytes of the store afterwards, about."""
        return self.before - self.freed

    def __str__(self) -> str:
        groups: dict[str, list[StoreFile]] = {}
        for file in self.files:
            groups.setdefault("temporary" if file.state is State.TEMPORARY else file.kind, []).append(file)
        lines = []
        for name, files in groups.items():
            what = "of killed runs" if name == "temporary" else KINDS[name].what
            lines.append(f"  {name:12} {len(files):>10,}  {size_words(sum(f.size for f in files)):>9}  {what}")
        if self.rewritten:
            lines.append(f"  vectors      {self.vectors:>10,}  in {len(self.rewritten)} files that have others too")
        return "\n".join([*lines, f"  together {size_words(self.freed)} of {size_words(self.before)}"])


@dataclass(frozen=True)
class Pruned:
    """What was removed.

    Parameters
    ----------
    files : int
    freed : int
        Bytes.
    changed : int
        Files that stayed, since they changed after the plan was made.
    """

    files: int
    freed: int
    changed: int


def plan_prune(
    store: Store,
    *,
    older_than_s: float | None = None,
    to_size: int | None = None,
    runs: Iterable[str | Path] = (),
    deleted_runs: bool = False,
    kinds: Collection[str] = (),
    force: bool = False,
) -> PrunePlan:
    """Say what would be removed; what any of the conditions names goes.

    Leftovers of earlier versions and of killed runs go in any case.

    Parameters
    ----------
    store : Store
        As :func:`harness.store_care.scanning.open_store` gives it.
    older_than_s : float, optional
        Entries that were neither written nor marked as used for so many seconds.
    to_size : int, optional
        The oldest entries, until no more than so many bytes are left.
    runs : iterable of path
        Run folders: what they used and no other recorded run.
    deleted_runs : bool
        Likewise, the runs of this computer whose folders are gone.
    kinds : collection of str
        Remove only entries of these kinds. Default: of all.
    force : bool
        Also entries that are young, as others may need at once.

    Raises
    ------
    SettingsError
        No such kind; a run without a record.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise SettingsError(f"--kind {kind!r}: no such kind; {did_you_mean(kind, KINDS)}")
    records = recorded_runs(store)
    going = list(dict.fromkeys(record for run in runs for record in records_below(records, run)))
    going += [record for record in records if deleted_runs and record.is_gone and record not in going]
    numbers = needed_by_none_but(store, going, records) if going else np.zeros(0, np.uint64)
    choice = _Choice(store, list(scan(store)), kinds=kinds, force=force)
    choice.take_leftovers()
    if older_than_s is not None:
        choice.take_older(older_than_s)
    if going:
        choice.take_runs(going, numbers)
    if to_size is not None:
        choice.take_oldest(to_size)
    return choice.plan


class _Choice:
    """The files of a store while a plan is made."""

    def __init__(self, store: Store, files: Sequence[StoreFile], *, kinds: Collection[str], force: bool) -> None:
        self._store, self._kinds = store, set(kinds) or set(KINDS)
        self._now, self._force = time.time_ns(), force
        ours = [file for file in files if file.state in (State.ENTRY, State.TEMPORARY)]
        self._left = {(file.kind, file.name): file for file in ours if not file.linked}
        self._young: set[tuple[str, str]] = set()
        self.plan = PrunePlan(before=sum(file.size for file in ours))

    def take_leftovers(self) -> None:
        """What killed runs and earlier versions left."""
        self._take(file for file in self._files() if file.state is State.TEMPORARY or file.kind in OUTDATED)

    def take_older(self, seconds: float) -> None:
        """What is older than that."""
        limit = self._now - int(seconds * 1e9)
        self._take(file for file in self._usual() if file.changed_ns < limit)

    def take_runs(self, records: Sequence[RunRecord], numbers: np.ndarray) -> None:
        """What only these runs used, and their records once nothing of theirs is left."""
        whole = [file for file in self._usual() if file.kind != VECTORS]
        wanted = np.isin(key_numbers([file.key for file in whole]), numbers)
        before = len(self._young)
        self._take(file for file, mine in zip(whole, wanted, strict=True) if mine)
        self._take_vectors(numbers)
        if len(self._young) == before and self._kinds == set(KINDS):
            keys = {record.key for record in records}
            gone = [file for file in self._files() if file.kind == KIND and file.key in keys]
            self._remove(gone)

    def take_oldest(self, to_size: int) -> None:
        """The oldest, until the rest fits."""
        self.plan.to_size = to_size
        for file in sorted(self._usual(), key=lambda file: (file.changed_ns, file.name)):
            if self.plan.left <= to_size:
                break
            self._take([file])

    def _take_vectors(self, numbers: np.ndarray) -> None:
        files = [file for file in self._usual() if file.kind == VECTORS]
        for file in track(files, total=len(files), what="files of vectors"):
            keys = keys_in(file.path(self._store.root))
            mine = int(np.isin(keys, numbers).sum())
            if mine and mine == len(keys):
                self._take([file])
            elif mine and not self._is_young(file):
                self.plan.rewritten.append(file)
                self.plan.vectors += mine
                self.plan.freed += file.size * mine // len(keys)
                del self._left[file.kind, file.name]
        self.plan.drop = numbers

    def _files(self) -> list[StoreFile]:
        return [file for file in self._left.values() if file.kind in self._kinds]

    def _usual(self) -> list[StoreFile]:
        return [file for file in self._files() if file.state is State.ENTRY and file.kind not in _UNTOUCHED]

    def _take(self, files: Iterable[StoreFile]) -> None:
        self._remove([file for file in files if not self._is_young(file)])

    def _remove(self, files: Sequence[StoreFile]) -> None:
        for file in files:
            del self._left[file.kind, file.name]
            self.plan.freed += file.size
        self.plan.files += files

    def _is_young(self, file: StoreFile) -> bool:
        """Whether a file may be just written; entries are counted then."""
        if file.state is State.TEMPORARY:  # without it a writer fails, so that no --force removes it
            return file.changed_ns > self._now - int(_TEMPORARY_S * 1e9)
        young = not self._force and file.changed_ns > self._now - int(YOUNG_S * 1e9)
        if young:
            self._young.add((file.kind, file.name))
            self.plan.young = len(self._young)
        return young


def prune(store: Store, plan: PrunePlan) -> Pruned:
    """Remove what a plan names.

    Raises
    ------
    SoundfoldError
        A file cannot be removed; what was removed before stays removed.
    """
    files = freed = 0
    parts = [plan.files[start : start + _TOGETHER] for start in range(0, len(plan.files), _TOGETHER)]
    for part in track(parts, total=len(plan.files), what="removing", size=len):
        for file in part:
            try:
                removed = _removed(store, file)
            except OSError as error:
                raise SoundfoldError(
                    f"{file.path(store.root)!r}: cannot be removed ({error.strerror}); "
                    f"{files} files were removed before it"
                ) from error
            files, freed = files + removed, freed + removed * file.size
    for file in track(plan.rewritten, total=len(plan.rewritten), what="rewriting"):
        freed += rewrite(store, [file], plan.drop).freed
    _remove_empty_folders(store)
    return Pruned(files, freed, len(plan.files) - files)


def _removed(store: Store, file: StoreFile) -> bool:
    """Remove a file unless it changed since it was looked at; whether it was removed."""
    path = file.path(store.root)
    with suppress(FileNotFoundError):
        found = os.lstat(path)
        if (found.st_size, found.st_mtime_ns) == (file.size, file.changed_ns):
            os.unlink(path)
            return True
    return False


def _remove_empty_folders(store: Store) -> None:
    """Remove folders of kinds that nobody writes any more; those of others may be about to be written to."""
    for kind in OUTDATED:
        folder = store.root / kind
        if folder.is_symlink() or not folder.is_dir():
            continue
        for each in [*folder.iterdir(), folder]:
            with suppress(OSError):  # not empty, or none
                each.rmdir()
