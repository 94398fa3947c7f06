"""The reference of a corpus: ``ref = "corpus"`` becomes the highest value that any of its clips reaches.

Each clip's own highest value is kept in the store, so a second run measures nothing. The number takes the word's
place in the spec: it goes into the picture's key, into ``run.json`` and into the model. It is one brightness for
all clips, those of test folds among them; where that matters, give a number of your own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from converter.registry import code_version
from converter.sound import as_sound, sound_key
from converter.spec import Spec
from harness import audio
from harness.errors import AudioError
from harness.parallel import in_parallel
from harness.store import Store, key_of

if TYPE_CHECKING:
    from converter.clips import Clip

__all__ = ["with_references"]

_KIND = "peaks"


@dataclass(frozen=True)
class _Task:
    clip: Clip
    spec: Spec
    key: str
    store: Store


def with_references(
    encodings: Mapping[str, Spec], clips: Sequence[Clip], *, store: Store, jobs: int = 1
) -> dict[str, Spec]:
    """Put the corpus's highest value where a spec says ``ref="corpus"``.

    Raises
    ------
    AudioError
        No clip could be measured.
    """
    return {name: _with_reference(spec, clips, store=store, jobs=jobs) for name, spec in encodings.items()}


def _with_reference(spec: Spec, clips: Sequence[Clip], *, store: Store, jobs: int) -> Spec:
    from converter.dsp import AMIN
    from converter.spectrogram import SpectralSpec, transform_key

    if not isinstance(spec, SpectralSpec) or spec.ref != "corpus":
        return spec
    parts = {"transform": transform_key(spec), "sound": sound_key(spec), "code": code_version(spec.encoding)}
    keys = [key_of(audio=clip.digest, **parts) for clip in clips]
    known: list[float | None] = [store.get_json(_KIND, key) for key in keys]
    tasks = [_Task(clip, spec, key, store) for clip, key, peak in zip(clips, keys, known, strict=True) if peak is None]
    measured = [*(p for p in known if p is not None)]
    measured += [p for p in in_parallel(_measure, tasks, jobs=jobs, what="measuring") if p is not None]
    if not measured:
        raise AudioError('ref="corpus": none of the clips could be measured')
    return replace(spec, ref=max(*measured, AMIN))


def _measure(task: _Task) -> float | None:
    """A clip's highest value; None for one that cannot be read, which the converter names when it draws."""
    from converter.spectrogram import SpectralSpec, peak

    assert isinstance(task.spec, SpectralSpec)
    try:
        y, sr = audio.read(task.clip.path, start_s=task.clip.start_s, end_s=task.clip.end_s)
    except AudioError:
        return None
    value = peak(as_sound(y, sr=sr, spec=task.spec), task.spec)
    task.store.put_json(_KIND, task.key, value)
    return value
