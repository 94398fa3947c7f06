"""Feature vectors, many to a file: found again, never wrong, shared by whoever writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness import vectors
from harness.files import digest_bytes
from harness.store import Store
from harness.vectors import Vectors

WIDTH = 5


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def keys(*numbers: int) -> list[str]:
    return [digest_bytes(str(n).encode()) for n in numbers]


def values(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.float32)[:, None] + np.arange(WIDTH, dtype=np.float32) / 8


def put(store: Store, *numbers: int) -> None:
    with Vectors(store) as writing:
        writing.put(keys(*numbers), values(*numbers))


def taken(store: Store, wanted: Sequence[str], width: int = WIDTH) -> dict[int, list[float]]:
    found = {}
    for positions, rows in Vectors(store).take(wanted, width):
        assert rows.dtype == np.float32
        assert len(positions) == len(rows)
        found |= dict(zip(positions.tolist(), rows.tolist(), strict=True))
    return found


def files(store: Store) -> list[Path]:
    return sorted((store.root / "vectors").rglob("*.npy"))


def test_vectors_come_back_by_key_and_others_do_not(store: Store) -> None:
    assert taken(store, keys(1, 2)) == {}
    put(store, 1, 2, 3)
    put(store, 4)
    expected = {n: values(k)[0].tolist() for n, k in enumerate([4, 2, 1])}
    assert taken(store, [*keys(4, 2, 1), *keys(9)]) == expected
    assert Vectors(store).count(keys(4, 2, 1, 9)) == 3
    assert len(files(store)) == 2
    assert taken(store, []) == {}


def test_vectors_of_another_width_are_as_good_as_none(store: Store) -> None:
    put(store, 1)
    assert taken(store, keys(1), WIDTH + 1) == {}


def test_keys_with_the_same_beginning_are_told_apart(store: Store) -> None:
    a, b = "ab" * 16 + "00" * 16, "ab" * 16 + "11" * 16
    with Vectors(store) as writing:
        writing.put([a], values(1))
    assert taken(store, [a, b]) == {0: values(1)[0].tolist()}


def test_the_same_content_is_one_file_and_the_same_key_twice_does_no_harm(store: Store) -> None:
    put(store, 1, 2)
    put(store, 1, 2)
    assert len(files(store)) == 1
    put(store, 2, 3)
    assert taken(store, keys(1, 2, 3)) == {n: values(n + 1)[0].tolist() for n in range(3)}


def test_files_are_written_as_soon_as_they_are_full_or_some_time_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vectors(store) as writing:
        writing.put(keys(1), values(1))
        assert files(store) == []
        monkeypatch.setattr(vectors, "_BYTES", 3 * 4 * WIDTH)
        writing.put(keys(2, 3), values(2, 3))
        assert len(files(store)) == 1
        writing.put(keys(4), values(4))
        monkeypatch.setattr(vectors, "_SECONDS", 0.0)
        writing.put(keys(5), values(5))
        assert len(files(store)) == 2
    assert sorted(taken(store, keys(1, 2, 3, 4, 5))) == [0, 1, 2, 3, 4]


def test_what_an_interrupted_run_has_put_is_written(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), Vectors(store) as writing:
        writing.put(keys(1), values(1))
        raise KeyboardInterrupt
    assert list(taken(store, keys(1))) == [0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
    ],
    ids=["short", "half", "empty", "key", "value"],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_a_damaged_file_is_as_good_as_none_and_its_vectors_can_be_written_again(
    store: Store, damage, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if indexed:
        monkeypatch.setattr(vectors, "_NEW_FILES", 1)
    put(store, *range(20))
    put(store, *range(20, 30))
    assert len(taken(store, keys(*range(30)))) == 30
    victim = next(path for path in files(store) if np.load(path)["keys"].shape[0] == 20)
    victim.write_bytes(damage(victim.read_bytes()))
    expected = {n: values(n + 20)[0].tolist() for n in range(10)}
    assert taken(store, keys(*range(20, 30), *range(20))) == expected
    put(store, *range(20))
    assert taken(store, keys(*range(30))) == {n: values(n)[0].tolist() for n in range(30)}


def test_the_index_knows_what_is_gone_and_what_is_new(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_NEW_FILES", 4)
    opened: list[str] = []
    real = vectors._keys_of
    monkeypatch.setattr(vectors, "_keys_of", lambda path: (opened.append(path), real(path))[1])
    for n in range(0, 40, 10):
        put(store, *range(n, n + 10))
    assert len(taken(store, keys(*range(40)))) == len(opened) * 10 == 40
    assert len(taken(store, keys(*range(40)))) == 40
    assert len(opened) == 4
    gone = files(store)[1]
    lost = np.load(gone)["keys"].shape[0]
    gone.unlink()
    put(store, 40)
    assert len(taken(store, keys(*range(41)))) == 41 - lost
    assert len(opened) == 5
    for path in (store.root / "indexes").rglob("*.npy"):
        path.write_bytes(b"damaged")
    assert len(taken(store, keys(*range(41)))) == 41 - lost


def test_several_processes_write_at_once(store: Store) -> None:
    script = (
        "import sys\nimport numpy as np\nfrom harness.store import Store\nfrom harness.vectors import Vectors\n"
        "from harness.files import digest_bytes\nfirst = int(sys.argv[2])\n"
        "for n in range(first, first + 30):\n"
        "    with Vectors(Store(sys.argv[1])) as writing:\n"
        "        writing.put([digest_bytes(str(n).encode())], np.full((1, 5), n, np.float32))\n"
        "        writing.count(['00' * 32])\n"
    )
    words = [sys.executable, "-c", script, str(store.root)]
    running = [subprocess.Popen([*words, str(first)]) for first in (0, 20)]
    assert [process.wait() for process in running] == [0, 0]
    assert taken(store, keys(*range(50))) == {n: [float(n)] * 5 for n in range(50)}


def test_something_else_in_the_folder_is_passed_over(store: Store) -> None:
    put(store, 1)
    folder = store.root / "vectors"
    (folder / "note.txt").write_text("hello")
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / "other.npy").write_bytes(b"x")
    np.save(folder / "ab" / "plain.npy", np.zeros(3))
    assert list(taken(store, keys(1))) == [0]


def test_a_hundred_thousand_are_found_at_once(store: Store) -> None:
    rng = np.random.default_rng(0)
    many = [rng.bytes(32).hex() for _ in range(100_000)]
    with Vectors(store) as writing:
        for start in range(0, len(many), 5000):
            writing.put(many[start : start + 5000], np.arange(start, start + 5000, dtype=np.float32)[:, None])
            writing.write()
    order = rng.permutation(len(many))
    got = np.full(len(many), -1.0)
    for positions, rows in Vectors(store).take([many[k] for k in order], 1):
        got[positions] = rows[:, 0]
    np.testing.assert_array_equal(got, order)


def test_damage_to_a_header_is_never_an_error(store: Store) -> None:
    put(store, 1, 2, 3)
    (victim,) = files(store)
    whole = victim.read_bytes()
    for at in range(128):
        for bit in (1, 16):
            victim.parent.mkdir(exist_ok=True)
            victim.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            assert taken(store, keys(1, 2, 3)) == {}


@pytest.mark.parametrize("damaged", [(0,), (2,), (0, 1, 2)])
def test_a_damaged_key_does_not_stay_in_the_index(
    store: Store, damaged: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_NEW_FILES", 1)
    put(store, 0, 1, 2)
    (victim,) = files(store)
    data = bytearray(victim.read_bytes())
    for number in damaged:
        data[data.index(bytes.fromhex(keys(number)[0]))] ^= 1
    victim.write_bytes(data)
    assert taken(store, keys(0, 1, 2)) == {}, "an index is written now, with the damaged keys"
    put(store, 0, 1, 2)
    assert sorted(taken(store, keys(0, 1, 2))) == [0, 1, 2]
    assert Vectors(store).count(keys(0, 1, 2)) == 3


@pytest.mark.parametrize("sizes", [(1, 3), (2, 2)])
def test_files_that_changed_places_give_no_wrong_vector_and_are_written_again(
    store: Store, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_NEW_FILES", 1)
    put(store, *range(sizes[0]))
    put(store, *range(10, 10 + sizes[1]))
    wanted = keys(*range(sizes[0]), *range(10, 10 + sizes[1]))
    expected = taken(store, wanted)
    a, b = files(store)
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    assert taken(store, wanted) == {}, "each has another's name in its checksum"
    put(store, *range(sizes[0]))
    put(store, *range(10, 10 + sizes[1]))
    assert taken(store, wanted) == expected
