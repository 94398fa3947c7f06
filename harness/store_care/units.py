"""Ages and sizes as people write them: ``30d``, ``5GB``."""

from __future__ import annotations

import re
from datetime import datetime

from harness.errors import SettingsError

__all__ = ["as_age", "as_size", "date_words", "size_words"]

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31557600.0}
_BYTES = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip


def as_age(text: str, *, name: str = "age") -> float:
    """An age in seconds.

    Raises
    ------
    SettingsError
        It has no unit, or is no number.

    Examples
    --------
    >>> as_age("30d"), as_age("1.5h")
    (2592000.0, 5400.0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mhdwy])\s*", text)
    if not found:
        raise SettingsError(f"{name} {text!r}: expected a number and one of m, h, d, w, y, as 12h, 30d or 1y")
    return float(found[1]) * _SECONDS[found[2]]


def as_size(text: str, *, name: str = "size") -> int:
    """A size in bytes; ``KB`` is 1,000 of them, ``KiB`` 1,024.

    Raises
    ------
    SettingsError
        It has no unit (but for 0), or is no number.

    Examples
    --------
    >>> as_size("5GB"), as_size("1.5 MiB"), as_size("0")
    (5000000000, 1572864, 0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = found[2].upper() if found else ""
    if found and not unit and not float(found[1]):
        return 0
    if not found or unit not in _BYTES:
        raise SettingsError(f"{name} {text!r}: expected a number and one of KB, MB, GB, TB, as 500MB or 5GB")
    return int(float(found[1]) * _BYTES[unit])


def size_words(size: int) -> str:
    """A size with three digits or so, in the unit that suits it.

    Examples
    --------
    >>> size_words(62_100_000), size_words(3_640), size_words(12)
    ('62.1 MB', '3.6 KB', '12 B')
    """
    for unit, of in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size} B"


def date_words(at_ns: int) -> str:
    """A time since the epoch in nanoseconds as a local date, ``2026-11-22``."""
    return f"{datetime.fromtimestamp(at_ns / 1e9):%Y-%m-%d}"
