"""Draw many clips with many encodings in one pass, each picture once.

A picture's key in the store is made of the sound's digest, the spec and the version of the code that draws; what
the store has is not drawn again. Each clip is read once, and its spectra are shared by all encodings of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.clips import Clip, read_clips
from converter.references import with_references
from converter.registry import code_version, encode
from converter.sound import Sound, as_sound, sound_key
from converter.spec import Spec
from harness import audio, image, tables
from harness import images as pictures
from harness.errors import AudioError, SettingsError
from harness.files import digest_json
from harness.parallel import check_jobs, in_parallel
from harness.record import read_steps, record_step
from harness.store import Store, key_of
from harness.tables import CLIPS, FAILURES, IMAGES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STEP", "convert", "picture_key"]

STEP = "convert"


@dataclass(frozen=True)
class Picture:
    """One picture to be made: of which encoding, under which key, where to."""

    encoding: str
    spec: Spec
    key: str
    target: Path


@dataclass(frozen=True)
class Task:
    """All pictures of one clip that the store does not have."""

    clip: Clip
    pictures: tuple[Picture, ...]
    store: Store


def convert(
    clips: pd.DataFrame,
    encodings: Mapping[str, Spec],
    out: str | Path,
    *,
    store: Store,
    jobs: int = 1,
    strict: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw every clip with every encoding; write ``images.csv``, ``failures.csv`` and ``run.json``.

    Parameters
    ----------
    clips : DataFrame
        The clips table; paths absolute, or relative to the working directory.
    encodings : mapping of str to Spec
        By the name that the pictures go under.
    out : path
        Folder of pictures. Other encodings' rows and pictures in it stay.
    store : Store
        Where pictures are kept.
    jobs : int
        Processes; 1 stays in this one, -1 takes as many as there are cores.
    strict : bool
        Stop at the first clip that cannot be drawn.

    Returns
    -------
    images : DataFrame
        The rows of these encodings, clip by clip.
    failures : DataFrame
        Clips that could not be drawn, with the reason.

    Raises
    ------
    AudioError
        With `strict`: the first clip that cannot be drawn.
    SettingsError
        A name that a merge in `out` has already.
    TableError
        The clips table is broken, or two clips would share a file.
    """
    started, out = time.monotonic(), Path(out)
    _check_names(encodings, out)
    todo = read_clips(tables.check(clips, CLIPS), jobs=check_jobs(jobs), strict=strict)
    specs = with_references(encodings, [clip for clip in todo if clip.digest], store=store, jobs=jobs)
    plan = {clip.clip_id: _pictures_of(clip, specs, out) for clip in todo if clip.digest}
    pictures.check_paths(tables.frame(_rows(todo, plan, {}, out), IMAGES))
    reasons = {clip.clip_id: clip.reason for clip in todo if clip.reason}
    reasons |= _draw_missing(todo, plan, store=store, jobs=jobs, strict=strict)
    images = pictures.publish(out, _rows(todo, plan, reasons, out), encodings=specs)
    failures = _failures(todo, reasons)
    pictures.report_failures(out, failures, step=STEP)
    _record(out, specs, todo, started)
    return images, failures


def picture_key(digest: str, spec: Spec) -> str:
    """Key of a picture: the sound's digest, the spec, and the version of the code that draws it."""
    return key_of(audio=digest, spec=spec.digest(), code=code_version(spec.encoding))


def _check_names(encodings: Mapping[str, Spec], out: Path) -> None:
    merges = read_steps(out).get("merge", {}).get("spec", {}).get("merges", {})
    for name in encodings:
        if name in merges:
            raise SettingsError(f"encoding={name!r}: {out} has a merge of that name; give it another, or another --out")


def _pictures_of(clip: Clip, specs: Mapping[str, Spec], out: Path) -> tuple[Picture, ...]:
    return tuple(
        Picture(
            encoding=name,
            spec=spec,
            key=picture_key(clip.digest, spec),
            target=out / pictures.relative_path(name, clip.label, clip.clip_id),
        )
        for name, spec in specs.items()
    )


def _draw_missing(
    clips: Sequence[Clip], plan: Mapping[str, tuple[Picture, ...]], *, store: Store, jobs: int, strict: bool
) -> dict[str, str]:
    """Bring every picture of the plan to its place, from the store or drawn; give the reasons of those that fail."""
    tasks = []
    for clip in clips:
        missing = tuple(p for p in plan.get(clip.clip_id, ()) if not _deliver(p, store))
        if missing:
            tasks.append(Task(clip, missing, store))
    reasons = {}
    for task, reason in zip(tasks, in_parallel(draw_task, tasks, jobs=jobs, what="drawing"), strict=True):
        if reason and strict:
            raise AudioError(reason)
        if reason:
            reasons[task.clip.clip_id] = reason
    return reasons


def _deliver(picture: Picture, store: Store) -> bool:
    """Put a picture that the store has in its place; whether it has it."""
    data = pictures.stored(store, picture.key)
    if data is not None:
        pictures.deliver(data, picture.target)
    return data is not None


def draw_task(task: Task) -> str:
    """Draw one clip's missing pictures, keep and deliver them; the reason where the sound cannot be drawn, else ''."""
    clip = task.clip
    sounds: dict[tuple[Any, ...], Sound] = {}
    try:
        y, sr = audio.read(clip.path, start_s=clip.start_s, end_s=clip.end_s)
        for picture in task.pictures:
            key = sound_key(picture.spec)
            sounds[key] = sound = sounds.get(key) or as_sound(y, sr=sr, spec=picture.spec)
            data = image.encode_png(encode(sound, sr=sound.sr, spec=picture.spec))
            pictures.keep(task.store, picture.key, data)
            pictures.deliver(data, picture.target)
    except AudioError as error:
        return str(error)
    return ""


def _rows(
    clips: Sequence[Clip], plan: Mapping[str, tuple[Picture, ...]], reasons: Mapping[str, str], out: Path
) -> list[dict[str, object]]:
    return [
        {
            "clip_id": clip.clip_id,
            "encoding": picture.encoding,
            "path": picture.target.relative_to(out).as_posix(),
            "label": clip.label,
            "fold": clip.fold,
            "group": clip.group,
            "spec": picture.spec.digest()[:16],
        }
        for clip in clips
        if clip.clip_id not in reasons
        for picture in plan.get(clip.clip_id, ())
    ]


def _failures(clips: Sequence[Clip], reasons: Mapping[str, str]) -> pd.DataFrame:
    rows: list[dict[str, object]] = [
        {"clip_id": clip.clip_id, "path": clip.path, "step": STEP, "reason": reasons[clip.clip_id]}
        for clip in clips
        if clip.clip_id in reasons
    ]
    return tables.frame(rows, FAILURES)


def _record(out: Path, specs: Mapping[str, Spec], clips: Sequence[Clip], started: float) -> None:
    """Write the step; the specs of encodings that lie in the folder from earlier runs are kept."""
    earlier = read_steps(out).get(STEP, {}).get("spec", {}).get("encodings", {})
    there = set(tables.read(out / IMAGES.name, IMAGES)["encoding"])
    kept = {name: spec for name, spec in earlier.items() if name in there}
    sounds = digest_json([[clip.clip_id, clip.digest] for clip in clips])
    record_step(
        out,
        STEP,
        spec={"encodings": kept | {name: spec.to_json() for name, spec in specs.items()}},
        inputs={"sounds": sounds},
        started=started,
    )
