"""Files, folders and patterns, as a list of files."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import audio, image
from harness.errors import SettingsError
from harness.files import natural_key, walk
from harness.urls import url_of

__all__ = ["clip_names", "find_files"]


def find_files(given: Sequence[str]) -> list[Path]:
    """Sounds and images meant by files, folders (with what is below them) and patterns.

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
    return list(dict.fromkeys(found))


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


def _known(path: Path) -> bool:
    """Whether a file in a folder is meant: by its ending, or without one as an image by its first bytes."""
    if path.name.startswith("."):
        return False
    return path.suffix.lower() in (audio.SUFFIXES | image.SUFFIXES) or (not path.suffix and image.is_image(path))
