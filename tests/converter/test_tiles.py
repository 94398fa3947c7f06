"""Clips cut into tiles: how many, which pixels, which rows, and what is too short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from converter.encodings.gray import Gray
from converter.encodings.logmel import LogMel
from converter.encodings.waveform import Waveform
from converter.in_memory import plan_drawing
from converter.pipeline import convert_clips, count_cached
from converter.spec import Encoding
from converter.tiles import count_tiles
from harness import audio, image, tables
from harness.errors import AudioError, SettingsError
from harness.recipes import read_recipes
from harness.store import Store

RATE = 8000
TILED = Gray(sample_rate=RATE, n_fft=256, hop_length=100, n_mels=16, size=(16, 16), tiles=True)
ENCODINGS: dict[str, Encoding] = {"whole": Waveform(size=(8, 8)), "tiled": TILED, "second": TILED.replace(n_mels=8)}
SAMPLES = {"a.wav": 6400, "b.wav": 4799, "c.wav": 1500, "d.wav": 1400}


@pytest.fixture
def clips(tmp_path: Path) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for k, (name, n) in enumerate(SAMPLES.items()):
        audio.write_wav(tmp_path / name, np.random.default_rng(k).normal(0, 0.1, n), RATE)
        clip = {
            "clip_id": name,
            "path": str(tmp_path / name),
            "label": "x",
            "fold": str(k),
            "group": "gh"[k % 2] * (k > 0),
        }
        rows.append({**clip, "start_s": np.nan, "end_s": np.nan})
    return tables.frame(rows, tables.CLIPS)


@pytest.mark.parametrize("samples", [0, 1499, 1500, 1599, 1600, 3099, 3100, 22050, 65432])
def test_as_many_tiles_as_frames_divided_by_the_width(samples: int) -> None:
    frames = 1 + samples // 100
    assert count_tiles(TILED, samples / RATE) == frames // 16
    seed = LogMel(sample_rate=22500, n_fft=1024, hop_length=64, n_mels=224, fmin=10, fmax=11250, tiles=True)
    assert seed.frames == 224
    assert count_tiles(seed, samples / 22500) == (1 + samples // 64) // 224


def test_tiles_are_rows_and_images_of_their_own(clips: pd.DataFrame, tmp_path: Path) -> None:
    out, store = tmp_path / "images", Store(tmp_path / "store")
    drawn = convert_clips(clips, ENCODINGS, out, store=store)
    tiled = drawn.images[drawn.images["encoding"] == "tiled"]
    assert tiled["clip_id"].tolist() == [
        *(f"a.wav@tile{k}" for k in range(4)),
        *(f"b.wav@tile{k}" for k in range(3)),
        "c.wav@tile0",
    ]
    assert tiled["fold"].tolist() == list("00001112")
    assert tiled["group"].tolist() == ["a.wav"] * 4 + ["h"] * 3 + ["g"], "a clip without a group is one"
    assert drawn.images.loc[drawn.images["encoding"] == "whole", "clip_id"].tolist() == ["a.wav", "b.wav", "c.wav"]
    assert drawn.failures["clip_id"].tolist() == ["d.wav"]
    assert "0.17 s long, shorter than 0.20 s, the length of a tile of 'tiled'" in drawn.failures["reason"][0]
    for name in ("tiled", "second"):
        for k in range(4):
            y = audio.read(tmp_path / "a.wav")[0][k * 1600 : (k + 1) * 1600]
            pixels = image.read(out / name / "x" / f"a.wav@tile{k}.png")
            assert np.array_equal(pixels, ENCODINGS[name].draw(y, sr=RATE))
    recipes = read_recipes(out)
    assert recipes.longest_s["tiled"] == 0.2
    assert recipes.longest_s["whole"] == 0.8
    assert count_cached(clips, ENCODINGS, store=store) == {"whole": 3, "tiled": 3, "second": 3}
    with pytest.raises(AudioError, match=r"d.wav: 0.17 s long, shorter than"):
        convert_clips(clips, ENCODINGS, out, store=store, strict=True)


def test_several_processes_draw_the_same(clips: pd.DataFrame, tmp_path: Path) -> None:
    one = convert_clips(clips, ENCODINGS, tmp_path / "one", store=Store(tmp_path / "s1"))
    two = convert_clips(clips, ENCODINGS, tmp_path / "two", store=Store(tmp_path / "s2"), jobs=2)
    pd.testing.assert_frame_equal(one.images, two.images)
    for path in one.images["path"]:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_part_of_a_file_has_tiles_of_its_own(clips: pd.DataFrame, tmp_path: Path) -> None:
    part = clips.iloc[:1].assign(start_s=0.3, end_s=0.75)
    drawn = convert_clips(part, {"tiled": TILED}, tmp_path / "images", store=Store(tmp_path / "store"))
    assert len(drawn.images) == 2
    y = audio.read(tmp_path / "a.wav")[0][2400:6000][1600:3200]
    assert np.array_equal(image.read(tmp_path / "images" / drawn.images["path"][1]), TILED.draw(y, sr=RATE))


def test_one_reference_for_the_tiles_of_a_corpus(clips: pd.DataFrame, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    drawn = convert_clips(clips, {"tiled": TILED.replace(ref="corpus")}, tmp_path / "images", store=store)
    brightest = [image.read(tmp_path / "images" / path).max() for path in drawn.images["path"]]
    assert max(brightest) == 255
    assert min(brightest) < 255


def test_what_is_refused(clips: pd.DataFrame, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(SettingsError, match="encoding 'tiled': tiles are drawn to files"):
        plan_drawing(clips, ENCODINGS, tmp_path / "images", store=store)
    named = clips.assign(clip_id=["x@tile0", *clips["clip_id"][1:]])
    failures = convert_clips(named, ENCODINGS, tmp_path / "images", store=store).failures
    assert "its clip_id ends as those of tiles do" in failures["reason"][0]
