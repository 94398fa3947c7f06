"""Clips with the digests of their sounds, before anything is drawn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import audio
from harness.errors import AudioError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Clip", "read_clips"]


@dataclass(frozen=True)
class Clip:
    """One row of ``clips.csv``, and the digest of its sound (empty where that could not be read)."""

    clip_id: str
    path: str
    label: str
    fold: str
    group: str
    start_s: float
    end_s: float
    digest: str = ""
    reason: str = ""


def read_clips(clips: pd.DataFrame, *, jobs: int, strict: bool) -> list[Clip]:
    """The clips with their digests; reading and hashing leave Python's lock alone, so threads do."""

    def read(row: dict[str, Any]) -> Clip:
        try:
            return Clip(**row, digest=audio.digest(row["path"], start_s=row["start_s"], end_s=row["end_s"]))
        except AudioError as error:
            return Clip(**row, reason=str(error))

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        found = list(pool.map(read, clips.to_dict("records")))
    for clip in found:
        if clip.reason and strict:
            raise AudioError(clip.reason)
    return found
