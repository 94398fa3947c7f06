"""The same function over many things in threads, where these wait for files or for native code."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead", "in_threads"]

_THREADS = 4  # for files of this machine
_AHEAD = 16  # items for each thread

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
