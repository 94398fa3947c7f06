"""A store behind a URL: entries, feature vectors and their index, as in a local one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from harness import remote, remote_store
from harness.digests import FileDigests
from harness.errors import SettingsError
from harness.files import digest_bytes
from harness.remote import RemoteError
from harness.store import Store, key_of
from harness.vectors import Vectors

KEYS = [key_of(n=n) for n in range(40)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL for a store; what is for this machine only goes to a folder of the test."""
    monkeypatch.setenv("SOUNDFOLD_STORE", str(tmp_path / "local"))
    remote_store.entries_at.cache_clear()
    memory = fsspec.filesystem("memory")
    yield "memory://bucket/store"
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    remote_store.entries_at.cache_clear()


def objects(place: str) -> list[str]:
    return sorted(name.removeprefix(f"{place}/") for name in remote.files_below(place))


def another_machine(place: str) -> Store:
    """The store as another process has it, which has not listed it yet."""
    remote_store.entries_at.cache_clear()
    return Store(place)


def test_entries_come_back_as_they_were_put(place: str) -> None:
    store = Store(Path(place))  # as an option of a command line gives it
    assert str(store.root) == store.url == place
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    store.put("images", KEYS[0], b"png", ".png")
    store.put_array("heads", KEYS[1], array)
    store.put_json("modules", KEYS[2], {"a": [1, "ü"]})
    for again in (store, another_machine(place), pickle.loads(pickle.dumps(store))):
        assert again.get("images", KEYS[0], ".png") == b"png"
        np.testing.assert_array_equal(again.get_array("heads", KEYS[1]), array)
        assert again.get_json("modules", KEYS[2]) == {"a": [1, "ü"]}
        assert again.has("images", KEYS[0], ".png")
        assert not again.has("images", KEYS[1], ".png")
        assert again.get("images", KEYS[1], ".png") is None
        assert list(again.keys("images", ".png")) == [KEYS[0]]
    assert objects(place)[1] == f"images/{KEYS[0][:2]}/{KEYS[0]}.png" or len(objects(place)) == 3
    store.remove("images", KEYS[0], ".png")
    store.remove("images", KEYS[0], ".png")
    assert store.get("images", KEYS[0], ".png") is None


def test_an_entry_of_a_local_store_is_one_of_a_remote_store(place: str, tmp_path: Path) -> None:
    local, there = Store(tmp_path / "a"), Store(place)
    local.put("heads", KEYS[0], b"head")
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "a"), "/bucket/store", recursive=True)
    assert there.get("heads", KEYS[0]) == b"head"


def test_a_damaged_entry_is_as_good_as_none(place: str) -> None:
    store = Store(place)
    store.put("heads", KEYS[0], b"head")
    (name,) = objects(place)
    fsspec.filesystem("memory").pipe_file(f"/bucket/store/{name}", b"hexd" + bytes(16))
    assert store.get("heads", KEYS[0]) is None
    store.put("heads", KEYS[0], b"head")
    assert store.get("heads", KEYS[0]) == b"head"


def test_what_is_not_there_is_asked_for_only_some_times(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, asked, listed = Store(place), [], []
    system = remote.connect(place)[0]
    cat, find = system.cat_file, system.find
    monkeypatch.setattr(system, "cat_file", lambda path, **own: (asked.append(path), cat(path, **own))[1])
    monkeypatch.setattr(system, "find", lambda path, **own: (listed.append(path), find(path, **own))[1])
    store.put("images", KEYS[0], b"one")
    for n in range(200):
        assert store.get("images", key_of(missing=n)) is None
    assert len(asked) == remote_store._MISSES
    assert len(listed) == 1
    store.put("images", KEYS[1], b"two")
    assert [store.get("images", key) for key in KEYS[:2]] == [b"one", b"two"]


def put_vectors(store: Store, keys: list[str], width: int = 5) -> np.ndarray:
    vectors = np.random.default_rng(len(keys)).standard_normal((len(keys), width)).astype(np.float32)
    with Vectors(store) as own:
        own.put(keys, vectors)
    return vectors


def taken(store: Store, keys: list[str], width: int = 5) -> np.ndarray:
    found = np.full((len(keys), width), np.nan, np.float32)
    for positions, values in Vectors(store).take(keys, width):
        found[positions] = values
    return found


def test_vectors_of_several_machines_are_found(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = put_vectors(Store(place), KEYS[:30])
    second = put_vectors(another_machine(place), KEYS[30:])
    store = another_machine(place)
    assert Vectors(store).count(KEYS) == 40
    np.testing.assert_array_equal(taken(store, KEYS), np.concatenate([first, second]))
    assert not Vectors(store).count([key_of(x=1)])
    monkeypatch.setattr("harness.vectors._START_BYTES", 400)  # not enough for the keys of a file
    np.testing.assert_array_equal(taken(store, KEYS), np.concatenate([first, second]))


def test_the_index_of_remote_vectors_is_local(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.vectors._NEW_FILES", 1)
    expected = put_vectors(Store(place), KEYS)
    np.testing.assert_array_equal(taken(Store(place), KEYS), expected)
    assert not [name for name in objects(place) if name.startswith("indexes")]
    assert len(list((tmp_path / "local" / "indexes").rglob("*.npy"))) == 1
    starts: list[str] = []
    monkeypatch.setattr(Store, "start", lambda self, kind, key, *_: starts.append(key))
    np.testing.assert_array_equal(taken(Store(place), KEYS), expected)
    assert starts == [], "files that the index has are not opened to look for keys"


def test_a_damaged_file_of_vectors_is_removed_and_made_again(place: str) -> None:
    store = Store(place)
    put_vectors(store, KEYS)
    (name,) = objects(place)
    memory = fsspec.filesystem("memory")
    data = memory.cat_file(f"/bucket/store/{name}")
    for damaged in (data[:-1] + b"x", data[:100], b"", b"\x93NUMPY\x01\x00" + b"\xff" * 50):
        memory.pipe_file(f"/bucket/store/{name}", damaged)
        assert np.isnan(taken(store, KEYS)).all()
    expected = put_vectors(store, KEYS)
    np.testing.assert_array_equal(taken(store, KEYS), expected)


def test_what_is_known_of_local_files_stays_on_this_machine(place: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a")
    with FileDigests(Store(place)) as digests:
        assert digests.of(tmp_path / "a.txt") == digest_bytes(b"a")
        digests.written(tmp_path / "a.txt", digests_state(tmp_path / "a.txt"), digest_bytes(b"a"), "entry")
    assert objects(place) == []
    with FileDigests(another_machine(place)) as digests:
        assert digests.holds(tmp_path / "a.txt", "entry")


def digests_state(path: Path) -> Any:
    from harness.digests import FileState

    return FileState.of(path)


def test_a_store_that_may_not_be_written_to_is_read(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(place)
    store.put("heads", KEYS[0], b"head")

    def denied(*_: Any, **options: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(remote.connect(place)[0], "pipe_file", denied)
    store.put("heads", KEYS[1], b"head")
    assert f"store {place} cannot be written to" in capsys.readouterr().err
    assert store.get("heads", KEYS[0]) == b"head"


def test_a_store_that_does_not_answer_stops_the_work(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **options: Any) -> None:
        raise ConnectionError("reset by peer")

    for name in ("cat_file", "pipe_file"):
        monkeypatch.setattr(remote.connect(place)[0], name, gone)
    with pytest.raises(RemoteError, match=r"memory://bucket/store/heads/.*reset by peer"):
        Store(place).get("heads", KEYS[0])
    with pytest.raises(RemoteError):
        Store(place).put("heads", KEYS[0], b"")


def test_a_bucket_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(remote_store, "_IN_BUCKETS", {"memory"})
    with pytest.raises(SettingsError, match="there is no bucket memory://none"):
        Store("memory://none/store").get("heads", KEYS[0])
    with pytest.raises(SettingsError, match="the scheme 's33' is not known"):
        Store("s33://none/store").get("heads", KEYS[0])
