"""A cluster of worker processes under a Dask scheduler: the same function over many things, results in order.

Inside a block of :func:`harness.cluster_connection.connected` the work of :func:`harness.parallel.in_parallel` goes to
the cluster. Tasks are batches of calls, and only a few for each worker are under way at a time, so that memory does not
grow with the corpus. A task whose worker dies is done again by another. Results that are large do not come back:
workers put them into the store, which all machines share.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar
from uuid import uuid4

from harness.cluster_worker import Needs, run_calls, versions
from harness.errors import ClusterError, SoundfoldError, WorkerError
from harness.registry import loaded_plugins

__all__ = ["Cluster", "current", "one_line", "require", "used"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_CURRENT: ContextVar[Cluster | None] = ContextVar("cluster", default=None)
_LOOK_S = 5.0  # between two looks at which workers there are
_AHEAD = 2  # tasks under way for each thread of a worker
_MOST = 16  # calls in a task, where nothing else is said
_AGAIN = "run the same command again to go on where it stopped"
_OURS = ("harness", "converter", "merger", "trainer", "corpora", "labeler")


def current() -> Cluster | None:
    """The cluster that work is sent to; None where it is done on this machine as ever."""
    return _CURRENT.get()


@contextmanager
def used(cluster: Cluster) -> Iterator[Cluster]:
    """Send the work of this block to a cluster."""
    token = _CURRENT.set(cluster)
    try:
        yield cluster
    finally:
        _CURRENT.reset(token)


def require(*, files: Iterable[str | os.PathLike[str]] = (), folders: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Have the cluster's workers check, before their next task, that they see what is here; nothing without a cluster.

    Parameters
    ----------
    files : iterable of path
        A few of those that tasks will read.
    folders : iterable of path
        Those that tasks will use; they are made.
    """
    if cluster := current():
        cluster.require(files=files, folders=folders)


class Cluster:
    """Worker processes that work can be sent to; made by :func:`harness.cluster_connection.connected`.

    Parameters
    ----------
    client : distributed.Client
    distributed : module
    address : str
        As given, for messages.
    threads : int
        Threads of TensorFlow in each worker; 0: as each worker was started.
    """

    def __init__(self, client: Any, distributed: Any, address: str, *, threads: int = 0) -> None:
        self._client = client
        self._distributed = distributed
        self._address = address
        self._needs = Needs(versions(), threads=threads)
        self._workers = 1  # threads of all of them
        self._looked = 0.0

    def require(
        self, *, files: Iterable[str | os.PathLike[str]] = (), folders: Iterable[str | os.PathLike[str]] = ()
    ) -> None:
        """See :func:`require`."""
        needed = [os.fspath(folder) for folder in folders]
        for folder in needed:
            if "://" not in folder:
                os.makedirs(folder, exist_ok=True)
        self._needs = replace(self._needs, files=_absolute(files), folders=_absolute(needed))

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, batch: int | None = None
    ) -> Iterator[Result]:
        """Call a function on each item.

        Parameters
        ----------
        function : callable
            A function of a module, or a partial of one.
        items : sequence
            Each can be pickled.
        batch : int, optional
            Items in a task. Default: up to 16, fewer where there are few.

        Yields
        ------
        object
            The results, in the order of the items.

        Raises
        ------
        ClusterError
            A worker may not do this work, or the scheduler is gone.
        WorkerError
            One task has ended several workers.
        """
        needs = pickle.dumps(replace(self._needs, plugins=loaded_plugins()))
        size = batch or max(1, min(_MOST, ceil(len(items) / (4 * self.threads()))))
        starts = range(0, len(items), size)
        under_way: dict[Any, int] = {}
        done: dict[int, list[Result]] = {}
        begun = given = 0
        try:
            while given < len(starts):
                most = max(_AHEAD * self.threads(), 2)
                while begun < len(starts) and len(under_way) < most and begun - given < 2 * most:
                    part = items[starts[begun] : starts[begun] + size]
                    under_way[self._submit(needs, function, part)] = begun
                    begun += 1
                for future in self._finished(list(under_way)):
                    done[under_way.pop(future)] = self._result(future)
                while given in done:
                    yield from done.pop(given)
                    given += 1
        finally:
            with suppress(Exception):
                if under_way:
                    self._client.cancel(list(under_way), force=True)

    def _submit(self, needs: bytes, function: Callable[[Any], Any], part: Sequence[Any]) -> Any:
        calls = pickle.dumps((function, list(part)))
        try:
            return self._client.submit(run_calls, needs, calls, key=f"soundfold-{uuid4().hex}", pure=False)
        except Exception as error:
            raise self._lost(error) from error

    def threads(self) -> int:
        """Threads of all workers, as of some seconds ago."""
        if time.monotonic() - self._looked > _LOOK_S:
            with suppress(Exception):
                self._workers = max(1, sum(self._client.nthreads().values()))
            self._looked = time.monotonic()
        return self._workers

    def _finished(self, futures: list[Any]) -> list[Any]:
        """Those that are done; waits for one."""
        while True:
            try:
                with self._client.as_current():
                    self._distributed.wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            except TimeoutError:
                if self._client.status not in ("running", "connecting"):
                    raise self._lost(None) from None
            except Exception as error:  # of a future that was cancelled, since the scheduler is gone
                raise self._lost(error) from error
            found = [future for future in futures if future.done()]
            if found:
                return found

    def _result(self, future: Any) -> Any:
        try:
            return future.result()
        except ClusterError as error:
            raise ClusterError(f"{self._address}: a worker {error}") from error
        except SoundfoldError:
            raise
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in _OURS:
                raise ClusterError(
                    f"{self._address}: a worker cannot import soundfold ({error}); install it there"
                ) from error
            raise
        except self._distributed.KilledWorker as error:
            raise WorkerError(
                f"{self._address}: one task has ended several workers, which may have had too little memory; {_AGAIN}"
            ) from error
        except (self._distributed.CancelledError, TimeoutError) as error:
            raise self._lost(error) from error

    def _lost(self, error: BaseException | None) -> ClusterError:
        why = f" ({one_line(error)})" if error is not None and str(error) else ""
        return ClusterError(f"{self._address}: the connection to the scheduler is lost{why}; {_AGAIN}")


def _absolute(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    texts = [os.fspath(path) for path in paths]
    return tuple(text if "://" in text else os.path.abspath(text) for text in texts)


def one_line(error: BaseException) -> str:
    """What an exception says, in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
