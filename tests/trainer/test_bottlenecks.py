"""Feature vectors: computed once, found again under any name, never stale, the same whatever else is in the batch."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from harness.audio import read, write_wav
from harness.errors import ModuleError
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import parse
from harness.hub.tensorflow import import_tensorflow
from harness.image import read as read_image_file
from harness.store import Store
from harness.vectors import Vectors
from trainer.bottlenecks import Features, array_features, image_features, sound_features
from trainer.sources import ImageMemory, SoundPart

SR = 16000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with nothing in it."""
    return Store(tmp_path / "store")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Forty different images of different sizes; more than a batch."""
    rng = np.random.default_rng(0)
    files = [tmp_path / "images" / f"{i}.png" for i in range(40)]
    files[0].parent.mkdir()
    for i, file in enumerate(files):
        Image.fromarray(rng.integers(0, 256, (16 + i % 3, 20, 3), np.uint8)).save(file)
    return files


def refuse() -> NoReturn:
    """Takes the place of loading a module."""
    raise AssertionError("the module was loaded although every vector is there")


def again(files: Sequence[Path], spec: ModuleSpec, store: Store) -> Features:
    """Vectors that must all come from the store."""
    found = image_features(files, spec, store=store, load=refuse)
    assert found.computed == 0
    return found


def test_the_vectors_are_the_module_s_own(images: list[Path], tiny_module: str, store: Store) -> None:
    found = image_features(images, parse(tiny_module), store=store)
    assert (found.values.shape, found.values.dtype) == ((40, 12), np.float32)
    assert (found.computed, found.failures) == (40, {})
    module = import_tensorflow().saved_model.load(tiny_module)
    for row in (0, 1, 2, 39):
        pixels = np.asarray(Image.open(images[row]).resize((16, 16), Image.Resampling.BILINEAR), np.float32) / 255
        np.testing.assert_allclose(found.values[row], module(pixels[None])[0], atol=1e-6)


def test_a_second_call_computes_nothing(images: list[Path], tiny_module: str, store: Store) -> None:
    first = image_features(images, parse(tiny_module), store=store)
    assert again(images, parse(tiny_module), store).values.tobytes() == first.values.tobytes()
    backwards = again(images[::-1], parse(tiny_module), store)
    assert backwards.values.tobytes() == first.values[::-1].tobytes()


def test_a_renamed_or_moved_image_is_known(images: list[Path], tiny_module: str, store: Store, tmp_path: Path) -> None:
    first = image_features(images, parse(tiny_module), store=store)
    moved = [tmp_path / "else where" / f"{k:02}{file.name}" for k, file in enumerate(images)]
    moved[0].parent.mkdir()
    for old, new in zip(images, moved, strict=True):
        old.rename(new)
    np.testing.assert_array_equal(again(moved, parse(tiny_module), store).values, first.values)


def test_a_changed_pixel_is_a_miss(images: list[Path], tiny_module: str, store: Store) -> None:
    first = image_features(images, parse(tiny_module), store=store)
    pixels = np.asarray(Image.open(images[7])).copy()
    pixels[8, 8, 0] ^= 255
    Image.fromarray(pixels).save(images[7])
    second = image_features(images, parse(tiny_module), store=store)
    assert second.computed == 1
    changed = np.flatnonzero((second.values != first.values).any(axis=1))
    assert changed.tolist() == [7]


def test_vectors_may_be_saved_later(images: list[Path], tiny_module: str, store: Store) -> None:
    spec = parse(tiny_module)
    found = image_features(images, spec, store=store, save=False)
    assert Vectors(store).count(found.keys) == 0
    found.save()
    assert again(images, spec, store).values.tobytes() == found.values.tobytes()


def test_an_interrupt_loses_no_vectors_that_were_to_be_saved_later(
    images: list[Path], tiny_module: str, store: Store
) -> None:
    def interrupt(done: int) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_features(images, parse(tiny_module), store=store, save=False, report=interrupt)
    assert 16 <= 40 - image_features(images, parse(tiny_module), store=store).computed < 40


def test_modules_of_one_study_get_the_same_images_whatever_becomes_of_the_files(
    images: list[Path], tiny_module: str, store: Store, tmp_path: Path
) -> None:
    memory, other = ImageMemory(), parse({"handle": tiny_module, "value_range": [-1, 1]})
    copies = [Path(shutil.copy(file, tmp_path / file.name)) for file in images]
    image_features(images, parse(tiny_module), store=store, memory=memory)
    Image.new("RGB", (20, 16), "red").save(images[3])
    found = image_features(images, other, store=store, memory=memory)
    np.testing.assert_array_equal(again(copies, other, store).values, found.values)


def test_another_module_or_another_preprocessing_is_a_miss(
    images: list[Path], tiny_module: str, store: Store, tmp_path: Path
) -> None:
    files = images[:3]
    first = image_features(files, parse(tiny_module), store=store)
    ranged = image_features(files, parse({"handle": tiny_module, "value_range": [-1, 1]}), store=store)
    assert ranged.computed == 3
    assert (ranged.values != first.values).any(axis=1).all()

    copied = Path(shutil.copytree(tiny_module, tmp_path / "copied"))
    np.testing.assert_array_equal(image_features(files, parse(str(copied)), store=store).values, first.values)
    assert image_features(files, parse(str(copied)), store=store).computed == 0  # the same content, another place
    tf = import_tensorflow()
    loaded = tf.saved_model.load(tiny_module)
    loaded.kernel.assign_add(tf.ones_like(loaded.kernel))
    shutil.rmtree(copied)
    tf.saved_model.save(loaded, str(copied))  # other weights, under the same name
    other = image_features(files, parse(str(copied)), store=store)
    assert other.computed == 3
    assert (other.values != first.values).any(axis=1).all()


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"", lambda data: data[:-99] + bytes(99)])
def test_damaged_vectors_are_computed_again(images: list[Path], tiny_module: str, store: Store, damage: Any) -> None:
    image_features(images[:3], parse(tiny_module), store=store)
    (entry,) = (store.root / "vectors").rglob("*.npy")
    first = image_features(images[:4], parse(tiny_module), store=store)
    assert first.computed == 1
    entry.write_bytes(damage(entry.read_bytes()))
    second = image_features(images[:4], parse(tiny_module), store=store)
    assert second.computed == 3
    np.testing.assert_allclose(second.values, first.values, rtol=0, atol=1e-6)
    again = image_features(images[:4], parse(tiny_module), store=store)
    assert again.computed == 0


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(
    images: list[Path], tiny_module: str, store: Store, tmp_path: Path
) -> None:
    broken, text, missing = tmp_path / "broken.png", tmp_path / "text.png", tmp_path / "missing.png"
    broken.write_bytes(images[0].read_bytes()[:200])
    text.write_text("no picture")
    files = [broken, images[0], text, missing, images[1], text]
    found = image_features(files, parse(tiny_module), store=store)
    assert sorted(found.failures) == [0, 2, 3, 5]
    for row in found.failures:
        assert found.failures[row].startswith(f"{files[row]}: ")
        assert not found.values[row].any()
    assert found.computed == 2
    good = again(images[:2], parse(tiny_module), store)
    np.testing.assert_array_equal(found.values[[1, 4]], good.values)


def test_an_image_that_is_there_twice_is_computed_once(
    images: list[Path], tiny_module: str, store: Store, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.png"
    twin.write_bytes(images[1].read_bytes())
    seen: list[int] = []
    module = kinds.load(parse(tiny_module), store=store)
    reported: list[int] = []

    def counting(batch: np.ndarray) -> np.ndarray:
        seen.append(len(batch))
        return module(batch)

    counting.info = module.info  # type: ignore[attr-defined]
    files = [images[0], images[1], twin, images[1]]
    found = image_features(files, parse(tiny_module), store=store, load=lambda: counting, report=reported.append)
    assert (sum(seen), found.computed) == (2, 2)
    assert found.values[1].tobytes() == found.values[2].tobytes() == found.values[3].tobytes()
    assert found.values[1].any()
    assert reported == sorted(reported)
    assert reported[-1] == len(files)


def test_images_in_memory_have_the_vectors_of_their_files(images: list[Path], tiny_module: str, store: Store) -> None:
    arrays, spec = [read_image_file(file) for file in images[:5]], parse(tiny_module)
    found = array_features([*arrays, arrays[0]], spec, store=store)
    files = image_features([*images[:5], images[0]], spec, store=store)
    assert (found.computed, files.computed) == (5, 5)
    np.testing.assert_array_equal(found.values, files.values)
    again = array_features(arrays, spec, store=store, load=refuse)
    np.testing.assert_array_equal(again.values, found.values[:5])
    other = array_features([arrays[0][::-1]], spec, store=store)
    assert other.computed == 1
    assert not np.array_equal(other.values[0], found.values[0])


@pytest.mark.parametrize("handle", ["tiny", "builtin:scattering"])
def test_what_else_is_in_the_batch_changes_nothing_but_rounding(
    handle: str, images: list[Path], tiny_module: str, tmp_path: Path
) -> None:
    spec = parse(tiny_module if handle == "tiny" else handle)
    files = images if handle == "tiny" else images[:8]
    rounding = 1e-6  # on many processors kernels round by a number's place in the batch
    module = kinds.load(spec)
    together = image_features(files, spec, store=Store(tmp_path / "all"), load=lambda: module)
    for size in (1, 2, 5, 7):
        store = Store(tmp_path / f"by {size}")
        apart = image_features(files, spec, store=store, load=lambda: module, batch_size=size)
        np.testing.assert_allclose(apart.values, together.values, rtol=0, atol=rounding, err_msg=f"batches of {size}")
    store = Store(tmp_path / "halves")  # as a run that was stopped and goes on
    image_features(files[1::3], spec, store=store, load=lambda: module)
    rest = image_features(files, spec, store=store, load=lambda: module)
    assert rest.computed == len(files) - len(files[1::3])
    np.testing.assert_allclose(rest.values, together.values, rtol=0, atol=rounding)


def test_tensorflow_is_not_needed_where_everything_is_there(
    images: list[Path], tiny_module: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for spec in (parse(tiny_module), parse("builtin:scattering")):
        image_features(images[:2], spec, store=store)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import fails
    for spec in (parse(tiny_module), parse("builtin:scattering")):
        assert image_features(images[:2], spec, store=store).computed == 0


# ---------------------------------------------------------------- sounds


def noise(path: Path, seconds: float, *, seed: int = 0, sr: int = SR) -> Path:
    """A wav of noise that grows."""
    y = np.random.default_rng(seed).standard_normal(int(seconds * sr)) * np.linspace(0.01, 0.3, int(seconds * sr))
    write_wav(path, y.clip(-1, 1).astype(np.float32), sr)
    return path


@pytest.fixture
def heard(tiny_yamnet: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[tuple[int, ...]]]:
    """The module that takes sounds, and the shapes that it was given."""
    module = kinds.load(parse(tiny_yamnet))
    shapes: list[tuple[int, ...]] = []

    def listening(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return module(batch)

    listening.info = module.info  # type: ignore[attr-defined]
    return listening, shapes


def test_sounds_of_one_length_go_together(
    tmp_path: Path, tiny_yamnet: str, store: Store, heard: tuple[Any, list[tuple[int, ...]]]
) -> None:
    module, shapes = heard
    lengths = [1.0, 1.5, 0.2, 1.0, 1.5, 0.5, 2.0]
    parts = [SoundPart(noise(tmp_path / f"{i}.wav", s, seed=i)) for i, s in enumerate(lengths)]
    found = sound_features(parts, parse(tiny_yamnet), store=store, load=lambda: module)
    assert sorted(shapes) == [(1, 2 * SR), (2, 24000), (4, SR)]  # the short ones are a second now
    assert (found.computed, found.failures) == (7, {})
    for row, part in enumerate(parts):
        alone = sound_features([part], parse(tiny_yamnet), store=Store(tmp_path / "alone"), load=lambda: module)
        assert np.allclose(alone.values[0], found.values[row], rtol=1e-5, atol=1e-6)  # rounding, on some processors
    assert len({row.tobytes() for row in found.values}) == 7
    assert sound_features(parts, parse(tiny_yamnet), store=store, load=refuse).computed == 0


def test_a_short_sound_is_followed_by_silence(tmp_path: Path, tiny_yamnet: str, store: Store) -> None:
    short = noise(tmp_path / "short.wav", 0.2)
    y = np.zeros(SR, np.float32)
    y[: int(0.2 * SR)] = read(short)[0]
    found = sound_features([SoundPart(short)], parse(tiny_yamnet), store=store)
    module = import_tensorflow().saved_model.load(tiny_yamnet)
    np.testing.assert_allclose(found.values[0], module(y[None])[0], rtol=1e-5)


def test_a_part_of_a_sound_is_that_part(tmp_path: Path, tiny_yamnet: str, store: Store) -> None:
    long = noise(tmp_path / "long.wav", 4.0)
    write_wav(tmp_path / "cut.wav", read(long)[0][SR : 3 * SR], SR)
    parts = [SoundPart(long), SoundPart(long, 1.0, 3.0), SoundPart(long, 1.0), SoundPart(long, end_s=3.0)]
    found = sound_features([*parts, SoundPart(tmp_path / "cut.wav")], parse(tiny_yamnet), store=store)
    assert found.computed == 5
    np.testing.assert_allclose(found.values[1], found.values[4], rtol=1e-4)
    assert len({row.tobytes() for row in found.values[:4]}) == 4


def test_a_broken_sound_is_named(tmp_path: Path, tiny_yamnet: str, store: Store) -> None:
    good, bad, empty = noise(tmp_path / "good.wav", 1.0), tmp_path / "bad.wav", tmp_path / "empty.wav"
    bad.write_bytes(b"RIFF....WAVE")
    empty.write_bytes(b"")
    parts = [SoundPart(p) for p in (bad, good, empty, tmp_path / "gone.wav")] + [SoundPart(good, 5.0, 6.0)]
    found = sound_features(parts, parse(tiny_yamnet), store=store)
    assert sorted(found.failures) == [0, 2, 3, 4]
    for row, reason in found.failures.items():
        assert reason.startswith(f"{parts[row].path}: ")
    assert found.values[1].any()


def test_a_module_whose_rate_nobody_knows(tiny_yamnet: str, store: Store, tmp_path: Path) -> None:
    nameless = shutil.copytree(tiny_yamnet, tmp_path / "nameless")
    parts = [SoundPart(noise(tmp_path / "a.wav", 1.0, sr=8000))]
    with pytest.raises(ModuleError, match=r"takes a waveform.*sample_rate = 16000"):
        sound_features(parts, parse(str(nameless)), store=store)
    slow, fast = (
        sound_features(parts, parse({"handle": str(nameless), "sample_rate": rate}), store=store)
        for rate in (8000, 16000)
    )
    assert fast.computed == slow.computed == 1
    assert (fast.values != slow.values).any()


@pytest.mark.corpus
def test_real_modules_do_not_mind_what_else_is_in_the_batch(
    esc10: Path, yamnet: Path, mobilenet: Path, images: list[Path], tmp_path: Path
) -> None:
    sounds = [SoundPart(p) for p in sorted((esc10 / "009 - Rooster").glob("*.ogg"))[:4]]
    module = kinds.load(parse(str(yamnet)))
    together = sound_features(sounds, parse(str(yamnet)), store=Store(tmp_path / "a"), load=lambda: module)
    assert together.values.shape == (4, 1024)
    for part, row in zip(sounds, together.values, strict=True):
        alone = sound_features([part], parse(str(yamnet)), store=Store(tmp_path / "b"), load=lambda: module)
        np.testing.assert_allclose(alone.values[0], row, rtol=0, atol=1e-5)
    module = kinds.load(parse(str(mobilenet)))
    spec, files = parse(str(mobilenet)), images[:5]
    at_once = image_features(files, spec, store=Store(tmp_path / "c"), load=lambda: module)
    singly = image_features(files, spec, store=Store(tmp_path / "d"), load=lambda: module, batch_size=2)
    np.testing.assert_allclose(at_once.values, singly.values, rtol=0, atol=1e-5)


def test_a_sound_that_changes_before_it_is_read_has_no_vector(tiny_yamnet: str, store: Store, tmp_path: Path) -> None:
    path, spec = tmp_path / "a.wav", parse(tiny_yamnet)
    rng = np.random.default_rng(0)
    write_wav(path, rng.uniform(-0.5, 0.5, 16000), 16000)

    def load() -> HubModule:
        write_wav(path, rng.uniform(-0.5, 0.5, 16000), 16000)
        return kinds.load(spec, store=store)

    changed = sound_features([SoundPart(path)], spec, store=store, load=load)
    assert "changed while it was in use" in changed.failures[0]
    assert changed.computed == 0
    assert sound_features([SoundPart(path)], spec, store=store).computed == 1


@pytest.mark.parametrize("where", ["files", "memory"])
def test_a_module_that_changes_before_it_is_loaded_gives_no_vectors(
    where: str, tiny_module: str, store: Store, tmp_path: Path, images: list[Path]
) -> None:
    folder = Path(shutil.copytree(tiny_module, tmp_path / "module"))
    spec = parse(str(folder))

    def load() -> HubModule:
        (folder / "more").write_bytes(b"1")
        return kinds.load(spec, store=store)

    pixels = [np.zeros((8, 8, 3), np.uint8)]
    with pytest.raises(ModuleError, match="changed while it was in use"):
        if where == "files":
            image_features(images[:1], spec, store=store, load=load)
        else:
            array_features(pixels, spec, store=store, load=load)
    assert array_features(pixels, spec, store=store).computed == 1
