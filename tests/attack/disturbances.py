"""Whole studies that are disturbed at random, killed, out of space, two and three at once, end as if nobody had."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attack.support import Base, Running, left_behind, tables

_LONGEST_S = 300.0

WAYS: dict[str, Callable[[Base, Path, random.Random], str]] = {}
"""By name: gives ``right`` or ``refused``, or raises AssertionError."""


def way(attack: Callable[[Base, Path, random.Random], str]) -> Callable[[Base, Path, random.Random], str]:
    """Register an attack under its name."""
    WAYS[attack.__name__] = attack
    return attack


@way
def killed(base: Base, home: Path, rng: random.Random) -> str:
    """SIGKILL at one to three random moments, then to the end."""
    for _ in range(rng.randint(1, 3)):
        running = base.start(home / "run", home / "store")
        time.sleep(rng.uniform(0, base.seconds))
        running.send(signal.SIGKILL)
        running.wait()
    return _finished(base, home)


@way
def full(base: Base, home: Path, rng: random.Random) -> str:
    """No file may be larger than a random size; then any may."""
    running = base.start(home / "run", home / "store", largest_file=int(10 ** rng.uniform(3, 5)))
    refused = _one_line(running)
    _finished(base, home)
    return "refused" if refused else "right"


@way
def two_alike(base: Base, home: Path, rng: random.Random) -> str:
    """Two equal ones on one folder and one store."""
    both = _started(base, home, rng, [(), ()])
    refused = [_one_line(running) for running in both]
    assert not all(refused), "both were refused"
    _finished(base, home)
    return "refused" if any(refused) else "right"


@way
def three_at_once(base: Base, home: Path, rng: random.Random) -> str:
    """Two equal ones and one with other settings on one folder and one store; then the first settings."""
    other = ("--set", "train.head=sgd")
    orders = [(), (), other]
    rng.shuffle(orders)
    refused = [_one_line(running) for running in _started(base, home, rng, orders)]
    assert not all(refused), "all were refused"
    _finished(base, home)
    return "refused" if any(refused) else "right"


@way
def three_on_one_store(base: Base, home: Path, rng: random.Random) -> str:
    """Three in folders of their own with one store, one of them with other settings."""
    more = [(), (), ("--set", "train.head=sgd")]
    running = [base.start(home / f"run{k}", home / "store", *words) for k, words in enumerate(more)]
    assert [each.wait() for each in running] == [0, 0, 0], [each.stderr for each in running]
    assert [tables(home / f"run{k}") == base.tables for k in (0, 1)] == [True, True], "other tables"
    assert left_behind(home) == []
    return "right"


def disturb(base: Base, home: Path, *, seed: int, tries: int) -> Iterator[tuple[str, int, str, str]]:
    """Kind, number, outcome (right, refused, wrong, traceback, hang) and details of every try."""
    names = list(WAYS)
    for number in range(tries):
        rng, name = random.Random(f"{seed} disturbed {number}"), names[number % len(names)]
        folder = home / f"try{number}"
        folder.mkdir()
        began = time.monotonic()
        try:
            outcome, details = WAYS[name](base, folder, rng), ""
        except AssertionError as error:
            details = str(error)
            outcome = "traceback" if "Traceback" in details else "wrong"
        if time.monotonic() - began > _LONGEST_S:
            outcome = "hang"
        shutil.rmtree(folder)
        yield name, number, outcome, details


def _started(base: Base, home: Path, rng: random.Random, orders: list[tuple[str, ...]]) -> list[Running]:
    running = []
    for words in orders:
        running.append(base.start(home / "run", home / "store", *words))
        time.sleep(rng.uniform(0, base.seconds / 2))
    return running


def _one_line(running: Running) -> bool:
    """Whether it was refused, and then in one line."""
    code = running.wait()
    assert code in (0, 1), running.stderr
    assert "Traceback" not in running.stderr, running.stderr
    assert code == 0 or sum(line.startswith("error:") for line in running.errors()) == 1, running.stderr
    return code == 1


def _finished(base: Base, home: Path) -> str:
    base.check(base.start(home / "run", home / "store"), home / "run")
    return "right"
