"""Progress of long work: a bar on stderr when it is a terminal, silence otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, what: str, size: Callable[[Item], int] | None = None) -> Iterator[Item]:
    """Pass `items` through, drawing a bar with rate and remaining time.

    Parameters
    ----------
    items : iterable
        What is worked through; may be lazy.
    total : int
        How many there will be.
    what : str
        A few words shown before the bar; without any, there is none.
    size : callable, optional
        How far an item moves the bar; default 1.
    """
    if not what or not sys.stderr.isatty() or total == 0:
        yield from items
        return
    from rich import console, progress  # a tenth of a second, for a terminal alone

    counts = progress.MofNCompleteColumn(), progress.TimeRemainingColumn()
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), *counts)
    with progress.Progress(*columns, console=console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item) if size else 1)
