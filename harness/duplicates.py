"""The same sound in different folds under another name: ``duplicates.csv``, and its way to ``predictions.csv``.

The table lies next to ``clips.csv`` and goes with it from folder to folder, as ``run.json`` does; column ``copy_of`` of
the predictions names, for each clip, another with its sound that is in another fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.record import CORPUS, copy_step
from harness.shared_groups import SharedGroups
from harness.tables import DUPLICATES, frame, read, write
from harness.written import claim

__all__ = [
    "copies_across_folds",
    "copy_corpus_record",
    "copy_notes",
    "duplicates_table",
    "in_two_folds",
    "write_duplicates",
]

_NAMED = 3


def duplicates_table(clips: pd.DataFrame, pairs: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Pairs of clips as ``duplicates.csv`` has them.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    pairs : iterable of (int, int, str, float, float)
        Rows of the two clips, kind, similarity, offset in seconds.
    """
    rows: list[dict[str, object]] = []
    for a, b, kind, similarity, offset_s in pairs:
        row: dict[str, object] = {"kind": kind, "similarity": similarity, "offset_s": offset_s}
        for letter, number in (("a", a), ("b", b)):
            clip = clips.iloc[number]
            row |= {f"clip_{letter}": clip["clip_id"], f"fold_{letter}": clip["fold"], f"group_{letter}": clip["group"]}
        rows.append(row)
    return frame(rows, DUPLICATES)


def write_duplicates(duplicates: pd.DataFrame, folder: str | Path) -> None:
    """Write ``duplicates.csv``; where there are none there is no such file."""
    path = Path(folder) / DUPLICATES.name
    if len(duplicates) or path.exists():
        claim(folder, [DUPLICATES.name])
    if len(duplicates):
        write(duplicates, path, DUPLICATES)
    else:
        path.unlink(missing_ok=True)


def in_two_folds(duplicates: pd.DataFrame) -> pd.DataFrame:
    """The pairs whose clips are in two folds; clips without a fold are in none."""
    fold_a, fold_b = duplicates["fold_a"], duplicates["fold_b"]
    return duplicates[(fold_a != fold_b) & (fold_a != "") & (fold_b != "")]


def copy_corpus_record(source: str | Path, out: str | Path, table: str = "") -> None:
    """Copy what the corpus's step said, in ``run.json`` and ``duplicates.csv``, to what is made of its table.

    Parameters
    ----------
    source : path
        Folder of the table that was read.
    out : path
        Folder of what was made; what it has of another corpus goes.
    table : str
        Name of the table, as for :func:`harness.record.step_of`.
    """
    if Path(source).resolve() == Path(out).resolve():
        return
    copy_step(source, out, CORPUS, table)
    path = Path(source) / DUPLICATES.name
    if path.is_file():
        write_duplicates(read(path, DUPLICATES), out)
    else:
        write_duplicates(frame([], DUPLICATES), out)


def copies_across_folds(folder: str | Path, table: pd.DataFrame, shared: SharedGroups) -> dict[str, str]:
    """Clips whose sound another fold has too, by the ``duplicates.csv`` of a folder, each with one such clip.

    Parameters
    ----------
    folder : path
        Of ``clips.csv`` or ``images.csv``; without that table, there are none.
    table : DataFrame
        clip_id and fold of the clips as they are used.
    shared : SharedGroups
        Under ``drop`` clips of one group are no leak.
    """
    path = Path(folder) / DUPLICATES.name
    if not path.is_file():
        return {}
    folds = dict(zip(table["clip_id"], table["fold"], strict=True))
    pairs = read(path, DUPLICATES)
    pairs = in_two_folds(pairs.assign(**{f"fold_{x}": pairs[f"clip_{x}"].map(folds).fillna("") for x in "ab"}))
    if shared.policy == "drop":
        pairs = pairs[(pairs["group_a"] != pairs["group_b"]) | (pairs["group_a"] == "")]
    found: dict[str, str] = {}
    for a, b in zip(pairs["clip_a"], pairs["clip_b"], strict=True):
        found.setdefault(a, b)
        found.setdefault(b, a)
    return found


def copy_notes(predictions: pd.DataFrame) -> list[str]:
    """Name the tested clips whose sound another fold has too, in at most one sentence.

    Parameters
    ----------
    predictions : DataFrame
        As `harness.tables.PREDICTIONS`.
    """
    copies = predictions[predictions["copy_of"] != ""].drop_duplicates("clip_id")
    if copies.empty:
        return []
    folds = dict(zip(predictions["clip_id"], predictions["fold"], strict=True))

    def named(clip: str) -> str:
        return f"{clip!r} (fold {folds[clip]})" if clip in folds else repr(clip)

    pairs = sorted({tuple(sorted(pair)) for pair in zip(copies["clip_id"], copies["copy_of"], strict=True)})
    listed = "; ".join(" and ".join(map(named, pair)) for pair in pairs[:_NAMED])
    clips = "1 clip has its sound" if len(copies) == 1 else f"{len(copies)} clips have their sound"
    more = f"; and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
    return [
        f"{clips} in another fold too, under another name, so that models were tested on sounds that they trained on "
        f"and figures may be too good: {listed}{more}."
    ]
