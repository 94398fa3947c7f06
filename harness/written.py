"""Which files in a folder soundfold has written: only those are ever replaced or removed.

Their names are in the folder's ``.soundfold.json``, those of folders with a slash at their end. What is in the way and
is not among them is somebody's own, and is refused by name. Of a folder with a ``run.json`` of soundfold but without
that file, as older versions have left it, everything counts as written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import SettingsError
from harness.files import folder_name, read_json, write_json

__all__ = ["RECORD", "check_one_folder_each", "check_only", "claim", "inside"]

RECORD = ".soundfold.json"
"""Name of the file."""

_RUN = "run.json"


def inside(folder: str | Path, name: str) -> Path:
    """A path below a folder, from a name that comes from data.

    Parameters
    ----------
    folder : path
    name : str
        Relative, with forward slashes.

    Raises
    ------
    SettingsError
        The name leads out of the folder, or is the folder itself.

    Examples
    --------
    >>> inside("out", "dog/a.wav").as_posix()
    'out/dog/a.wav'
    >>> inside("out", "../a.wav")
    Traceback (most recent call last):
    ...
    harness.errors.SettingsError: '../a.wav' leads out of out; give another name
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or os.path.isabs(name) or "\0" in name or Path(name).drive:
        raise SettingsError(f"{name!r} leads out of {folder}; give another name")
    return Path(folder, *parts)


def claim(folder: str | Path, names: Iterable[str]) -> None:
    """Make sure that a command may write under some names in a folder, and record that it does.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    names : iterable of str
        Relative, with forward slashes; a folder that is filled has one at its end.

    Raises
    ------
    SettingsError
        Something is there that soundfold has not written, the folder's record is damaged, or a name leads out of it.
    """
    folder, names = Path(folder), list(dict.fromkeys(names))
    record = _read(folder / RECORD)
    known = set(record["written"]) if record else set()
    if record or not _is_older_run(folder):
        for name in (name for name in names if name not in known):
            path = inside(folder, name)
            if _in_the_way(path):
                raise SettingsError(
                    f"{path}: is in the way, and was not written by soundfold; move it away, or choose another folder"
                )
    if not known.issuperset(names):
        known.update(names)
        write_json(folder / RECORD, {"schema": 1, "written": sorted(known)})


def check_only(folder: str | Path, written: Collection[str]) -> None:
    """Refuse to replace a folder with files of somebody's own.

    Parameters
    ----------
    folder : path
        It may be missing.
    written : collection of str
        The files in it that soundfold has written, relative, with forward slashes.

    Raises
    ------
    SettingsError
        There is another file, which it names.
    """
    folder = Path(folder)
    for root, below, files in os.walk(folder):
        links = [name for name in below if Path(root, name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(root, name)
            if path.relative_to(folder).as_posix() not in written:
                raise SettingsError(
                    f"{path}: was not written by soundfold, and {folder} would be replaced; move it away, or choose "
                    "another folder"
                )


def check_one_folder_each(
    names: Iterable[str], *, what: str = "labels", folder: Callable[[str], str] = folder_name
) -> None:
    """Refuse names whose folders would be one and the same, so that two classes, folds or runs would become one.

    Parameters
    ----------
    names : iterable of str
    what : str
        What they are, for the message.
    folder : callable
        Gives the folder of a name.

    Raises
    ------
    SettingsError
        Naming both.
    """
    first: dict[str, str] = {}
    for name in dict.fromkeys(names):
        own = folder(name)
        if first.setdefault(own, name) != name:
            raise SettingsError(
                f"{what} {first[own]!r} and {name!r} would share the folder {own!r}; rename one of them"
            )


def _in_the_way(path: Path) -> bool:
    """Whether something is there; what is empty can be replaced without a loss."""
    if path.is_dir():
        return any(path.iterdir())
    return os.path.lexists(path) and not (path.is_file() and path.stat().st_size == 0)


def _is_older_run(folder: Path) -> bool:
    """Whether a folder has a ``run.json`` of soundfold, and not of another program."""
    try:
        return isinstance(read_json(folder / _RUN)["steps"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> dict[str, Any] | None:
    """What a record says; None where there is none."""
    try:
        found = read_json(path)
        if all(isinstance(name, str) for name in found["written"]):
            return dict(found)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        pass
    raise SettingsError(
        f"{path}: damaged, so that nobody knows which files here soundfold has written; choose another folder, or "
        "remove that file and whatever is to be written anew"
    )
