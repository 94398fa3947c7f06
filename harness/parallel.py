"""The same function over many things, in several processes or on a cluster where asked for; results in order."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import ProcessPoolExecutor, get_reusable_executor
from joblib.externals.loky.backend.process import LokyProcess
from joblib.externals.loky.process_executor import ShutdownExecutorError

from harness import cluster
from harness.decoder_messages import collected_messages, pass_on
from harness.errors import SettingsError, WorkerError
from harness.interpreter import set_up_interpreter
from harness.progress import track

__all__ = [
    "KILLED",
    "OwnWorker",
    "check_jobs",
    "end_idle_workers",
    "end_workers",
    "in_parallel",
    "own_worker",
    "start_workers",
]

KILLED = "the process that worked on it was killed, twice: by a decoder that crashes, or for want of memory"
"""Why an item has no result, for `if_killed`."""

_SUSPECTS = 64  # items that may have been worked on when a process was killed
_IN_A_ROW = 3
_WATCH_S = 1.0
_WATCHED: set[int] = set()  # the process that this one works for

Item = TypeVar("Item")
Result = TypeVar("Result")
_STARTING: list[Thread] = []


class OwnWorker:
    """A worker process for functions that are called while this process does something else; see :func:`own_worker`.

    Called with a function that can be pickled, it begins to call it there, and gives a function that waits for its
    result. Where the process was killed, the function is called here, when it is waited for.

    Parameters
    ----------
    imports : sequence of str
        Modules that the process imports when it is started.
    here : bool
        No process: functions are called here, when they are waited for.
    """

    def __init__(self, imports: Sequence[str], *, here: bool = False) -> None:
        self._imports, self._here = list(imports), here
        self._pool: ProcessPoolExecutor | None = None
        self._imported: Future[object] | None = None
        self._children: list[BaseProcess] = []

    def __call__(self, work: Callable[[], Result]) -> Callable[[], Result]:
        """Begin to call a function, in a process that is started now unless there is one."""
        if self._here:
            return work
        with suppress(BrokenProcessPool), _interrupts_held_back():
            return partial(_result, self._started().submit(_in_worker, _call, work, os.getpid()), work)
        return work

    @property
    def ready(self) -> bool:
        """Whether the process has been started and has imported its modules."""
        return self._imported is not None and self._imported.done()

    def start(self) -> None:
        """Start the process before it is needed."""
        if not self._here:
            self._started()

    def end(self, *, failed: bool = False) -> None:
        """End the process at once."""
        if failed:
            for child in self._children:  # one that has just been started is not always seen by the pool
                child.terminate()
        if self._pool:
            self._pool.shutdown(kill_workers=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool, others = ProcessPoolExecutor(max_workers=1), multiprocessing.active_children()
            with _interrupts_held_back():  # Ctrl-C is for this process alone, which ends the other
                self._imported = self._pool.submit(_in_worker, _import, self._imports, os.getpid())
            self._children = [child for child in multiprocessing.active_children() if child not in others]
        return self._pool


# Work that is given up, as at Ctrl-C, needs no advice on how to do less of it, nor on what it has left in memory.
warnings.filterwarnings("ignore", r"\d+ tasks |Failed to delete temporary folder", UserWarning, r"joblib\.")
logging.getLogger("concurrent.futures").addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], ShutdownExecutorError))
)


def in_parallel(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    jobs: int,
    what: str,
    ahead: int = 0,
    batch: int | None = None,
    if_killed: Callable[[Item], Result] | None = None,
) -> Generator[Result, None, None]:
    """Call `work` on each item, with a progress bar.

    Parameters
    ----------
    work : callable
        A function of a module, so that another process can find it.
    items : sequence
        Each can be pickled where `jobs` is not 1.
    jobs : int
        Processes: 1 stays in this one; -1 takes as many as there are cores. They are started afresh (loky), never
        forked. Inside :func:`harness.cluster_connection.connected` the cluster's workers are used instead.
    what : str
        A few words shown before the bar; without any, there is none.
    ahead : int
        How many results may wait to be taken, where they are large; 0: as many as there are.
    batch : int, optional
        Items in one task of a cluster. Default: up to 16.
    if_killed : callable, optional
        The result of an item whose processes are killed again and again, as by a decoder that crashes. Not for one
        process, nor for a cluster.

    Yields
    ------
    object
        The results, in the order of the items.

    Raises
    ------
    WorkerError
        A process was killed; with `if_killed`, by several items one after the other.
    """
    jobs = min(check_jobs(jobs), len(items))
    workers = cluster.current()
    if workers is not None and items:
        yield from track(workers.map(work, items, batch=batch), total=len(items), what=what)
        return
    if jobs <= 1:
        yield from track(map(work, items), total=len(items), what=what)
        return
    parts = range(0, len(items), ahead or len(items))
    results = (
        result for start in parts for result in _part(work, items[start : start + parts.step], jobs, what, if_killed)
    )
    yield from track(results, total=len(items), what=what)


@contextmanager
def own_worker(*, jobs: int, imports: Sequence[str] = (), at_once: bool = True) -> Iterator[OwnWorker]:
    """A worker process of its own while the block runs, beside those of :func:`in_parallel`.

    Parameters
    ----------
    jobs : int
        As for :func:`in_parallel`; where they are 1, or on a cluster, no process is started.
    imports : sequence of str
        Modules that the process imports when it is started.
    at_once : bool
        Start it now, not when it is first needed.
    """
    worker = OwnWorker(imports, here=check_jobs(jobs) == 1 or cluster.current() is not None)
    try:
        if at_once:
            worker.start()
        yield worker
    except BaseException:
        worker.end(failed=True)
        raise
    worker.end()


def end_workers() -> None:
    """End the worker processes of this one at once, whatever they work on."""
    for child in multiprocessing.active_children():
        if isinstance(child, LokyProcess):
            child.terminate()


def end_idle_workers() -> None:
    """End the worker processes that :func:`in_parallel` keeps for its next call: Python's own end waits for theirs."""
    if any(isinstance(child, LokyProcess) for child in multiprocessing.active_children()):
        get_reusable_executor(reuse=True).shutdown(wait=False, kill_workers=True)


def _call(work: Callable[[], Result]) -> Result:
    return work()


def _result(begun: Future[tuple[Result, list[str]]], work: Callable[[], Result]) -> Result:
    """What `work` has given in a worker process, or gives here where that was killed."""
    try:
        result, messages = begun.result()
    except BrokenProcessPool:
        return work()
    pass_on(messages)
    return result


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which lets the signal through again where it is started below (bpo-33613)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_workers(jobs: int, modules: Sequence[str]) -> None:
    """Start the worker processes that will be needed in a moment: they take a second to import what they work with.

    Parameters
    ----------
    jobs : int
        As for :func:`in_parallel`. Where they are 1, or on a cluster, nothing is started.
    modules : sequence of str
        What they are to import.
    """
    if jobs != 1 and cluster.current() is None and not _STARTING:
        jobs = check_jobs(jobs)
        _STARTING.append(Thread(target=_start, args=(jobs, list(modules)), daemon=True))
        _STARTING[0].start()


def _start(jobs: int, modules: list[str]) -> None:
    with suppress(Exception), _interrupts_held_back():  # whoever needs them will say what is the matter
        Parallel(n_jobs=jobs, backend="loky", batch_size=1)(
            delayed(_in_worker)(_import, modules, os.getpid()) for _ in range(jobs)
        )


def _import(modules: list[str]) -> None:
    for name in modules:
        import_module(name)


def _part(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    what: str,
    if_killed: Callable[[Item], Result] | None,
) -> Iterator[Result]:
    while _STARTING:
        _STARTING.pop().join()
    done = 0
    while done < len(items):
        # Initializers make new pools; with more tasks than its queue takes, the pool's thread breaks where one fails.
        parallel = Parallel(n_jobs=jobs, backend="loky", return_as="generator")
        try:
            with _interrupts_held_back():  # while it may start processes
                results = parallel(delayed(_in_worker)(work, item, os.getpid()) for item in items[done:])
            for result, messages in results:
                done += 1
                pass_on(messages)
                yield result
        except BrokenProcessPool as error:  # as the system does where memory runs out
            if if_killed is None:
                raise _killed(what) from error
            for result in _one_by_one(work, items[done : done + _SUSPECTS], what, if_killed):
                done += 1
                yield result


def _one_by_one(
    work: Callable[[Item], Result], items: Sequence[Item], what: str, if_killed: Callable[[Item], Result]
) -> Iterator[Result]:
    """Call `work` on one item after the other, so that it is known which of them kills its process."""
    in_a_row = 0
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(max_workers=1))
        for item in items:
            try:
                result, messages = pool.submit(_in_worker, work, item, os.getpid()).result()
                pass_on(messages)
                in_a_row = 0
            except BrokenProcessPool as error:
                in_a_row += 1
                if in_a_row == _IN_A_ROW:  # then it is hardly the items
                    raise _killed(what) from error
                result = if_killed(item)
                pool = stack.enter_context(ProcessPoolExecutor(max_workers=1))
            yield result


def _in_worker(work: Callable[[Item], Result], item: Item, parent: int) -> tuple[Result, list[str]]:
    """Call `work` in a worker process, which ends within a second or so after the process that it works for.

    Returns
    -------
    (object, list of str)
        The result, and what decoders have said meanwhile.
    """
    _set_up(parent)
    with collected_messages() as messages:
        return work(item), messages


def _set_up(parent: int) -> None:
    """Have this worker process, where it is new, end with its parent, also while it waits for its next task."""
    if os.getpid() != parent and parent not in _WATCHED:
        _WATCHED.add(parent)
        set_up_interpreter()
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:  # of a process whose parent was killed, the parent is another
        time.sleep(_WATCH_S)
    os._exit(1)


def _killed(what: str) -> WorkerError:
    return WorkerError(
        f"{what}: a worker process was killed, by somebody or for want of memory; "
        "run the same command again to go on, with fewer --jobs where memory is short"
    )


def check_jobs(jobs: int) -> int:
    """The number of processes that `jobs` means.

    Raises
    ------
    SettingsError
        0, or less than -1.
    """
    if jobs == -1:
        return int(cpu_count())
    if jobs < 1:
        raise SettingsError(f"jobs={jobs}: must be 1 or more, or -1 for as many as there are cores")
    return jobs
