"""The content-addressed store: nothing stale, nothing half-written, shared by whoever asks."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from harness.store import Store, default_root, key_of

PARTS = {"audio": "ab", "spec": {"n_mels": 128, "size": [224, 224]}, "code": 1, "extra": None}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def files(store: Store) -> list[Path]:
    return [p for p in store.root.rglob("*") if p.is_file()]


def test_the_order_of_parts_does_not_count() -> None:
    turned = dict(reversed(PARTS.items()))
    assert key_of(**turned) == key_of(**PARTS)
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
    assert store.get_bytes("pictures", "k", ".png") is None
    assert store.get_json("modules", "k") is None
    assert not store.root.exists(), "looking makes nothing"


def test_kinds_keys_and_suffixes_are_apart(store: Store) -> None:
    store.put_bytes("pictures", "key", b"1", ".png")
    for kind, key, suffix in (("features", "key", ".png"), ("pictures", "kez", ".png"), ("pictures", "key", ".jpg")):
        assert store.get_bytes(kind, key, suffix) is None
    assert store.get_bytes("pictures", "key", ".png") == b"1"


def test_any_damage_to_an_array_is_a_miss(store: Store) -> None:
    array = np.arange(4, dtype=np.float32)
    store.put_array("features", "key", array)
    path = store.path("features", "key", ".npy")
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert store.get_array("features", "key") is None, cut
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert store.get_array("features", "key") is None, at
    path.write_bytes(whole + b"\0")
    assert store.get_array("features", "key") is None
    store.put_array("features", "key", array)
    assert np.array_equal(store.get_array("features", "key"), array)  # type: ignore[arg-type]


def test_damaged_json_is_a_miss(store: Store) -> None:
    value = {"takes": "image", "value_range": [0.0, 1.0], "name": "é"}
    store.put_json("modules", "key", value)
    assert store.get_json("modules", "key") == value
    path = store.path("modules", "key", ".json")
    path.write_bytes(path.read_bytes()[:-5])
    assert store.get_json("modules", "key") is None
    path.write_bytes(b"\xff")
    assert store.get_json("modules", "key") is None


def test_objects_are_not_pickled(store: Store) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        store.put_array("features", "key", np.array([{}], object))
    assert not store.root.exists()


def test_two_stores_share(tmp_path: Path) -> None:
    Store(tmp_path).put_array("features", "key", np.ones(3))
    assert Store(str(tmp_path)).get_array("features", "key") is not None


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDFOLD_STORE", str(tmp_path / "told"))
    assert default_root() == Store().root == Store("").root == tmp_path / "told"
    assert Store(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOUNDFOLD_STORE", "~/kept")
    assert default_root() == tmp_path / "kept"
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
        "for n in range(150):\n"
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
    assert len(files(store)) == 1 + 3 * 150
    assert json.loads(store.path("modules", "key", ".json").read_text())["by"][0] in "abc"
