"""Files appear whole or not at all, with the permissions that the umask gives."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import files


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_atomic_path_makes_the_folder_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "table.csv"
    for text in ("old", "new"):
        with files.atomic_path(path) as part:
            part.write_text(text)
            assert part.parent == path.parent
        assert path.read_text() == text
        assert names(path.parent) == ["table.csv"]


@pytest.mark.parametrize("before", [None, "old"])
def test_atomic_path_leaves_nothing_on_error(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "table.csv"
    if before:
        path.write_text(before)

    def fail() -> None:
        with files.atomic_path(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == (["table.csv"] if before else [])
    assert not before or path.read_text() == before


@pytest.mark.parametrize("before", [False, True])
def test_atomic_folder_replaces_whole_folders(tmp_path: Path, before: bool) -> None:
    path = tmp_path / "model"
    if before:
        path.mkdir()
        (path / "stale").write_text("x")
    with files.atomic_folder(path) as part:
        (part / "fresh").write_text("y")
        assert path.exists() == before
    assert names(path) == ["fresh"]
    assert names(tmp_path) == ["model"]


def test_atomic_folder_leaves_the_old_one_on_error(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("x")

    def fail() -> None:
        with files.atomic_folder(path) as part:
            (part / "half").write_text("y")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert names(tmp_path) == ["model"]
    assert names(path) == ["old"]


def test_atomic_folder_puts_the_old_one_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("x")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise PermissionError("refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError, match="refused"), files.atomic_folder(path):
        pass
    assert names(path) == ["old"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_permissions_follow_the_umask(tmp_path: Path, umask: int) -> None:
    with files.atomic_path(tmp_path / "path") as part:
        part.write_text("x")
    with files.atomic_folder(tmp_path / "folder"):
        pass
    files.write_text(tmp_path / "text", "x")
    assert mode(tmp_path / "path") == mode(tmp_path / "text") == 0o666 & ~umask
    assert mode(tmp_path / "folder") == 0o777 & ~umask


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_threads_do_not_change_the_umask(tmp_path: Path, umask: int) -> None:
    def write(number: int) -> int:
        with files.atomic_path(tmp_path / str(number)) as part:
            part.write_text("x")
        return mode(tmp_path / str(number))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(300))) == {0o666 & ~umask}


@pytest.mark.parametrize(
    ("write", "value", "data"),
    [
        (files.write_bytes, b"\0\xff", b"\0\xff"),
        (files.write_text, "Rûßcken\r\n", "Rûßcken\r\n".encode()),
        (
            files.write_json,
            {"b": "é", "a": [1.5, None]},
            '{\n  "b": "é",\n  "a": [\n    1.5,\n    null\n  ]\n}\n'.encode(),
        ),
    ],
)
def test_written_bytes(tmp_path: Path, write: Callable[..., None], value: object, data: bytes) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write(path, value)
    write(path, value)
    assert path.read_bytes() == data
    assert names(path.parent) == ["file"]


def test_write_bytes_leaves_nothing_on_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        files.write_bytes(tmp_path / "taken", b"x")
    assert names(tmp_path) == ["taken"]


def test_long_names_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120)
    files.write_text(path, "x")
    with files.atomic_path(path) as part:
        part.write_text("y")
    assert names(tmp_path) == ["ü" * 120]


def test_digests(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert files.digest_file(path) == files.digest_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert files.digest_json({"a": 1}) != files.digest_json({"a": "1"})
    assert files.digest_json([1, 2]) != files.digest_json([2, 1])
    assert files.digest_json(("é",)) == files.digest_json(["é"])


def test_link_is_the_same_file(tmp_path: Path) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "folds" / "a.wav"
    source.write_bytes(b"sound")
    for _ in range(2):
        files.link_or_copy(source, target)
        assert target.samefile(source)
    assert names(target.parent) == ["a.wav"]


def test_link_replaces_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    files.link_or_copy(source, target)
    assert target.read_bytes() == b"new"


def test_link_leaves_the_source_alone(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"sound")
    source.chmod(0o400)
    files.link_or_copy(source, tmp_path / "b.wav")
    assert mode(source) == 0o400


def test_link_to_a_relative_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real.wav").write_bytes(b"sound")
    (tmp_path / "link.wav").symlink_to("real.wav")
    target = tmp_path / "folds" / "a.wav"
    files.link_or_copy(tmp_path / "link.wav", target)
    assert target.read_bytes() == b"sound"


def test_copy_where_links_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "a.wav", tmp_path / "folds" / "a.wav"
    for data in (b"sound", b"another sound"):
        source.write_bytes(data)
        files.link_or_copy(source, target)
        assert target.read_bytes() == data
        assert not target.samefile(source)
    assert names(target.parent) == ["a.wav"]


def test_link_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        files.link_or_copy(tmp_path / "none.wav", tmp_path / "b.wav")
    assert names(tmp_path) == []


def test_natural_order() -> None:
    ordered = ["", "1", "2", "9", "010x", "10", "fold2", "fold10", "fold10b"]
    shuffled = random.Random(0).sample(ordered, len(ordered))
    assert sorted(shuffled, key=files.natural_key) == ordered
    assert files.natural_key("fold²") != files.natural_key("fold2")
    assert sorted(["²", "1", "٣"], key=files.natural_key) == ["1", "٣", "²"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b\\c", "a_b_c"),
        ('q?*"<>|', "q______"),
        (" padded ", "padded"),
        ("", "_"),
        ("x\0\n", "x__"),
        ("naïve.wav", "naïve.wav"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert files.safe_name(name) == safe
