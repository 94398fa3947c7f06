"""Commands come to an end: their processes, in one line; and what they left goes with the next."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from attack.support import left_behind

from harness import tables
from harness.cli import guard
from harness.files import atomic_folder, atomic_path, write_bytes
from harness.run_lock import LOCK, run_lock
from harness.store import Store
from harness.store_care.leftovers import remove_leftovers
from harness.tables import CLIPS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
BUSY = """
import sys
from attack.dying import wait_long
from harness.cli import main
from harness.parallel import in_parallel
main(lambda: print(list(in_parallel(wait_long, [sys.argv[1] + "/1", sys.argv[1] + "/2"], jobs=2, what="x"))))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_19_no_worker_outlives_its_command_for_long(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, "-c", BUSY, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    while len(list(tmp_path.glob("*"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)  # until nobody has the pipe any more
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
    if number != signal.SIGKILL:
        assert out == "interrupted: run the same command again to go on where it stopped\n"


def test_19_what_a_killed_process_was_writing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put("images", "ab12", b"whole")
    folder = tmp_path / "images" / "ab"

    def killed(part: str, path: str) -> None:
        raise SystemExit

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for number in (ended.pid, os.getpid()):
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(os, "getpid", lambda number=number: number)
            patch.setattr(os, "replace", killed)
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            write_bytes(folder / "cd34", b"half")
    left = [path.name for path in folder.glob(".cd34*")]
    assert len(left) == 2
    assert remove_leftovers(Store(tmp_path, writes=False)) == 0
    assert remove_leftovers(store) == 1
    (own,) = folder.glob(".cd34*")  # of this process, which may be writing it just now
    assert f".{os.getpid()}-" in own.name
    assert store.get("images", "ab12") == b"whole"


PRINTING = "from harness.cli import main, say\nmain(lambda: [say('x' * 100) for _ in range(20_000)] and 0)"


def printing(stdout: int) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PRINTING]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, timeout=60)
    return done.returncode, done.stderr


def test_16_a_closed_pipe_is_the_end_without_a_word() -> None:
    read, write = os.pipe()
    os.close(read)
    assert printing(write) == (1, "")
    os.close(write)


def test_16_a_full_output_is_named() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    full = os.open("/dev/full", os.O_WRONLY)
    assert printing(full) == (1, "error: standard output: No space left on device\n")
    os.close(full)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("writer", ["write_bytes", "atomic_path", "atomic_folder", "store", "table", "lock"])
def test_16_whatever_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], writer: str, code: int
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    writers = {
        "write_bytes": lambda: write_bytes(out / "x", b"x"),
        "atomic_path": lambda: write_with(atomic_path(out / "x")),
        "atomic_folder": lambda: write_with(atomic_folder(out / "x")),
        "store": lambda: Store(out).put("images", "ab", b"x"),
        "table": lambda: tables.write(tables.frame([], CLIPS), out / "x", CLIPS),
        "lock": lambda: write_with(run_lock(out)),
    }

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "truncate"):
            patch.setattr(os, name, fail)
        patch.setattr(Path, "replace", fail)
        patch.setattr(Path, "rename", fail)
        given = guard(writers[writer])
    said = capsys.readouterr().err
    if writer == "store" and code in (errno.EACCES, errno.EROFS):  # a store that may only be read is gone without
        assert given == 0
    else:
        assert given == 1
        assert said.startswith(f"error: {out}")
        assert said.endswith(f"{os.strerror(code)}\n")
        assert said.count("\n") == 1
    assert left_behind(out) in ([], [LOCK])
    assert guard(writers[writer]) == 0  # once it can be


def write_with(context: AbstractContextManager[object]) -> None:
    with context:
        pass
