"""The same sound under two names: exact copies by digest, near ones (another gain, cut, rate, codec) by fingerprint.

A sound in training and test makes figures too good, whatever the groups say. Exact copies have the same bytes, or the
same samples in another file. Near ones are found in sounds of 0.2 s and more; shorter ones are compared exactly only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, islice, product
from typing import Any

import numpy as np
import pandas as pd

from corpora.fingerprint import Fingerprint
from corpora.matching import Candidate, Match, candidates, verify
from corpora.sounds import SoundTask, digest_clips, fingerprints, read_low
from harness import tables
from harness.cli import count
from harness.code_version import code_version
from harness.duplicates import duplicates_table, in_two_folds
from harness.errors import AudioError
from harness.parallel import in_parallel
from harness.store import Store, key_of
from harness.tables import CLIPS, DUPLICATES

__all__ = [
    "duplicate_notes",
    "duplicates_of",
    "find_duplicates",
    "kinds",
    "name_pairs",
]

_KIND = "duplicates"
_ALL_PAIRS = 20  # of more copies than that, each is paired with one or two only
_BATCH = 32  # candidates that a process verifies at a time

Pair = tuple[int, int, str, float, float]  # rows of the two clips, kind, similarity, offset in seconds


def find_duplicates(
    clips: pd.DataFrame, *, store: Store, jobs: int = 1, near: bool = True, across_folds: bool = False
) -> pd.DataFrame:
    """Find clips that hold the same sound.

    Parameters
    ----------
    clips : DataFrame
        A clips table with paths that can be opened. Clips that cannot be read are left out.
    store : Store
        Where fingerprints, and what was found, are taken from and put.
    jobs : int
        Processes; -1 takes as many as there are cores.
    near : bool
        Also near copies; without them no sound is decoded, and exact means the same bytes.
    across_folds : bool
        Only pairs of clips in two folds.

    Returns
    -------
    DataFrame
        As `harness.tables.DUPLICATES`, in the order of the clips. `kind` is ``exact`` or ``near``; `similarity` the
        correlation of the common part, in [0, 1]; `offset_s` where clip_a begins in clip_b, in seconds. Of more than
        20 copies of one sound each is paired with the first, and with the first in another fold.
    """
    tasks = digest_clips(tables.check(clips, CLIPS), store=store, jobs=jobs)
    return duplicates_of(clips, tasks, jobs=jobs, near=near, across_folds=across_folds)


def duplicates_of(
    clips: pd.DataFrame, tasks: Sequence[SoundTask], *, jobs: int = 1, near: bool = True, across_folds: bool = False
) -> pd.DataFrame:
    """:func:`find_duplicates` where the digests are known; `tasks` has one for each clip."""
    if not len(clips):
        return tables.frame([], DUPLICATES)
    folds, store = clips["fold"].tolist(), tasks[0].store
    key = key_of(
        sounds=[[task.digest, fold] for task, fold in zip(tasks, folds, strict=True)],
        options=[near, across_folds],
        code=code_version("corpora.duplicates"),
    )
    pairs = store.get_json(_KIND, key)
    if pairs is None:
        pairs = _pairs(tasks, folds, near=near, across_folds=across_folds, jobs=jobs)
        store.put_json(_KIND, key, pairs)
    return duplicates_table(clips, pairs)


def duplicate_notes(duplicates: pd.DataFrame, *, groups_dropped: bool = False) -> list[str]:
    """What a study must say of copies in different folds, in at most one sentence.

    Parameters
    ----------
    duplicates : DataFrame
        As `harness.tables.DUPLICATES`.
    groups_dropped : bool
        Clips of groups in several folds are left out of training where they would leak, so that pairs of one group are
        no leak.
    """
    pairs = in_two_folds(duplicates)
    if groups_dropped:
        pairs = pairs[(pairs["group_a"] != pairs["group_b"]) | (pairs["group_a"] == "")]
    if not len(pairs):
        return []
    one = len(pairs) == 1
    return [
        f"{count(len(pairs), 'pair')} of clips in different folds {'holds' if one else 'hold'} the same sound "
        f"({kinds(pairs)}), so that figures may be too good: {name_pairs(pairs)}; "
        f"{DUPLICATES.name} lists {'it' if one else 'all of them'}"
    ]


def name_pairs(pairs: pd.DataFrame, *, most: int = 3) -> str:
    """The first pairs by name, with their folds where they differ, and how many more there are."""
    named = [_named(row) for row in pairs.head(most).to_dict("records")]
    more = len(pairs) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def kinds(pairs: pd.DataFrame) -> str:
    """How many of the pairs are exact, and how many near: ``1 exact, 2 near``."""
    counts = pairs["kind"].value_counts()
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("exact", "near") if kind in counts)


def _named(row: Mapping[Any, Any]) -> str:
    def clip(letter: str) -> str:
        fold = f" (fold {row[f'fold_{letter}']})" if row["fold_a"] != row["fold_b"] else ""
        return f"{row[f'clip_{letter}']!r}{fold}"

    return f"{clip('a')} and {clip('b')}"


def _pairs(
    tasks: Sequence[SoundTask], folds: Sequence[str], *, near: bool, across_folds: bool, jobs: int
) -> list[Pair]:
    """All pairs, by the order of their clips."""
    prints = fingerprints(tasks, jobs=jobs) if near else {}
    copies = _copies(tasks, prints)
    pairs = [(a, b, "exact", 1.0, 0.0) for rows in copies for a, b in _within(rows, folds)]
    if near:
        pairs += _near_pairs(tasks, prints, copies, folds, across_folds=across_folds, jobs=jobs)
    return sorted(pair for pair in pairs if not across_folds or _apart(pair[0], pair[1], folds))


def _copies(tasks: Sequence[SoundTask], prints: Mapping[str, Fingerprint]) -> list[list[int]]:
    """The rows of each sound: those with the same bytes, or with the same samples that are not silence."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, task in enumerate(tasks):
        known = prints.get(task.digest)
        if task.digest:
            rows[task.digest if known is None or known.silent else known.samples].append(row)
    return list(rows.values())


def _apart(a: int, b: int, folds: Sequence[str]) -> bool:
    return folds[a] != folds[b] and "" not in (folds[a], folds[b])


def _within(rows: Sequence[int], folds: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of the copies of one sound: all, or of many each with the first, and the first in another fold."""
    if len(rows) <= _ALL_PAIRS:
        yield from combinations(rows, 2)
        return
    first = rows[0]
    elsewhere = next((row for row in rows if _apart(first, row, folds)), first)
    for row in rows:
        for one in dict.fromkeys((first, elsewhere)):
            if row != one and (row, one) != (first, elsewhere):
                yield min(row, one), max(row, one)


def _near_pairs(
    tasks: Sequence[SoundTask],
    prints: Mapping[str, Fingerprint],
    copies: Sequence[Sequence[int]],
    folds: Sequence[str],
    *,
    across_folds: bool,
    jobs: int,
) -> Iterator[Pair]:
    """Pairs of clips of different sounds with a common part; of sounds with many copies, the first hundred."""
    sounds = [rows for rows in copies if tasks[rows[0]].digest in prints]
    suspects = candidates(
        [prints[tasks[rows[0]].digest] for rows in sounds],
        wanted=_pairs_wanted(sounds, folds) if across_folds else None,
    )
    for (a, b), match in _verified([tasks[rows[0]] for rows in sounds], suspects, jobs=jobs).items():
        rows = sorted(product(sounds[a], sounds[b]), key=lambda pair: not _apart(pair[0], pair[1], folds))
        for one, other in islice(rows, 100):
            offset = match.offset_s if one < other else -match.offset_s
            yield min(one, other), max(one, other), "near", round(match.similarity, 4), round(offset, 4)


def _pairs_wanted(
    sounds: Sequence[Sequence[int]], folds: Sequence[str]
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function that says which pairs of sounds have clips in two folds."""
    names = sorted({*folds} - {""})
    number = {name: k for k, name in enumerate(names)}
    of_sound = [{number[folds[row]] for row in rows if folds[row]} for rows in sounds]
    first = np.array([min(own, default=-1) for own in of_sound])
    many = np.array([len(own) > 1 for own in of_sound])
    return lambda a, b: (first[a] >= 0) & (first[b] >= 0) & ((first[a] != first[b]) | many[a] | many[b])


def _verified(tasks: Sequence[SoundTask], suspects: Sequence[Candidate], *, jobs: int) -> dict[tuple[int, int], Match]:
    """The best match of each pair that has one."""
    batches = [
        [(tasks[each.a], tasks[each.b], each.offset) for each in suspects[k : k + _BATCH]]
        for k in range(0, len(suspects), _BATCH)
    ]
    found: dict[tuple[int, int], Match] = {}
    results = in_parallel(_verify_batch, batches, jobs=jobs if len(batches) > 4 else 1, what="comparing")
    for each, match in zip(suspects, (match for batch in results for match in batch), strict=True):
        best = found.get((each.a, each.b))
        if match and (best is None or match.similarity > best.similarity):
            found[each.a, each.b] = match
    return found


def _verify_batch(batch: Sequence[tuple[SoundTask, SoundTask, int]]) -> list[Match | None]:
    sound = lru_cache(maxsize=8)(read_low)
    found: list[Match | None] = []
    for a, b, offset in batch:
        try:
            found.append(verify(sound(a), sound(b), offset))
        except AudioError:  # removed in the meantime
            found.append(None)
    return found
