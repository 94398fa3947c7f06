"""Parts of files, held against how long the files are: those beyond the end are named, not shortened in silence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.cli import count
from harness.decoding import SoundBytes, header_duration
from harness.errors import SoundfoldError
from harness.remote import REMOTE_THREADS, opened
from harness.threads import in_threads
from harness.urls import url_of

__all__ = ["Beyond", "beyond_end", "notes_on_parts"]

_LACK_S, _LACK_SHARE = 0.05, 0.01  # headers of lossy files are no more exact


class Beyond(NamedTuple):
    """A part that ends after its file does.

    Parameters
    ----------
    clip_id, path : str
    start_s, end_s : float
        In seconds.
    length_s : float
        Of the file.
    """

    clip_id: str
    path: str
    start_s: float
    end_s: float
    length_s: float

    @property
    def empty(self) -> bool:
        """Whether it starts after the end, too."""
        return self.start_s >= self.length_s

    def __str__(self) -> str:
        if self.empty:
            return f"starts at {self.start_s:g} s, but its file has {self.length_s:.2f} s"
        return f"{self.clip_id!r} (to {self.end_s:g} s of {self.length_s:.2f} s)"


def beyond_end(table: pd.DataFrame) -> list[Beyond]:
    """The clips that are parts of files and end after these do, by what the files' headers say.

    Parameters
    ----------
    table : DataFrame
        A clips table. Files whose headers do not say how long they are, or that cannot be read, are left out.
    """
    parts = table[table["start_s"].notna() | table["end_s"].notna()]
    lengths = _lengths(parts["path"])
    found = []
    for clip_id, path, start, end in parts[["clip_id", "path", "start_s", "end_s"]].itertuples(index=False):
        length, start = lengths[path], 0.0 if math.isnan(start) else start
        allowed = max(_LACK_S, _LACK_SHARE * length)
        if length and (start >= length or end > length + allowed):
            found.append(Beyond(clip_id, path, start, end, length))
    return found


def notes_on_parts(found: Iterable[Beyond]) -> list[str]:
    """Name the parts that are shorter than their times say, in at most one sentence."""
    short = [each for each in found if not each.empty]
    if not short:
        return []
    one = len(short) == 1
    said = (
        "is shorter than its times say: its file ends" if one else "are shorter than their times say: their files end"
    )
    more = f" and {len(short) - 3} more" if len(short) > 3 else ""
    return [f"{count(len(short), 'clip')} {said} before: {', '.join(map(str, short[:3]))}{more}."]


def _lengths(paths: Iterable[str]) -> dict[str, float]:
    unique = list(dict.fromkeys(paths))
    return dict(zip(unique, in_threads(_length, unique, threads=REMOTE_THREADS), strict=True))


def _length(path: str) -> float:
    """Length of a file in seconds as its header says it; 0 where it does not, or cannot be read."""
    url = url_of(path)
    try:
        if not url:
            return header_duration(Path(path))
        with opened(url) as file:
            return header_duration(SoundBytes(url, file))
    except (SoundfoldError, OSError):
        return 0.0
