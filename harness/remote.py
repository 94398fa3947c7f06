"""Files behind URLs (``s3://``, ``gs://``, ``memory://`` ...) through fsspec, which is imported where one is given.

What a file holds is fetched whole, once while it does not change: the last few hundred MB remain in the memory of the
process, nothing is written to disk. A file that is not there, or may not be read, is an :class:`OSError` that names
it, as a local one is; a file system that does not answer is a :class:`RemoteError`, which stops the work.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, BinaryIO, NamedTuple, cast

from harness.errors import SettingsError, SoundfoldError, did_you_mean
from harness.threads import in_threads
from harness.urls import url_of, without_scheme

__all__ = [
    "REMOTE_THREADS",
    "RemoteError",
    "RemotePath",
    "RemoteState",
    "as_path",
    "connect",
    "fetch",
    "fetch_part",
    "files_below",
    "listed",
    "opened",
    "remote_errors",
    "sizes_of",
    "state_of",
]


REMOTE_THREADS = 16
"""Requests that wait for an answer at a time."""

_SCHEMES = ("abfs", "file", "ftp", "gs", "hdfs", "http", "https", "memory", "s3", "sftp")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}  # scheme to soundfold's extra
_TAGS = ("ETag", "etag", "md5Hash", "md5", "content_md5", "generation", "checksum")
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
_HELD_BYTES = 256_000_000
_HEADER_BYTES = 65536


class RemoteError(SoundfoldError):
    """A file system behind a URL that does not answer, or not to us."""


class RemoteState(NamedTuple):
    """What changes when a file does: its size, and what its system says of its content, or else the time of its change.

    Parameters
    ----------
    size : int
        In bytes.
    mtime_ns : int
        Time of the last change since the epoch; 0 where there is a tag.
    tag : int
        A digest of the tag of the content (S3's ETag), 63 bits; 0 where there is none.
    """

    size: int
    mtime_ns: int
    tag: int

    @classmethod
    def of_info(cls, info: Mapping[str, Any]) -> RemoteState:
        """The state that fsspec's description of a file has; one of its own where that says too little."""
        size = -1 if info.get("size") is None else int(info["size"])
        tag = next((str(info[name]) for name in _TAGS if info.get(name)), "")
        if tag:
            return cls(size, 0, int.from_bytes(hashlib.blake2b(tag.encode(), digest_size=8).digest()) >> 1)
        times = (_nanoseconds(info.get(name)) for name in _TIMES)
        return cls(size, next((at for at in times if at), time.time_ns()), 0)


def _nanoseconds(at: Any) -> int:
    if isinstance(at, datetime):
        at = at.timestamp()
    return int(at * 1e9) if isinstance(at, (int, float)) else 0


class RemotePath(PurePosixPath):
    """A URL with those methods of :class:`pathlib.Path` by which corpora look for files; reading only."""

    def __str__(self) -> str:
        text = super().__str__()
        return url_of(text) or text

    def is_file(self) -> bool:
        """Whether there is such a file."""
        return _kind_of(str(self)) == "file"

    def is_dir(self) -> bool:
        """Whether there is such a folder, or anything below that name."""
        return _kind_of(str(self)) == "directory"

    def exists(self) -> bool:
        """Whether there is such a file or folder."""
        return bool(_kind_of(str(self)))

    def read_bytes(self) -> bytes:
        """What the file holds."""
        return fetch(str(self))

    def read_text(self, encoding: str = "utf-8") -> str:
        """What the file holds, as text."""
        return self.read_bytes().decode(encoding)

    def iterdir(self) -> Iterator[RemotePath]:
        """Files and folders in this folder."""
        return (self / name for name in listed(str(self), folders=True))

    def rglob(self, pattern: str) -> Iterator[RemotePath]:
        """All files below this folder whose names fit a pattern, as ``*.wav``."""
        return (path for path in map(RemotePath, files_below(str(self))) if path.match(pattern))


def as_path(path: str | os.PathLike[str]) -> Path:
    """A path object: :class:`pathlib.Path` for a local path, :class:`RemotePath` for a URL."""
    url = url_of(path)
    return (
        cast(Path, RemotePath(url)) if url else Path(without_scheme(path))
    )  # both have the methods that reading needs


def connect(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path that the URL has there.

    Raises
    ------
    SettingsError
        A scheme that is not known, or whose package is not installed.
    RemoteError
        The file system cannot be set up.
    """
    scheme, _, rest = url.partition("://")
    system = _system(scheme, rest.partition("/")[0])
    return system, str(system._strip_protocol(url))


@lru_cache(maxsize=64)
def _system(scheme: str, server: str) -> Any:
    import fsspec  # a fifth of a second, and only where there are URLs

    url = f"{scheme}://{server}"
    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError:
        raise SettingsError(f"{url}: the scheme {scheme!r} is not known; {did_you_mean(scheme, _SCHEMES)}") from None
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'soundfold[{extra}]'" if extra else " ".join(str(error).split())
        raise SettingsError(f"{url}: a package for {scheme}:// is missing; {how}") from error
    with remote_errors(url):
        return fsspec.core.url_to_fs(url, use_listings_cache=False)[0]


@contextmanager
def remote_errors(url: str) -> Iterator[None]:
    """What fsspec and the libraries below it raise, as an OSError that names the file, or as a RemoteError."""
    try:
        yield
    except (RemoteError, SettingsError):
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        bucket = " (no such bucket)" if "bucket" in str(error) else ""
        raise FileNotFoundError(errno.ENOENT, f"no such file{bucket}", url) from error
    except PermissionError as error:
        raise PermissionError(errno.EACCES, f"not permitted ({_reason(error)})", url) from error
    except Exception as error:  # of aiohttp, botocore, gcsfs ...
        if "Credential" in type(error).__name__:
            raise RemoteError(
                f"{url}: no credentials ({_reason(error)}); set them as its command-line tools expect them"
            ) from error
        raise RemoteError(
            f"{url}: does not answer ({_reason(error)}); run the same command again to go on where it stopped"
        ) from error


def _check_memory(url: str) -> None:
    scheme, _, rest = url.partition("://")
    if scheme == "memory" and not _system(scheme, rest.partition("/")[0]).store:
        raise RemoteError(f"{url}: nothing is in this process's memory, and memory:// is seen by one only; take jobs=1")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _kind_of(url: str) -> str:
    """``file`` or ``directory``; empty where there is neither."""
    try:
        return str(_info(url)["type"])
    except FileNotFoundError:
        return ""


def _info(url: str) -> Mapping[str, Any]:
    system, path = connect(url)
    with remote_errors(url):
        found: Mapping[str, Any] = system.info(path)
        return found


def state_of(url: str) -> RemoteState:
    """The state of a file, as of now.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    try:
        info = _info(url)
    except FileNotFoundError:
        _check_memory(url)
        raise
    if info["type"] == "directory":
        raise FileNotFoundError(errno.ENOENT, "is a folder", url)
    return RemoteState.of_info(info)


def listed(folder: str, *, folders: bool = False) -> dict[str, RemoteState]:
    """The files in a folder by name, with their states; with `folders` those as well. Empty for no such folder."""
    system, path = connect(folder)
    found = {}
    try:
        with remote_errors(folder):
            for info in system.ls(path, detail=True):
                name = str(info["name"]).rstrip("/").rpartition("/")[2]
                if name and (folders or info["type"] == "file"):
                    found[name] = RemoteState.of_info(info)
    except FileNotFoundError:
        return {}
    return found


def files_below(folder: str) -> dict[str, RemoteState]:
    """All files in a folder and its folders, by URL, with their states; empty for no such folder."""
    system, path = connect(folder)
    folder, start = folder.rstrip("/"), len(path.rstrip("/"))
    try:
        with remote_errors(folder):
            found = system.find(path, detail=True)
    except FileNotFoundError:
        return {}
    return {f"{folder}{str(name)[start:]}": RemoteState.of_info(info) for name, info in found.items()}


def sizes_of(urls: Iterable[str]) -> dict[str, int]:
    """Sizes of those files that are there, in bytes; each of their folders is listed once."""
    wanted = list(urls)
    folders = list(dict.fromkeys(url.rpartition("/")[0] for url in wanted))
    there = dict(zip(folders, in_threads(listed, folders, threads=REMOTE_THREADS), strict=True))
    found = ((url, there[url.rpartition("/")[0]].get(url.rpartition("/")[2])) for url in wanted)
    return {url: state.size for url, state in found if state}


class _Held:
    """What was fetched last, by URL and state."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[RemoteState, bytes]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, url: str, state: RemoteState | None = None) -> bytes | None:
        """The file as it is in a state, or in any."""
        with self._lock:
            found = self._files.get(url)
            return found[1] if found and (state is None or found[0] == state) else None

    def put(self, url: str, state: RemoteState, data: bytes) -> None:
        with self._lock:
            old = self._files.pop(url, None)
            self._size += len(data) - (len(old[1]) if old else 0)
            self._files[url] = (state, data)
            while self._size > _HELD_BYTES:
                self._size -= len(self._files.popitem(last=False)[1][1])


_HELD = _Held()


def fetch(url: str, state: RemoteState | None = None) -> bytes:
    """What a file holds.

    Parameters
    ----------
    url : str
    state : RemoteState, optional
        The file's state; it is asked for where it is not given.

    Raises
    ------
    OSError
        There is no such file, or it may not be read.
    RemoteError
        The file system does not answer.
    """
    state = state or state_of(url)
    found = _HELD.get(url, state)
    if found is None:
        system, path = connect(url)
        with remote_errors(url):
            found = bytes(system.cat_file(path))
        _HELD.put(url, state, found)
    return found


def fetch_part(url: str, start: int, stop: int) -> bytes:
    """Some bytes of a file, from `start` to before `stop` or the file's end."""
    system, path = connect(url)
    with remote_errors(url):
        return bytes(system.cat_file(path, start=start, end=stop))


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """A file of which little is read, as its header: what was fetched, or else parts of it as they are asked for.

    Native code reads it, through which no exception comes: where no more answer comes, the file ends.
    """
    held = _HELD.get(url)
    if held is not None:
        yield io.BytesIO(held)
        return
    system, path = connect(url)
    with remote_errors(url):
        file = system.open(path, "rb", block_size=_HEADER_BYTES, cache_type="readahead")
    try:
        yield cast(BinaryIO, _Quiet(file))
    finally:
        file.close()


class _Quiet:
    """A file that ends where it cannot be read on."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._file = file.seek, file.tell, file

    def read(self, size: int = -1) -> bytes:
        with suppress(Exception):
            return self._file.read(size)
        return b""
