"""A study that is killed, interrupted or run twice at once gives the tables of one that nobody disturbed."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from attack.support import Base, Running, left_behind


def disturb(base: Base, out: Path, store: Path, number: signal.Signals, rng: random.Random) -> tuple[Running, bool]:
    """Begin a study, and send a signal at a random moment; whether it was still running."""
    running = base.start(out, store)
    time.sleep(rng.uniform(0, base.seconds))
    alive = psutil.Process(running.pid).status() != psutil.STATUS_ZOMBIE
    running.send(number)
    return running, alive


def kill_and_finish(base: Base, tmp_path: Path, moments: int, *, in_a_row: int, seed: int) -> None:
    """Kill a study some times in a row, let it finish, and begin again, until it was killed at so many moments."""
    rng, killed, name = random.Random(seed), 0, 0
    while killed < moments:
        name += 1
        out, store = tmp_path / f"run{name}", tmp_path / f"store{name}"
        for _ in range(min(in_a_row, moments - killed)):
            running, alive = disturb(base, out, store, signal.SIGKILL, rng)
            killed += running.wait() == -signal.SIGKILL
            if not alive:  # it was done: the next would only read
                break
        base.check(base.start(out, store), out)


@pytest.mark.long
def test_killed_three_times(base: Base, tmp_path: Path) -> None:
    kill_and_finish(base, tmp_path, 3, in_a_row=3, seed=0)


@pytest.mark.long
def test_killed_thirty_times(base: Base, tmp_path: Path) -> None:
    kill_and_finish(base, tmp_path, 30, in_a_row=5, seed=1)


def interrupt(base: Base, tmp_path: Path, number: signal.Signals, *, times: int, code: int, seed: int) -> None:
    rng, out, store, waits = random.Random(seed), tmp_path / "run", tmp_path / "store", []
    for _ in range(times):
        running, alive = disturb(base, out, store, number, rng)
        waits.append(running.seconds_to_end())
        given = running.wait()
        done = given in (0, -number) and "\nmodel " in running.log.read_text()  # Python itself was leaving
        assert given == code or done or not alive, (given, running.stderr)
        if given == code:
            assert [e.split(":")[0] for e in running.errors()] == ["interrupted"], running.stderr
        assert running.processes() == []
    print(f"{number.name}: seconds to leave, and seconds of a core that it used: {waits}")
    base.check(base.start(out, store), out)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_in_the_middle(base: Base, tmp_path: Path, number: signal.Signals, code: int) -> None:
    interrupt(base, tmp_path, number, times=1, code=code, seed=5)


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_ten_times(base: Base, tmp_path: Path, number: signal.Signals, code: int) -> None:
    interrupt(base, tmp_path, number, times=10, code=code, seed=6)


def test_two_at_once_on_one_store_and_on_one_folder(base: Base, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, other = base.start(tmp_path / "a", store), base.start(tmp_path / "b", store)
    while not list(tmp_path.glob("a/.soundfold.lock")):
        time.sleep(0.02)
    second = base.start(tmp_path / "a", store, "--set", "train.head=sgd")
    assert second.wait() == 1
    (line,) = second.errors()
    assert f"process {first.pid} on " in line
    assert str(tmp_path / "a") in line
    base.check(first, tmp_path / "a")
    base.check(other, tmp_path / "b")
    assert left_behind(tmp_path) == []
