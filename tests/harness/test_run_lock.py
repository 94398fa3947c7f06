"""One command at a time in a folder of results; a command that was killed locks nothing and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.audio import write_wav
from harness.errors import FolderInUseError, SettingsError, SoundfoldError, TableError
from harness.run_lock import LOCK, check_complete, locks_folder, run_lock
from harness.tables import CLIPS, PREDICTIONS, frame, write

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


def test_who_has_the_lock_goes_on_and_another_thread_does_not(tmp_path: Path) -> None:
    with run_lock(tmp_path), run_lock(tmp_path), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(lambda: run_lock(tmp_path).__enter__()).exception()
    assert isinstance(refused, FolderInUseError)
    assert list(tmp_path.iterdir()) == []


def test_what_a_stopped_addition_leaves_is_whole_but_for_what_was_in_doubt_before(tmp_path: Path) -> None:
    """An evaluation that is stopped can be repeated; it does not make a stopped study whole."""
    with pytest.raises(ValueError, match="stopped"), run_lock(tmp_path, adds=True):
        raise ValueError("stopped")
    check_complete(tmp_path)
    with run_lock(tmp_path, adds=True):
        assert (tmp_path / LOCK).read_bytes().startswith(b"addition by process ")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="stopped"), run_lock(tmp_path):
        raise ValueError("stopped")
    with run_lock(tmp_path, adds=True):
        pass
    with pytest.raises(ValueError, match="stopped"), run_lock(tmp_path, adds=True):
        raise ValueError("stopped")
    with pytest.raises(TableError, match="run it again, or remove"):
        check_complete(tmp_path)
    with run_lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


WRITERS = {
    "arrange": "from corpora.arranging import arrange_table as f; f('{home}/clips.csv', '{out}')",
    "scan": "from corpora.scanning import scan_to_table as f; f('folders', '{home}/corpus', out='{out}/clips.csv')",
    "evaluate": "from evaluator.evaluation import evaluate as f; f('{home}/run', out='{out}')",
    "compare": "from evaluator.evaluation import compare_runs as f; f(['{home}/run'], out='{out}')",
    "lay_out": "from trainer.layout import lay_out as f; f(None, '{out}')",
    "train": "from trainer.from_tables import train_images as f; f('{home}/images.csv', '{out}')",
    "convert": "from converter.pipeline import convert_clips as f; f(None, dict(), '{out}', store=None)",
    "merge": "from merger.pipeline import merge_images as f; f(None, '', dict(), '{out}', store=None)",
    "study": "from study import run_study as f; f(None, '{out}')",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_no_command_writes_where_another_does(writer: str, tmp_path: Path) -> None:
    """Two with different settings would leave tables that belong to neither."""
    home, out = tmp_path / "home", tmp_path / "out"
    write(frame([], CLIPS), home / "clips.csv", CLIPS)
    tone = np.sin(np.arange(800) / 5)
    for n, label in enumerate("ab"):
        write_wav(home / "corpus" / label / "x.wav", tone / (n + 1), 8000)
    rows = [
        {"clip_id": str(n), "encoding": "e", "module": "m", "head": "h", "seed": "0", "fold": str(n % 2), "label": "a",
         "predicted": "a", "p:a": 0.5, "p:b": 0.5}
        for n in range(4)
    ]  # fmt: skip
    write(frame(rows, PREDICTIONS), home / "run" / PREDICTIONS.name, PREDICTIONS)
    with ExitStack() as stack:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(stack.enter_context, run_lock(out)).result()
        with pytest.raises(
            FolderInUseError, match=rf"^{out}: process {os.getpid()} on .* writes there; wait until it is"
        ):
            exec(WRITERS[writer].format(home=home, out=out), {})
        assert [path.name for path in out.iterdir()] == [LOCK]


def test_a_folder_whose_path_no_table_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="its path is not UTF-8"), run_lock(tmp_path / "run\udcff"):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []
