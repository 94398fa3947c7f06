"""The folder of pictures that ``images.csv`` describes: names, delivery from the store, tidying up.

The converter and the merger both write here, each its own encodings: ``<encoding>/<label>/<clip_id>.png``, the
rows of ``images.csv``, their rows of ``failures.csv``. A picture that already has the right bytes is left alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import tables
from harness.errors import TableError
from harness.files import safe_name, write_bytes
from harness.tables import FAILURES, IMAGES

if TYPE_CHECKING:
    import pandas as pd

    from harness.store import Store

__all__ = [
    "KIND",
    "NO_LABEL",
    "check_paths",
    "deliver",
    "intact",
    "keep",
    "publish",
    "relative_path",
    "report_failures",
    "stored",
]

KIND = "pictures"
NO_LABEL = "_"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def relative_path(encoding: str, label: str, clip_id: str) -> str:
    """Where a clip's picture lies below the folder, with forward slashes; ``_`` stands for no label.

    Examples
    --------
    >>> relative_path("gray", "dog_bark", "site/a.wav")
    'gray/dog_bark/site_a.wav.png'
    """
    folder = safe_name(label) if label else NO_LABEL
    folder = f"_{folder}" if folder.startswith(".") else folder
    return f"{encoding}/{folder}/{tables.picture_name(clip_id)}"


def stored(store: Store, key: str) -> bytes | None:
    """The PNG under `key` in the store; None where there is none or its checksums do not match."""
    data = store.get(KIND, key, ".png")
    return data if data is not None and intact(data) else None


def keep(store: Store, key: str, data: bytes) -> None:
    """Put a PNG under `key` into the store."""
    store.put(KIND, key, data, ".png")


def intact(data: bytes) -> bool:
    """Whether a PNG's chunks are all there, up to its end, with the right checksums."""
    if not data.startswith(_SIGNATURE):
        return False
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, end = data[at + 4 : at + 8 + length], at + 12 + length
        if end > len(data) or zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if body[:4] == b"IEND":
            return end == len(data)
        at = end
    return False


def deliver(data: bytes, path: Path) -> bool:
    """Write `data` to `path` unless it holds just that; return whether it was written."""
    if _held(path) == data:
        return False
    write_bytes(path, data)
    return True


def _held(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there, or not readable: to be written anew
        return None


def publish(out: str | Path, rows: Iterable[dict[str, object]], *, encodings: Collection[str]) -> pd.DataFrame:
    """Put the rows of some encodings into ``images.csv`` and remove the pictures that they no longer name.

    Parameters
    ----------
    out : path
        The folder of pictures.
    rows : iterable of dict
        The new rows of `encodings`, in the order of the clips.
    encodings : collection of str
        All encodings that were drawn now, those without a row too. Other encodings' rows stay.

    Returns
    -------
    DataFrame
        The new rows, checked.

    Raises
    ------
    TableError
        Two clips would share one file.
    """
    import pandas as pd

    out = Path(out)
    new = tables.frame(rows, IMAGES)
    check_paths(new)
    table = out / IMAGES.name
    old = tables.read(table, IMAGES) if table.is_file() else new.iloc[:0]
    mine = old["encoding"].isin(set(encodings))
    parts = [part for part in (old[~mine], new) if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else new
    if not table.is_file() or not whole.equals(old):
        tables.write(whole, table, IMAGES)
    for path in sorted(set(old["path"][mine]) - set(whole["path"])):
        _remove(out, path)
    return new


def check_paths(images: pd.DataFrame) -> None:
    """Refuse two clips whose pictures would have one and the same path."""
    doubled = images.duplicated("path", keep=False)
    if doubled.any():
        first = images.loc[doubled.idxmax()]
        both = images.loc[images["path"] == first["path"], "clip_id"].tolist()
        path = first["path"]
        raise TableError(f"clip_id={both[0]!r} and clip_id={both[1]!r} would both be drawn to {path}; rename one")


def report_failures(out: str | Path, failures: pd.DataFrame, *, step: str) -> None:
    """Replace the rows of `step` (of ``train`` also "train: gray") in ``failures.csv``; an empty table is removed."""
    import pandas as pd

    path = Path(out) / FAILURES.name
    old = tables.read(path, FAILURES) if path.is_file() else failures.iloc[:0]
    others = old["step"].map(lambda name: name.partition(":")[0] != step).astype(bool)
    parts = [part for part in (old[others], failures) if len(part)]
    if parts:
        tables.write(pd.concat(parts, ignore_index=True), path, FAILURES)
    else:
        path.unlink(missing_ok=True)


def _remove(out: Path, relative: str) -> None:
    """Remove a picture and the folders that it leaves empty; never anything outside `out`."""
    path = (out / relative).resolve()
    if out.resolve() not in path.parents:
        return
    path.unlink(missing_ok=True)
    for folder in list(path.parents)[: len(Path(relative).parts) - 1]:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
