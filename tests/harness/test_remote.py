"""Corpora, tables and stores behind URLs: the same results as from local folders, on S3 (moto's) and in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from s3_server import s3_server
from small_study import PATTERN, write_corpus

import corpora
from harness import audio, remote, tables
from harness.digests import FileDigests
from harness.errors import SettingsError, TableError
from harness.files import digest_file, write_text
from harness.remote import RemoteError
from harness.store import Store
from harness.tables import CLIPS
from harness.urls import absolute, local_path, located, need_local, url_of

BUCKET = "s3://sounds"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A local S3 server with one bucket; its file system."""
    with s3_server("sounds") as system:
        yield system


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "small", folds=2, takes=2)


@pytest.fixture(scope="module")
def on_s3(s3: Any, local: Path) -> str:
    """The corpus in the bucket."""
    s3.put(str(local), "sounds/", recursive=True)
    return f"{BUCKET}/small"


@pytest.fixture
def fetched(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filled with the URL of every file that is fetched whole from S3."""
    system, names = remote.connect(on_s3)[0], []
    real = system.cat_file

    def counted(path: str, start: int | None = None, end: int | None = None) -> bytes:
        if start is None:
            names.append(f"s3://{path}")
        found: bytes = real(path, start=start, end=end)
        return found

    monkeypatch.setattr(system, "cat_file", counted)
    monkeypatch.setattr(remote, "_HELD", remote._Held())
    return names


def test_urls_are_told_apart_from_paths() -> None:
    assert url_of(Path("s3://bucket/a.wav")) == "s3://bucket/a.wav"  # which lost a slash
    for path in ("a.wav", "/data/a:b.wav", r"C:\a.wav", "C:/a", "file:///data/a.wav", "x:y"):
        assert url_of(path) == ""
    assert local_path("file:///data/a.wav") == Path("/data/a.wav")
    assert absolute("memory://x/a.wav") == "memory://x/a.wav"
    assert absolute("a.wav") == os.path.abspath("a.wav")
    assert located("file:///a.wav", "s3://bucket") == "/a.wav"
    assert located("a.wav", "/data") == "/data/a.wav"
    assert located(Path("x/../b.wav"), "s3://bucket/esc") == "s3://bucket/esc/b.wav"


def test_a_url_is_a_path_to_look_for_files_with(on_s3: str) -> None:
    root = remote.as_path(on_s3)
    assert root.is_dir()
    assert not root.is_file()
    assert not (root / "nothing").exists()
    assert str(root / "hum" / "a.wav") == f"{on_s3}/hum/a.wav"
    assert (root / "hum" / "a.wav").relative_to(root).as_posix() == "hum/a.wav"
    assert sorted(path.name for path in root.iterdir()) == ["chirp", "hiss", "hum"]
    assert len(list(root.rglob("*.wav"))) == 12


def test_a_sound_on_s3_is_read_as_a_local_one(on_s3: str, local: Path, s3: Any) -> None:
    name = "hum/1-110-0.wav"
    for mine, theirs in ((local / name, f"{on_s3}/{name}"), (local / name, Path(f"{on_s3}/{name}"))):
        y, sr = audio.read(mine, start_s=0.1)
        there, sr_there = audio.read(theirs, start_s=0.1)
        assert sr == sr_there
        np.testing.assert_array_equal(y, there)
        assert audio.digest(mine) == audio.digest(theirs)
        assert audio.duration(mine) == audio.duration(theirs) == 0.3


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3", "m4a"])
def test_sounds_of_all_formats_are_read(ending: str, s3: Any, tmp_path: Path) -> None:
    import av
    import soundfile

    path, y = tmp_path / f"a.{ending}", np.sin(np.arange(16000) / 20).astype(np.float32)
    if ending == "m4a":
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("aac", rate=16000, layout="mono")
            frame = av.AudioFrame.from_ndarray(y[None], format="fltp", layout="mono")
            frame.rate = 16000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    else:
        soundfile.write(path, y, 16000)
    s3.put(str(path), f"sounds/formats/a.{ending}")
    url = f"{BUCKET}/formats/a.{ending}"
    assert audio.duration(url) == audio.duration(path)
    np.testing.assert_array_equal(audio.read(url)[0], audio.read(path)[0])
    blocks, there = (list(audio.read_blocks(each, seconds=0.25)) for each in (path, url))
    assert [len(y) for y, _ in there] == [len(y) for y, _ in blocks]


def test_a_corpus_on_s3_gives_the_table_of_a_local_one(on_s3: str, local: Path) -> None:
    here = corpora.load("folders", local, pattern=PATTERN)
    there = corpora.load("folders", on_s3, pattern=PATTERN)
    assert there.drop(columns="path").equals(here.drop(columns="path"))
    assert there["path"].tolist() == [path.replace(str(local), on_s3) for path in here["path"]]


def test_identical_sounds_on_s3_are_found(s3: Any, on_s3: str) -> None:
    s3.copy("sounds/small/hum/1-110-0.wav", "sounds/twice/hum/1-110-0.wav")
    s3.copy("sounds/small/hum/1-110-0.wav", "sounds/twice/hum/2-120-0.wav")
    s3.copy("sounds/small/hum/1-110-1.wav", "sounds/twice/hiss/2-120-1.wav")
    loaded = corpora.load("folders", f"{BUCKET}/twice", folds=2)
    assert loaded["group"].tolist() == [*["same sound as 1-110-0.wav"] * 2, ""]


def test_a_table_on_s3_names_sounds_next_to_it(s3: Any, on_s3: str, tmp_path: Path) -> None:
    s3.pipe_file("sounds/small/list.csv", b"path,label\nhum/1-110-0.wav,hum\nmissing.wav,hum\n")
    corpora.scan_to_table("csv", f"{on_s3}/list.csv", out=tmp_path / "clips.csv")
    clips = tables.read_located(tmp_path / "clips.csv", CLIPS)
    assert clips["path"].tolist() == [f"{on_s3}/hum/1-110-0.wav"]
    assert tables.read(tmp_path / "failures.csv", tables.FAILURES)["path"].tolist() == [f"{on_s3}/missing.wav"]
    text = (tmp_path / "clips.csv").read_text().replace(f"{on_s3}/", "")
    s3.pipe_file("sounds/small/clips.csv", text.encode())
    for path in (f"{on_s3}/clips.csv", Path(f"{on_s3}/clips.csv")):
        assert tables.read_located(path, CLIPS).equals(clips)


def test_a_known_corpus_is_listed_and_not_fetched(on_s3: str, tmp_path: Path, fetched: list[str], s3: Any) -> None:
    urls = [str(path) for path in remote.as_path(on_s3).rglob("*.wav")]
    store = Store(tmp_path / "store")
    with FileDigests(store) as digests:
        first = [digests.of(url) for url in urls]
    assert len(fetched) == 12
    remote._HELD = remote._Held()
    with FileDigests(store) as digests:
        assert [digests.of(url) for url in urls] == first
        assert digests.known(urls[0])
    assert len(fetched) == 12, "the second time no sound is fetched"
    with s3.open(f"{on_s3}/hum/1-110-0.wav", "rb") as file:
        data = file.read()
    s3.pipe_file("sounds/small/hum/1-110-0.wav", data[:-2] + b"ab")
    with FileDigests(store) as digests:
        changed = [digests.of(url) for url in urls]
    s3.pipe_file("sounds/small/hum/1-110-0.wav", data)
    assert [url for url, a, b in zip(urls, first, changed, strict=True) if a != b] == [f"{on_s3}/hum/1-110-0.wav"]
    assert len(fetched) == 13


def test_a_sound_that_changes_in_use_is_noticed(s3: Any, on_s3: str) -> None:
    url = f"{BUCKET}/changing/a.wav"
    s3.copy("sounds/small/hum/1-110-0.wav", "sounds/changing/a.wav")
    found = audio.digest(url)
    audio.read(url, digest=found)
    s3.copy("sounds/small/hum/1-110-1.wav", "sounds/changing/a.wav")
    with pytest.raises(audio.AudioError, match="changed while it was in use"):
        audio.read(url, digest=found)


def test_each_sound_is_fetched_once_in_a_process(on_s3: str, fetched: list[str], tmp_path: Path) -> None:
    clips = corpora.load("folders", on_s3, pattern=PATTERN)
    fetched.clear()
    store = Store(tmp_path / "store")
    corpora.look_at(clips, store=store, jobs=1)
    assert sorted(fetched) == sorted(clips["path"])


def test_memory_in_one_process(local: Path) -> None:
    memory = fsspec.filesystem("memory")
    try:
        memory.put(str(local), "/corpus", recursive=True)
        there = corpora.load("folders", "memory://corpus", pattern=PATTERN)
        assert there.drop(columns="path").equals(corpora.load("folders", local, pattern=PATTERN).drop(columns="path"))
        assert audio.digest(there["path"][0]) == digest_file(local / there["path"][0].removeprefix("memory://corpus/"))
    finally:
        memory.store.clear()
    with pytest.raises(RemoteError, match="jobs=1"):
        audio.read("memory://corpus/hum/1-110-0.wav")


def test_a_file_url_is_a_local_folder(local: Path) -> None:
    assert corpora.load("folders", f"file://{local}").equals(corpora.load("folders", local))


# ---- what can go wrong, in one line


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("s33://sounds/small", "s33://sounds: the scheme 's33' is not known; did you mean 's3'?"),
        ("s3://sounds/nothing", "root=s3://sounds/nothing: no such folder"),
        ("s3://no-such-bucket/small", "root=s3://no-such-bucket/small: no such folder"),
        ("s3://sounds/small/hum/1-110-0.wav", "is a file"),
    ],
)
def test_roots_that_are_not_there(on_s3: str, root: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        corpora.load("folders", root)
    assert said in str(error.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(scheme: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    remote._system.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install 'soundfold\[s3\]'"):
        corpora.load("folders", f"{BUCKET}/small")


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (FileNotFoundError("The specified bucket does not exist"), OSError, "no such file (no such bucket)"),
        (PermissionError("Access Denied"), OSError, "not permitted (Access Denied)"),
        (type("NoCredentialsError", (Exception,), {})("Unable to locate credentials"), RemoteError, "no credentials"),
        (TimeoutError(), RemoteError, "does not answer (TimeoutError); run the same command again"),
        (OSError(5, "Input/output error"), RemoteError, "does not answer"),
    ],
)
def test_every_failure_is_one_line_that_names_the_url(raised: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as error, remote.remote_errors("s3://sounds/a.wav"):
        raise raised
    text = f"{getattr(error.value, 'filename', '')}: {getattr(error.value, 'strerror', '')} {error.value}"
    assert "s3://sounds/a.wav" in text
    assert said in text


def test_a_server_that_is_gone_stops_the_work(monkeypatch: pytest.MonkeyPatch, on_s3: str, tmp_path: Path) -> None:
    """It is no failure of a clip, or a study would be made of the clips that came through before."""
    clips = corpora.load("folders", on_s3)

    def gone(*_: Any, **options: Any) -> None:
        raise ConnectionError("Could not connect to the endpoint URL")

    monkeypatch.setattr(remote.connect(on_s3)[0], "cat_file", gone)
    monkeypatch.setattr(remote, "_HELD", remote._Held())
    with pytest.raises(RemoteError, match="does not answer"):
        corpora.look_at(clips, store=Store(tmp_path / "store"))


def test_what_is_written_must_be_local() -> None:
    for path in ("s3://sounds/out/a.txt", Path("s3://sounds/out/a.txt")):
        with pytest.raises(SettingsError, match=r"^s3://sounds/out/a\.txt: .* must be in a local folder"):
            write_text(path, "x")
    with pytest.raises(SettingsError):
        need_local("memory://x")
    assert not Path("s3:").exists()


def test_a_table_that_is_not_there(on_s3: str) -> None:
    with pytest.raises(TableError, match=r"^s3://sounds/none\.csv: no such table"):
        tables.read(f"{BUCKET}/none.csv", CLIPS)
