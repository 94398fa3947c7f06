"""Files, folders and patterns, as a list of files."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import audio, image
from harness.errors import SettingsError
from harness.files import digest_bytes, natural_key, safe_name, walk
from harness.urls import url_of

__all__ = ["clip_names", "find_files", "unique_names"]

_MOST_BYTES = 200  # of a name to which endings are added


def find_files(given: Sequence[str]) -> list[Path]:
    """Sounds and images meant by files, folders (with what is below them) and patterns; each once.

    Raises
    ------
    SettingsError
        A name that is nothing, a folder or a pattern without a sound or image, a folder that cannot be read.
    """
    found: list[Path] = []
    for name in given:
        if url_of(name):
            raise SettingsError(f"{name}: sounds to label are read from local files only; fetch them first")
        path = Path(name).expanduser()
        if path.is_dir():
            below = [p for p in _below(path) if p.is_file() and _known(p)]
        elif path.is_file():
            below = [path]
        elif glob.has_magic(name):
            below = [p for p in map(Path, glob.glob(str(path), recursive=True)) if p.is_file() and _known(p)]
        else:
            raise SettingsError(f"{name}: no such file or folder")
        if not below:
            raise SettingsError(f"{name}: no sounds or pictures there")
        found += sorted(below, key=lambda p: natural_key(str(p)))
    named = {os.path.abspath(path): path for path in reversed(found)}  # the first way in which each was given
    return [path for path in dict.fromkeys(found) if named[os.path.abspath(path)] == path]


def _below(folder: Path) -> Iterator[Path]:
    """All files below a folder; links to folders are not followed."""
    try:
        for root, below, names in walk(folder):
            below[:] = [name for name in below if not Path(root, name).is_symlink()]
            yield from (Path(root, name) for name in names)
    except OSError as error:
        raise SettingsError(f"{error.filename}: cannot be read ({error.strerror}); change its permissions") from error


def clip_names(files: Sequence[Path]) -> list[str]:
    """A clip_id for each file: its name where that is unique, else its path."""
    times = Counter(file.name for file in files)
    return [file.name if times[file.name] == 1 else file.as_posix() for file in files]


def unique_names(files: Sequence[Path]) -> list[str]:
    """As :func:`clip_names`, each such that it can begin the name of a file, and no two the same.

    Examples
    --------
    >>> unique_names([Path("a/x.wav"), Path("b/x.wav"), Path("y.wav")])
    ['a_x.wav', 'b_x.wav', 'y.wav']
    """
    names = [safe_name(name) for name in clip_names(files)]
    times = Counter(name.lower() for name in names)  # which is one file where case does not count
    return [
        name if times[name.lower()] == 1 and len(os.fsencode(name)) <= _MOST_BYTES else _with_digest(name, path)
        for name, path in zip(names, files, strict=True)
    ]


def _with_digest(name: str, path: Path) -> str:
    """A name cut to length, and a digest of the path."""
    begun = os.fsencode(name)[: _MOST_BYTES - 17].decode(errors="ignore")
    return f"{begun}-{digest_bytes(os.fsencode(path))[:16]}"


def _known(path: Path) -> bool:
    """Whether a file in a folder is meant: by its ending, or without one as an image by its first bytes."""
    if path.name.startswith("."):
        return False
    return path.suffix.lower() in (audio.SUFFIXES | image.SUFFIXES) or (not path.suffix and image.is_image(path))
