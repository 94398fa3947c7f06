"""What runs in the worker processes of a cluster: a batch of calls, after a look at whether this worker may do them.

A worker with another version of the code, or of a library that changes numbers, would put results of its own under
the keys of others, and one that does not see the files would list every clip as a failure. Both are refused.
"""

from __future__ import annotations

import os
import pickle
import platform
import signal
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.errors import ClusterError
from harness.files import digest_file
from harness.registry import load_plugins

__all__ = ["Needs", "dask_setup", "run_calls", "versions"]

_PACKAGES = ("converter", "corpora", "harness", "labeler", "merger", "trainer")
_LIBRARIES = ("av", "numpy", "pandas", "pillow", "scikit-learn", "scipy", "soundfile", "soxr", "tensorflow")
_URL = "://"


@dataclass(frozen=True)
class Needs:
    """What a worker must have.

    Parameters
    ----------
    versions : tuple of (str, str)
        As :func:`versions` of the command gives them.
    plugins : tuple of (str, str)
        Paths of plugin files, and sha256 of their bytes.
    files, folders : tuple of str
        Some of those that it will read and write.
    threads : int
        For TensorFlow in this process; 0: as many as the worker was started with.
    """

    versions: tuple[tuple[str, str], ...]
    plugins: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    threads: int = 0


def run_calls(needs: bytes, calls: bytes) -> list[Any]:
    """Call a function on each of some items.

    Parameters
    ----------
    needs : bytes
        A pickled :class:`Needs`.
    calls : bytes
        The function and the list of items, pickled: they may come from a plugin, which is loaded before.

    Raises
    ------
    ClusterError
        This worker lacks something.
    """
    _check(needs)
    function, items = pickle.loads(calls)
    return [function(item) for item in items]


@lru_cache(maxsize=1)
def versions() -> tuple[tuple[str, str], ...]:
    """What must be the same in all processes: this project's code, Python, the libraries that change numbers."""
    found = {"soundfold": _code(), "Python": ".".join(platform.python_version_tuple()[:2])}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return tuple(found.items())


def dask_setup(worker: Any) -> None:
    """Prepare a worker process that the command itself has started (Dask calls this by its name).

    Ctrl-C reaches all processes of a terminal; the command stops its workers itself. What they print is not for the
    terminal either.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


def _code() -> str:
    """Digest of this project's code as it is installed here."""
    total = sha256()
    root = Path(__file__).parent.parent
    for path in sorted(each for package in _PACKAGES for each in (root / package).rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\n")
        total.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return total.hexdigest()[:12]


@lru_cache(maxsize=64)
def _check(pickled: bytes) -> None:
    """Refuse what this worker cannot do as the command would; once for each needs."""
    needs: Needs = pickle.loads(pickled)
    own = dict(versions())
    for name, wanted in needs.versions:
        if own.get(name) != wanted:
            has = own.get(name, "none")
            raise ClusterError(
                f"has {name} {has}, but this command {name} {wanted}; install the same versions on all machines and "
                "start the workers again"
            )
    for path in (*needs.files, *needs.folders):
        if _URL not in path and not os.path.exists(path):
            raise ClusterError(
                f"does not see {path}; sounds, images, store and output folder must be in a folder that all machines "
                "have under the same path, or at a URL"
            )
    for path, digest in needs.plugins:
        if not os.path.isfile(path) or digest_file(path) != digest:
            raise ClusterError(f"does not have the plugin file {path} as it is here; copy it to all machines")
    load_plugins([path for path, _ in needs.plugins])
    if needs.threads:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(needs.threads))
