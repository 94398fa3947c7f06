"""Files: atomic writes, digests, links, names in natural order.

Nothing in soundfold is written in place: a file appears whole under its name, or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from harness.remote import fetch
from harness.urls import need_local, url_of

__all__ = [
    "atomic_folder",
    "atomic_path",
    "digest_bytes",
    "digest_file",
    "digest_json",
    "folder_name",
    "is_abandoned",
    "is_plain_name",
    "is_temporary",
    "link_or_copy",
    "natural_key",
    "open_regular",
    "read_json",
    "remove_parts",
    "safe_name",
    "short_name",
    "walk",
    "write_bytes",
    "write_json",
    "write_text",
    "written_files",
]

_WRITTEN: list[dict[str, os.stat_result]] = []
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:3]  # in names of temporary files


_NAME_BYTES = 250


@contextmanager
def written_files() -> Iterator[dict[str, os.stat_result]]:
    """The files that this process writes meanwhile, by absolute path, each as it was just after."""
    found: dict[str, os.stat_result] = {}
    _WRITTEN.append(found)
    try:
        yield found
    finally:
        _WRITTEN.remove(found)


def _note_written(path: str | Path) -> None:
    for found in _WRITTEN:
        found[os.path.abspath(path)] = os.stat(path)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path` to write to; it takes the name only if the block succeeds."""
    path = need_local(path, what="what is written")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    part.touch(0o666, exist_ok=False)
    try:
        yield part
        part.replace(path)
        _note_written(path)
    except OSError as error:
        _name_file(error, path)
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder in the folder of `path` to fill; it replaces `path` only if the block succeeds."""
    path = need_local(path, what="what is written")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    part.mkdir()
    try:
        yield part
        if path.exists():
            old = path.with_name(f"{part.name}.old")
            path.rename(old)
            try:
                part.rename(path)
            except OSError:
                old.rename(path)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(path)
    except OSError as error:
        _name_file(error, path)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_parts(path: str | Path) -> None:
    """Remove what killed processes have left of writing `path`, where nobody else can be writing it."""
    path = Path(path)
    for name in filter(is_temporary, os.listdir(path.parent)):
        if name.startswith(f".{path.name[:40]}."):
            left = path.parent / name
            (shutil.rmtree if left.is_dir() else os.unlink)(left)


def _name_file(error: OSError, path: str | Path) -> None:
    """Say which file it was: a full disk does not, and a file that cannot be replaced has the temporary one's name."""
    if error.errno and (not error.filename or is_temporary(os.path.basename(os.fspath(error.filename)))):
        error.filename, error.filename2 = os.fspath(path), None


def _part(path: Path) -> Path:
    """A name in the folder of `path` that nobody else has; not by `tempfile`, whose files ignore the umask."""
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is one that this module writes to before it takes its own name.

    Examples
    --------
    >>> is_temporary(".clips.csv.0123456789abcdef.part"), is_temporary("clips.part")
    (True, False)
    """
    return re.fullmatch(r"\..*\.([0-9a-f]{16}|\d+-[0-9a-f]{8})\.part(\.old)?", name, re.DOTALL) is not None


def is_abandoned(path: str | Path) -> bool:
    """Whether a temporary file is of :func:`write_bytes`, in a process of this machine that is gone."""
    match = re.search(rf"\.(\d+)-{_HOST}[0-9a-f]{{5}}\.part$", os.fspath(path))
    if match is None or os.name == "nt":
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically, in as few system calls as that takes; there may be thousands of files."""
    folder, name = os.path.split(os.fspath(path))
    part = os.path.join(folder, f".{name[:40]}.{os.getpid()}-{_HOST}{secrets.token_hex(4)[3:]}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(part, flags, 0o666)
    except FileNotFoundError:
        need_local(path, what="what is written")
        os.makedirs(folder, exist_ok=True)
        handle = os.open(part, flags, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(part, path)
        _note_written(path)
    except BaseException as error:
        Path(part).unlink(missing_ok=True)
        if isinstance(error, OSError):
            _name_file(error, path)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8 with Unix line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` atomically, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file, which may be behind a URL."""
    url = url_of(path)
    return json.loads(fetch(url) if url else Path(path).read_text(encoding="utf-8"))


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a file to read it; refuse a pipe or a device, which may have no end, or wait for somebody to write.

    Raises
    ------
    OSError
        As for `open`, and for what is not a regular file.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    return open(path, "rb")


def digest_bytes(data: bytes | memoryview) -> str:
    """sha256 of `data`, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: str | Path) -> str:
    """sha256 of a file's bytes, as 64 hex digits; the file may be behind a URL."""
    if url := url_of(path):
        return digest_bytes(fetch(url))
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: Any) -> str:
    """sha256 of a value's canonical JSON (sorted keys, no spaces), as 64 hex digits.

    Examples
    --------
    >>> digest_json({"b": 1, "a": [2.0]}) == digest_json({"a": [2.0], "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_bytes(text.encode("utf-8"))


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Hard-link `source` as `target`, or copy it where links fail; an older `target` is replaced."""
    source, target = Path(source), Path(target)
    if target.exists() and target.samefile(source):
        return
    with atomic_path(target) as part:
        part.unlink()
        try:
            os.link(source.resolve(), part)  # what a symbolic link points to, not the link
        except OSError:
            shutil.copyfile(source, part)


def walk(folder: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk` with links followed; a folder that cannot be read is an error, not one with nothing in it.

    Links that lead back up are given, and are for the caller to leave out.

    Raises
    ------
    OSError
        Naming the folder.
    """

    def stop(error: OSError) -> NoReturn:
        raise error

    return os.walk(folder, followlinks=True, onerror=stop)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which ``fold10`` comes after ``fold9``.

    Examples
    --------
    >>> sorted(["10", "9", "1"], key=natural_key)
    ['1', '9', '10']
    """
    parts = re.split(r"(\d+)", str(text))
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts if p)


def is_plain_name(name: str) -> bool:
    """Whether a name can stand in paths and tables as it is: letters, digits, ``_``, ``-`` and ``.``, at most 100.

    Examples
    --------
    >>> is_plain_name("logmel_fine"), is_plain_name("../x")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name) is not None


def safe_name(name: str) -> str:
    """A name that can stand in a path on any system, for a file in the folder that is meant: separators become ``_``.

    Examples
    --------
    >>> safe_name("site a/day:1.wav"), safe_name("..")
    ('site a_day_1.wav', '__')
    """
    name = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", name).strip()
    return name if name.strip(".") else "_" * max(1, len(name))


def short_name(name: str) -> str:
    """A name of at most 250 bytes, which is what file systems take with a suffix; a longer one ends in its digest."""
    data = name.encode()
    if len(data) <= _NAME_BYTES:
        return name
    return f"{data[: _NAME_BYTES - 17].decode(errors='ignore')}-{digest_bytes(data)[:16]}"


def folder_name(label: str) -> str:
    """The name of a class folder; never that of a hidden one.

    Examples
    --------
    >>> folder_name("dog: bark"), folder_name(".hidden")
    ('dog_ bark', '_.hidden')
    """
    name = safe_name(label)
    return short_name(f"_{name}" if name.startswith(".") else name)
