"""What goes under a file's digest is made of the bytes that have it, whatever happens to the file meanwhile."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converter.drawing import draw_pixels, draw_pngs
from converter.encodings.gray import Gray
from converter.encodings.logmel import LogMel
from converter.references import Clip, with_references
from corpora.sounds import SoundTask, digest_clips, fingerprints, read_low
from harness import audio, image
from harness.decoding import SoundBytes
from harness.digests import FileDigests
from harness.errors import AudioError, ImageError
from harness.hub.base import ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.store import Store
from trainer.sources import SoundPart, image_source, sound_source

RATE = 8000
WHOLE = {"start_s": math.nan, "end_s": math.nan}
GRAY = Gray(size=(8, 8))
WAVES = ModuleInfo("waves", "1" * 64, "waveform", 0, 0, (-1.0, 1.0), RATE, 4)
PIXELS = ModuleInfo("pixels", "2" * 64, "image", 8, 8, (0.0, 1.0), 0, 4)


def samples(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5 / seed, 0.5 / seed, 2 * RATE)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    audio.write_wav(tmp_path / "a.wav", samples(1), RATE)
    return tmp_path / "a.wav"


def task_of(sound: Path, store: Store) -> SoundTask:
    (task,) = digest_clips(pd.DataFrame([{"path": str(sound), **WHOLE}]), store=store)
    return task


def drawn(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    digest = audio.digest(sound)
    change()
    return list(draw_pngs(sound, [GRAY], **WHOLE, digest=digest))


def drawn_in_memory(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    digest = audio.digest(sound)
    change()
    return [pixels.tolist() for pixels in draw_pixels(sound, [GRAY], **WHOLE, digest=digest)]


def reference(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    """The number is in the store under the sound's digest."""
    clip = Clip("a", str(sound), "", "", "", **WHOLE, digest=audio.digest(sound))
    change()
    return with_references({"x": LogMel(size=(8, 8), ref="corpus")}, [clip], store=store)["x"].to_json()["ref"]


def for_a_module(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    source = sound_source(ModuleSpec(handle="folder"), WAVES, FileDigests(store))
    part = SoundPart(sound)
    source.key(part)
    change()
    return source.read(part).tolist()


def fingerprint(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    task = task_of(sound, store)
    change()
    found = fingerprints([task])
    if not found:
        raise AudioError("changed while it was in use")
    return {name: value.hashes.tolist() for name, value in found.items()}


def low_rate(sound: Path, store: Store, change: Callable[[], None]) -> Any:
    task = task_of(sound, store)
    change()
    return read_low(task).tolist()


READERS = [drawn, drawn_in_memory, reference, for_a_module, fingerprint, low_rate]


@pytest.mark.parametrize("reader", READERS)
def test_nothing_is_made_of_a_sound_in_anothers_place(reader: Any, sound: Path, tmp_path: Path) -> None:
    """Neither now nor, from the store, when the first sound is back."""
    store, first = Store(tmp_path / "store"), sound.read_bytes()
    expected = reader(sound, Store(tmp_path / "other store"), lambda: None)
    with pytest.raises(AudioError, match=r"changed while it was in use|none of the clips could be measured"):
        reader(sound, store, lambda: audio.write_wav(sound, samples(2), RATE))
    sound.write_bytes(first)
    assert reader(sound, store, lambda: None) == expected


@pytest.mark.parametrize("most", [audio._IN_MEMORY, 10], ids=["small", "large"])
def test_a_sound_that_is_another_only_while_it_is_decoded(
    most: int, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if somebody copied over it, and back: a comparison of digests before and after would see nothing."""
    first, real = sound.read_bytes(), audio.decode
    second = io.BytesIO()
    audio.soundfile.write(second, samples(2), RATE, format="WAV", subtype="PCM_16")
    expected = drawn(sound, Store(tmp_path / "store"), lambda: None)

    def decode(source: Path | SoundBytes, start_s: float, end_s: float) -> tuple[np.ndarray, int]:
        sound.write_bytes(second.getvalue())
        try:
            return real(source, start_s, end_s)
        finally:
            sound.write_bytes(first)

    monkeypatch.setattr(audio, "decode", decode)
    monkeypatch.setattr(audio, "_IN_MEMORY", most)
    if most > 10:
        assert drawn(sound, Store(tmp_path / "store"), lambda: None) == expected
        return
    for reader in READERS:
        with pytest.raises(AudioError, match=r"changed while it was in use|none of the clips could be measured"):
            reader(sound, Store(tmp_path / reader.__name__), lambda: None)


def test_an_image_in_anothers_place_has_no_vector(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(image.encode_png(np.zeros((8, 8, 3), np.uint8)))
    source = image_source(ModuleSpec(handle="folder"), PIXELS, FileDigests(Store(tmp_path / "store")))
    source.key(path)
    path.write_bytes(image.encode_png(np.full((8, 8, 3), 255, np.uint8)))
    with pytest.raises(ImageError, match="changed while it was in use"):
        source.read(path)
