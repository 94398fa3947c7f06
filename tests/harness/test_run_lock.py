"""One command at a time in a folder of results; a command that was killed locks nothing and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import FolderInUseError, SoundfoldError, TableError
from harness.run_lock import LOCK, check_complete, locks_folder, run_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock")
HOLD = """
import sys
from harness.run_lock import run_lock
with run_lock(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with the lock, until its input ends or it is killed."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process


def test_a_folder_is_locked_and_left_clean(tmp_path: Path) -> None:
    with run_lock(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).is_file()
        check_complete(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    check_complete(tmp_path / "run")


def test_the_second_is_refused_by_name_while_the_first_runs(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as first:
        for refused in (lambda: run_lock(tmp_path).__enter__(), lambda: check_complete(tmp_path)):
            with pytest.raises(FolderInUseError, match=f"process {first.pid} on .* writes there"):
                refused()
        with run_lock(tmp_path / "another"):
            pass
    with run_lock(tmp_path):
        pass


def test_a_killed_command_locks_nothing_and_its_temporary_files_go(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
    own = [".clips.csv.0123456789abcdef.part", "heads/.a.npz.71-0123abcd.part", ".model.0123456789abcdef.part/x"]
    others = [".hidden.part", "clips.csv", "images/.lock.part", f"images/{LOCK}", "images/.x.png.7-0123abcd.part"]
    for name in (*own, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.raises(TableError, match="was interrupted or failed; run it again"):
        check_complete(tmp_path)
    with run_lock(tmp_path):
        left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {LOCK, *others}, "a folder with a lock of its own is its owner's"
    check_complete(tmp_path)


def test_a_folder_of_a_failed_command_is_not_taken_for_whole(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), run_lock(tmp_path):
        raise ValueError("half")
    with pytest.raises(TableError, match="run it again, or remove"):
        check_complete(tmp_path)
    (tmp_path / LOCK).unlink()
    check_complete(tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_a_refused_command_leaves_the_folder_as_it_was(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    with pytest.raises(SoundfoldError, match="no such name"), run_lock(folder):
        raise SoundfoldError("no such name")
    assert list(tmp_path.rglob("*")) == [folder] * there
    check_complete(folder)


def test_a_function_has_the_lock_of_the_folder_that_it_is_given(tmp_path: Path) -> None:
    @locks_folder("out")
    def work(table: str, out: str | Path, *, jobs: int = 1) -> list[str]:
        return [table, str(jobs), *(p.name for p in Path(out).iterdir())]

    assert work("t", tmp_path, jobs=2) == work(out=str(tmp_path), table="t", jobs=2) == ["t", "2", LOCK]
    assert list(tmp_path.iterdir()) == []
