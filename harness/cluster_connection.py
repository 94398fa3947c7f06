"""The way to a Dask cluster: connecting to a scheduler, or starting worker processes here and ending them."""

from __future__ import annotations

import logging
import os
import re
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from joblib import cpu_count

from harness.cluster import Cluster, one_line, used
from harness.errors import ClusterError, SettingsError

__all__ = ["connected"]

_ANSWER_S = 10.0  # within which a scheduler and its first worker must answer


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
        with used(Cluster(client, distributed, scheduler, threads=threads)) as cluster:
            yield cluster


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
            f"{what}: no scheduler answers there within {_ANSWER_S:.0f} s ({one_line(error)}); start one with: "
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
