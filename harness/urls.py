"""Paths that may be URLs: ``s3://bucket/corpus`` next to ``/data/corpus``, known apart without reading anything.

A URL has a scheme of two letters and more, so that ``C:\\sounds`` is none; ``file:///data`` is a local path. A URL that
went through :class:`pathlib.Path`, as options of a command line do, has lost a slash (``s3:/bucket``) and is known all
the same.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from harness.errors import SettingsError

__all__ = ["absolute", "expanded", "local_path", "located", "need_local", "url_of", "without_scheme"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):[/\\]+")
_LOCAL = frozenset({"file", "local"})


def url_of(path: str | os.PathLike[str]) -> str:
    """The URL that a path is, with both slashes behind its scheme; empty for a local path.

    Examples
    --------
    >>> url_of("s3://bucket/a.wav"), url_of("s3:/bucket/a.wav"), url_of("a.wav"), url_of(r"C:/a.wav")
    ('s3://bucket/a.wav', 's3://bucket/a.wav', '', '')
    """
    text = os.fspath(path)
    if ":" not in text:  # which is quick; there may be a million
        return ""
    match = _URL.match(text)
    if match is None or match[1].lower() in _LOCAL:
        return ""
    rest = text[match.end() :]
    return f"{match[1].lower()}://{rest.replace(os.sep, '/')}"


def expanded(path: str | os.PathLike[str]) -> str:
    """A path as a person wrote it, without ``~`` and ``file://``; a URL as it is."""
    return url_of(path) or str(local_path(path))


def local_path(path: str | os.PathLike[str]) -> Path:
    """A local path, which may have been written as ``file:///data`` or with ``~``."""
    return Path(without_scheme(path)).expanduser()


def without_scheme(path: str | os.PathLike[str]) -> str:
    """A local path without a ``file://`` before it."""
    text = os.fspath(path)
    match = _URL.match(text) if ":" in text else None
    if match is None or match[1].lower() not in _LOCAL:
        return text
    return ("" if os.name == "nt" else "/") + text[match.end() :]


def absolute(path: str | os.PathLike[str]) -> str:
    """A path that means the same from any folder; a URL as it is."""
    return url_of(path) or os.path.abspath(path)


def located(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """A path as a table in `folder` has it: relative to that, unless it is absolute or a URL.

    Parameters
    ----------
    path, folder : path or URL

    Examples
    --------
    >>> located("a/b.wav", "s3://bucket/esc"), located("../b.wav", "s3://bucket/esc"), located("s3://c/b.wav", "/data")
    ('s3://bucket/esc/a/b.wav', 's3://bucket/b.wav', 's3://c/b.wav')
    """
    url, base = url_of(path), url_of(folder)
    if url:
        return url
    own = Path(without_scheme(path))
    if not base or own.is_absolute():
        return str(Path(folder) / own)
    scheme, _, rest = base.partition("://")
    return f"{scheme}://{posixpath.normpath(posixpath.join(rest, own.as_posix()))}"


def need_local(path: str | os.PathLike[str], *, what: str = "it") -> Path:
    """A path to write to, which must be local.

    Raises
    ------
    SettingsError
        It is a URL; `what` says what was to be written.
    """
    url = url_of(path)
    if url:
        raise SettingsError(f"{url}: {what} must be in a local folder; copy it to the URL afterwards")
    return local_path(path)
