"""Whether a corpus is still what its clips table was made of: files that are missing, changed or added since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora.file_digests import DIGESTS, digest_paths
from corpora.given_images import is_images_table
from corpora.loading import load_corpus
from harness import tables
from harness.cli import count
from harness.errors import SoundfoldError
from harness.record import CORPUS, step_of
from harness.remote import as_path
from harness.store import Store
from harness.tables import CLIPS, IMAGES
from harness.urls import url_of

__all__ = ["Verified", "verify_table"]

_GIVEN = ("pattern", "classes", "columns", "subset", "lists", "seed")  # what says which clips there are


@dataclass(frozen=True)
class Verified:
    """What a verification found; files by their paths.

    Parameters
    ----------
    files : int
        How many the table has.
    missing, changed, added : list of str
        Those that are gone, those with other bytes, and those that the corpus has now and the table has not.
    unknown : list of str
        Those of which no digest was recorded, so that only their being there could be checked.
    unchecked : str
        Why added files could not be looked for; empty where they were.
    """

    files: int
    missing: list[str]
    changed: list[str]
    added: list[str]
    unknown: list[str]
    unchecked: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, changed or added."""
        return not (self.missing or self.changed or self.added)

    def lines(self) -> list[str]:
        """Every file that is not as it was, one a line, and a summary last."""
        lines = [f"{what:<8} {path}" for what in ("missing", "changed", "added") for path in getattr(self, what)]
        if self.whole:
            state = "all as they were scanned" if not self.unknown else "all there"
        else:
            state = f"{len(self.missing)} missing, {len(self.changed)} changed, {len(self.added)} added"
        return [*lines, f"{count(self.files, 'file')}: {state}"]


def verify_table(path: str | Path, *, root: str | Path = "", store: Store | None = None, jobs: int = -1) -> Verified:
    """Compare a corpus with its clips table and the ``digests.csv`` next to it.

    Parameters
    ----------
    path : path
        The table, as a scan has written it.
    root : path
        Where the corpus lies, where that is not the root of the scan.
    store : Store, optional
        Where digests of files are taken from and put; default: the user's.
    jobs : int
        Threads; -1 takes as many as there are cores.

    Raises
    ------
    TableError
        No such table, or a broken one.
    """
    path = as_path(path)
    table = tables.read_located(path, IMAGES if is_images_table(path) else CLIPS)
    folder = path.parent
    recorded = tables.read_located(folder / DIGESTS.name, DIGESTS) if (folder / DIGESTS.name).is_file() else None
    files = list(dict.fromkeys(table["path"]))
    then = {} if recorded is None else {row["path"]: row for row in recorded.to_dict("records")}
    now = {row["path"]: row for row in digest_paths(files, store=store or Store(), jobs=jobs).to_dict("records")}
    changed = [each for each in files if each in now and each in then and _differs(then[each], now[each])]
    added, unchecked = _added(path, root, set(files))
    return Verified(
        files=len(files),
        missing=[each for each in files if each not in now],
        changed=changed,
        added=added,
        unknown=[each for each in files if each in now and not _is_known(then.get(each), each)],
        unchecked=unchecked,
    )


def _is_known(then: Mapping[Any, Any] | None, path: str) -> bool:
    """Whether there is something to compare a file with: its digest, or of one behind a URL its size."""
    return then is not None and bool(then["digest"] or url_of(path))


def _differs(then: Mapping[Any, Any], now: Mapping[Any, Any]) -> bool:
    return then["size"] != now["size"] or bool(then["digest"] and now["digest"] and then["digest"] != now["digest"])


def _added(path: Path, root: str | Path, known: set[str]) -> tuple[list[str], str]:
    """Files that a scan with the recorded settings finds now beyond those known, or why there can be no such scan."""
    spec = step_of(path.parent, CORPUS, path.name).get("spec", {})
    if "name" not in spec:
        return [], "run.json does not say how the table was scanned"
    given = {name: spec[name] for name in _GIVEN if name in spec}
    where = str(root) or spec.get("location") or spec["root"]
    try:
        found = load_corpus(spec["name"], where, **given, shared_groups="allow", make=False)
    except SoundfoldError as error:
        return [], str(error)
    there = dict.fromkeys(each for each in found.clips["path"] if each not in known)
    return [each for each in there if as_path(each).is_file()], ""
