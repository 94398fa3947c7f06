"""A cluster of worker processes under a Dask scheduler: the same function over many things, results in order.

Inside ``with connected("tcp://host:8786"):`` the work of :func:`harness.parallel.in_parallel` goes to the cluster.
Tasks are batches of calls, and only a few for each worker are under way at a time, so that memory does not grow with
the corpus. A task whose worker dies is done again by another. Results that are large do not come back: workers put
them into the store, which all machines share.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar
from uuid import uuid4

from joblib import cpu_count

from harness.cluster_worker import Needs, run_calls, versions
from harness.errors import ClusterError, SettingsError, SoundfoldError, WorkerError
from harness.registry import loaded_plugins

__all__ = ["Cluster", "connected", "current", "require"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_CURRENT: ContextVar[Cluster | None] = ContextVar("cluster", default=None)
_ANSWER_S = 10.0  # within which a scheduler and its first worker must answer
_LOOK_S = 5.0  # between two looks at which workers there are
_AHEAD = 2  # tasks under way for each thread of a worker
_MOST = 16  # calls in a task, where nothing else is said
_AGAIN = "run the same command again to go on where it stopped"
_OURS = ("harness", "converter", "merger", "trainer", "corpora")


def current() -> Cluster | None:
    """The cluster that work is sent to; None where it is done on this machine as ever."""
    return _CURRENT.get()


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


@contextmanager
def connected(scheduler: str, *, name: str = "scheduler") -> Iterator[Cluster | None]:
    """Send the work of this block to a cluster.

    Parameters
    ----------
    scheduler : str
        ``tcp://host:8786``, the address of a scheduler; or ``local:4``, four worker processes on this machine, started
        now and stopped at the end. Empty: no cluster.
    name : str
        What the setting is called, for messages: ``--scheduler``.

    Raises
    ------
    SettingsError
        Another text.
    ClusterError
        Dask is not installed, or no scheduler or no worker answers.
    """
    if not scheduler:
        yield None
        return
    n_local = _parse(scheduler, name)
    distributed = _import_distributed(f"{name}={scheduler!r}")
    with _quiet(), _local(distributed, n_local) if n_local else _remote(distributed, scheduler, name) as client:
        threads = max(1, cpu_count() // n_local) if n_local else 0
        cluster = Cluster(client, distributed, scheduler, threads=threads)
        token = _CURRENT.set(cluster)
        try:
            yield cluster
        finally:
            _CURRENT.reset(token)


def _parse(scheduler: str, name: str) -> int:
    """The number of local workers; 0 for an address."""
    if local := re.fullmatch(r"local:([1-9]\d{0,3})", scheduler):
        return int(local[1])
    if re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+/?", scheduler):
        return 0
    meant = f"; did you mean tcp://{scheduler}?" if re.fullmatch(r"(?!local:)[\w.-]+:\d+", scheduler) else ""
    raise SettingsError(
        f"{name}={scheduler!r}: expected the address of a Dask scheduler, as tcp://host:8786, or local:4 for four "
        f"processes on this machine{meant}"
    )


def _import_distributed(what: str) -> Any:
    try:
        import distributed  # half a second, and installed only with the extra `cluster`
    except ImportError:
        raise ClusterError(f"{what}: needs Dask, which is not installed; pip install 'soundfold[cluster]'") from None
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own lines off the terminal: what matters is raised."""
    names = [each for each in logging.root.manager.loggerDict if each.partition(".")[0] in ("distributed", "tornado")]
    loggers = [logging.getLogger(name) for name in (*names, "distributed", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(distributed|dask)\b")
            warnings.filterwarnings("ignore", message="(?s).*(Sending large graph|Mismatched versions|dashboard)")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _local(distributed: Any, n: int) -> Iterator[Any]:
    """A client of worker processes of our own, which are gone afterwards."""
    unwatched = distributed.dask.config.set({"distributed.worker.profile.enabled": False})  # it slows imports down
    with unwatched, tempfile.TemporaryDirectory(prefix="soundfold-", ignore_cleanup_errors=True) as scratch:
        cluster = distributed.LocalCluster(
            n_workers=n,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": ":0"},  # any free port
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
            preload=["harness.cluster_worker"],
        )
        client = None
        try:
            distributed.gc.disable_gc_diagnosis(force=True)  # a Ctrl-C while it runs would be lost
            client = distributed.Client(cluster, set_as_default=False)
            yield client
        finally:
            _stop(cluster, client)


def _stop(cluster: Any, client: Any) -> None:
    """End worker processes at once, whatever they are at: all that they finished is in files already."""
    for nanny in list(cluster.workers.values()):
        nanny.auto_restart = False
        with suppress(OSError, AttributeError):
            if nanny.pid:
                os.kill(nanny.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    with suppress(Exception):
        if client is not None:
            client.close(timeout=2)
    with suppress(Exception):
        cluster.close(timeout=2)


@contextmanager
def _remote(distributed: Any, address: str, name: str) -> Iterator[Any]:
    what = f"{name}={address!r}"
    try:
        client = distributed.Client(address, timeout=_ANSWER_S, set_as_default=False, name="soundfold")
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"{what}: no scheduler answers there within {_ANSWER_S:.0f} s ({_line(error)}); start one with: "
            "dask scheduler"
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=_ANSWER_S)
        except TimeoutError:
            raise ClusterError(
                f"{what}: the scheduler has no workers; start some with: dask worker {address}"
            ) from None
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=2)


class Cluster:
    """Worker processes that work can be sent to; made by :func:`connected`.

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
        why = f" ({_line(error)})" if error is not None and str(error) else ""
        return ClusterError(f"{self._address}: the connection to the scheduler is lost{why}; {_AGAIN}")


def _absolute(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    texts = [os.fspath(path) for path in paths]
    return tuple(text if "://" in text else os.path.abspath(text) for text in texts)


def _line(error: BaseException) -> str:
    """What an exception says, in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
