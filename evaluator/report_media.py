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
    "Candidates",
    "Media",
    "clips_by_interest",
    "excerpts_of_all",
    "image_encodings",
    "linked_sound",
    "make_candidates",
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


@dataclass(frozen=True)
class Candidates:
    """Sounds and images that may go into a report.

    Parameters
    ----------
    places : list of (str, str)
        clip_ids and encodings, the most telling first.
    numbers : dict of str to int
        Of the clips.
    sounds : dict of str to bytes
        By clip_id.
    images : dict of (str, str) to bytes
        By clip_id and encoding.
    links : dict of int to str
        By clip: addresses of sounds that are not included.
    missing : list of str
        Files that could not be read.
    wanted : int
        Clips that have a sound.
    linked : bool
        Whether sounds are referred to.
    """

    places: list[tuple[str, str]]
    numbers: dict[str, int]
    sounds: dict[str, bytes]
    images: dict[tuple[str, str], bytes]
    links: dict[int, str]
    missing: list[str]
    wanted: int
    linked: bool

    def within(self, budget: int) -> Media:
        """Those that fit into so many characters."""
        media = Media(sounds=dict(self.links))
        left = budget - sum(len(text) + _OVERHEAD for text in self.links.values())
        heard = set[str]()
        for clip, encoding in self.places:  # a sound and its image together, the most telling clip first
            images = media.images.setdefault(encoding, {})
            sound = b"" if clip in heard else self.sounds.get(clip, b"")
            heard.add(clip)
            for where, data in ((media.sounds, sound), (images, self.images.get((clip, encoding), b""))):
                if data and (size := _OVERHEAD + len(data) * 4 // 3) <= left:
                    where[self.numbers[clip]] = base64_text(data)
                    left -= size
        media.notes = _notes(media, self.missing, self.wanted, linked=self.linked)
        return media


def make_candidates(
    table: ClipTable,
    order: Sequence[Combination],
    clips: Sequence[int],
    sources: Sources,
    *,
    store: Store,
    budget_mb: float,
    link_from: Path | None = None,
) -> Candidates:
    """Make the sounds and images that may go into a report.

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
    budget_mb : float
        Of the whole report: says how many are made.
    link_from : path, optional
        The report's folder: sounds are not included but referred to from there.
    """
    shown, linked = image_encodings(order, sources), link_from is not None
    n_sounds, n_images = _most(SOUNDS, budget_mb), _most(IMAGES, budget_mb)
    paths = _images(table, order, [*clips[:n_sounds]], [*clips[n_sounds:]], sources, shown, most=n_images)
    images = make_thumbnails(paths, store=store)
    links = {} if link_from is None else _links(table, clips, sources, link_from)
    wanted = [] if linked else [table.clips[k] for k in clips if table.clips[k] in sources.sounds]
    sounds, missing = make_excerpts({clip: sources.sounds[clip] for clip in wanted[:n_sounds]}, store=store)
    places = list(dict.fromkeys([*((table.clips[k], shown[order[0]]) for k in clips), *images]))
    numbers = {clip: k for k, clip in enumerate(table.clips)}
    return Candidates(places, numbers, sounds, images, links, list(missing), len(wanted), linked)


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
