"""Images that are drawn into the store before they are asked for, beside something that takes one core alone.

Each sound is read once for its images and for whatever else is made of it. Nothing depends on this: what was drawn is
found in the store later, and what was not is drawn then, or named where it cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pandas as pd

from converter.clip_work import ClipWork, Work, do_clip_work
from converter.pipeline import WORKERS_IMPORT, digest_clips
from converter.planning import image_task, look_up_lengths
from converter.registry import image_version
from converter.spec import Encoding
from harness.digests import FileDigests
from harness.image_tasks import KIND, ImageTask
from harness.parallel import check_jobs, end_workers, in_parallel, start_workers
from harness.progress import track
from harness.store import Store

__all__ = ["drawn_ahead"]

_PORTION = 16  # clips in one task, at most
_LEAVE_S = 0.5  # that is waited for the thread, where the block fails


@contextmanager
def drawn_ahead(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    *,
    store: Store,
    jobs: int,
    also: Sequence[Callable[[pd.DataFrame], Sequence[Work]]] = (),
) -> Iterator[Callable[[], None]]:
    """Draw clips into the store, by worker processes, while the block runs; where it fails, they are ended.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    encodings : mapping of str to Encoding
        Without those that cut clips into tiles or take the corpus's reference, which are left for later.
    store : Store
    jobs : int
        Processes; with 1 nothing is drawn.
    also : sequence of callable
        Each gives for each clip what else is to be done with its sound, a function that can be pickled; or nothing.

    Yields
    ------
    callable
        Waits until all are drawn, as far as they can be.
    """
    if check_jobs(jobs) == 1:
        yield lambda: None
        return
    start_workers(jobs, WORKERS_IMPORT)
    leave = Event()
    work = (clips, encodings, store, check_jobs(jobs), also, leave)
    thread = Thread(target=_draw, args=work, name="drawn_ahead", daemon=True)
    thread.start()
    try:
        yield thread.join
        thread.join()
    except BaseException:
        leave.set()
        end_workers()  # a long sound takes them many seconds
        thread.join(_LEAVE_S)
        raise


def _draw(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    store: Store,
    jobs: int,
    also: Sequence[Callable[[pd.DataFrame], Sequence[Work]]],
    leave: Event,
) -> None:
    """Draw clip after clip; once `leave` is set, end the worker processes."""
    plain = {name: each for name, each in encodings.items() if not each.tile_s and getattr(each, "ref", "") != "corpus"}
    with suppress(Exception, KeyboardInterrupt):  # whoever needs the images will say what is the matter
        with FileDigests(store) as digests:
            planned = digest_clips(clips, digests, jobs=jobs, strict=False)
        others = [calls for each in also if (calls := each(clips))]
        calls_of = zip(*others, strict=True) if others else [()] * len(clips)
        versions = {name: (image_version(encoding), "") for name, encoding in plain.items()}
        tasks = [image_task(clip, plain, versions, Path(), store) if clip.digest else None for clip in planned]
        work = [ClipWork(own, _missing(task)) for own, task in zip(calls_of, tasks, strict=True) if task]
        if leave.is_set():
            return
        found = [clip for clip in planned if clip.digest]
        look_up_lengths(found, store)
        with closing(in_parallel(do_clip_work, _portions(work, jobs), jobs=jobs, what="")) as done:
            for _ in track(done, total=len(work), what="sounds", size=int):
                if leave.is_set():
                    return


def _portions(work: Sequence[ClipWork], jobs: int) -> list[Sequence[ClipWork]]:
    """Consecutive parts, the last ones small so that all processes end together.

    While this process imports TensorFlow, it gives out no work for a second.
    """
    found, start = list[Sequence[ClipWork]](), 0
    while start < len(work):
        found.append(work[start : start + min(_PORTION, -(-(len(work) - start) // (4 * jobs)))])
        start += len(found[-1])
    return found


def _missing(task: ImageTask) -> ImageTask:
    """The task without the images that the store has."""
    return replace(task, images=tuple(each for each in task.images if not task.store.has(KIND, each.key, ".png")))
