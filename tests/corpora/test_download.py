"""``python -m corpora download``: from a server on this machine that breaks off, changes, or is not there."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_study import command

from corpora.__main__ import app
from corpora.base import Archive
from corpora.downloading import fetch_archive
from harness.remote import RemoteError


class Server:
    """A server of one file, which counts what it was asked for and can break off."""

    def __init__(self, data: bytes, *, breaks_at: int = 0, ranges: bool = True) -> None:
        self.data, self.breaks_at, self.ranges, self.asked = data, breaks_at, ranges, list[str]()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range", "") if served.ranges else ""
                served.asked.append(asked)
                if self.headers.get("If-Range") != served.tag:
                    asked = ""
                start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
                self.send_response(206 if asked else 200)
                self.send_header("ETag", served.tag)
                self.send_header("Content-Length", str(len(served.data) - start))
                self.end_headers()
                stop = served.breaks_at if served.breaks_at > start else len(served.data)
                self.wfile.write(served.data[start:stop])

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/corpus"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


@pytest.fixture
def serve() -> Iterator[type[Server]]:
    """Servers that end with the test."""
    made: list[Server] = []

    class Served(Server):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            made.append(self)

    yield Served
    for server in made:
        server.http.shutdown()
        server.http.server_close()


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def soundata_of(monkeypatch: pytest.MonkeyPatch, url: str, data: bytes, name: str = "ESC-50-master.zip") -> None:
    """Have soundata say that ESC-50 is there."""
    remote = SimpleNamespace(
        url=url, filename=name, checksum=hashlib.md5(data).hexdigest(), unpack_directories=["ESC-50-master"]
    )
    fake = SimpleNamespace(
        list_datasets=lambda: ["esc50"], initialize=lambda name: SimpleNamespace(remotes={"all": remote})
    )
    monkeypatch.setitem(sys.modules, "soundata", fake)


FILES = {"ESC-50-master/meta/esc50.csv": b"filename\n", "ESC-50-master/audio/a.wav": bytes(5000), "other.txt": b"x"}


def test_fetched_checked_unpacked_and_not_again(
    serve: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(zipped(FILES))
    soundata_of(monkeypatch, server.url, server.data)
    said = command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    assert said.out.splitlines()[0] == f"{tmp_path / 'esc50'}: 2 files"
    assert (tmp_path / "esc50" / "audio" / "a.wav").read_bytes() == bytes(5000)
    assert sorted(p.name for p in (tmp_path / "esc50").iterdir() if p.name[0] != ".") == ["audio", "meta", "run.json"]
    said = command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys)
    assert (said.code, len(server.asked)) == (0, 1)
    (tmp_path / "esc50" / "audio" / "a.wav").unlink()
    assert command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys).code == 0
    assert (tmp_path / "esc50" / "audio" / "a.wav").is_file()


def test_it_goes_on_where_it_was_broken_off(
    serve: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).bytes(100_000)
    server = serve(zipped({**FILES, "ESC-50-master/audio/b.wav": noise}), breaks_at=60_000)
    soundata_of(monkeypatch, server.url, server.data)
    said = command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys)
    assert said.code == 1 and len(said.warnings) == 1
    assert said.warnings[0].startswith(f"error: {server.url}: cannot be fetched (")
    assert said.warnings[0].endswith("The same command goes on where it stopped")
    assert command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys).code == 0
    assert server.asked == ["", "bytes=60000-"]
    assert (tmp_path / "esc50" / "audio" / "b.wav").read_bytes() == noise


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changed_meanwhile_is_fetched_anew(serve: type[Server], tmp_path: Path, ranges: bool) -> None:
    server = serve(b"old" * 30_000, breaks_at=50_000, ranges=ranges)
    archive = Archive(server.url, "x.zip", f"md5:{hashlib.md5(b'new' * 30_000).hexdigest()}")
    with pytest.raises(RemoteError):
        fetch_archive(archive, tmp_path)
    server.data, server.breaks_at = b"new" * 30_000, 0
    assert fetch_archive(archive, tmp_path).read_bytes() == b"new" * 30_000


def test_another_checksum(
    serve: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(zipped(FILES))
    soundata_of(monkeypatch, server.url, b"another")
    said = command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys)
    assert said.code == 1 and len(said.warnings) == 1
    assert f"its checksum is md5:{hashlib.md5(server.data).hexdigest()}, expected md5:" in said.warnings[0]
    assert not (tmp_path / "esc50" / "audio").exists()
    assert command(app, "download", "esc50", tmp_path / "esc50", "--no-check", capsys=capsys).code == 0
    assert (tmp_path / "esc50" / "audio" / "a.wav").is_file() and len(server.asked) == 1


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_nothing_is_unpacked_elsewhere(
    serve: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    if kind == "zip":
        data = zipped({**FILES, "../../out.txt": b"x"})
    else:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("../../out.txt"))
        data = buffer.getvalue()
    server = serve(data)
    soundata_of(monkeypatch, server.url, server.data, f"corpus.{kind}")
    said = command(app, "download", "esc50", tmp_path / "a" / "esc50", capsys=capsys)
    assert said.code == (0 if kind == "zip" else 1)
    assert not list(tmp_path.rglob("out.txt")) or kind == "zip"
    assert not (tmp_path / "out.txt").exists() and not (tmp_path / "a" / "out.txt").exists()


def test_offline_and_what_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each: nobody answers, soundata is not there, a corpus that is not on the web, somebody's own files."""
    soundata_of(monkeypatch, "http://127.0.0.1:9/x.zip", b"")
    said = command(app, "download", "esc50", tmp_path / "x", capsys=capsys)
    assert said.code == 1 and len(said.warnings) == 1
    assert "http://127.0.0.1:9/x.zip: cannot be fetched (" in said.warnings[0]
    assert "is this machine online?" in said.warnings[0]
    said = command(app, "download", "urbansound8k", tmp_path / "x", capsys=capsys)
    assert "soundata does not know it; fetch it from https://urbansounddataset" in said.warnings[0]
    monkeypatch.setitem(sys.modules, "soundata", None)
    said = command(app, "download", "esc50", tmp_path / "x", capsys=capsys)
    assert said.warnings[0].endswith("is not installed; pip install 'soundfold[download]'")
    said = command(app, "download", "folders", tmp_path / "x", capsys=capsys)
    assert said.warnings == ["error: corpus 'folders': cannot be downloaded; it is class folders of your own"]


def test_files_of_somebody_are_not_replaced(
    serve: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "esc50" / "audio").mkdir(parents=True)
    (tmp_path / "esc50" / "audio" / "mine.wav").write_bytes(b"mine")
    server = serve(zipped(FILES))
    soundata_of(monkeypatch, server.url, server.data)
    said = command(app, "download", "esc50", tmp_path / "esc50", capsys=capsys)
    assert said.code == 1 and "was not written by soundfold" in said.warnings[0]
    assert [path.name for path in (tmp_path / "esc50" / "audio").iterdir()] == ["mine.wav"]
