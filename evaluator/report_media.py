"""Which sounds and images go into a report, and how they get there: the most telling first, within a budget.

First come, in turn, mistakes of the best combination, the surest before the others, the training clips next to them,
suspected labels, and clips on which the best and others differ; then the rest of the clips, of each class in turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from evaluator.combinations import Combination
from evaluator.report_clips import ClipTable, base64_text
from evaluator.report_sources import Sources
from evaluator.thumbnails import make_thumbnails
from harness.excerpts import MEDIA_TYPE, Part, excerpting, make_excerpts
from harness.store import Store
from harness.urls import url_of

__all__ = [
    "Media",
    "clips_by_interest",
    "collect_media",
    "excerpts_of_all",
    "image_encodings",
    "linked_sound",
    "sounds_ahead",
]

SOUNDS, IMAGES = 400, 1000
"""As many as are made with a budget of 10 MB or less, where they take a second or two; with more, more."""
_OVERHEAD = 16  # characters around an entry


@dataclass
class Media:
    """Sounds and images as JSON values, and what a reader must know of them.

    Parameters
    ----------
    sounds : dict of int to str
        By clip: base64 text of :data:`harness.excerpts.MEDIA_TYPE`, or the file's address.
    images : dict of str to dict of int to str
        By encoding and clip: base64 text of WebP.
    notes : list of str
    """

    sounds: dict[int, str] = field(default_factory=dict)
    images: dict[str, dict[int, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As the page reads it."""
        return {"type": MEDIA_TYPE, "sounds": self.sounds, "images": self.images}


def excerpts_of_all(clips: pd.DataFrame, *, store: Store) -> list[Callable[[], object]]:
    """For each clip a function that puts its excerpt into the store; none where a report has those of some clips only.

    Parameters
    ----------
    clips : DataFrame
        The clips table.
    store : Store
    """
    if len(clips) > SOUNDS:
        return []
    return excerpting(
        [Part(*row) for row in zip(*(clips[c] for c in ("path", "start_s", "end_s")), strict=True)], store=store
    )


@contextmanager
def sounds_ahead(
    sources: Sources, *, budget_mb: float, link_sounds: bool, store: Store | None, jobs: int
) -> Iterator[Callable[[], object]]:
    """Make excerpts meanwhile, where all clips will have one; gives a function that waits for them.

    Of more clips than a report takes, those that go into it are known with the figures only.
    """
    most = _most(SOUNDS, budget_mb)
    wanted = {} if link_sounds or len(sources.sounds) > most else sources.sounds
    with ThreadPoolExecutor(1) as pool, ExitStack() as leaving:
        stop = Event()
        leaving.callback(stop.set)  # before the pool waits for its thread
        yield pool.submit(make_excerpts, wanted, store=store or Store(), jobs=jobs, stop=stop).result


def image_encodings(order: Sequence[Combination], sources: Sources) -> dict[Combination, str]:
    """The encoding whose images are shown for each combination: its own, else that of the best that has images."""
    there = {encoding for _, encoding in sources.images}
    first = next((row.encoding for row in order if row.encoding in there), "")
    return {row: row.encoding if row.encoding in there else first for row in order}


def clips_by_interest(
    table: ClipTable, order: Sequence[Combination], nearest: Mapping[int, int], suspects: Iterable[int]
) -> list[int]:
    """All clips, the most telling first.

    Parameters
    ----------
    table : ClipTable
    order : sequence of Combination
        Best first.
    nearest : mapping of int to int
        From clip to the nearest training clip, of the best combination.
    suspects : iterable of int
        Clips whose label may be wrong, worst first.
    """
    right = np.array([(table.predicted[row] == table.labels).mean(axis=0) > 0.5 for row in order])
    differing = (right != right[0]).sum(axis=0)
    lost = [k for k in table.mistakes(order[1]) if right[0, k]] if len(order) > 1 else []
    differ = [*lost, *np.argsort(-differing, kind="stable")[: int((differing > 0).sum())].tolist()]
    mistakes = table.mistakes(order[0])
    near = [nearest.get(clip) for clip in mistakes]
    return list(dict.fromkeys([*_interleaved([mistakes, near, [*suspects], differ]), *_by_class(table)]))


def collect_media(
    table: ClipTable,
    order: Sequence[Combination],
    clips: Sequence[int],
    sources: Sources,
    *,
    store: Store,
    budget: int,
    budget_mb: float,
    link_from: Path | None = None,
) -> Media:
    """Make sounds and images and take those that fit.

    Parameters
    ----------
    table : ClipTable
    order : sequence of Combination
        Best first.
    clips : sequence of int
        As :func:`clips_by_interest` gives them.
    sources : Sources
    store : Store
        Where they are looked up and put.
    budget : int
        Most characters of sounds and images together.
    budget_mb : float
        Of the whole report: says how many are made.
    link_from : path, optional
        The report's folder: sounds are not included but referred to from there.
    """
    media, shown, left = Media(), image_encodings(order, sources), budget
    n_sounds, n_images = _most(SOUNDS, budget_mb), _most(IMAGES, budget_mb)
    paths = _images(table, order, [*clips[:n_sounds]], [*clips[n_sounds:]], sources, shown, most=n_images)
    thumbnails = make_thumbnails(paths, store=store)
    if link_from is not None:
        media.sounds = _links(table, clips, sources, link_from)
        left -= sum(len(text) + _OVERHEAD for text in media.sounds.values())
    wanted = [] if link_from is not None else [table.clips[k] for k in clips if table.clips[k] in sources.sounds]
    parts = {clip: sources.sounds[clip] for clip in wanted[:n_sounds]}
    excerpts, missing = make_excerpts(parts, store=store)
    number = {clip: k for k, clip in enumerate(table.clips)}
    of_best = dict.fromkeys((table.clips[k], shown[order[0]]) for k in clips)
    rest = [key for key in thumbnails if key not in of_best]
    for clip, encoding in [*of_best, *rest]:  # a sound and its image together, the most telling clip first
        images = media.images.setdefault(encoding, {})
        for where, data in ((media.sounds, excerpts.pop(clip, b"")), (images, thumbnails.get((clip, encoding), b""))):
            if data and (size := _OVERHEAD + len(data) * 4 // 3) <= left:
                where[number[clip]] = base64_text(data)
                left -= size
    media.notes = _notes(media, missing, len(wanted), linked=link_from is not None)
    return media


def linked_sound(part: Part, folder: Path) -> str:
    """The address of a sound file as a page in a folder refers to it; empty for one behind a URL.

    Examples
    --------
    >>> linked_sound(Part("/sounds/a b.wav", 1.5, 2), Path("/runs/one"))
    '../../sounds/a%20b.wav#t=1.5,2'
    """
    if url_of(part.path):
        return ""
    try:
        address = quote(Path(os.path.relpath(part.path, folder)).as_posix())
    except ValueError:  # on another drive
        address = Path(part.path).as_uri()
    start, end = (f"{t:g}" if t == t else "" for t in (part.start_s, part.end_s))
    return address + (f"#t={start or 0}{',' if end else ''}{end}" if start or end else "")


def _most(of_ten: int, budget_mb: float) -> int:
    return max(of_ten, round(of_ten * budget_mb / 10))


def _links(table: ClipTable, clips: Sequence[int], sources: Sources, folder: Path) -> dict[int, str]:
    there = ((k, sources.sounds.get(table.clips[k])) for k in sorted(clips))
    found = {k: linked_sound(part, folder) for k, part in there if part}
    return {k: address for k, address in found.items() if address}


def _images(
    table: ClipTable,
    order: Sequence[Combination],
    first: Sequence[int],
    rest: Sequence[int],
    sources: Sources,
    shown: Mapping[Combination, str],
    *,
    most: int,
) -> dict[tuple[str, str], str]:
    """Paths of images by clip and encoding: the clips to be heard, the mistakes of each combination, other clips."""
    mistakes = _interleaved([[(k, shown[row]) for k in table.mistakes(row)] for row in order])
    best = shown[order[0]]
    wanted = [*((k, best) for k in first), *mistakes, *((k, best) for k in rest)]
    keys = dict.fromkeys((table.clips[k], encoding) for k, encoding in wanted)
    return {
        key: path for key in islice((k for k in keys if k in sources.images), most) if (path := sources.image(*key))
    }


def _by_class(table: ClipTable) -> Iterable[int]:
    """All clips, of each class in turn."""
    tested = np.flatnonzero(table.labels >= 0)
    return _interleaved([tested[table.labels[tested] == k].tolist() for k in range(len(table.classes))])


def _interleaved(lists: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The first of each list, then the second of each, and so on."""
    for same in zip_longest(*lists):
        yield from (item for item in same if item is not None)


def _notes(media: Media, missing: Sequence[str], wanted: int, *, linked: bool) -> list[str]:
    """What there is to hear, and what is not, each said once."""
    notes = []
    if linked and media.sounds:
        notes.append("Sounds are not in this file: it refers to the files of the corpus.")
    elif media.sounds and len(media.sounds) + len(missing) < wanted:
        notes.append(
            f"This file has the sounds of {len(media.sounds)} of {wanted} clips, the most telling; --budget gives more."
        )
    if missing:
        notes.append(
            f"{len(missing)} {'sound' if len(missing) == 1 else 'sounds'} could not be read, the first {missing[0]!r}: "
            "were files of the corpus moved?"
        )
    return notes
