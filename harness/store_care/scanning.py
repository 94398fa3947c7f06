"""The files of a store, and what each of them is, by their names alone.

An entry is ``<kind>/<two digits>/<64 hex digits>.<suffix>`` of a kind that is known here, and the two digits are the
first of the 64. Whatever is named otherwise belongs to somebody else: it is counted and never removed. Links
are not followed, but for the folder of a kind: such a folder is looked at and nothing in it is removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from harness.errors import SettingsError
from harness.files import is_temporary
from harness.progress import track
from harness.store import Store, default_root
from harness.urls import url_of

__all__ = ["KINDS", "OUTDATED", "KindOf", "State", "StoreFile", "foreign_names", "open_store", "scan"]


class KindOf(NamedTuple):
    """A kind of entries: the suffixes of its files (one of the first is one entry), and what it has, in words."""

    suffixes: tuple[str, ...]
    what: str


KINDS = {
    "images": KindOf((".png",), "images of sounds"),
    "vectors": KindOf((".npy",), "files of feature vectors"),
    "indexes": KindOf((".npy",), "where the vectors are"),
    "heads": KindOf((".npz", ".json"), "trained heads"),
    "scores": KindOf((".npz",), "scores of tested clips"),
    "networks": KindOf((".npz",), "trained networks and their checkpoints"),
    "reduced": KindOf((".npz",), "principal components of feature vectors"),
    "converted": KindOf((".tflite",), "modules for TensorFlow Lite"),
    "excerpts": KindOf((".webm",), "excerpts of sounds for reports"),
    "thumbnails": KindOf((".json",), "small images for reports"),
    "sign_flips": KindOf((".json",), "outcomes of tests of differences"),
    "modules": KindOf((".json",), "descriptions of modules"),
    "fingerprints": KindOf((".npy", ".json"), "fingerprints of sounds"),
    "duplicates": KindOf((".json",), "near copies found"),
    "peaks": KindOf((".json",), "loudest values of images"),
    "digests": KindOf((".json",), "digests of files, by folder"),
    "code": KindOf((".json",), "what source files import"),
    "lengths": KindOf((".json",), "lengths of sounds"),
    "runs": KindOf((".json", ".npy"), "what runs used"),
    "finished": KindOf((".json",), "finished runs and what they printed"),
    "features": KindOf((".npy",), "of an earlier version, not read any more"),
}
"""All kinds that this version and earlier ones write."""

OUTDATED = frozenset({"features"})
"""Kinds that are not read any more."""

_BESIDES = frozenset({"corpora"})  # sounds of the demo corpus: of soundfold, but no entries
_START = re.compile(r"\.[0-9a-f]{40}\.")  # of the temporary file of an entry
_DIGITS = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"[0-9a-f]{64}")


class State(Enum):
    """What a file of a store is."""

    ENTRY = "entry"
    TEMPORARY = "temporary"  # of a writer that is at work, or was killed
    BLOCKED = "blocked"  # a folder under the name of an entry
    FOREIGN = "foreign"


class StoreFile(NamedTuple):
    """A file in the folder of a kind.

    Parameters
    ----------
    kind : str
        Name of the folder.
    name : str
        Its own name; an entry's key with the suffix.
    size : int
        Bytes.
    changed_ns : int
        When it was written, or marked as used; nanoseconds since the epoch.
    state : State
    folder : str
        Two hex digits.
    linked : bool
        Whether the folder of its kind is a link.
    """

    kind: str
    name: str
    size: int
    changed_ns: int
    state: State
    folder: str
    linked: bool = False

    @property
    def key(self) -> str:
        """The key of an entry, 64 hex digits."""
        return self.name[:64]

    @property
    def suffix(self) -> str:
        """The suffix of an entry, with its dot."""
        return self.name[64:]

    def path(self, root: Path) -> str:
        """Where it lies in the store at `root`."""
        return os.path.join(root, self.kind, self.folder, self.name)


def open_store(given: str | Path | None = None) -> Store:
    """The store at a folder, which has to look like one.

    Parameters
    ----------
    given : path, optional
        Default: where all commands have their store.

    Raises
    ------
    SettingsError
        It is a URL, a file, or a folder that has something in it and nothing of a store.
    """
    text = str(given or os.environ.get("SOUNDFOLD_STORE") or default_root())
    url = url_of(text)  # which a path has with a slash too few
    said = f"--store {url or str(given)!r}" if given else f"the store {text!r}"
    if url:
        raise SettingsError(f"{said}: only a store in a folder can be looked after, not one at a URL")
    store = Store(text)
    if not store.root.exists():
        return store
    if not store.root.is_dir():
        raise SettingsError(f"{said}: is a file; expected the folder of a store")
    names = {entry.name for entry in os.scandir(store.root)}
    if not names or names <= _BESIDES or any(_folders(store.root, kind) for kind in names.intersection(KINDS)):
        return store
    raise SettingsError(
        f"{said}: this folder is not a store (no folder {', '.join(list(KINDS)[:3])} ... with entries in it); "
        "give the folder that other commands were given as --store"
    )


def scan(store: Store, *, what: str = "looking") -> Iterator[StoreFile]:
    """All files in the folders of kinds; a million of them take some seconds.

    Parameters
    ----------
    store : Store
        As :func:`open_store` gives it.
    what : str
        Shown before the progress bar.
    """
    folders = [(kind, digits) for kind in KINDS for digits in _folders(store.root, kind)]
    linked = {kind: (store.root / kind).is_symlink() for kind in KINDS}
    for kind, digits in track(folders, total=len(folders), what=what):
        yield from _files(store.root, kind, digits, linked[kind])


def foreign_names(store: Store) -> list[str]:
    """Names in the store's folder that are not of a kind; what is in them is not looked at."""
    with suppress(FileNotFoundError):
        return sorted(entry.name for entry in os.scandir(store.root) if entry.name not in KINDS)
    return []


def _folders(root: Path, kind: str) -> list[str]:
    """The folders of a kind that are named as those with entries."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(root / kind) as entries:
        return sorted(e.name for e in entries if _DIGITS.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    return []


def _files(root: Path, kind: str, digits: str, linked: bool) -> Iterator[StoreFile]:
    with suppress(FileNotFoundError), os.scandir(os.path.join(root, kind, digits)) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed or renamed just now
                found = entry.stat(follow_symlinks=False)
                state = _state(kind, digits, entry)
                yield StoreFile(kind, entry.name, found.st_size, found.st_mtime_ns, state, digits, linked)


def _state(kind: str, digits: str, entry: os.DirEntry[str]) -> State:
    """What a file is, by its name."""
    name, regular = entry.name, entry.is_file(follow_symlinks=False)
    if name[:2] == digits and name[64:] in KINDS[kind].suffixes and _NAME.fullmatch(name[:64]):
        if regular:
            return State.ENTRY
        return State.BLOCKED if entry.is_dir(follow_symlinks=False) else State.FOREIGN
    return State.TEMPORARY if regular and _START.match(name) and is_temporary(name) else State.FOREIGN
