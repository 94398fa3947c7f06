"""Many clips at once: what is written, what is drawn again and what is not, what fails and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import converter.pipeline as module
from converter.drawing import draw, draw_samples
from converter.pipeline import convert
from converter.registry import make_spec, spec_from_json, specs_from_study
from converter.spec import Spec
from harness import image, tables
from harness.errors import AudioError, SettingsError, TableError
from harness.record import read_steps, record_step
from harness.store import Store

SPECS = specs_from_study({"encodings": ["gray", "waveform"], "size": [32, 48]})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was drawn, as (encoding, digest of the spec), in order."""
    done: list[tuple[str, str]] = []
    real = module.encode

    def counted(y: object, *, sr: int, spec: Spec) -> np.ndarray:
        done.append((spec.encoding, spec.digest()))
        return real(y, sr=sr, spec=spec)

    monkeypatch.setattr(module, "encode", counted)
    return done


def contents(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*.png"))}


def test_what_is_written(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "images"
    images, failures = convert(clips, SPECS, out, store=store)
    assert failures.empty
    assert not (out / "failures.csv").exists()
    pd.testing.assert_frame_equal(tables.read(out / "images.csv", tables.IMAGES), images)
    assert list(images["encoding"][:4]) == ["gray", "waveform", "gray", "waveform"]
    first = images.iloc[0]
    assert first["path"] == "gray/dog bark/clip0.wav.png"
    assert (first["label"], first["fold"], first["group"]) == ("dog bark", "1", "g0")
    assert first["spec"] == SPECS["gray"].digest()[:16]
    for row in images.itertuples():
        assert np.array_equal(image.read(out / row.path), draw(tmp_path / "sounds" / row.clip_id, SPECS[row.encoding]))
    recorded = read_steps(out)["convert"]["spec"]["encodings"]
    assert {name: spec_from_json(spec) for name, spec in recorded.items()} == SPECS


def test_a_second_run_draws_nothing_and_touches_nothing(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[tuple[str, str]]
) -> None:
    out = tmp_path / "images"
    first, _ = convert(clips, SPECS, out, store=store)
    assert len(drawn) == 12
    before = {p: p.stat().st_mtime_ns for p in [*out.rglob("*.png"), out / "images.csv"]}
    again, _ = convert(clips, SPECS, out, store=store)
    assert len(drawn) == 12
    assert before == {p: p.stat().st_mtime_ns for p in [*out.rglob("*.png"), out / "images.csv"]}
    pd.testing.assert_frame_equal(first, again)
    convert(clips, SPECS, tmp_path / "elsewhere", store=store)
    assert len(drawn) == 12
    assert contents(tmp_path / "elsewhere") == contents(out)


def change_audio(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Spec], int]:
    path = Path(clips["path"][0])
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x00")
    return clips, SPECS, 2


def change_part(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Spec], int]:
    return clips.assign(start_s=[0.1] + [np.nan] * 5), SPECS, 2


def change_spec(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Spec], int]:
    return clips, SPECS | {"gray": replace(SPECS["gray"], n_mels=64)}, 6


def change_code(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Spec], int]:
    real = module.code_version
    monkeypatch.setattr(module, "code_version", lambda name: "new" if name == "gray" else real(name))
    return clips, SPECS, 6


def change_names(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, dict[str, Spec], int]:
    moved = Path(clips["path"][0]).rename(Path(clips["path"][0]).with_name("moved.wav"))
    clips = clips.assign(clip_id=["moved.wav", *clips["clip_id"][1:]], path=[str(moved), *clips["path"][1:]])
    return clips.assign(label="other", fold="9"), {"one": SPECS["gray"], "two": SPECS["waveform"]}, 0


@pytest.mark.parametrize("change", [change_audio, change_part, change_spec, change_code, change_names])
def test_the_key_has_the_sound_the_spec_and_the_code_and_nothing_else(
    change: Callable[..., tuple[pd.DataFrame, dict[str, Spec], int]],
    clips: pd.DataFrame,
    store: Store,
    tmp_path: Path,
    drawn: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convert(clips, SPECS, tmp_path / "images", store=store)
    drawn.clear()
    clips, specs, misses = change(clips, monkeypatch)
    convert(clips, specs, tmp_path / "images", store=store)
    assert len(drawn) == misses


def test_code_version_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from converter import registry as catalogue

    copy = tmp_path / "converter"
    shutil.copytree(catalogue._HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(catalogue, "_HERE", copy)
    version = catalogue.code_version.__wrapped__
    before = version("gray")
    assert before == catalogue.code_version("gray")
    (copy / "encodings" / "linear.py").write_text("changed")
    assert version("gray") == before
    (copy / "dsp.py").write_bytes((copy / "dsp.py").read_bytes().replace(b"\n", b"\r\n"))
    assert version("gray") == before
    for file in ("dsp.py", "raster.py", "sound.py", "colour.py", "encodings/gray.py"):
        text = (copy / file).read_text()
        (copy / file).write_text(text + "\n")
        assert version("gray") != before
        (copy / file).write_text(text)
    assert version("gray") == before


@pytest.mark.parametrize("harm", [b"", b"\x89PNG\r\n\x1a\n", b"other bytes"])
def test_a_harmed_picture_is_restored(
    harm: bytes, clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[tuple[str, str]]
) -> None:
    out = tmp_path / "images"
    images, _ = convert(clips, SPECS, out, store=store)
    right, drawn[:] = contents(out), []
    (out / images["path"][0]).write_bytes(harm)
    (out / images["path"][1]).unlink()
    (out / images["path"][2]).write_bytes(right[images["path"][2]][:-20])
    flipped = bytearray(right[images["path"][3]])
    flipped[len(flipped) // 2] ^= 1
    (out / images["path"][3]).write_bytes(flipped)
    convert(clips, SPECS, out, store=store)
    assert contents(out) == right
    assert drawn == []


def test_a_harmed_picture_in_the_store_is_drawn_again(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[tuple[str, str]]
) -> None:
    out = tmp_path / "images"
    convert(clips, SPECS, out, store=store)
    right, drawn[:] = contents(out), []
    kept = sorted((store.root / "pictures").rglob("*.png"))
    assert len(kept) == 12
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    flipped = bytearray(kept[1].read_bytes())
    flipped[60] ^= 4
    kept[1].write_bytes(flipped)
    convert(clips, SPECS, out, store=store)
    assert contents(out) == right
    assert len(drawn) == 2


def test_a_copy_in_the_folder_is_not_the_stores_own(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    images, _ = convert(clips, SPECS, tmp_path / "images", store=store)
    assert (tmp_path / "images" / images["path"][0]).stat().st_nlink == 1


def test_several_processes_and_another_order_change_nothing(clips: pd.DataFrame, tmp_path: Path) -> None:
    specs = specs_from_study({"encodings": ["linear", "logmel", "gray", "waveform", "mel_power"], "size": [32, 48]})
    one, _ = convert(clips, specs, tmp_path / "one", store=Store(tmp_path / "s1"), jobs=1)
    two, _ = convert(clips, specs, tmp_path / "two", store=Store(tmp_path / "s2"), jobs=2)
    back, _ = convert(clips[::-1], specs, tmp_path / "back", store=Store(tmp_path / "s3"))
    pd.testing.assert_frame_equal(one, two)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "back")
    order = ["clip_id", "encoding"]
    pd.testing.assert_frame_equal(one.sort_values(order, ignore_index=True), back.sort_values(order, ignore_index=True))


def test_an_interrupted_run_goes_on_where_it_stopped(
    clips: pd.DataFrame, store: Store, tmp_path: Path, drawn: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = convert(clips, SPECS, tmp_path / "whole", store=Store(tmp_path / "other"))
    drawn.clear()
    counted = module.encode

    def dying(y: object, *, sr: int, spec: Spec) -> np.ndarray:
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return counted(y, sr=sr, spec=spec)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "encode", dying)
        convert(clips, SPECS, tmp_path / "images", store=store)
    assert not (tmp_path / "images" / "images.csv").exists()
    again, _ = convert(clips, SPECS, tmp_path / "images", store=store)
    assert len(drawn) == 12  # five before, seven after
    pd.testing.assert_frame_equal(again, whole)
    assert contents(tmp_path / "images") == contents(tmp_path / "whole")


def test_stale_pictures_go_and_strangers_stay(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "images"
    convert(clips, SPECS, out, store=store)
    stranger = out / "gray" / "dog bark" / "mine.png"
    stranger.write_bytes(b"mine")
    fewer = clips.iloc[1:].assign(label=["dog bark"] * 4 + [""])
    images, _ = convert(fewer, {"gray": SPECS["gray"]}, out, store=store)
    there = {p for p in contents(out) if p.startswith("gray/")}
    assert there == {*images["path"], "gray/dog bark/mine.png"}
    assert "gray/_/clip5.wav.png" in there
    assert not (out / "gray" / "siren").exists()
    assert len([p for p in contents(out) if p.startswith("waveform/")]) == 6
    whole = tables.read(out / "images.csv", tables.IMAGES)
    assert whole["encoding"].value_counts().to_dict() == {"waveform": 6, "gray": 5}
    assert set(read_steps(out)["convert"]["spec"]["encodings"]) == {"gray", "waveform"}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    import soundfile

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
    images, failures = convert(both, SPECS, out, store=store)
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
        convert(both, SPECS, out, store=store, strict=True)
    convert(clips, SPECS, out, store=store)
    assert not (out / "failures.csv").exists()


def test_clips_that_would_share_a_file_are_refused(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    both = clips.iloc[:2].assign(clip_id=["a/b.wav", "a_b.wav"], label="x")
    with pytest.raises(TableError, match=r"'a/b.wav' and clip_id='a_b.wav' would both be drawn to gray/x/a_b.wav.png"):
        convert(both, SPECS, tmp_path / "images", store=store)
    assert not (tmp_path / "images").exists()


def test_a_label_cannot_leave_the_folder(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    images, _ = convert(clips.assign(label=".."), SPECS, tmp_path / "images", store=store)
    assert images["path"][0] == "gray/_../clip0.wav.png"


def test_the_name_of_a_merge_is_refused(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    record_step(tmp_path / "images", "merge", spec={"merges": {"gray": {}}})
    with pytest.raises(SettingsError, match=r"encoding='gray': .* has a merge of that name"):
        convert(clips, SPECS, tmp_path / "images", store=store)


def test_one_reading_serves_all_encodings(
    clips: pd.DataFrame, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from converter import spectrogram as spectral

    reads, transforms = [], []
    read, transform = module.audio.read, spectral.stft_power
    monkeypatch.setattr(module.audio, "read", lambda *a, **k: reads.append(1) or read(*a, **k))
    monkeypatch.setattr(spectral, "stft_power", lambda *a, **k: transforms.append(1) or transform(*a, **k))
    specs = specs_from_study({"encodings": ["linear", "logmel", "gray", "mel_power", "waveform"]})
    convert(clips, specs, tmp_path / "images", store=store)
    assert len(reads) == len(transforms) == 6


def test_the_reference_of_a_corpus(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "images"
    spec = make_spec("gray", {"ref": "corpus", "size": [32, 48]})
    convert(clips, {"gray": spec}, out, store=store)
    found = spec_from_json(read_steps(out)["convert"]["spec"]["encodings"]["gray"])
    own = make_spec("gray", {"size": [32, 48]})
    from converter.sound import as_sound
    from converter.spectrogram import peak

    peaks = []
    for path in clips["path"]:
        y, sr = module.audio.read(path)
        peaks.append(peak(as_sound(y, sr=sr, spec=own), own))
    assert found == replace(own, ref=max(peaks))
    for row in tables.read(out / "images.csv", tables.IMAGES).itertuples():
        assert np.array_equal(image.read(out / row.path), draw(tmp_path / "sounds" / row.clip_id, found))
    with pytest.raises(SettingsError, match="no corpus"):
        draw(clips["path"][0], spec)


def test_a_part_of_a_file_is_drawn_as_that_part_alone(clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    part = clips.iloc[:1].assign(start_s=0.1, end_s=0.3)
    images, _ = convert(part, SPECS, tmp_path / "images", store=store)
    y, sr = module.audio.read(part["path"][0])
    for row in images.itertuples():
        drawn = image.read(tmp_path / "images" / row.path)
        spec = SPECS[row.encoding]
        assert np.array_equal(drawn, draw(part["path"][0], spec, start_s=0.1, end_s=0.3))
        assert np.array_equal(drawn, draw_samples(y[round(0.1 * sr) : round(0.3 * sr)], sr, spec))
        assert not np.array_equal(drawn, draw_samples(y, sr, spec))
