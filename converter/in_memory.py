"""Draw clips for modules alone: planned here, drawn later with their merges, recorded without files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from converter.drawing import draw_pixels
from converter.pipeline import check_names, digest_clips
from converter.planning import image_task
from converter.references import Clip, with_references
from converter.registry import encoding_warnings, image_version
from converter.spec import Encoding
from harness import audio, tables
from harness.digests import FileDigests
from harness.errors import SettingsError
from harness.files import digest_json
from harness.images import ImageRun, finish
from harness.memory_images import MemoryClip, MemoryImage
from harness.memory_runs import rows_of
from harness.parallel import check_jobs
from harness.recipes import CONVERT, Recipes
from harness.store import Store
from harness.tables import CLIPS
from harness.urls import absolute

__all__ = ["DrawingPlan", "plan_drawing"]


@dataclass(frozen=True)
class DrawingPlan:
    """Clips that are to be drawn in memory.

    Parameters
    ----------
    clips : tuple of MemoryClip
        Those whose sounds could be read so far.
    encodings : dict of str to Encoding
        As they are drawn: with the number that ``ref="corpus"`` stands for.
    sounds : tuple of Clip
        All clips, with their digests.
    started : float
        `time.monotonic` at the start.
    """

    clips: tuple[MemoryClip, ...]
    encodings: dict[str, Encoding]
    sounds: tuple[Clip, ...]
    started: float

    def finish(
        self, out: str | Path, drawn: Mapping[tuple[str, str], MemoryImage], reasons: Mapping[str, str]
    ) -> ImageRun:
        """Write ``images.csv``, ``failures.csv`` and ``run.json`` when the clips are drawn.

        Parameters
        ----------
        out : path
            Folder of images; image files of these encodings that an earlier run left there are removed.
        drawn : mapping of (clip_id, name) to MemoryImage
        reasons : mapping of str to str
            Clips that could not be drawn, and why.
        """
        reasons = {**{clip.clip_id: clip.reason for clip in self.sounds if clip.reason}, **reasons}
        good = [clip for clip in self.sounds if clip.digest]
        places = [(clip.clip_id, name) for clip in good if clip.clip_id not in reasons for name in self.encodings]
        run = finish(
            Path(out),
            CONVERT,
            rows=rows_of(drawn[place] for place in places),
            failures=(
                {"clip_id": clip.clip_id, "path": clip.path, "reason": reasons[clip.clip_id]}
                for clip in self.sounds
                if clip.clip_id in reasons
            ),
            recipes=Recipes(
                {name: encoding.to_json() for name, encoding in self.encodings.items()},
                longest_s=dict.fromkeys(
                    self.encodings,
                    audio.longest((c.path, c.start_s, c.end_s) for c in good if c.clip_id not in reasons),
                ),
            ),
            inputs={"sounds": digest_json([[clip.clip_id, clip.digest] for clip in self.sounds])},
            started=self.started,
        )
        return replace(run, warnings=(*run.warnings, *encoding_warnings(self.encodings)))


def plan_drawing(
    clips: pd.DataFrame,
    encodings: Mapping[str, Encoding],
    out: str | Path,
    *,
    store: Store,
    jobs: int = 1,
    strict: bool = False,
    dry_run: bool = False,
) -> DrawingPlan:
    """Plan to draw every clip with every encoding in memory.

    Parameters
    ----------
    clips, encodings, out, store, jobs, strict
        As for :func:`converter.pipeline.convert_clips`, which raises the same errors.
    dry_run : bool
        Only to count what the store has: nothing is put there, and ``ref="corpus"`` stays a word.
    """
    started = time.monotonic()
    check_names(encodings, Path(out))
    for name, encoding in encodings.items():
        if encoding.tile_s:
            raise SettingsError(
                f"encoding {name!r}: tiles are drawn to files; leave out tiles = true, or [convert] keep_images = false"
            )
    digests = FileDigests(store)
    sounds = digest_clips(tables.check(clips, CLIPS), digests, jobs=check_jobs(jobs), strict=strict)
    good = [clip for clip in sounds if clip.digest]
    if not dry_run:
        digests.save()
        encodings = with_references(encodings, good, store=store, jobs=jobs)
    versions = {name: (image_version(encoding), encoding.digest()[:16]) for name, encoding in encodings.items()}
    planned = []
    for clip in good:
        task = image_task(clip, encodings, versions, Path(out).absolute(), store)
        path = absolute(clip.path)
        draw = partial(draw_pixels, path, start_s=clip.start_s, end_s=clip.end_s, digest=clip.digest)
        planned.append(MemoryClip(clip.clip_id, clip.path, task.images, draw, store))
    return DrawingPlan(tuple(planned), dict(encodings), tuple(sounds), started)
