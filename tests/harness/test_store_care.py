"""`soundfold store`: what is in a store, whether it is whole, and nothing removed that is not the store's."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from small_study import write_corpus, write_study

import soundfold
from harness import vectors
from harness.errors import SettingsError, SoundfoldError
from harness.files import digest_bytes
from harness.installation import PACKAGES
from harness.store import Store
from harness.store_care import (
    as_age,
    as_size,
    compact,
    compacting,
    open_store,
    plan_prune,
    prune,
    pruning,
    record_use,
    recorded_runs,
    scanning,
    summarise,
    verify,
    verifying,
)
from harness.vectors import Vectors

ROOT = Path(soundfold.__file__).parent
DAY = 86400.0
WIDTH = 5


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def key(name: object) -> str:
    return digest_bytes(str(name).encode())


def age(path: Path, days: float) -> Path:
    at = time.time() - days * DAY
    os.utime(path, (at, at))
    return path


def put_image(store: Store, name: object, days: float = 0.0, size: int = 84) -> Path:
    store.put("images", key(name), bytes([len(str(name))]) * size, ".png")
    return age(store.path("images", key(name), ".png"), days)


def values(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.float32)[:, None] + np.arange(WIDTH, dtype=np.float32) / 8


def put_vectors(store: Store, *numbers: int, days: float = 0.0) -> Path:
    name = Vectors(store).write_file([key(n) for n in numbers], values(*numbers))
    return age(store.path("vectors", name, ".npy"), days)


def taken(store: Store, *numbers: int) -> dict[int, list[float]]:
    found = {}
    for positions, rows in Vectors(store).take([key(n) for n in numbers], WIDTH):
        found |= {numbers[p]: row.tolist() for p, row in zip(positions, rows, strict=True)}
    return found


def expected(*numbers: int) -> dict[int, list[float]]:
    return {n: values(n)[0].tolist() for n in numbers}


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def soundfold_store(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the installed command, run here."""
    monkeypatch.setattr(sys, "argv", ["soundfold", "store", *words])
    with pytest.raises(SystemExit) as leaving:
        soundfold.main()
    said = capsys.readouterr()
    return int(leaving.value.code or 0), said.out, said.err


# ---- what is in it


def test_the_summary_counts_entries_vectors_times_and_what_is_not_ours(store: Store) -> None:
    put_image(store, "a", days=40)
    put_image(store, "b")
    put_vectors(store, 1, 2, 3)
    store.put("heads", key("h"), b"head", ".npz")
    store.put_json("heads", key("h"), {"chosen": 1})
    (store.root / "images" / "ab").mkdir(exist_ok=True)
    (store.root / "images" / "ab" / "dog\nbark.png").write_bytes(b"mine")
    (store.root / "notes\n.txt").write_text("mine")
    record_use(store, "/runs/one", "train", [key("a")])
    found = summarise(store)
    assert (found.kinds["images"].entries, found.kinds["images"].size) == (2, 200)
    assert found.kinds["images"].newest_ns - found.kinds["images"].oldest_ns == pytest.approx(40 * DAY * 1e9, rel=1e-3)
    assert (found.kinds["vectors"].entries, found.kinds["vectors"].vectors) == (1, 3)
    assert found.kinds["heads"].entries == 1
    assert (found.other.entries, found.other_names) == (1, ["notes\n.txt"])
    assert "\n  also in this folder, never removed: notes\\n.txt\n" in str(found)
    assert "/runs/one (train; " in str(found)


def test_an_empty_store_and_a_store_that_is_not_there_yet(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        for words in ([], ["verify"], ["prune", "--to-size", "0"], ["compact"]):
            code, out, err = soundfold_store(capsys, monkeypatch, *words, "--store", str(store.root))
            assert (code, err) == (0, ""), words
            assert out
        store.root.mkdir(exist_ok=True)
    assert list(store.root.iterdir()) == []


def kinds_written() -> Iterator[str]:
    """The first argument of every ``put``, ``put_array`` and ``put_json`` in the product."""
    for path in (p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in parsed.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            if isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(parsed):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) >= 3:
                kind = node.args[0]
                if node.func.attr in {"put", "put_array", "put_json"} and ast.unparse(node.func.value) != "self":
                    yield kind.value if isinstance(kind, ast.Constant) else constants.get(ast.unparse(kind), "")


def test_every_kind_that_is_written_is_known() -> None:
    written = set(kinds_written()) - {""}  # another module's constant is found where it is defined
    assert {"images", "vectors", "heads", "fingerprints", "duplicates", "digests", "peaks", "modules"} <= written
    assert written <= set(scanning.KINDS)


@pytest.mark.parametrize("words", [[], ["verify", "--remove"], ["prune", "--force", "--older-than", "1m"], ["compact"]])
def test_a_folder_that_is_no_store_is_refused(
    words: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("images/dog.png", "heads/notes.json", "a.wav"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"mine")
    before = tree(home)
    code, out, err = soundfold_store(capsys, monkeypatch, *words, "--store", str(home))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: --store '{home}': this folder is not a store")
    assert err.count("\n") == 1
    assert tree(home) == before
    assert soundfold_store(capsys, monkeypatch, *words, "--store", str(home / "a.wav"))[2].count("is a file") == 1


def test_a_store_at_a_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="only a store in a folder"):
        open_store("s3://bucket/store")
    monkeypatch.setenv("SOUNDFOLD_STORE", "s3://bucket/store")
    with pytest.raises(SettingsError, match="only a store in a folder"):
        open_store()


# ---- verify

DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "bit": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("kind", ["images", "vectors", "heads", "digests", "indexes", "runs"])
def test_what_is_damaged_is_named_and_removed_and_nothing_else(kind: str, damage, store: Store) -> None:
    put_image(store, "a")
    put_vectors(store, 1, 2)
    record_use(store, "/runs/one", "train", [key("a")])
    suffix = scanning.KINDS[kind].suffixes[0]
    store.put(kind, key("victim"), b"x" * 100, suffix)
    victim = store.path(kind, key("victim"), suffix)
    assert verify(store).damaged == []
    before = tree(store.root)
    damage(victim)
    found = verify(store)
    assert [(each.path, each.file.kind, each.removed) for each in found.damaged] == [(victim, kind, False)]
    assert [each.removed for each in verify(store, remove=True).damaged] == [True]
    before.pop(str(victim.relative_to(store.root)))
    assert tree(store.root) == before
    assert verify(store).damaged == []


def test_entries_in_each_other_s_place_are_damaged(store: Store) -> None:
    a, b = put_image(store, "a"), put_image(store, "bb")
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    assert {each.path for each in verify(store).damaged} == {a, b}


def test_verify_leaves_with_1_where_there_is_damage(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = put_image(store, "a")
    words = ("--store", str(store.root))
    assert soundfold_store(capsys, monkeypatch, "verify", *words)[0] == 0
    victim.write_bytes(b"damaged, and longer than the checksum")
    code, out, err = soundfold_store(capsys, monkeypatch, *words, "verify", "--remove")
    assert code == 1
    assert f"warning: '{victim}' (images): its checksum does not match; removed\n" == err
    assert "1 damaged" in out
    assert soundfold_store(capsys, monkeypatch, "verify", *words)[0] == 0


def test_what_goes_or_is_written_while_the_store_is_verified_is_not_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, new = put_image(store, "gone"), put_image(store, "new")
    new.write_bytes(b"half")
    real = verifying.scan

    def scan_then_change(which: Store) -> list[scanning.StoreFile]:
        found = list(real(which))
        gone.unlink()
        put_image(store, "new")
        put_image(store, "later")
        return found

    monkeypatch.setattr(verifying, "scan", scan_then_change)
    assert verify(store, remove=True).damaged == []
    assert new.is_file()


# ---- prune


def test_by_age_goes_what_is_older_and_nothing_is_removed_by_a_dry_run(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = put_image(store, "old", days=31), put_image(store, "new", days=29)
    old_vectors = put_vectors(store, 1, days=31)
    words = ("prune", "--older-than", "30d", "--store", str(store.root))
    code, out, _ = soundfold_store(capsys, monkeypatch, *words, "--dry-run")
    assert code == 0
    assert "would remove" in out
    assert old.is_file()
    code, out, _ = soundfold_store(capsys, monkeypatch, *words, "--kind", "images")
    assert (old.exists(), new.exists(), old_vectors.exists()) == (False, True, True)
    assert "removed 1 file, 100 B" in out
    soundfold_store(capsys, monkeypatch, *words)
    assert not old_vectors.exists()


def test_by_size_the_oldest_go_until_the_rest_fits(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [put_image(store, n, days=10 - n) for n in range(5)]
    young = put_image(store, "young")
    prune(store, plan_prune(store, to_size=420))
    assert [p.exists() for p in (*paths, young)] == [False, False, True, True, True, True]
    code, out, err = soundfold_store(capsys, monkeypatch, "prune", "--to-size", "0", "--store", str(store.root))
    assert (code, [p.exists() for p in (*paths, young)]) == (1, [False] * 5 + [True])
    assert "1 file was written or used within the last hour" in out
    assert err == "warning: 100 B are left, more than --to-size 0\n"
    assert (
        soundfold_store(capsys, monkeypatch, "prune", "--to-size", "0", "--force", "--store", str(store.root))[0] == 0
    )
    assert not young.exists()


def test_leftovers_go_and_what_is_being_written_does_not(store: Store) -> None:
    entry = put_image(store, "a", days=400)
    part, dead = (entry.with_name(f".{key(n)[:40]}.77-0123abcd.part") for n in "xy")
    part.write_bytes(b"being written")
    dead.write_bytes(b"of a killed run")
    age(dead, 2)
    store.put_array("features", key("f"), np.zeros(3))
    age(store.path("features", key("f"), ".npy"), 2)
    assert prune(store, plan_prune(store, force=True)).files == 2
    assert (entry.exists(), part.exists(), dead.exists()) == (True, True, False)
    assert not (store.root / "features").exists()


def test_what_is_not_named_like_an_entry_is_never_removed(store: Store, tmp_path: Path) -> None:
    folder = put_image(store, "a", days=400).parent
    outside = tmp_path / "outside"
    outside.mkdir()
    other = Store(tmp_path / "other")
    theirs = put_vectors(other, 1, days=400)
    (outside / "precious.png").write_bytes(b"x")
    for name in (key("a") + ".jpg", "new\nline.png", ".hidden", key("elsewhere") + ".png"):
        age(folder / name, 400) if (folder / name).write_bytes(b"mine") else None
    (folder / f"{folder.name}{'0' * 62}.png").symlink_to(outside / "precious.png")
    (store.root / "images" / "00").symlink_to(outside)
    (store.root / "vectors").symlink_to(other.root / "vectors")
    before, beyond = tree(store.root), tree(outside)
    prune(store, plan_prune(store, to_size=0, older_than_s=0, force=True))
    assert before.keys() - tree(store.root).keys() == {f"images/{folder.name}/{key('a')}.png"}
    assert tree(outside) == beyond
    assert theirs.is_file()
    assert taken(store, 1) == expected(1)


def test_an_entry_that_changes_after_the_plan_is_not_removed(store: Store) -> None:
    path, gone = put_image(store, "a", days=9), put_image(store, "b", days=9)
    plan = plan_prune(store, older_than_s=DAY)
    put_image(store, "a")
    gone.unlink()
    done = prune(store, plan)
    assert (done.files, done.changed, path.is_file()) == (0, 2, True)


def test_a_store_that_cannot_be_written_to_is_one_line(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_image(store, "a", days=9)
    with monkeypatch.context() as patched:
        patched.setattr(pruning.os, "unlink", lambda name: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
        code, _, err = soundfold_store(capsys, patched, "prune", "--older-than", "1d", "--store", str(store.root))
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"error: '{path}': cannot be removed (Read-only file system); 0 files were removed before it")


def test_by_run_goes_what_no_other_run_used(store: Store, tmp_path: Path) -> None:
    for run, names in {"one": "ab", "two": "bc"}.items():
        (tmp_path / run / "images").mkdir(parents=True)
        record_use(store, tmp_path / run / "images", "convert", [key(name) for name in names])
    paths = {name: put_image(store, name, days=2) for name in "abcd"}
    mixed, own = put_vectors(store, 1, 2, 3, days=2), put_vectors(store, 4, days=2)
    record_use(store, tmp_path / "one", "train", [key(n) for n in (1, 2, 4)])
    record_use(store, tmp_path / "two", "train", [key(n) for n in (2, 3)])
    plan = plan_prune(store, runs=[tmp_path / "one"])
    assert plan.vectors == 1
    prune(store, plan)
    assert [name for name, path in paths.items() if path.exists()] == ["b", "c", "d"]
    assert (mixed.exists(), own.exists()) == (False, False)
    assert taken(store, 1, 2, 3, 4) == expected(2, 3)
    assert {Path(record.folder).name for record in recorded_runs(store)} == {"images", "two"}
    with pytest.raises(SettingsError, match="no record of what this run used"):
        plan_prune(store, runs=[tmp_path / "one"])
    with pytest.raises(SettingsError, match="no record"):
        plan_prune(store, runs=[tmp_path / "tw"])


def test_what_a_step_used_earlier_is_still_its_own(store: Store, tmp_path: Path) -> None:
    paths = [put_image(store, name, days=2) for name in "ab"]
    for name in "ab":
        record_use(store, tmp_path / "run", "convert", [key(name)])
    prune(store, plan_prune(store, runs=[tmp_path / "run"]))
    assert [path.exists() for path in paths] == [False, False]
    assert recorded_runs(store) == []


@pytest.mark.long
def test_a_study_records_what_it_used(tmp_path: Path, tiny_module: str) -> None:
    write_corpus(tmp_path / "sounds")
    for name, encodings in {"one": '["gray"]', "two": '["gray", "waveform"]'}.items():
        study = write_study(tmp_path / f"{name}.toml", tmp_path / "sounds", [tiny_module], encodings=encodings)
        soundfold.study(study, out=tmp_path / name, store=tmp_path / "store")
    store = Store(tmp_path / "store")
    before = summarise(store).kinds
    prune(store, plan_prune(store, runs=[tmp_path / "one"], force=True))
    after = summarise(store).kinds
    assert [after[kind].entries for kind in ("images", "heads")] == [54, 2]
    assert after["vectors"].vectors == before["vectors"].vectors == 54
    prune(store, plan_prune(store, runs=[tmp_path / "two"], force=True))
    assert not {"images", "vectors", "heads", "runs"} & set(summarise(store).kinds)


def test_an_entry_that_is_read_is_marked_as_used_once_a_day(store: Store) -> None:
    path = put_image(store, "a", days=9)
    verify(store)
    assert len(plan_prune(store, older_than_s=DAY).files) == 1
    store.get("images", key("a"), ".png")
    assert not plan_prune(store, older_than_s=DAY)
    marked = age(path, 0.5).stat().st_mtime_ns
    store.get("images", key("a"), ".png")
    assert path.stat().st_mtime_ns == marked


def test_runs_whose_folders_are_gone(store: Store, tmp_path: Path) -> None:
    paths = [put_image(store, name, days=2) for name in "ab"]
    for name in "ab":
        (tmp_path / name).mkdir()
        record_use(store, tmp_path / name, "convert", [key(name)])
    (tmp_path / "a").rmdir()
    assert not plan_prune(store)
    prune(store, plan_prune(store, deleted_runs=True))
    assert [path.exists() for path in paths] == [False, True]


def test_a_damaged_record_of_another_run_stops_pruning_by_run(store: Store, tmp_path: Path) -> None:
    for name in "ab":
        record_use(store, tmp_path / name, "convert", [key(name)])
    victim = next(record for record in recorded_runs(store) if record.folder.endswith("b"))
    store.path("runs", victim.key, ".npy").write_bytes(b"damaged")
    with pytest.raises(SettingsError, match=r"record of .* \(convert\) is damaged"):
        plan_prune(store, runs=[tmp_path / "a"])


# ---- compact


def test_small_files_are_joined_and_no_vector_is_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_NEW_FILES", 2)
    for n in range(0, 40, 4):
        put_vectors(store, *range(n, n + 6), days=50 - n)
    other_width = Vectors(store).write_file([key("w")], np.ones((1, 3), np.float32))
    age(store.path("vectors", other_width, ".npy"), 2)
    young = put_vectors(store, 100)
    damaged = put_vectors(store, 200, days=3)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    age(damaged, 3)
    assert Vectors(store).count([key(n) for n in range(42)]) == 42  # there is an index now
    done = compact(store)
    assert (done.before, done.after, done.young) == (10, 1, 1)
    assert done.freed > 0
    assert young.is_file()
    newest = next(f for f in scanning.scan(store) if f.kind == "vectors" and f.size > young.stat().st_size * 5)
    assert time.time() - newest.changed_ns / 1e9 == pytest.approx(14 * DAY, abs=60)
    assert taken(store, *range(42), 100) == expected(*range(42), 100)
    assert compact(store).before == 0


def test_a_file_that_has_all_of_the_other_stays(store: Store) -> None:
    put_vectors(store, 1, days=3)
    whole = put_vectors(store, 1, 2, days=2)
    assert compact(store).before == 2
    assert whole.is_file()
    assert taken(store, 1, 2) == expected(1, 2)


def test_a_reader_during_compacting_gets_right_vectors_or_none(store: Store) -> None:
    for n in range(20):
        put_vectors(store, n, days=3)
    reading = Vectors(store)
    index = reading._index()
    reading._index = lambda: index  # type: ignore[method-assign]
    compact(store)
    assert all(len(rows) == 0 for _, rows in reading.take([key(n) for n in range(20)], WIDTH))
    assert taken(store, *range(20)) == expected(*range(20))


def test_nothing_is_removed_where_the_joined_file_cannot_be_read_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        put_vectors(store, n, days=3)
    monkeypatch.setattr(Store, "check", lambda *_: False)
    with pytest.raises(SoundfoldError, match="read back"):
        compact(store)
    assert taken(store, 0, 1, 2) == expected(0, 1, 2)


def test_a_read_only_store_is_not_compacted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        put_vectors(store, n, days=3)
    monkeypatch.setattr(Store, "put", lambda *_: None)  # it warns, and goes without
    with pytest.raises(SoundfoldError, match="read-only"):
        compact(store)
    assert taken(store, 0, 1, 2) == expected(0, 1, 2)


def test_compacting_killed_at_any_moment_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        put_vectors(store, n, days=3)
    real, calls = compacting._unlink, []

    def stop(path: str) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(path)

    monkeypatch.setattr(compacting, "_unlink", stop)
    with pytest.raises(KeyboardInterrupt):
        compact(store)
    assert taken(store, *range(6)) == expected(*range(6))
    monkeypatch.undo()
    compact(store)
    assert taken(store, *range(6)) == expected(*range(6))


def test_two_at_once_while_a_third_writes(store: Store) -> None:
    for n in range(30):
        put_vectors(store, n, n + 1, days=3)
    script = (
        "import sys\nfrom harness.store import Store\nfrom harness.store_care import compact\n"
        "compact(Store(sys.argv[1]), force=True)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(store.root)]) for _ in range(2)]
    for n in range(100, 130):
        put_vectors(store, n)
    assert [process.wait() for process in running] == [0, 0]
    assert taken(store, *range(31), *range(100, 130)) == expected(*range(31), *range(100, 130))


# ---- words


@pytest.mark.parametrize("text", ["30", "d", "-1d", "1e3d", "30 days", ""])
def test_ages_need_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--older-than .*: expected a number"):
        as_age(text, name="--older-than")


@pytest.mark.parametrize("text", ["5", "GB", "-1GB", "5 elephants", "", "nan"])
def test_sizes_need_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--to-size .*: expected a number"):
        as_size(text, name="--to-size")


def test_an_unknown_kind_is_named(store: Store) -> None:
    with pytest.raises(SettingsError, match="did you mean 'images'"):
        plan_prune(store, kinds=["imges"])
