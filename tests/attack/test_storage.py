"""A full disk is one clear line and no harm; a store that nobody may write to is read."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack.support import Base, Running, left_behind


class SmallDisk:
    """A file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def mount(self, size: str, *, again: bool = False) -> None:
        """Make it, or make it larger."""
        options = f"{'remount,' if again else ''}size={size}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """One that can be mounted."""
    disk = SmallDisk(tmp_path / "disk")
    try:
        disk.mount("1m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs root, to mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)


def check_refused(running: Running, *, named: Path | str, reason: str) -> None:
    """One line that names a file and the reason, and exit code 1."""
    assert running.wait() == 1, running.stderr
    (line,) = running.errors()
    assert line.startswith(f"error: {named}"), line
    assert reason in line
    assert running.processes() == []


def fill_and_resume(base: Base, disk: SmallDisk, tmp_path: Path, what: str, size: str) -> None:
    """Run with the store or the run folder on a disk that is too small, then with space."""
    out, store = (disk.folder, tmp_path / "store") if what == "out" else (tmp_path / "run", disk.folder)
    disk.mount(size, again=True)
    check_refused(base.start(out, store), named=disk.folder, reason="No space left on device")
    disk.mount("50m", again=True)
    base.check(base.start(out, store), out)
    assert left_behind(disk.folder) == []


@pytest.mark.long
@pytest.mark.parametrize(("what", "size"), [("store", "100k"), ("out", "100k")])
def test_a_full_disk(base: Base, disk: SmallDisk, tmp_path: Path, what: str, size: str) -> None:
    fill_and_resume(base, disk, tmp_path, what, size)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_a_disk_that_is_full_at_some_moment(base: Base, disk: SmallDisk, tmp_path: Path, seed: int) -> None:
    rng, what = random.Random(seed), ("store", "out")[seed % 2]
    folder = base.home / ("store" if what == "store" else "run")
    files = [p for p in folder.rglob("*") if p.is_file() and p.parent.parent.name != "code"]  # goes without that
    needed = sum(-(-p.stat().st_size // 4096) * 4 for p in files)  # kB
    fill_and_resume(base, disk, tmp_path, what, f"{round(needed * rng.uniform(0.1, 0.9))}k")


def test_a_file_that_may_not_be_so_large(base: Base, tmp_path: Path) -> None:
    out, store = tmp_path / "run", tmp_path / "store"
    shutil.copytree(base.home / "store", store)
    check_refused(base.start(out, store, largest_file=30_000), named=out, reason="File too large")
    base.check(base.start(out, store), out)


@pytest.mark.parametrize("what", ["whole", pytest.param("empty", marks=pytest.mark.long)])
def test_a_read_only_store(base: Base, tmp_path: Path, what: str) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    if what == "whole":
        shutil.copytree(base.home / "store", store)
    store.mkdir(exist_ok=True)
    limits = {"read_only": str(store)} if os.geteuid() == 0 else {}
    if not limits:
        subprocess.run(["chmod", "-R", "a-w", str(store)], check=True)
    running = base.start(out, store, **limits)
    base.check(running, out)
    (line,) = running.errors()
    assert line.startswith(f"warning: store {store} cannot be written to")
    assert ("; 0 new feature vectors" in running.stderr) == (what == "whole")
    subprocess.run(["chmod", "-R", "u+w", str(store)], check=True)
