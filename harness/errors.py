"""The exceptions of soundfold.

::

    SoundfoldError            every error that a person can fix; printed as one line, exit code 1
    ├── AudioError            a sound that cannot be read or has nothing to draw
    ├── ImageError            an image that cannot be read or has another size than its partners
    ├── TableError            a table with a missing column, a clip given twice, a value out of range
    ├── SplitError            a split that would put one group into both parts, or an empty part
    ├── FolderInUseError      a folder of results that another command writes into
    ├── ModuleError           a hub module that is not available, or takes what we do not have
    ├── ClusterError          a scheduler that does not answer, a worker that is not as this command is
    ├── SettingsError         a flag, a study key or a name that is not known
    ├── DivergedError         a training whose weights grew beyond all measure
    └── WorkerError           a worker process that was killed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AudioError",
    "ClusterError",
    "DivergedError",
    "FolderInUseError",
    "ImageError",
    "ModuleError",
    "SettingsError",
    "SoundfoldError",
    "SplitError",
    "TableError",
    "WorkerError",
    "did_you_mean",
]


class SoundfoldError(Exception):
    """Something that a person can fix: one clear line, no traceback."""


class AudioError(SoundfoldError):
    """A sound that cannot be read, or that holds nothing to draw."""


class ImageError(SoundfoldError):
    """An image that cannot be read, or that does not fit its partners."""


class TableError(SoundfoldError):
    """A table that breaks its schema."""


class SplitError(SoundfoldError):
    """A split that would leak, or that leaves a part empty."""


class FolderInUseError(SoundfoldError):
    """A folder of results that another command writes into."""


class ModuleError(SoundfoldError):
    """A module that cannot be fetched, loaded or fed."""


class ClusterError(SoundfoldError):
    """A scheduler that does not answer, or a worker that cannot do this work as this command would."""


class SettingsError(SoundfoldError):
    """A setting, flag or name that is not known or out of range."""


class DivergedError(SoundfoldError):
    """A training that came to nothing: its weights are not finite, or worse by far than none."""


class WorkerError(SoundfoldError):
    """A worker process that was killed from outside."""


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """Say what an unknown name may have meant, and what there is.

    Examples
    --------
    >>> did_you_mean("logmell", ["gray", "logmel"])
    "did you mean 'logmel'? available: gray, logmel"
    """
    names = sorted(available)
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}available: {', '.join(names) or 'none'}"
