"""Images that are drawn into the store before they are asked for, while something else takes one core alone.

Each sound is read once for its images and for whatever else is made of it. Nothing depends on this: what was drawn is
found in the store later, and what was not is drawn then, or named where it cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import pandas as pd

from converter.pipeline import WORKERS_IMPORT, digest_clips
from converter.planning import image_task
from converter.registry import image_version
from converter.spec import Encoding
from harness import audio
from harness.digests import FileDigests
from harness.image_tasks import KIND, ImageTask, put_images
from harness.parallel import check_jobs, in_parallel, start_workers
from harness.store import Store

__all__ = ["drawn_ahead"]

_LEAVE_S = 2.0  # that is waited for a clip to be drawn, where the block fails
_AT_A_TIME = 16  # clips for each process: then it is seen whether the time is up

Work = Callable[[], object]


@contextmanager
def drawn_ahead(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    *,
    store: Store,
    jobs: int,
    also: Callable[[pd.DataFrame], Sequence[Work]] | None = None,
) -> Iterator[None]:
    """Draw clips into the store, by worker processes, for as long as the block runs.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    encodings : mapping of str to Encoding
        Without those that cut clips into tiles or take the corpus's reference, which are left for later.
    store : Store
    jobs : int
        Processes; with 1 nothing is drawn.
    also : callable, optional
        Gives for each clip what else is to be done with its sound: a function that can be pickled.
    """
    if check_jobs(jobs) == 1:
        yield
        return
    start_workers(jobs, WORKERS_IMPORT)
    stop, leave = Event(), Event()
    work = (clips, encodings, store, check_jobs(jobs), also, stop, leave)
    thread = Thread(target=_draw, args=work, name="drawn_ahead", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        leave.set()
        thread.join(_LEAVE_S)
        raise
    stop.set()
    thread.join()


@dataclass(frozen=True)
class _ClipWork:
    """What is made of one sound."""

    calls: tuple[Work, ...]
    images: ImageTask


def _draw(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    store: Store,
    jobs: int,
    also: Callable[[pd.DataFrame], Sequence[Work]] | None,
    stop: Event,
    leave: Event,
) -> None:
    """Draw clip after clip until there are no more, or `stop` is set; once `leave` is, end the worker processes."""
    plain = {name: each for name, each in encodings.items() if not each.tile_s and getattr(each, "ref", "") != "corpus"}
    with suppress(Exception, KeyboardInterrupt):  # whoever needs the images will say what is the matter
        with FileDigests(store) as digests:
            planned = digest_clips(clips, digests, jobs=jobs, strict=False)
        calls = [(each,) for each in also(clips)] if also else [()] * len(clips)
        versions = {name: (image_version(encoding), "") for name, encoding in plain.items()}
        tasks = [image_task(clip, plain, versions, Path(), store) if clip.digest else None for clip in planned]
        work = [_ClipWork(own, _missing(task)) for own, task in zip(calls, tasks, strict=True) if task]
        step = _AT_A_TIME * jobs
        for part in (work[k : k + step] for k in range(0, len(work), step)):
            if stop.is_set() or leave.is_set():
                return
            with closing(in_parallel(_do, part, jobs=jobs, what="")) as done:
                for _ in done:
                    if leave.is_set():
                        return


def _missing(task: ImageTask) -> ImageTask:
    """The task without the images that the store has."""
    return replace(task, images=tuple(each for each in task.images if not task.store.has(KIND, each.key, ".png")))


def _do(work: _ClipWork) -> None:
    with audio.reading_once():
        for call in work.calls:
            call()
        if work.images.images:
            put_images(work.images)
