"""The calls of a recording as wavs of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cutting import cut_parts, write_exact_wav
from harness.files import safe_name
from labeler.detecting import Event

__all__ = ["cut_events"]


def cut_events(path: Path, found: Mapping[str, Sequence[Event]], out: Path, name: str) -> list[Path]:
    """Write each call as ``<label>/<name>_<start in ms>.wav`` below a folder.

    Parameters
    ----------
    path : Path
        The recording.
    found : mapping of str to sequence of Event
        Its calls by label.
    out : Path
    name : str
        Of the recording, as it can stand in a file name.
    """
    events = [(label, event) for label, some in found.items() for event in some]
    files = [out / safe_name(label) / f"{name}_{round(1000 * e.start_s):08}.wav" for label, e in events]
    for k, y, sr in cut_parts(path, [(e.start_s, e.end_s) for _, e in events]) if events else ():
        write_exact_wav(files[k], y, sr)
    return files
