"""One command at a time writes into a folder of results, and what an interrupted one left there is not taken for whole.

The lock is the system's (``flock``): it ends with the process, however that ends, so nothing is ever locked by a
command that was killed. Its file stays behind then, which says that the folder may hold parts of two runs; the next
command that writes there removes what is left over. Where there is no such lock (Windows, some network file systems)
the file alone is written.
"""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from harness.errors import FolderInUseError, SettingsError, SoundfoldError, TableError
from harness.files import is_temporary
from harness.urls import need_local
from harness.written import RECORD

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK", "check_complete", "locks_folder", "run_lock"]

P = ParamSpec("P")
R = TypeVar("R")

LOCK = ".soundfold.lock"
"""Name of the file, in the folder that is locked."""

_ADDITION = "addition by "
_HELD: dict[str, int] = {}  # by this process, which may read what it has written so far; the thread that has it


@contextmanager
def run_lock(folder: str | Path, *, adds: bool = False) -> Iterator[bool]:
    """Be the only one that writes into a folder; who has the lock already, in the same thread, goes on.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    adds : bool
        Whether the command leaves the tables and files of others as they are, so that these can be used though it is
        stopped, and stay in doubt where another was stopped before.

    Raises
    ------
    FolderInUseError
        Another command writes there.
    SettingsError
        The path is not UTF-8.
    """
    path = need_local(folder, what="results").absolute() / LOCK
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{folder}: its path is not UTF-8, which no table can name; take another folder") from None
    if _HELD.get(str(path)) == threading.get_ident():
        yield False
        return
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, before = _acquire(path, adds=adds)
    interrupted = bool(before)
    doubtful = adds and interrupted and not before.startswith(_ADDITION)
    try:
        _HELD[str(path)] = threading.get_ident()
        if interrupted:
            _remove_temporary(path.parent)
        yield interrupted
        if not doubtful:
            path.unlink(missing_ok=True)  # not where the command was stopped: the folder may hold parts of two runs
    except SoundfoldError:  # refused, mostly before anything was written
        if not interrupted:
            path.unlink(missing_ok=True)
        if made:
            with suppress(OSError):  # something was written
                if os.listdir(path.parent) == [RECORD]:
                    (path.parent / RECORD).unlink()
                path.parent.rmdir()
        raise
    finally:
        _HELD.pop(str(path), None)
        os.close(descriptor)


def locks_folder(parameter: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a decorator: the function has the lock of the folder that this parameter names while it runs."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function)

        @functools.wraps(function)
        def locked(*args: P.args, **kwargs: P.kwargs) -> R:
            with run_lock(parameters.bind(*args, **kwargs).arguments[parameter]):
                return function(*args, **kwargs)

        return locked

    return decorate


def check_complete(folder: str | Path) -> None:
    """Refuse a folder that another command writes into, or that an interrupted one has left.

    Raises
    ------
    FolderInUseError
        Another command writes there.
    TableError
        The last one was interrupted, so that tables and files may be of different runs.
    """
    path = Path(folder).absolute() / LOCK
    if str(path) in _HELD or not path.is_file():
        return
    with suppress(OSError):  # not readable: cannot be asked
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if not _lock(descriptor):
                raise FolderInUseError(f"{path.parent}: {_owner(descriptor)} writes there; wait until it is done")
            if _owner(descriptor).startswith(_ADDITION):
                return
        finally:
            os.close(descriptor)
    raise TableError(
        f"{path.parent}: the command that wrote there last was interrupted or failed; run it again, "
        f"or remove {path} to use what is there"
    )


def _acquire(path: Path, *, adds: bool) -> tuple[int, str]:
    """Descriptor of the locked file, and who had left it when it was interrupted; mostly nobody."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _lock(descriptor):
            owner = _owner(descriptor)
            os.close(descriptor)
            raise FolderInUseError(
                f"{path.parent}: {owner} writes there; wait until it is done, or choose another folder"
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # else its owner has removed it meanwhile
                break
        os.close(descriptor)
    before = _owner(descriptor) if os.fstat(descriptor).st_size else ""
    what = _ADDITION if adds and (not before or before.startswith(_ADDITION)) else ""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        os.truncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{what}process {os.getpid()} on {socket.gethostname()} (since {since})".encode())
    except OSError as error:  # a full disk
        os.close(descriptor)
        raise OSError(error.errno, error.strerror, str(path)) from error
    return descriptor, before


def _lock(descriptor: int) -> bool:
    """Lock an open file; False where another process has it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _owner(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 500).decode(errors="replace") or "another command"


def _remove_temporary(folder: Path) -> None:
    """Remove the temporary files of a killed command; not below folders that have a lock of their own."""
    for parent, folders, files in os.walk(folder):
        for name in filter(is_temporary, files):
            with suppress(OSError):
                os.unlink(os.path.join(parent, name))
        for name in filter(is_temporary, folders):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
        folders[:] = (n for n in folders if not os.path.exists(os.path.join(parent, n, LOCK)))
