"""Several processes give what one gives, in the same order."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from textwrap import dedent
from threading import Thread

import pytest

from harness.errors import SettingsError, SoundfoldError, WorkerError
from harness.parallel import check_jobs, end_idle_workers, end_workers, in_parallel, own_worker, start_workers


def test_processes_equal_one() -> None:
    items = list(range(20))
    alone = list(in_parallel(math.factorial, items, jobs=1, what="x"))
    assert list(in_parallel(math.factorial, items, jobs=2, what="x")) == alone == [math.factorial(n) for n in items]


def test_as_many_as_there_are_cores() -> None:
    assert list(in_parallel(abs, [-3, 2, -1], jobs=-1, what="counting")) == [3, 2, 1]


def test_nothing_to_do() -> None:
    assert list(in_parallel(abs, [], jobs=2, what="x")) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_comes_out_as_itself(jobs: int) -> None:
    with pytest.raises(SoundfoldError, match="jobs=-7"):
        list(in_parallel(check_jobs, [1, -7, 2], jobs=jobs, what="x"))


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_worker_is_named_in_one_line() -> None:
    with pytest.raises(WorkerError, match=r"^drawing: a worker process was killed.* run the same command again"):
        list(in_parallel(_die_at_three, list(range(6)), jobs=2, what="drawing"))
    assert list(in_parallel(abs, [-1, -2], jobs=2, what="drawing")) == [1, 2], "the next has workers again"


def _die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_one_job_stays_in_this_process() -> None:
    assert set(in_parallel(_process, [0, 1], jobs=1, what="x")) == {os.getpid()}


def _process(_: int) -> int:
    return os.getpid()


def test_a_call_begun_in_a_worker_goes_on_beside_the_block() -> None:
    with own_worker(jobs=2, imports=["colorsys"]) as begin:
        waits = [begin(os.getpid), begin(partial(eval, "'colorsys' in __import__('sys').modules"))]
        assert list(in_parallel(abs, [-1, -2], jobs=2, what="x")) == [1, 2], "others have workers meanwhile"
        assert waits[0]() != os.getpid()
        assert waits[1](), "what it was to import"
    with own_worker(jobs=1) as begin:
        assert begin(os.getpid)() == os.getpid()


def test_a_worker_is_ready_once_it_has_imported_its_modules_and_starts_when_it_is_needed() -> None:
    others = multiprocessing.active_children()
    with own_worker(jobs=2, imports=["colorsys"], at_once=False) as worker:
        assert not worker.ready
        assert set(multiprocessing.active_children()) <= set(others)
        assert worker(os.getpid)() != os.getpid()
        assert worker.ready
    with own_worker(jobs=2) as worker:
        worker(os.getpid)()
        assert worker.ready
    with own_worker(jobs=1) as worker:
        assert not worker.ready


def test_idle_workers_are_ended_and_the_next_call_has_others() -> None:
    processes = ["__import__('os').getpid()"] * 4
    first = set(in_parallel(eval, processes, jobs=2, what=""))
    end_idle_workers()
    until = time.monotonic() + 10
    while {child.pid for child in multiprocessing.active_children()} & first:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not first & set(in_parallel(eval, processes, jobs=2, what=""))


def test_a_call_begun_in_a_worker_fails_where_it_is_waited_for() -> None:
    with pytest.raises(SoundfoldError, match="jobs=-7"), own_worker(jobs=2) as begin:
        begin(partial(check_jobs, -7))()
    started = time.monotonic()
    with pytest.raises(KeyError), own_worker(jobs=2) as begin:
        begin(partial(time.sleep, 20))
        raise KeyError
    assert time.monotonic() - started < 10, "the worker is ended"
    assert list(in_parallel(abs, [-1, -2], jobs=2, what="x")) == [1, 2], "the next has workers again"


def test_a_call_whose_worker_dies_is_made_here() -> None:
    with own_worker(jobs=2, imports=["no_such_module"]) as begin:
        assert begin(_DiesElsewhere())() == os.getpid()
        assert begin(os.getpid)() == os.getpid(), "and those begun later"


class _DiesElsewhere:
    def __call__(self) -> int:
        return os.getpid()

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (3,)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="the system has no signal masks")
def test_an_interrupt_does_not_reach_worker_processes() -> None:
    code = """
        import signal
        from functools import partial
        from harness.parallel import in_parallel, own_worker, start_workers

        if __name__ == "__main__":
            start_workers(2, ["math"])
            masks = [*in_parallel(partial(signal.pthread_sigmask, signal.SIG_BLOCK), [[], []], jobs=2, what="")]
            with own_worker(jobs=2) as begin:
                masks.append(begin(partial(signal.pthread_sigmask, signal.SIG_BLOCK, []))())
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            print(*(signal.SIGINT in mask for mask in masks))
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True", "True", "False"]


def test_worker_processes_are_ended_at_once() -> None:
    failed: list[BaseException] = []

    def sleep() -> None:
        try:
            list(in_parallel(time.sleep, [60, 60], jobs=2, what=""))
        except WorkerError as error:
            failed.append(error)

    thread = Thread(target=sleep)
    thread.start()
    started = time.monotonic()
    while thread.is_alive() and time.monotonic() - started < 30:
        end_workers()
        thread.join(0.2)
    assert len(failed) == 1
    assert list(in_parallel(abs, [-1, -2], jobs=2, what="x")) == [1, 2], "the next has workers again"


def test_jobs() -> None:
    assert check_jobs(3) == 3
    assert check_jobs(-1) >= 1
    for jobs in (0, -2):
        with pytest.raises(SettingsError, match=rf"^jobs={jobs}: must be 1 or more, or -1"):
            check_jobs(jobs)


def test_workers_that_were_started_ahead_are_those_that_work() -> None:
    for module in ("wave", "colorsys", "chunk"):  # on a busy machine workers may be ended before they work
        start_workers(2, [module])
        # one may have imported for both before the other was there
        if any(in_parallel(eval, [f"'{module}' in __import__('sys').modules"] * 8, jobs=2, what="x")):
            break
    else:
        pytest.fail("no worker process has imported what it was to import")
    start_workers(2, ["no_such_module"])
    assert list(in_parallel(abs, [-1, -2, -3], jobs=2, what="x")) == [1, 2, 3]
