"""The content-addressed store: nothing stale, nothing half-written, shared by whoever asks."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from harness import store as store_module
from harness.store import Store, default_root, key_of

PARTS = {"audio": "ab", "spec": {"n_mels": 128, "size": [224, 224]}, "code": 1, "extra": None}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 4), np.int16),
        np.array(3.5),
        np.array([True, False]),
        np.array(["dog", "siren"]),
        np.arange(3, dtype=">f4"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_as_it_was_and_may_be_changed(store: Store, array: np.ndarray) -> None:
    store.put_array("features", "ab", array)
    found = store.get_array("features", "ab")
    assert found is not None and found.dtype == array.dtype and found.shape == array.shape
    assert found.flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(found, array)
    found[...] = found  # writeable, as from numpy.load


def test_an_array_of_objects_is_refused(store: Store) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    store.put("features", "ab", buffer.getvalue(), ".npy")
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        store.get_array("features", "ab")


def files(store: Store) -> list[Path]:
    return [p for p in store.root.rglob("*") if p.is_file()]


def test_the_order_of_parts_does_not_count() -> None:
    reordered = dict(reversed(PARTS.items()))
    assert key_of(**reordered) == key_of(**PARTS)
    assert key_of(**{**PARTS, "spec": {"size": (224, 224), "n_mels": 128}}) == key_of(**PARTS)
    assert len(key_of(**PARTS)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"audio": "ac"},
        {"spec": {"n_mels": 129, "size": [224, 224]}},
        {"spec": {"n_mels": 128, "size": [224, 225]}},
        {"spec": {"n_mels": "128", "size": [224, 224]}},
        {"spec": {"n_mels": 128, "size": [224, 224], "fmin": 0}},
        {"code": 2},
        {"extra": ""},
        {"another": None},
    ],
)
def test_any_change_is_another_key(change: dict[str, object]) -> None:
    assert key_of(**{**PARTS, **change}) != key_of(**PARTS)


def test_a_part_left_out_is_another_key() -> None:
    for name in PARTS:
        assert key_of(**{k: v for k, v in PARTS.items() if k != name}) != key_of(**PARTS)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        np.zeros((0, 5), np.float32),
        np.float32(3),
        np.array([np.nan, -0.0, np.inf]),
        np.array([[1, 2]], np.uint8),
    ],
    ids=["c", "fortran", "empty", "scalar", "special", "uint8"],
)
def test_arrays_come_back_exactly(store: Store, array: np.ndarray) -> None:
    store.put_array("features", "k" * 64, array)
    got = store.get_array("features", "k" * 64)
    assert got is not None
    assert got.dtype == array.dtype
    assert got.shape == np.shape(array)
    assert got.tobytes() == array.tobytes()


def test_what_was_never_put_is_a_miss(store: Store) -> None:
    assert store.get_array("features", "k") is None
    assert store.get("images", "k", ".png") is None
    assert store.get_json("modules", "k") is None
    assert not store.root.exists(), "looking makes nothing"


def test_kinds_keys_and_suffixes_are_apart(store: Store) -> None:
    store.put("images", "key", b"1", ".png")
    for kind, key, suffix in (("features", "key", ".png"), ("images", "kez", ".png"), ("images", "key", ".jpg")):
        assert store.get(kind, key, suffix) is None
    assert store.get("images", "key", ".png") == b"1"


ENTRIES: dict[str, tuple[Callable[[Store], object], Callable[[Store], object], str]] = {
    "bytes": (
        lambda s: s.put("images", "key", b"\x89PNG", ".png"),
        lambda s: s.get("images", "key", ".png"),
        ".png",
    ),
    "array": (
        lambda s: s.put_array("images", "key", np.arange(4, dtype=np.float32)),
        lambda s: s.get_array("images", "key"),
        ".npy",
    ),
    "json": (lambda s: s.put_json("images", "key", {"é": [0.5]}), lambda s: s.get_json("images", "key"), ".json"),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_any_damage_is_as_good_as_no_entry(store: Store, entry: str) -> None:
    put, get, suffix = ENTRIES[entry]
    put(store)
    path, before = store.path("images", "key", suffix), get(store)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert get(store) is None, cut
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert get(store) is None, at
    path.write_bytes(whole + b"\0")
    assert get(store) is None
    assert store.has("images", "key", suffix), "only what is read is checked"
    put(store)
    assert np.array_equal(get(store), before)  # type: ignore[arg-type]


def test_entries_that_changed_places_are_as_good_as_none(store: Store) -> None:
    for key in ("one", "two"):
        store.put_json("heads", key, key)
    one, two = (store.path("heads", key, ".json") for key in ("one", "two"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    other = store.path("peaks", "one", ".json")
    other.parent.mkdir(parents=True)
    other.write_bytes(first)
    assert [store.get_json("heads", "one"), store.get_json("heads", "two"), store.get_json("peaks", "one")] == [
        None
    ] * 3


def test_entries_of_earlier_versions_are_read(store: Store) -> None:
    store.put("images", "key", b"\x89PNG", ".png")
    checksum = hashlib.blake2b(b"\x89PNG", digest_size=16).digest()  # of the data alone
    store.path("images", "key", ".png").write_bytes(b"\x89PNG" + checksum)
    assert store.get("images", "key", ".png") == b"\x89PNG"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_store_that_cannot_be_written_to_goes_without(
    store: Store, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put("images", "old", b"1")

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("harness.store.write_bytes", refuse)
    store_module._warn_read_only.cache_clear()
    for key in ("new", "other"):
        store.put("images", key, b"2")
    assert store.get("images", "old") == b"1"
    assert store.get("images", "new") is None
    assert capsys.readouterr().err.count("cannot be written to") == 1
    with pytest.raises(OSError, match=os.strerror(code)):
        Store(store.root / "not there").put("images", "key", b"1")


def test_a_full_disk_is_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("harness.store.write_bytes", full)
    store.root.mkdir(parents=True)
    with pytest.raises(OSError, match="No space left"):
        store.put("images", "key", b"1")


def test_json_comes_back(store: Store) -> None:
    for value in ({"takes": "image", "value_range": [0.0, 1.0], "name": "é"}, 0.1 + 0.2, [], "", False):
        store.put_json("modules", "key", value)
        assert store.get_json("modules", "key") == value


def test_no_bytes_are_an_entry_too(store: Store) -> None:
    store.put("images", "key", b"")
    assert store.get("images", "key") == b""
    assert not store.has("images", "kez")


def test_objects_are_not_pickled(store: Store) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        store.put_array("features", "key", np.array([{}], object))
    assert not store.root.exists()


def test_two_stores_share(tmp_path: Path) -> None:
    Store(tmp_path).put_array("features", "key", np.ones(3))
    assert Store(str(tmp_path)).get_array("features", "key") is not None


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDFOLD_STORE", str(tmp_path / "given by name"))
    assert default_root() == Store().root == Store("").root == tmp_path / "given by name"
    assert Store(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOUNDFOLD_STORE", "~/elsewhere")
    assert default_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("SOUNDFOLD_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "soundfold" in default_root().parts


def test_threads_share_one_key(store: Store) -> None:
    arrays = [np.full(1000, n, np.float64) for n in range(8)]

    def put_and_get(n: int) -> float:
        store.put_array("features", "key", arrays[n % 8])
        got = store.get_array("features", "key")
        assert got is not None, "a reader never sees half an entry"
        assert (got == got[0]).all()
        return float(got[0])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put_and_get, range(200))) <= set(range(8))
    assert len(files(store)) == 1, "no temporary files are left"


def test_processes_share_one_key(store: Store) -> None:
    code = (
        "import json, sys\n"
        "from harness.store import Store\n"
        "store, name = Store(sys.argv[1]), sys.argv[2]\n"
        "for n in range(50):\n"
        "    store.put_json('modules', 'key', {'by': name * 500})\n"
        "    store.put_json('modules', f'{name}{n}', n)\n"
        "    got = store.get_json('modules', 'key')\n"
        "    assert got is not None and len(got['by']) == 500, got\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(store.root), name], stderr=subprocess.PIPE) for name in "abc"
    ]
    for process in running:
        _, err = process.communicate()
        assert process.returncode == 0, err.decode()
    assert len(files(store)) == 1 + 3 * 50
    assert store.get_json("modules", "key")["by"][0] in "abc"  # type: ignore[index]
