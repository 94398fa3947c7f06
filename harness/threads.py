"""The same function over many things in threads, where these wait for files or for native code."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead", "few_ahead"]

_THREADS = 4  # for files of this machine
_AHEAD = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    pool: ThreadPoolExecutor, call: Callable[[Item], Result], items: Iterable[Item], *, most: int
) -> Iterator[Result]:
    """Call a function on each item in the pool's threads, up to `most` items ahead of what is asked for."""
    begun: deque[Future[Result]] = deque()
    for item in items:
        begun.append(pool.submit(call, item))
        if len(begun) >= most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def few_ahead(call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """As :func:`ahead`, in a pool of its own."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from ahead(pool, call, items, most=_AHEAD)
