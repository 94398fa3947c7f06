"""What is to be drawn of each clip: one image for each encoding, or one for each of its tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

from converter.augmenting import AugmentSettings, SoundChange, augment_version, draw_changed
from converter.drawing import draw_pngs
from converter.references import Clip
from converter.registry import image_key
from converter.spec import Encoding
from converter.tiles import Tile, count_tiles
from harness import audio
from harness.augmented_ids import augmented_id
from harness.code_version import code_version
from harness.errors import AudioError
from harness.files import digest_json
from harness.image_tasks import ImageTask, PlannedImage
from harness.images import relative_path
from harness.store import Store, key_of
from harness.tile_ids import is_tile, tile_id
from harness.urls import absolute

__all__ = ["augmented_tasks", "image_task", "longest_drawn", "look_up_lengths", "plan_tiles"]


def plan_tiles(
    clips: Sequence[Clip], encodings: Mapping[str, Encoding], *, jobs: int, strict: bool
) -> tuple[dict[str, dict[str, list[Tile]]], dict[str, str]]:
    """The tiles of clips by clip and encoding, for encodings that cut clips into tiles; and why clips have none.

    Raises
    ------
    AudioError
        With `strict`: the first clip that is shorter than a tile.
    """
    cutting = {name: encoding for name, encoding in encodings.items() if encoding.tile_s}

    def plan(clip: Clip) -> dict[str, list[Tile]] | str:
        try:
            if is_tile(clip.clip_id):
                raise AudioError(f"{clip.path}: its clip_id ends as those of tiles do; give it another")
            seconds = audio.duration(clip.path, start_s=clip.start_s, end_s=clip.end_s)
            counts = {name: count_tiles(encoding, seconds) for name, encoding in cutting.items()}
            if not all(counts.values()):
                name = next(name for name, n in counts.items() if not n)
                least = f"{cutting[name].tile_s:.2f} s, the length of a tile of {name!r}"
                raise AudioError(f"{clip.path}: {seconds:.2f} s long, shorter than {least}")
        except AudioError as error:
            if strict:
                raise
            return str(error)
        return {name: [Tile(cutting[name], number) for number in range(n)] for name, n in counts.items()}

    if not cutting:
        return {}, {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        found = dict(zip([clip.clip_id for clip in clips], pool.map(plan, clips), strict=True))
    tiles = {clip_id: own for clip_id, own in found.items() if isinstance(own, dict)}
    return tiles, {clip_id: own for clip_id, own in found.items() if isinstance(own, str)}


def image_task(
    clip: Clip,
    encodings: Mapping[str, Encoding],
    versions: Mapping[str, tuple[Mapping[str, str], str]],
    out: Path,
    store: Store,
    tiles: Mapping[str, Sequence[Tile]] | None = None,
) -> ImageTask:
    """The images of one clip; `versions` has, by encoding, what it adds to every key, and its column ``spec``."""
    images = [
        _planned(clip, name, versions[name], out, encoding)
        for name, encoding in encodings.items()
        if not encoding.tile_s
    ]
    of_tiles = [(tile.start_s, tile.end_s, name, tile) for name, own in (tiles or {}).items() for tile in own]
    for start_s, end_s, name, tile in sorted(of_tiles, key=lambda each: each[:2]):
        part = replace(
            clip,
            clip_id=tile_id(clip.clip_id, tile.number),
            group=clip.group or clip.clip_id,
            digest=audio.part_digest(clip.digest, start_s, end_s),
        )
        images.append(_planned(part, name, versions[name], out, tile))
    path = absolute(clip.path)
    make = partial(draw_pngs, path, start_s=clip.start_s, end_s=clip.end_s, digest=clip.digest)
    return ImageTask(clip.clip_id, tuple(images), make, store)


def augmented_tasks(
    clips: Sequence[Clip],
    encodings: Mapping[str, Encoding],
    versions: Mapping[str, tuple[Mapping[str, str], str]],
    out: Path,
    store: Store,
    augment: AugmentSettings | None,
) -> list[ImageTask]:
    """The images of every changed sound of clips, a task for each sound; other parameters as for :func:`image_task`."""
    if augment is None:
        return []
    version = augment_version(augment)
    changed = {name: (own, digest_json([spec, version])[:16]) for name, (own, spec) in versions.items()}
    tasks = []
    for clip in clips:
        for copy in range(augment.copies):
            digest = key_of(sound=clip.digest, copy=copy, **version)
            own = replace(clip, clip_id=augmented_id(clip.clip_id, copy), digest=digest)
            images = tuple(_planned(own, name, changed[name], out, encoding) for name, encoding in encodings.items())
            change = SoundChange.of(augment, clip.digest, copy)
            make = partial(
                draw_changed, absolute(clip.path),
                start_s=clip.start_s, end_s=clip.end_s, digest=clip.digest, change=change,
            )  # fmt: skip
            tasks.append(ImageTask(own.clip_id, images, make, store))
    return tasks


def _planned(
    clip: Clip, name: str, version: tuple[Mapping[str, str], str], out: Path, spec: Encoding | Tile
) -> PlannedImage:
    path = relative_path(name, clip.label, clip.clip_id)
    row: dict[str, object] = {
        "clip_id": clip.clip_id,
        "encoding": name,
        "path": path,
        "label": clip.label,
        "fold": clip.fold,
        "group": clip.group,
        "spec": version[1],
    }
    return PlannedImage(row, image_key(clip.digest, version[0]), out / path, spec)


def longest_drawn(encodings: Mapping[str, Encoding], clips: Sequence[Clip], store: Store) -> dict[str, float]:
    """Length in seconds of the longest sound that each encoding draws: of a clip, or of a tile."""
    whole = _longest_clip(clips, store)
    return {name: encoding.tile_s or whole for name, encoding in encodings.items()}


def look_up_lengths(clips: Sequence[Clip], store: Store) -> None:
    """Begin to look up the lengths of sounds for :func:`longest_drawn`, which then finds them in the store."""

    def look_up() -> None:
        with suppress(Exception):  # whoever needs them will say what is the matter
            _longest_clip(clips, store)

    Thread(target=look_up, name="lengths", daemon=True).start()


def _longest_clip(clips: Sequence[Clip], store: Store) -> float:
    """Length of the longest clip in seconds, which headers tell; once for the same sounds."""
    key = key_of(sounds=[clip.digest for clip in clips], code=code_version(audio.__name__))
    known = store.get_json("lengths", key)
    if known is None:
        known = audio.longest((clip.path, clip.start_s, clip.end_s) for clip in clips)
        store.put_json("lengths", key, known)
    return float(known)
