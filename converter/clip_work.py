"""What is made of one clip's sound, which is read once; worker processes run this, so it imports little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import audio
from harness.image_tasks import ImageTask, put_images

__all__ = ["ClipWork", "Work", "do_clip_work"]

Work = Callable[[], object]


@dataclass(frozen=True)
class ClipWork:
    """What is made of one sound.

    Parameters
    ----------
    calls : tuple of callable
        What makes everything but images.
    images : ImageTask
    """

    calls: tuple[Work, ...]
    images: ImageTask


def do_clip_work(clips: Sequence[ClipWork]) -> int:
    """Make it all, into the store; give the number of clips."""
    for work in clips:
        with audio.reading_once():
            for call in work.calls:
                call()
            if work.images.images:
                put_images(work.images)
    return len(clips)
