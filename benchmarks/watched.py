"""Run a command and watch it: wall clock, CPU, the memory of all its processes together, when each line came."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Watched", "watch"]

_EVERY_S = 0.2  # a sample of the memory ...
_SHARE = 0.02  # ... unless taking them would take more than this share of the time


@dataclass
class Watched:
    """What a command took.

    Parameters
    ----------
    seconds, cpu_s : float
        Wall clock; CPU of the process and of all processes that it waited for.
    peak_mb : float
        Most memory of all processes at one moment, in 10^6 bytes: proportional set size, in which shared pages count
        once, where the system has it; else resident set size.
    lines : list of (float, str)
        Lines of stdout and stderr, with the seconds since the start.
    memory : list of (float, float)
        Samples of the memory: seconds since the start, 10^6 bytes.
    code : int
        The exit code.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    lines: list[tuple[float, str]] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    code: int = 0

    def peak_until(self, start: float, end: float) -> float:
        """The most memory between two moments, in 10^6 bytes."""
        return max((mb for at, mb in self.memory if start <= at <= end), default=0.0)


def watch(words: Sequence[str], *, echo: bool = True, cwd: str | Path | None = None) -> Watched:
    """Run a command to its end, in `cwd`; print its lines as they come, unless `echo` is false."""
    found, started = Watched(), time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)
    done = threading.Event()
    sampler = threading.Thread(target=_sample, args=(process.pid, found, started, done))
    sampler.start()
    assert process.stdout is not None
    for line in process.stdout:
        found.lines.append((time.monotonic() - started, line.rstrip("\n")))
        if echo:
            print(f"  {found.lines[-1][0]:7.1f} s  {found.lines[-1][1][:150]}", flush=True)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = found.code = os.waitstatus_to_exitcode(status)
    found.seconds = time.monotonic() - started
    found.cpu_s = used.ru_utime + used.ru_stime
    done.set()
    sampler.join()
    found.peak_mb = max((mb for _, mb in found.memory), default=0.0)
    return found


def _sample(pid: int, found: Watched, started: float, done: threading.Event) -> None:
    took = 0.0
    while not done.wait(max(_EVERY_S, took / _SHARE)):
        begun = time.monotonic()
        try:
            root = psutil.Process(pid)
            total = sum(_bytes_of(each) for each in [root, *root.children(recursive=True)])
        except psutil.NoSuchProcess:
            continue
        found.memory.append((time.monotonic() - started, total / 1e6))
        took = time.monotonic() - begun


def _bytes_of(process: psutil.Process) -> int:
    """Memory of one process; 0 where it has ended."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith(b"Pss:"))
    except (OSError, StopIteration):
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
