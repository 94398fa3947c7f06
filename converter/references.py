"""The reference of a corpus: ``ref = "corpus"`` becomes the highest value that any of its clips reaches.

Each clip's own highest value is put into the store, so a second run measures nothing. The number takes the word's
place in the encoding: it goes into the image's key, into ``run.json`` and into the model. It is one brightness for
all clips, those of test folds among them; where that matters, give a number of your own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.dsp import AMIN
from converter.sound import as_sound
from converter.spec import Encoding
from converter.spectrogram import Spectrogram
from converter.tiles import cut_tiles
from harness import audio
from harness.code_version import code_version
from harness.errors import AudioError, SettingsError
from harness.parallel import in_parallel
from harness.registry import defining_module
from harness.store import Store, key_of

__all__ = ["Clip", "with_references"]

_KIND = "peaks"
_PROBE_S = 1.0
_PROBE_REFERENCES = (1e-3, 1.0, 1e3)


@dataclass(frozen=True)
class Clip:
    """One row of ``clips.csv``, and the digest of its sound (empty, with a reason, where that cannot be read)."""

    clip_id: str
    path: str
    label: str
    fold: str
    group: str
    start_s: float
    end_s: float
    digest: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Measurement:
    clip: Clip
    encoding: Encoding
    key: str
    store: Store


def with_references(
    encodings: Mapping[str, Encoding], clips: Sequence[Clip], *, store: Store, jobs: int = 1
) -> dict[str, Encoding]:
    """Put the corpus's highest value where an encoding says ``ref="corpus"``.

    Raises
    ------
    AudioError
        No clip could be measured.
    SettingsError
        A reference other than each clip's own maximum, for an encoding whose images do not depend on it.
    """
    for name, encoding in encodings.items():
        ref = getattr(encoding, "ref", "max")
        if ref == "corpus" or (ref != "max" and isinstance(encoding, Spectrogram)):
            _check_applies(name, encoding, ref)
    return {
        name: _with_reference(encoding, clips, store=store, jobs=jobs)
        if getattr(encoding, "ref", None) == "corpus"
        else encoding
        for name, encoding in encodings.items()
    }


def _check_applies(name: str, encoding: Encoding, ref: str | float) -> None:
    """Refuse a reference that changes no pixel: it would be recorded as if it had been applied."""
    own = encoding.replace(ref="max")
    seconds = min(own.duration_s, _PROBE_S) or _PROBE_S
    noise = np.random.default_rng(0).standard_normal(round(seconds * own.sample_rate) + 1).astype(np.float32) / 8
    if ref == "corpus" and type(own).peak is Encoding.peak:
        raise SettingsError(f"{name}: encoding {own.name!r} has no method peak, so it cannot take ref='corpus'")
    drawn = [own.replace(ref=each).draw(noise, sr=own.sample_rate) for each in _PROBE_REFERENCES]
    if all(np.array_equal(each, drawn[0]) for each in drawn):
        raise SettingsError(
            f"{name}: ref={ref!r} changes nothing, since encoding {own.name!r} does not apply it; leave ref out, "
            "or apply it in the encoding's own code (converter.levels.level does)"
        )


def _with_reference(encoding: Encoding, clips: Sequence[Clip], *, store: Store, jobs: int) -> Encoding:
    own = encoding.replace(ref="max")
    code = code_version(defining_module(type(own)), __name__)
    keys = [key_of(audio=clip.digest, spec=own.digest(), code=code) for clip in clips]
    known: list[float | None] = [store.get_json(_KIND, key) for key in keys]
    todo = [_Measurement(clip, own, k, store) for clip, k, peak in zip(clips, keys, known, strict=True) if peak is None]
    peaks = [*known, *in_parallel(_measure, todo, jobs=jobs, what="measuring", if_killed=lambda _: None)]
    measured = [peak for peak in peaks if peak is not None]
    if not measured:
        raise AudioError('ref="corpus": none of the clips could be measured')
    return encoding.replace(ref=max(*measured, AMIN))


def _measure(task: _Measurement) -> float | None:
    """A clip's highest value; None for one that cannot be read, which the converter names when it draws."""
    try:
        clip = task.clip
        mono = not task.encoding.all_channels
        y, sr = audio.read(clip.path, start_s=clip.start_s, end_s=clip.end_s, digest=clip.digest, mono=mono)
        drawn = [as_sound(part, sr=sr, settings=task.encoding) for part in cut_tiles(task.encoding, y, sr)]
    except (AudioError, MemoryError):
        return None
    if not drawn:  # shorter than a tile
        return None
    peak = max(task.encoding.peak(sound) for sound in drawn)
    task.store.put_json(_KIND, task.key, peak)
    return peak
