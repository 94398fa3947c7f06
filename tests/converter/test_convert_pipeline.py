"""Many clips at once: what is written, what is drawn again and what is not, what fails and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from plugins.support import ENCODING_FILE, loaded

from converter import drawing, registry, spectrogram
from converter.drawing import draw
from converter.encodings.gray import Gray
from converter.encodings.waveform import Waveform
from converter.pipeline import convert_clips, count_cached
from converter.references import with_references
from converter.registry import ENCODINGS, encoding_from_json
from converter.sound import Sound, as_sound
from converter.spec import Encoding
from converter.spectrogram import MelSpectrogram
from harness import image, tables
from harness.errors import AudioError, SettingsError, TableError
from harness.record import read_steps, record_step
from harness.registry import plugin_file
from harness.store import Store

SIZE = (32, 48)
ENCODED: dict[str, Encoding] = {"gray": Gray(size=SIZE), "waveform": Waveform(size=SIZE)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The encodings that were drawn, in order."""
    done: list[str] = []
    for cls in (Gray, Waveform):
        encode = cls.encode
        monkeypatch.setattr(cls, "encode", lambda self, sound, e=encode: done.append(self.name) or e(self, sound))
    return done


def contents(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*.png"))}


def test_what_is_written(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "images"
    run = convert_clips(clips, ENCODED, out, store=store)
    images = run.images
    assert run.failures.empty
    assert not (out / "failures.csv").exists()
    pd.testing.assert_frame_equal(tables.read(out / "images.csv", tables.IMAGES), images)
    assert list(images["encoding"][:4]) == ["gray", "waveform", "gray", "waveform"]
    first = images.iloc[0]
    assert first["path"] == "gray/dog bark/clip0.wav.png"
    assert (first["label"], first["fold"], first["group"]) == ("dog bark", "1", "g0")
    assert first["spec"] == ENCODED["gray"].digest()[:16]
    for row in images.itertuples():
        assert np.array_equal(
            image.read(out / row.path), draw(tmp_path / "sounds" / row.clip_id, ENCODED[row.encoding])
        )
    recorded = read_steps(out)["convert"]["spec"]["encodings"]
    assert recorded == run.recipes.encodings
    assert {name: encoding_from_json(spec) for name, spec in recorded.items()} == ENCODED


def test_a_second_run_draws_nothing_and_touches_nothing(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[str]
) -> None:
    out = tmp_path / "images"
    first = convert_clips(clips, ENCODED, out, store=store).images
    assert len(drawn) == 12
    before = {p: p.stat().st_mtime_ns for p in [*out.rglob("*.png"), out / "images.csv"]}
    again = convert_clips(clips, ENCODED, out, store=store).images
    assert len(drawn) == 12
    assert before == {p: p.stat().st_mtime_ns for p in [*out.rglob("*.png"), out / "images.csv"]}
    pd.testing.assert_frame_equal(first, again)
    convert_clips(clips, ENCODED, tmp_path / "elsewhere", store=store)
    assert len(drawn) == 12
    assert contents(tmp_path / "elsewhere") == contents(out)


def change_audio(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Encoding], int]:
    path = Path(clips["path"][0])
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x00")
    return clips, ENCODED, 2


def change_part(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Encoding], int]:
    return clips.assign(start_s=[0.1] + [np.nan] * 5), ENCODED, 2


def change_spec(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Encoding], int]:
    return clips, ENCODED | {"gray": ENCODED["gray"].replace(n_mels=64)}, 6


def change_code(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Encoding], int]:
    real = registry.code_version
    monkeypatch.setattr(registry, "code_version", lambda *m: "new" if Gray.__module__ in m else real(*m))
    return clips, ENCODED, 6


def change_names(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Encoding], int]:
    moved = Path(clips["path"][0]).rename(Path(clips["path"][0]).with_name("moved.wav"))
    clips = clips.assign(clip_id=["moved.wav", *clips["clip_id"][1:]], path=[str(moved), *clips["path"][1:]])
    return clips.assign(label="other", fold="9"), {"one": ENCODED["gray"], "two": ENCODED["waveform"]}, 0


@pytest.mark.parametrize("change", [change_audio, change_part, change_spec, change_code, change_names])
def test_the_key_has_the_sound_the_spec_and_the_code_and_nothing_else(
    change: Callable[..., tuple[pd.DataFrame, dict[str, Encoding], int]],
    clips: pd.DataFrame,
    store: Store,
    tmp_path: Path,
    drawn: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convert_clips(clips, ENCODED, tmp_path / "images", store=store)
    drawn.clear()
    clips, specs, misses = change(clips, monkeypatch)
    convert_clips(clips, specs, tmp_path / "images", store=store)
    assert len(drawn) == misses


@pytest.mark.parametrize("damage", [b"", b"\x89PNG\r\n\x1a\n", b"other bytes"])
def test_a_damaged_image_is_restored(
    damage: bytes, clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[str]
) -> None:
    out = tmp_path / "images"
    images = convert_clips(clips, ENCODED, out, store=store).images
    right, drawn[:] = contents(out), []
    (out / images["path"][0]).write_bytes(damage)
    (out / images["path"][1]).unlink()
    (out / images["path"][2]).write_bytes(right[images["path"][2]][:-20])
    flipped = bytearray(right[images["path"][3]])
    flipped[len(flipped) // 2] ^= 1
    (out / images["path"][3]).write_bytes(flipped)
    convert_clips(clips, ENCODED, out, store=store)
    assert contents(out) == right
    assert drawn == []


def test_a_damaged_image_in_the_store_is_drawn_again(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[str]
) -> None:
    out = tmp_path / "images"
    convert_clips(clips, ENCODED, out, store=store)
    right, drawn[:] = contents(out), []
    entries = sorted((store.root / "images").rglob("*.png"))
    assert len(entries) == 12
    entries[0].write_bytes(entries[0].read_bytes()[:-1])
    flipped = bytearray(entries[1].read_bytes())
    flipped[60] ^= 4
    entries[1].write_bytes(flipped)
    for each in (out, tmp_path / "new"):
        convert_clips(clips, ENCODED, each, store=store)
        assert contents(each) == right
    assert len(drawn) == 2


def test_a_copy_in_the_folder_is_not_the_stores_own(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    images = convert_clips(clips, ENCODED, tmp_path / "images", store=store).images
    assert (tmp_path / "images" / images["path"][0]).stat().st_nlink == 1


def test_several_processes_and_another_order_change_nothing(clips: pd.DataFrame, tmp_path: Path) -> None:
    with loaded(ENCODING_FILE):  # which worker processes must load as well
        encodings = {name: ENCODINGS[name](size=SIZE) for name in ENCODINGS}
        assert {plugin_file(type(each)) for each in encodings.values()} == {"", str(ENCODING_FILE)}
        one = convert_clips(clips, encodings, tmp_path / "one", store=Store(tmp_path / "s1"), jobs=1).images
        two = convert_clips(clips, encodings, tmp_path / "two", store=Store(tmp_path / "s2"), jobs=2).images
        back = convert_clips(clips[::-1], encodings, tmp_path / "back", store=Store(tmp_path / "s3")).images
    pd.testing.assert_frame_equal(one, two)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "back")
    order = ["clip_id", "encoding"]
    pd.testing.assert_frame_equal(one.sort_values(order, ignore_index=True), back.sort_values(order, ignore_index=True))


def test_an_interrupted_run_goes_on_where_it_stopped(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = convert_clips(clips, ENCODED, tmp_path / "whole", store=Store(tmp_path / "other")).images
    drawn.clear()
    encode = Waveform.encode

    def interrupted(self: Waveform, sound: Sound) -> np.ndarray:
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return encode(self, sound)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Waveform, "encode", interrupted)
        convert_clips(clips, ENCODED, tmp_path / "images", store=store)
    assert not (tmp_path / "images" / "images.csv").exists()
    again = convert_clips(clips, ENCODED, tmp_path / "images", store=store).images
    assert len(drawn) == 12  # five before, seven after
    pd.testing.assert_frame_equal(again, whole)
    assert contents(tmp_path / "images") == contents(tmp_path / "whole")


def test_stale_images_go_and_unlisted_files_stay(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "images"
    convert_clips(clips, ENCODED, out, store=store)
    unlisted = out / "gray" / "dog bark" / "mine.png"
    unlisted.write_bytes(b"mine")
    fewer = clips.iloc[1:].assign(label=["dog bark"] * 4 + [""])
    images = convert_clips(fewer, {"gray": ENCODED["gray"]}, out, store=store).images
    there = {p for p in contents(out) if p.startswith("gray/")}
    assert there == {*images["path"], "gray/dog bark/mine.png"}
    assert "gray/_/clip5.wav.png" in there
    assert not (out / "gray" / "siren").exists()
    assert len([p for p in contents(out) if p.startswith("waveform/")]) == 6
    whole = tables.read(out / "images.csv", tables.IMAGES)
    assert whole["encoding"].value_counts().to_dict() == {"waveform": 6, "gray": 5}
    assert set(read_steps(out)["convert"]["spec"]["encodings"]) == {"gray", "waveform"}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    sounds, out = tmp_path / "sounds", tmp_path / "images"
    good = (sounds / "clip0.wav").read_bytes()
    (sounds / "empty.wav").write_bytes(b"")
    (sounds / "text.wav").write_bytes(b"not a sound at all")
    (sounds / "header.wav").write_bytes(good[:30])
    soundfile.write(sounds / "nan.wav", np.array([0.0, np.nan, 0.0], np.float32), 16000, subtype="FLOAT")
    soundfile.write(sounds / "no samples.wav", np.zeros(0, np.float32), 16000)
    bad = ["empty.wav", "text.wav", "header.wav", "nan.wav", "no samples.wav", "missing.wav"]
    rows: list[dict[str, object]] = [{"clip_id": b, "path": str(sounds / b), "label": "x", "fold": "1"} for b in bad]
    both = pd.concat([tables.frame(rows, tables.CLIPS), clips], ignore_index=True)
    run = convert_clips(both, ENCODED, out, store=store)
    images, failures = run.images, run.failures
    assert set(images["clip_id"]) == set(clips["clip_id"])
    assert sorted(failures["clip_id"]) == sorted(bad)
    assert set(failures["step"]) == {"convert"}
    reasons = dict(zip(failures["clip_id"], failures["reason"], strict=True))
    assert "0 bytes" in reasons["empty.wav"]
    assert "NaN" in reasons["nan.wav"]
    assert "no samples" in reasons["no samples.wav"]
    assert "no such file" in reasons["missing.wav"].lower()
    pd.testing.assert_frame_equal(tables.read(out / "failures.csv", tables.FAILURES), failures)
    assert all(str(sounds) in reason for reason in failures["reason"])
    with pytest.raises(AudioError, match=r"empty\.wav|missing\.wav"):
        convert_clips(both, ENCODED, out, store=store, strict=True)
    convert_clips(clips, ENCODED, out, store=store)
    assert not (out / "failures.csv").exists()


def test_clips_that_would_share_a_file_are_refused(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    both = clips.iloc[:2].assign(clip_id=["a/b.wav", "a_b.wav"], label="x")
    with pytest.raises(TableError, match=r"'a/b.wav' and clip_id='a_b.wav' would both be drawn to gray/x/a_b.wav.png"):
        convert_clips(both, ENCODED, tmp_path / "images", store=store)
    assert not (tmp_path / "images").exists()


def test_a_label_cannot_leave_the_folder(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    images = convert_clips(clips.assign(label=".."), ENCODED, tmp_path / "images", store=store).images
    assert images["path"][0] == "gray/__/clip0.wav.png"


def test_the_name_of_a_merge_is_refused(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    record_step(tmp_path / "images", "merge", spec={"merges": {"gray": {}}})
    with pytest.raises(SettingsError, match=r"encoding='gray': .* has a merge of that name"):
        convert_clips(clips, ENCODED, tmp_path / "images", store=store)


def test_one_reading_serves_all_encodings(
    clips: pd.DataFrame, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, transforms = [], []
    read, transform = drawing.audio.read, spectrogram.stft_power
    monkeypatch.setattr(drawing.audio, "read", lambda *a, **k: reads.append(1) or read(*a, **k))
    monkeypatch.setattr(spectrogram, "stft_power", lambda *a, **k: transforms.append(1) or transform(*a, **k))
    encodings = {name: ENCODINGS[name](size=SIZE) for name in ENCODINGS}
    convert_clips(clips, encodings, tmp_path / "images", store=store)
    assert len(reads) == 6
    assert len(transforms) == 6 * 4, "one for all, two further windows of multires, the channels of stereo"


def test_the_reference_of_a_corpus_is_its_highest_value_and_measured_once(
    clips: pd.DataFrame, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Gray(size=SIZE)
    found = []
    for part in (clips, clips[:5], clips):
        run = convert_clips(part, {"gray": own.replace(ref="corpus")}, tmp_path / "images", store=store)
        found.append(encoding_from_json(run.recipes.encodings["gray"]))
        monkeypatch.setattr(Gray, "peak", None)
    assert found[0] == found[2] != found[1]
    monkeypatch.undo()
    sounds = [as_sound(*drawing.audio.read(path)[:1], sr=16000, settings=own) for path in clips["path"]]
    assert found[0] == own.replace(ref=max(own.peak(sound) for sound in sounds))
    with pytest.raises(AudioError, match=r'^ref="corpus": none of the clips could be measured'):
        with_references({"gray": own.replace(ref="corpus")}, [], store=store)


def test_a_part_of_a_file_is_drawn_as_that_part_alone(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    part = clips.iloc[:1].assign(start_s=0.1, end_s=0.2)
    images = convert_clips(part, ENCODED, tmp_path / "images", store=store).images
    for row in images.itertuples():
        drawn, spec = image.read(tmp_path / "images" / row.path), ENCODED[row.encoding]
        assert np.array_equal(drawn, draw(part["path"][0], spec, start_s=0.1, end_s=0.2))
        assert not np.array_equal(drawn, draw(part["path"][0], spec))


def test_what_the_store_has_is_counted_by_encoding(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    convert_clips(clips[:2], ENCODED, tmp_path / "images", store=store)
    convert_clips(clips[2:3], {"gray": ENCODED["gray"]}, tmp_path / "images", store=store)
    missing = pd.concat([clips, clips[:1].assign(clip_id="none", path="none.wav")], ignore_index=True)
    assert count_cached(missing, ENCODED, store=store) == {"gray": 3, "waveform": 2}


class Unreferenced(MelSpectrogram):
    """A mel spectrogram whose levels have nothing to do with the reference."""

    name = "unreferenced"

    def levels(self, values: np.ndarray) -> np.ndarray:
        """The share of the highest value."""
        return (values / max(float(values.max()), 1e-10)).astype(np.float32)


@pytest.mark.parametrize("ref", ["corpus", 0.5])
def test_a_reference_that_an_encoding_does_not_apply_is_refused(
    made_clips: pd.DataFrame, tmp_path: Path, ref: str | float
) -> None:
    encoding = Unreferenced(size=(32, 32), ref=ref)
    with pytest.raises(SettingsError, match=rf"^mine: ref={ref!r} changes nothing, since encoding 'unreferenced' does"):
        convert_clips(made_clips, {"mine": encoding}, tmp_path / "images", store=Store(tmp_path / "store"))
    assert not (tmp_path / "images").exists()
    with_references({"mine": encoding.replace(ref="max")}, [], store=Store(tmp_path / "store"))
