"""Corpora from the web: which archives they are (soundata knows them), fetched with resume, checked, unpacked.

soundata (the extra ``download``) says where the archives of a corpus are, and their checksums. They are fetched here,
because its own downloads begin anew where they were interrupted. Nothing is unpacked before its checksum is right, and
nothing outside the folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from corpora.base import Archive
from corpora.loading import CORPORA
from harness.errors import SettingsError, TableError
from harness.files import write_text
from harness.progress import track
from harness.record import record_step, step_of
from harness.remote import RemoteError
from harness.run_lock import run_lock
from harness.written import claim, inside

__all__ = ["archives_of", "download", "fetch_archive"]

_STEP = "download"
_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_OFFLINE = "is this machine online? The same command goes on where it stopped"


def download(corpus: str, root: str | Path, *, check: bool = True) -> int:
    """Fetch a corpus and unpack it; one that is there already is left as it is.

    Parameters
    ----------
    corpus : str
        One that soundata knows by the same name, or that names its archives itself.
    root : path
        The folder to fill.
    check : bool
        Refuse archives whose checksum is not the expected one.

    Returns
    -------
    int
        Files that were unpacked; 0 where all of them were there.

    Raises
    ------
    SettingsError
        No such corpus, one that cannot be downloaded, or somebody's own files in the way.
    RemoteError
        A server that does not answer, or an archive with another checksum.
    """
    started, root = time.monotonic(), Path(root)
    archives = archives_of(corpus)
    expected = {archive.filename: archive.checksum for archive in archives}
    with run_lock(root, adds=True):
        if _is_there(root, expected):
            return 0
        claim(root, [name for each in expected for name in (each, _part_name(each), _tag_name(each))])
        names: list[str] = []
        for archive in archives:
            file = fetch_archive(archive, root, check=check)
            names += _unpack(file, archive, root)
            file.unlink()
        record_step(root, _STEP, spec={"corpus": corpus, "archives": expected, "files": names}, started=started)
    return len(names)


def archives_of(corpus: str) -> tuple[Archive, ...]:
    """The archives of a corpus: its own, or those that soundata knows.

    Raises
    ------
    SettingsError
        soundata is not installed, or does not know the corpus.
    """
    card = CORPORA[corpus]
    if card.archives:
        return card.archives
    if not card.url:
        raise SettingsError(f"corpus {corpus!r}: cannot be downloaded; it is {card.title.lower()}")
    try:
        soundata = import_module("soundata")  # seconds, and installed only with the extra `download`
    except ImportError:
        raise SettingsError(
            f"corpus {corpus!r}: soundata, which knows where it is, is not installed; pip install 'soundfold[download]'"
        ) from None
    if corpus not in soundata.list_datasets():
        raise SettingsError(f"corpus {corpus!r}: soundata does not know it; fetch it from {card.url}")
    remotes: Mapping[str, Any] = soundata.initialize(corpus).remotes
    found = [each for remote in remotes.values() for each in (remote if isinstance(remote, list) else [remote])]
    return tuple(
        Archive(each.url, each.filename, f"md5:{each.checksum}", unpack="/".join(each.unpack_directories or ()))
        for each in found
    )


def fetch_archive(archive: Archive, folder: Path, *, check: bool = True) -> Path:
    """Fetch one file, going on with what an interrupted download has left; give its path.

    Raises
    ------
    RemoteError
        As :func:`download`.
    """
    file, part, tag = (folder / name(archive.filename) for name in (str, _part_name, _tag_name))
    if not file.is_file():
        try:
            _fetch(archive, part, tag)
        except HTTPError as error:
            raise RemoteError(f"{archive.url}: the server says {error.code} {error.reason}; has it moved?") from error
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            raise RemoteError(f"{archive.url}: cannot be fetched ({_reason(error)}); {_OFFLINE}") from error
        part.replace(file)
        tag.unlink(missing_ok=True)
    found = _checksum(file, archive.checksum.partition(":")[0])
    if check and found != archive.checksum:
        raise RemoteError(
            f"{file}: its checksum is {found}, expected {archive.checksum}: damaged on its way, or released anew; "
            "remove it to fetch it again, or take it as it is with --no-check"
        )
    return file


def _fetch(archive: Archive, part: Path, tag: Path) -> None:
    """Fetch what is missing of a file; all of it where the server has another one now, or no part of it alone."""
    there = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"User-Agent": "soundfold"}
    if there:
        headers |= {"Range": f"bytes={there}-", "If-Range": tag.read_text(encoding="utf-8")}
    with closing(_opened(Request(archive.url, headers=headers))) as answer:
        resumed = answer.status == 206
        there = there if resumed else 0
        known = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if known and not known.startswith("W/"):
            write_text(tag, known)
        elif not resumed:
            tag.unlink(missing_ok=True)
        length = answer.headers.get("Content-Length")
        total = there + int(length) if length else 0
        with open(part, "ab" if resumed else "wb") as file:
            for chunk in track(_chunks(answer), total=max(1, total - there), what=archive.filename, size=len):
                file.write(chunk)
                there += len(chunk)
    if total and there < total:
        raise ConnectionError(f"the connection ended after {there:,} of {total:,} bytes")


def _opened(request: Request) -> HTTPResponse:
    if not request.full_url.startswith(("https://", "http://")):
        raise RemoteError(f"{request.full_url}: expected https:// or http://")
    answer: HTTPResponse = urlopen(request, timeout=_TIMEOUT_S)
    return answer


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK):
        yield chunk


def _unpack(file: Path, archive: Archive, root: Path) -> list[str]:
    """Unpack an archive and put its files where they belong; give their names."""
    with tempfile.TemporaryDirectory(dir=root, prefix=".unpacking-") as folder:
        try:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as opened:
                    opened.extractall(folder)  # which leaves out what leads elsewhere
            else:
                with tarfile.open(file) as opened_tar:
                    opened_tar.extractall(folder, filter="data")
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise RemoteError(f"{file}: cannot be unpacked ({error})") from error
        top = inside(Path(folder), archive.unpack) if archive.unpack else Path(folder)
        names = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
        claim(root, dict.fromkeys(f"{name.partition('/')[0]}{'/' if '/' in name else ''}" for name in names))
        for name in names:
            target = inside(root, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(top / name, target)
    return names


def _is_there(root: Path, expected: Mapping[str, str]) -> bool:
    """Whether these archives were unpacked there, and all of their files still are."""
    try:
        spec = step_of(root, _STEP).get("spec", {})
    except TableError:
        return False
    names: Sequence[str] = spec.get("files", ())
    return spec.get("archives") == expected and bool(names) and all((root / name).is_file() for name in names)


def _checksum(file: Path, kind: str) -> str:
    with open(file, "rb") as stream:
        return f"{kind}:{hashlib.file_digest(stream, kind).hexdigest()}"


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__


def _part_name(name: str) -> str:
    return f"{name}.part"


def _tag_name(name: str) -> str:
    return f"{name}.tag"
