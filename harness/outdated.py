"""Merged images whose partners are drawn anew: made of images that are no more, they leave the folder of images.

While images are drawn anew, the rows of all merges that are made of them are out of ``images.csv``, so that what is
interrupted leaves no merge next to images that it is not made of. Those whose partners turn out to be the same bytes
as before come back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from harness import tables
from harness.digests import FileDigests
from harness.merge_order import in_order
from harness.recipes import Recipes, merge_digest, read_recipes
from harness.tables import IMAGES

__all__ = ["WaitingMerges", "outdated_merges", "waiting_merges"]


@dataclass
class WaitingMerges:
    """Merged images that wait for what becomes of their partners.

    Parameters
    ----------
    rows : DataFrame
        Their rows of ``images.csv``.
    before : dict of (clip_id, name) to (Path, str)
        Partners that are drawn anew: the file, and the sha256 of its bytes before; empty where it could not be read.
    changed : set of (clip_id, name)
        Partners with other bytes now.
    """

    rows: pd.DataFrame = field(default_factory=lambda: tables.frame([], IMAGES))
    before: dict[tuple[str, str], tuple[Path, str]] = field(default_factory=dict)
    changed: set[tuple[str, str]] = field(default_factory=set)

    def compare(self, digests: FileDigests) -> None:
        """Find out which partners have changed, when all of them are drawn."""
        now = {place: _digest(path, digests) for place, (path, _) in self.before.items()}
        self.changed |= {place for place, digest in now.items() if not digest or digest != self.before[place][1]}

    def add(self, other: WaitingMerges) -> None:
        """Take those of another step of the same run."""
        if len(other.rows):
            self.rows = pd.concat([self.rows, other.rows], ignore_index=True) if len(self.rows) else other.rows
        self.before = other.before | self.before
        self.changed |= other.changed


def waiting_merges(out: Path, table: pd.DataFrame, anew: Collection[object], digests: FileDigests) -> WaitingMerges:
    """The merges of a folder that are made of images which are about to be drawn anew, or of such merges.

    Parameters
    ----------
    out : Path
        The folder of images.
    table : DataFrame
        Its ``images.csv``.
    anew : collection of str
        Column ``path`` of the images that are about to be written.
    digests : FileDigests
    """
    known, waiting = read_recipes(out), WaitingMerges()
    drawn = table["path"].isin(set(anew))
    places = set(zip(table["clip_id"][drawn], table["encoding"][drawn], strict=True))
    parts = []
    for name in in_order(known.partners):
        mine = table[(table["encoding"] == name) & ~drawn]
        affected = mine.iloc[
            [k for k, clip in enumerate(mine["clip_id"]) if any((clip, of) in places for of in known.partners[name])]
        ]
        places.update((clip, name) for clip in affected["clip_id"])
        parts.append(affected)
    if any(len(part) for part in parts):
        waiting.rows = pd.concat([part for part in parts if len(part)], ignore_index=True)
        clips = set(waiting.rows["clip_id"])
        rows = table[drawn & table["clip_id"].isin(clips)]
        for clip, name, path in zip(rows["clip_id"], rows["encoding"], rows["path"], strict=True):
            waiting.before[clip, name] = (out / path, _digest(out / path, digests))
    return waiting


def outdated_merges(
    table: pd.DataFrame, known: Recipes, drawn: Collection[str], waiting: WaitingMerges
) -> dict[str, tuple[list[dict[str, object]], int]]:
    """The merges of a folder that lose images, since these were made of others than there are now.

    Parameters
    ----------
    table : DataFrame
        The folder's ``images.csv``.
    known : Recipes
        Of the folder.
    drawn : collection of str
        The encodings and merges that were made now; merges of any of them are looked at, and merges of those.
    waiting : WaitingMerges
        Rows that are not in the table.

    Returns
    -------
    dict of str to (list of dict, int)
        By merge the rows that are right, and how many are not.
    """
    found: dict[str, tuple[list[dict[str, object]], int]] = {}
    looked_at, changed = set(drawn), set(waiting.changed)
    specs = {name: _specs_of(table, name) for name in {*known.encodings, *known.merges}}
    for name in in_order(known.partners):
        partners = known.partners[name]
        if name in drawn or not looked_at.intersection(partners):
            continue
        looked_at.add(name)
        rows = [*_rows_of(table, name), *_rows_of(waiting.rows, name)]
        right = [
            row
            for row in rows
            if row["spec"]
            == merge_digest(known.merges[name], {p: specs.get(p, {}).get(str(row["clip_id"])) for p in partners})
            and not any((row["clip_id"], partner) in changed for partner in partners)
        ]
        specs[name] = {str(row["clip_id"]): str(row["spec"]) for row in right}
        changed.update((str(row["clip_id"]), name) for row in rows if str(row["clip_id"]) not in specs[name])
        if len(right) < len(rows) or len(_rows_of(waiting.rows, name)):
            found[name] = (right, len(rows) - len(right))
    return found


def _rows_of(table: pd.DataFrame, name: str) -> list[dict[str, object]]:
    return [
        {str(key): value for key, value in row.items()} for row in table[table["encoding"] == name].to_dict("records")
    ]


def _specs_of(table: pd.DataFrame, encoding: str) -> dict[str, str]:
    """Column ``spec`` of an encoding's images by clip."""
    rows = table[table["encoding"] == encoding]
    return dict(zip(rows["clip_id"], rows["spec"], strict=True))


def _digest(path: Path, digests: FileDigests) -> str:
    """sha256 of a file's bytes; empty where it cannot be read."""
    try:
        return digests.of(path)
    except OSError:
        return ""
