"""Digests of files by path and state: never stale, and no file read twice."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import digests
from harness.digests import FileDigests, FileState
from harness.files import digest_bytes
from harness.store import Store

OLD = time.time() - 3600.5


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filled with the name of every file that is read."""
    names: list[str] = []
    real = digests.digest_file
    monkeypatch.setattr(digests, "digest_file", lambda path: (names.append(Path(path).name), real(path))[1])
    monkeypatch.setattr(digests, "_SETTLED_NS", -1)  # the inode's time is always that of the test
    return names


def write(path: Path, data: bytes, at: float = OLD) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (at, at))
    return path


def digest(path: Path, store: Store) -> str:
    with FileDigests(store) as known:
        return known.of(path)


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path, store: Store, read_files: list[str]) -> None:
    a, b = write(tmp_path / "x" / "a.wav", b"one"), write(tmp_path / "x" / "b.wav", b"two")
    for _ in range(3):
        assert [digest(a, store), digest(b, store)] == [digest_bytes(b"one"), digest_bytes(b"two")]
    assert read_files == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, b"two", OLD + 1),
        lambda path: write(path, b"two", OLD),  # as old as before: the inode's time tells
        lambda path: write(path, b"longer", OLD),
        lambda path: write(path.with_name("b"), b"two", OLD).replace(path),
        lambda path: (path.unlink(), path.symlink_to(write(path.with_name("c"), b"two", OLD))),
    ],
    ids=["time", "time-kept", "size", "renamed", "link"],
)
def test_a_file_that_changed_is_read_again(tmp_path: Path, store: Store, read_files: list[str], change) -> None:
    path = write(tmp_path / "x" / "a.wav", b"one")
    assert digest(path, store) == digest_bytes(b"one")
    time.sleep(0.02)  # a tick of the clock
    change(path)
    assert digest(path, store) == digest_bytes(path.read_bytes()) != digest_bytes(b"one")
    assert read_files == ["a.wav", "a.wav"]


def test_a_file_that_changed_just_now_is_not_kept(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "x" / "a.wav", b"one", time.time())
    state = FileState.of(path)
    assert not state.settled(time.time_ns())
    assert state.settled(time.time_ns() + 3_000_000_000)
    digest(path, store)
    assert not store.root.exists()


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x" / "a.wav", b"one")
    monkeypatch.setattr(digests, "_SETTLED_NS", -1)
    real = digests.digest_file
    monkeypatch.setattr(digests, "digest_file", lambda each: (real(each), write(path, b"two!"))[0])
    assert digest(path, store) == digest_bytes(b"one")
    assert not store.root.exists()


def test_what_was_written_is_known_with_its_entry(tmp_path: Path, store: Store, read_files: list[str]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    state = FileState.of(path)
    with FileDigests(store) as known:
        known.written(path, state, digest_bytes(b"png"), "key")
    with FileDigests(store) as known:
        assert known.holds(path, "key")
        assert not known.holds(path, "other")
        assert not known.holds(tmp_path / "b.png", "key")
        assert known.of(path) == digest_bytes(b"png")
        assert read_files == []
        path.write_bytes(b"gone")
        assert not known.holds(path, "key")


def test_a_clock_of_whole_seconds_is_not_believed(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "a.png", b"png", 1_700_000_000)
    with FileDigests(store) as known:
        known.written(path, FileState.of(path), digest_bytes(b"png"), "key")
    assert not store.root.exists()


def test_two_that_save_one_folder_keep_what_both_learned(tmp_path: Path, store: Store, read_files: list[str]) -> None:
    a, b = write(tmp_path / "x" / "a.wav", b"one"), write(tmp_path / "x" / "b.wav", b"two")
    with FileDigests(store) as first, FileDigests(store) as second:
        first.of(a)
        second.of(b)
    read_files.clear()
    digest(a, store), digest(b, store)
    assert read_files == []


def test_names_that_are_gone_are_forgotten(tmp_path: Path, store: Store, read_files: list[str]) -> None:
    for name in ("a", "b", "c"):
        path = write(tmp_path / "x" / name, b"one")
        digest(path, store)
        path.unlink()
    (entry,) = (path for path in store.root.rglob("*.json"))
    assert b'"c"' in entry.read_bytes()
    assert b'"a"' not in entry.read_bytes()


def test_threads_agree(tmp_path: Path, store: Store, read_files: list[str]) -> None:
    files = [write(tmp_path / str(k % 5) / f"{k}.wav", str(k).encode()) for k in range(200)]
    expected = [digest_bytes(str(k).encode()) for k in range(200)]
    for _ in range(2):
        with FileDigests(store) as known, ThreadPoolExecutor(8) as pool:
            assert list(pool.map(known.of, files * 3)) == expected * 3
    assert set(read_files) == {path.name for path in files}


@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 100], ids=["empty", "short", "other"])
def test_a_damaged_entry_is_as_good_as_none(tmp_path: Path, store: Store, read_files: list[str], damage: bytes) -> None:
    path = write(tmp_path / "x" / "a.wav", b"one")
    digest(path, store)
    for entry in store.root.rglob("*.json"):
        entry.write_bytes(damage)
    for _ in range(2):
        assert digest(path, store) == digest_bytes(b"one")
    assert read_files == ["a.wav", "a.wav"]


def test_names_that_are_not_utf_8_and_stores_that_cannot_be_written_cost_only_time(
    tmp_path: Path, read_files: list[str]
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(b"one")
    file = tmp_path / "file"
    file.write_bytes(b"")
    for store in (Store(tmp_path / "store"), Store(file / "store")):
        assert digest(path, store) == digest_bytes(b"one")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        digest(tmp_path / "a.wav", store)
