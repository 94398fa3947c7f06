"""Studies in processes of their own, what they leave behind, and how files are damaged."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from retrain_parts import small_module
from small_study import MERGES, sound_module, write_corpus, write_study

from harness.files import is_temporary
from harness.hub.lite import WEIGHTS
from harness.run_lock import LOCK

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("clips.csv", "predictions.csv", "metrics.csv", "ranking.csv", "differences.csv", "images/images.csv")


def tables(run: Path) -> dict[str, bytes]:
    """The tables of a finished run, ``duplicates.csv`` where there are duplicates."""
    named = [*TABLES, *(name for name in ("duplicates.csv", "failures.csv") if (run / name).exists())]
    return {name: (run / name).read_bytes() for name in named}


def left_behind(folder: Path) -> list[str]:
    """Temporary files and locks in a folder."""
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if is_temporary(p.name) or p.name == LOCK]


@dataclass
class Running:
    """A study in a process group of its own."""

    pid: int
    log: Path
    server: StudyServer

    def seconds_to_end(self) -> tuple[float, float]:
        """How long it still runs, and the seconds of a core that it uses for that; other work slows the former."""
        process, began = psutil.Process(self.pid), time.monotonic()
        before = sum(process.cpu_times()[:2])
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        return round(time.monotonic() - began, 2), round(sum(process.cpu_times()[:2]) - before, 2)

    def wait(self) -> int:
        """Exit code; negative where a signal ended it."""
        return self.server.ask({"wait": self.pid})

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    @property
    def stderr(self) -> str:
        """What it said so far, progress bars apart."""
        return self.log.with_suffix(".err").read_text(errors="replace")

    def errors(self) -> list[str]:
        """Lines that say what went wrong."""
        marks = ("error:", "warning:", "Traceback", "interrupted", "terminated")
        return [line for line in self.stderr.splitlines() if line.startswith(marks)]

    def processes(self, seconds: float = 10.0) -> list[psutil.Process]:
        """What is left of its session after a while, in which what waits for its end may leave."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) == self.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        _, left = psutil.wait_procs(found, timeout=seconds)
        return left


class StudyServer:
    """The process of ``fork_server.py``."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._count = 0
        command = [sys.executable, str(Path(__file__).with_name("fork_server.py"))]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def ask(self, request: dict[str, Any]) -> int:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, *arguments: object, **limits: Any) -> Running:
        """Begin ``study.py`` with these arguments."""
        self._count += 1
        log = self._logs / f"{self._count}.log"
        streams = {"stdout": str(log), "stderr": str(log.with_suffix(".err"))}
        return Running(self.ask({"run": [str(a) for a in arguments], **streams, **limits}), log, self)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Base:
    """A finished study that nothing disturbed: its file, its run, its store, how long it took, its tables."""

    home: Path
    server: StudyServer
    seconds: float = 0.0
    tables: dict[str, bytes] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The study."""
        return self.home / "small.toml"

    def start(self, out: Path, store: Path, *more: object, **limits: Any) -> Running:
        """Begin the study with another folder and store."""
        return self.server.start(self.file, "--out", out, "--store", store, "--jobs", 2, *more, **limits)

    def check(self, running: Running, out: Path) -> None:
        """Wait; the tables must be those of the undisturbed run, and nothing else be left."""
        code = running.wait()
        assert code == 0, running.stderr
        assert tables(out) == self.tables
        assert left_behind(out) == []


def undisturbed(home: Path, server: StudyServer) -> Base:
    """Run the study that is attacked: two encodings, two merges, a module for images, which TensorFlow Lite runs, and
    one for sounds."""
    modules = [small_module(home / "tiny", idle=WEIGHTS[0]), sound_module(home / "tiny_yamnet")]
    write_study(
        home / "small.toml", write_corpus(home / "sounds"), modules, encodings='["gray", "waveform"]', more=MERGES
    )
    base = Base(home, server)
    began = time.monotonic()
    running = base.start(home / "run", home / "store")
    assert running.wait() == 0, running.stderr
    assert left_behind(home) == []
    base.seconds = time.monotonic() - began
    base.tables = tables(home / "run")
    return base


def damage(path: Path, how: str, rng: random.Random) -> None:
    """Damage one file."""
    data = path.read_bytes()
    at = rng.randrange(max(1, len(data)))
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(data[:at])
    elif how == "longer":
        path.write_bytes(data + data[:at])
    elif how == "folder":
        path.unlink()
        path.mkdir()
    else:
        at = at if how == "flip" else rng.randrange(min(64, max(1, len(data))))  # in the header
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] if data else b"x")


def swap(paths: list[Path], rng: random.Random) -> None:
    """Put each file's content in another's place, by twos."""
    rng.shuffle(paths)
    for one, other in zip(paths[::2], paths[1::2], strict=False):
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)


def copy(source: Path, target: Path) -> Path:
    """Copy a folder, with the times of its files."""
    shutil.copytree(source, target, symlinks=True)
    return target
