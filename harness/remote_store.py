"""A store behind a URL (``s3://bucket/store``): each entry is one object, which appears whole or not at all.

An entry that is not there costs a request like any other, so after some of them the names of all entries of its kind
are listed, once in a process. What other machines put there afterwards may then be made again here, which does no harm.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from threading import Lock

from harness.errors import SettingsError
from harness.remote import as_path, connect, files_below, remote_errors

__all__ = ["RemoteEntries", "entries_at"]

_MISSES = 32  # of a kind, after which its entries are listed
_IN_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs"})


@lru_cache(maxsize=16)
def entries_at(url: str) -> RemoteEntries:
    """The entries of the store at a URL; one object for each in a process.

    Raises
    ------
    SettingsError
        Its bucket is not there, or its scheme is not known.
    """
    scheme, _, rest = url.partition("://")
    connect(url)
    with suppress(PermissionError):  # who may read and write need not be allowed to list
        bucket = f"{scheme}://{rest.partition('/')[0]}"
        if scheme in _IN_BUCKETS and not as_path(bucket).exists():
            raise SettingsError(f"store {url}: there is no bucket {bucket}; make it, or name another store")
    return RemoteEntries(url)


class RemoteEntries:
    """Objects below a URL, by their places there (``images/ab/abcd.png``).

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._in_bucket = url.partition("://")[0] in _IN_BUCKETS
        self._misses: Counter[str] = Counter()
        self._listed: dict[str, set[str]] = {}
        self._put: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = Lock()

    def read(self, place: str, *, stop: int | None = None) -> bytes | None:
        """What an entry holds, or its first `stop` bytes; None where it is not there, or may not be read."""
        if self._is_missing(place):
            return None
        url = f"{self._url}/{place}"
        system, path = connect(url)
        try:
            with remote_errors(url):
                return bytes(system.cat_file(path) if stop is None else system.cat_file(path, start=0, end=stop))
        except OSError:
            self._misses[_kind(place)] += 1
            return None

    def has(self, place: str) -> bool:
        """Whether there is such an entry."""
        if self._is_missing(place):
            return False
        there = as_path(f"{self._url}/{place}").is_file()
        self._misses[_kind(place)] += not there
        return there

    def write(self, place: str, data: bytes) -> None:
        """Put an entry.

        Raises
        ------
        PermissionError
            The store cannot be written to.
        RemoteError
            The file system does not answer.
        """
        url = f"{self._url}/{place}"
        system, path = connect(url)
        with remote_errors(url):
            if not self._in_bucket:
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.pipe_file(path, data)
        self._put[_kind(place)].add(place)

    def remove(self, place: str) -> None:
        """Remove an entry, if it is there."""
        url = f"{self._url}/{place}"
        system, path = connect(url)
        with suppress(OSError), remote_errors(url):
            system.rm_file(path)

    def places(self, kind: str) -> Iterator[str]:
        """The places of all entries of a kind, as of now."""
        start = len(self._url) + 1
        return (url[start:] for url in files_below(f"{self._url}/{kind}"))

    def _is_missing(self, place: str) -> bool:
        """Whether an entry is known not to be there."""
        kind = _kind(place)
        if self._misses[kind] < _MISSES:
            return False
        with self._lock:
            if kind not in self._listed:
                self._listed[kind] = set(self.places(kind))
        return place not in self._listed[kind] and place not in self._put[kind]


def _kind(place: str) -> str:
    return place.partition("/")[0]
