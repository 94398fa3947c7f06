"""What is in a store: entries, sizes, times and runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.store import Store
from harness.store_care.compacting import shape_of
from harness.store_care.runs import RunRecord, recorded_runs
from harness.store_care.scanning import KINDS, State, StoreFile, foreign_names, scan
from harness.store_care.units import date_words, size_words

__all__ = ["KindTotal", "StoreSummary", "summarise"]

_RUNS_SHOWN = 10


@dataclass
class KindTotal:
    """The entries of a kind.

    Parameters
    ----------
    entries : int
    size : int
        Bytes.
    oldest_ns, newest_ns : int
        Times of change, nanoseconds since the epoch.
    vectors : int
        Feature vectors in files of them.
    linked : bool
        Whether the folder of the kind is a link.
    """

    entries: int = 0
    size: int = 0
    oldest_ns: int = 0
    newest_ns: int = 0
    vectors: int = 0
    linked: bool = False

    def add(self, file: StoreFile) -> None:
        """Count one more file."""
        self.entries += file.suffix == KINDS[file.kind].suffixes[0]
        self.size += file.size
        self.oldest_ns = min(self.oldest_ns or file.changed_ns, file.changed_ns)
        self.newest_ns = max(self.newest_ns, file.changed_ns)
        self.linked = file.linked


@dataclass
class StoreSummary:
    """What is in a store.

    Parameters
    ----------
    root : Path
    kinds : dict of str to KindTotal
        Kinds that have entries.
    temporary : KindTotal
        Files of writers that are at work or were killed.
    other : KindTotal
        Files in the folders of kinds that are no entries.
    other_names : list of str
        What else is in the store's folder.
    runs : list of RunRecord
        The newest first.
    seconds : float
        How long looking took.
    """

    root: Path
    kinds: dict[str, KindTotal] = field(default_factory=dict)
    temporary: KindTotal = field(default_factory=KindTotal)
    other: KindTotal = field(default_factory=KindTotal)
    other_names: list[str] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(total.size for total in self.kinds.values())

    @property
    def entries(self) -> int:
        """Number of all entries."""
        return sum(total.entries for total in self.kinds.values())

    def __str__(self) -> str:
        lines = [f"store {str(self.root)!r}: {_entries(self.entries)}, {size_words(self.size)}"]
        lines += [_line(kind, total) for kind, total in self.kinds.items()]
        if self.temporary.entries:
            what = "of writers that are at work or were killed"
            lines.append(f"  temporary    {self.temporary.entries:>10,}  {size_words(self.temporary.size):>9}  {what}")
        if self.other.entries:
            lines.append(f"  not ours     {self.other.entries:>10,}  {size_words(self.other.size):>9}  never removed")
        if self.other_names:
            shown = ", ".join(ascii(name)[1:-1] for name in self.other_names[:5])
            lines.append(f"  also in this folder, never removed: {shown}{' ...' if len(self.other_names) > 5 else ''}")
        return "\n".join([*lines, *_run_lines(self.runs)])


def summarise(store: Store) -> StoreSummary:
    """Count a store's entries, without reading them (but for the heads of files of vectors).

    Parameters
    ----------
    store : Store
        As :func:`harness.store_care.scanning.open_store` gives it.
    """
    began = time.monotonic()
    kinds = {kind: KindTotal() for kind in KINDS}
    found = StoreSummary(store.root, other_names=foreign_names(store), runs=recorded_runs(store))
    for file in scan(store):
        if file.state is State.ENTRY:
            kinds[file.kind].add(file)
            if file.kind == "vectors":
                kinds[file.kind].vectors += shape_of(file.path(store.root))[0]
        else:
            total = found.temporary if file.state is State.TEMPORARY else found.other
            total.entries += 1
            total.size += file.size
    found.kinds = {kind: total for kind, total in kinds.items() if total.size}
    found.seconds = time.monotonic() - began
    return found


def _line(kind: str, total: KindTotal) -> str:
    dates = f"{date_words(total.oldest_ns)} to {date_words(total.newest_ns)}"
    what = KINDS[kind].what + (f": {total.vectors:,} vectors" if total.vectors else "")
    what += " (the folder is a link: never pruned)" if total.linked else ""
    return f"  {kind:12} {total.entries:>10,}  {size_words(total.size):>9}  {dates}  {what}"


def _entries(n: int) -> str:
    return f"{n:,} {'entry' if n == 1 else 'entries'}"


def _run_lines(runs: list[RunRecord]) -> list[str]:
    folders: dict[tuple[str, str], list[RunRecord]] = {}
    for record in runs:
        folders.setdefault((record.folder, record.computer), []).append(record)
    lines = [f"used by {len(folders)} run folder{'' if len(folders) == 1 else 's'}:"] if folders else []
    for (folder, computer), records in list(folders.items())[:_RUNS_SHOWN]:
        steps = ", ".join(sorted({record.step for record in records}))
        where = "its folder is gone" if records[0].is_gone else computer
        lines.append(f"  {records[0].recorded[:10]}  {ascii(folder)[1:-1]} ({steps}; {where})")
    return lines + ([f"  and {len(folders) - _RUNS_SHOWN} older"] if len(folders) > _RUNS_SHOWN else [])
