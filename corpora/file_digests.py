"""``digests.csv`` next to a clips table: size and sha256 of each file when it was scanned, for `verifying`."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pandas as pd

from harness.digests import FileDigests, FileState
from harness.parallel import check_jobs
from harness.progress import track
from harness.remote import sizes_of
from harness.store import Store
from harness.tables import Schema, frame, read, write
from harness.urls import url_of
from harness.written import claim

__all__ = ["DIGESTS", "digest_paths", "update_digests"]

DIGESTS = Schema("digests.csv", text=("path", "digest"), number=("size",), key=("path",), filled=("path",))
"""Of each file its size in bytes and its sha256; no digest for one behind a URL, which would have to be fetched."""


def digest_paths(paths: Iterable[str], *, store: Store, jobs: int = -1) -> pd.DataFrame:
    """Digest files; those that the store knows are not read again, and those that are not there are left out.

    Parameters
    ----------
    paths : iterable of str
    store : Store
        Where digests are taken from and put.
    jobs : int
        Threads; -1 takes as many as there are cores.

    Returns
    -------
    DataFrame
        As :data:`DIGESTS`, in the order of the paths, each once.
    """
    unique = list(dict.fromkeys(paths))
    local = [path for path in unique if not url_of(path)]
    sizes = sizes_of(url for path in unique if (url := url_of(path)))
    with FileDigests(store) as known, ThreadPoolExecutor(check_jobs(jobs)) as pool:
        made = pool.map(lambda path: _local(path, known), local)
        found = dict(zip(local, track(made, total=len(local), what="digests"), strict=True))
    rows = []
    for path in unique:
        url = url_of(path)
        size, digest = (sizes.get(url), "") if url else found[path]
        if size is not None:
            rows.append({"path": path, "digest": digest, "size": size})
    return frame(rows, DIGESTS)


def update_digests(folder: str | Path, paths: Iterable[str], *, store: Store, jobs: int = -1) -> None:
    """Write ``digests.csv`` of some files; what it has of others stays, as of another table in the folder."""
    file = Path(folder) / DIGESTS.name
    claim(folder, [file.name])
    new = digest_paths(paths, store=store, jobs=jobs)
    old = read(file, DIGESTS) if file.is_file() else new.iloc[:0]
    others = old[~old["path"].isin(new["path"])]
    write(pd.concat([others, new], ignore_index=True) if len(others) else new, file, DIGESTS)


def _local(path: str, known: FileDigests) -> tuple[int | None, str]:
    with suppress(OSError, ValueError):
        return FileState.of(path).size, known.of(path)
    return None, ""
