"""Which recordings the results in a scan's folder are of, so that these can be found and known again.

::

    OUT/recordings.json    folder: where relative paths begin; recordings: names in those of files; digests: sha256 of
                           the bytes that were scanned, once they are; pages: review pages in OUT
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from harness import audio
from harness.errors import TableError
from harness.files import read_json, write_json

__all__ = ["RECORDINGS", "Scanned", "note_page", "read_scanned", "scanned_file", "write_scanned"]

RECORDINGS = "recordings.json"


class Scanned(NamedTuple):
    """The recordings of a scan.

    Parameters
    ----------
    recordings : mapping of str to str
        By their paths as the tables have them: their names in those of files.
    folder : str
        Absolute, from which relative paths are; empty where an older version wrote the record.
    digests : mapping of str to str
        As :func:`harness.audio.digest`, by path; without those that failed, or are yet to be scanned.
    pages : sequence of str
        Names of review pages in the folder of the scan.
    """

    recordings: Mapping[str, str]
    folder: str = ""
    digests: Mapping[str, str] = {}
    pages: Sequence[str] = ()


def write_scanned(out: Path, scanned: Scanned) -> None:
    """Write the record into the folder of a scan."""
    write_json(out / RECORDINGS, {"schema": 1, **scanned._asdict()})


def read_scanned(out: Path) -> Scanned | None:
    """The record in the folder of a scan; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = read_json(out / RECORDINGS)
        names, digests = (
            {str(path): str(value) for path, value in each.items()}
            for each in (found["recordings"], found.get("digests", {}))
        )
        return Scanned(names, str(found.get("folder", "")), digests, [str(name) for name in found.get("pages", [])])
    return None


def note_page(out: Path, name: str) -> None:
    """Note that a file in the folder of a scan is a review page, which goes with the scan's other results."""
    scanned = read_scanned(out)
    if scanned and name not in scanned.pages:
        write_scanned(out, scanned._replace(pages=[*scanned.pages, name]))


def scanned_file(out: Path, recording: str) -> Path:
    """The file of a recording that was scanned, wherever this is asked for.

    Parameters
    ----------
    out : Path
        Folder of the scan.
    recording : str
        As the scan's tables name it.

    Returns
    -------
    Path
        Below the folder in which the scan ran; else, where all was moved together, from the present one.

    Raises
    ------
    TableError
        It is not there any more, or its bytes are not those that were scanned.
    AudioError
        It cannot be read.
    """
    scanned = read_scanned(out) or Scanned({})
    then = Path(scanned.folder, recording)
    file = next((path for path in (then, Path(recording)) if path.is_file()), None)
    if file is None:
        raise TableError(
            f"{recording}: not there any more, expected at {then.absolute()}; move it back, or scan it where it is now"
        )
    known = scanned.digests.get(recording)
    if known and audio.digest(file) != known:
        raise TableError(
            f"{file}: has changed since it was scanned, so that its times are of other sound; scan it again"
        )
    return file
