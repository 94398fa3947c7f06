"""Whether a finished run, and all that it was made of, is as it was left: then the same command has nothing to do.

Settings, versions and environment are compared as they are; files (sounds, the run's own, and soundfold's code) by
their states, as in `harness.digests`. What is kept lies in the local store, and losing it costs no more than going
through all stages again. Where code from outside is in play, nothing is kept: its files are not known.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from harness.code_version import PROJECT
from harness.digests import FileState
from harness.files import digest_bytes, digest_json
from harness.interpreter import STARTED_NS
from harness.record import versions
from harness.registry import loaded_plugins
from harness.run_lock import LOCK
from harness.store import Store
from harness.urls import url_of

__all__ = ["FinishedRun"]

_KIND = "finished"
_PREFIX = "SOUNDFOLD_"
_SECOND_NS = 1_000_000_000
Line = tuple[str, str]


class FinishedRun:
    """What is known of a run with these settings in this folder. To be made before anything is read.

    Parameters
    ----------
    folder : path
        Of the run.
    store : Store
    made_of : mapping of str to JSON value
        What the run's results depend on, besides files; of dicts the order counts, too.
    reads : iterable of path
        Files whose content they depend on.
    """

    def __init__(
        self, folder: str | Path, *, store: Store, made_of: Mapping[str, object], reads: Iterable[str | Path]
    ) -> None:
        self._folder, self._store = Path(folder).absolute(), store
        own = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}
        place = [os.path.realpath(folder), str(folder), platform.node()]
        named = json.dumps([place, sorted(own.items()), versions(), made_of])  # in ASCII: a name need not be UTF-8
        self._key = digest_bytes(named.encode())
        code = _own_code()
        edited = any(os.stat(file).st_mtime_ns > STARTED_NS for file in code)  # perhaps after it was imported
        self._read = "" if edited or _code_from_outside() else _states([*reads, *code])

    def said(self) -> tuple[str, list[Line]] | None:
        """When it was finished (UTC, ISO 8601), and what it printed; nothing unless all is as it was left."""
        if not self._read or (self._folder / LOCK).exists():
            return None
        with suppress(TypeError, KeyError, ValueError):
            known = self._store.local.get_json(_KIND, self._key)
            if known and known["read"] == self._read and known["written"] == self._written():
                return str(known["finished"]), [(str(how), str(text)) for how, text in known["said"]]
        return None

    def remember(self, said: Sequence[Line], *, written: Mapping[str, os.stat_result]) -> None:
        """Keep that the run is finished, and what it printed; to be called with the lock of the folder.

        Parameters
        ----------
        said : sequence of (str, str)
            How and what.
        written : mapping of str to os.stat_result
            As :func:`harness.files.written_files` gives it: where somebody has changed one of these files since,
            nothing is kept, so that it is made again.
        """
        with suppress(OSError, UnicodeEncodeError):  # a store that cannot be written to goes without
            changed = any(os.path.exists(path) and not _same(os.stat(path), state) for path, state in written.items())
            now_written = self._written()
            if self._read and now_written and not changed:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                known = {
                    "read": self._read,
                    "written": now_written,
                    "finished": now,
                    "said": [list(line) for line in said],
                }
                self._store.local.put_json(_KIND, self._key, known)

    def _written(self) -> str:
        """The states of all files of the run; empty where one may lie elsewhere."""
        folders = [os.path.join(place, name) for place, names, _ in os.walk(self._folder) for name in names]
        return "" if any(map(os.path.islink, folders)) else _states(_files_below(self._folder))


def _same(now: os.stat_result, then: os.stat_result) -> bool:
    """Whether a file is that which it was, with the same content."""
    return (now.st_ino, now.st_size, now.st_mtime_ns) == (then.st_ino, then.st_size, then.st_mtime_ns)


def _states(files: Iterable[str | Path]) -> str:
    """Digest of the states of files; empty where one of them is not there, or might change without a new state."""
    now, found = time.time_ns(), []
    for file in files:
        if url_of(file):
            return ""
        try:
            state = FileState.of(file)
        except (OSError, ValueError):
            return ""
        if not (state.settled(now) or state.mtime_ns % _SECOND_NS):  # else the clock ticks in seconds
            return ""
        found.append([os.fsencode(file).hex(), *state])
    return digest_json(found)


def _files_below(folder: Path) -> list[str]:
    """All files in a folder, sorted, but for locks."""
    return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names if name != LOCK)


def _own_code() -> list[str]:
    """The files of soundfold itself, templates and all; no compiled ones, which Python writes."""
    found = []
    for name in sorted({*PROJECT, "studies", "study"}):
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            found += [file for file in _files_below(Path(place)) if "__pycache__" not in file]
        if spec and spec.origin and not spec.submodule_search_locations:
            found.append(spec.origin)
    return found


def _code_from_outside() -> bool:
    """Whether there are encodings, corpora and so on that do not come with soundfold."""
    return bool(loaded_plugins()) or any(group.startswith("soundfold.") for group in entry_points().groups)
