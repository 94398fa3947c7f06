"""Threads beside this one: the same function over many things, where it waits for files, or one long call."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

__all__ = ["LongCalls", "ahead", "in_threads", "long_calls"]

_THREADS = 4  # for files of this machine
_AHEAD = 16  # items for each thread

P = ParamSpec("P")
Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    pool: ThreadPoolExecutor, call: Callable[[Item], Result], items: Iterable[Item], *, most: int
) -> Iterator[Result]:
    """Call a function on each item in the pool's threads, up to `most` items ahead of what is asked for.

    Where no more is asked for, as after an interrupt, what has not begun does not begin.
    """
    begun: deque[Future[Result]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(call, item))
            if len(begun) >= most:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for each in begun:
            each.cancel()


def in_threads(call: Callable[[Item], Result], items: Iterable[Item], *, threads: int = _THREADS) -> Iterator[Result]:
    """Call a function that waits for files or for answers on each item, several at a time; results in order."""
    with ThreadPoolExecutor(threads) as pool:
        yield from ahead(pool, call, items, most=_AHEAD * threads)


class LongCalls:
    """Calls that one thread makes, one after the other; see :func:`long_calls`."""

    def __init__(self) -> None:
        self._pool, self._lock, self._thread = ThreadPoolExecutor(1), threading.Lock(), 0

    def begin(self, call: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        """Have a function called."""
        return self._pool.submit(lambda: self._call(call, *args, **kwargs))

    def end(self, *, interrupt: bool = False) -> None:
        """Wait for the thread; with `interrupt` its call ends at the next line of Python, with a KeyboardInterrupt."""
        if interrupt:
            self._pool.shutdown(wait=False, cancel_futures=True)
            with self._lock:
                if self._thread:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
                    )
        self._pool.shutdown()

    def _call(self, call: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        self._is_in(threading.get_ident())
        try:
            return call(*args, **kwargs)
        finally:
            self._is_in(0)

    def _is_in(self, thread: int) -> None:
        with self._lock:
            self._thread = thread


@contextmanager
def long_calls() -> Iterator[LongCalls]:
    """Have functions called by a thread meanwhile; where the block fails, as at Ctrl-C, they are interrupted."""
    calls = LongCalls()
    try:
        yield calls
    except BaseException:
        calls.end(interrupt=True)
        raise
    calls.end()
