"""Merges of merges, in one step or several; merges whose partners were drawn anew are not left as they were."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from converter.encodings.gray import Gray
from converter.encodings.waveform import Waveform
from converter.in_memory import plan_drawing
from converter.pipeline import convert_clips
from converter.spec import Encoding
from harness import audio, image, tables
from harness.digests import FileDigests
from harness.errors import ImageError, SettingsError
from harness.files import digest_file
from harness.hub.base import ModuleInfo
from harness.image_digests import ImageDigests, known_digests
from harness.images import begin
from harness.memory_images import DrawTask, draw_clip
from harness.recipes import read_recipes
from harness.store import Store
from merger.in_memory import plan_merges
from merger.methods.blend import Blend
from merger.methods.stack import Stack
from merger.pipeline import merge_images
from merger.registry import methods_from_study
from merger.spec import MergeMethod

ENCODINGS: dict[str, Encoding] = {"gray": Gray(size=(8, 8), n_mels=16), "waveform": Waveform(size=(8, 8))}
INFO = ModuleInfo("m", "d", "image", 4, 4, (0.0, 1.0), 0, 10)
MERGES: dict[str, MergeMethod] = {
    "twice": Stack(of=["both", "both"]),
    "both": Blend(of=["gray", "waveform"]),
    "tall": Stack(of=["twice", "gray"]),
}


@pytest.fixture
def clips(tmp_path: Path) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for i in range(3):
        y = np.random.default_rng(i).normal(0, 0.1, 2000)
        audio.write_wav(tmp_path / f"{i}.wav", y, 8000)
        clip = {"clip_id": f"{i}.wav", "path": str(tmp_path / f"{i}.wav"), "label": "ab"[i % 2]}
        rows.append({**clip, "fold": "1", "group": "g", "start_s": math.nan, "end_s": math.nan})
    return tables.frame(rows, tables.CLIPS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def out(clips: pd.DataFrame, store: Store, tmp_path: Path) -> Path:
    """A folder of images, with three merges."""
    drawn = convert_clips(clips, ENCODINGS, tmp_path / "images", store=store)
    merge_images(drawn.images, tmp_path / "images", MERGES, tmp_path / "images", store=store)
    return tmp_path / "images"


def index(out: Path) -> pd.DataFrame:
    return tables.read(out / "images.csv", tables.IMAGES)


def clips_of(out: Path, name: str) -> list[str]:
    table = index(out)
    named = sorted(table.loc[table["encoding"] == name, "clip_id"])
    assert len(list((out / name).rglob("*.png"))) == len(named), "files and rows"
    return named


def test_a_study_may_name_merges_in_any_order() -> None:
    table = {
        "tall": {"how": "stack", "of": ["both", "gray"]},
        "both": {"how": "blend", "of": ["gray", "waveform"]},
    }
    assert list(methods_from_study(table, ["gray", "waveform"])) == ["both", "tall"]
    with pytest.raises(SettingsError, match=r"\[merge.tall\] 'bath' is not among .* did you mean 'both'"):
        methods_from_study({**table, "tall": {"how": "stack", "of": ["bath", "gray"]}}, ["gray", "waveform"])
    with pytest.raises(
        SettingsError, match=r"merge '(both|tall)' is made of itself: '(both|tall)' of '(both|tall)' of"
    ):
        methods_from_study({**table, "both": {"how": "blend", "of": ["tall", "gray"]}}, ["gray", "waveform"])
    with pytest.raises(SettingsError, match="merge 'a' is made of itself: 'a' of 'a'"):
        methods_from_study({"a": {"how": "stack", "of": ["a", "gray"]}}, ["gray"])


def test_all_at_once_are_as_one_after_the_other(out: Path, clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    both, twice = (image.read(out / name / "a" / "0.wav.png") for name in ("both", "twice"))
    assert np.array_equal(twice, np.concatenate([both, both]))
    assert image.read(out / "tall" / "a" / "0.wav.png").shape == (24, 8, 3)
    one = tmp_path / "one"
    convert_clips(clips, ENCODINGS, one, store=store)
    for name in ("both", "twice", "tall"):
        merge_images(index(one), one, {name: MERGES[name]}, one, store=Store(tmp_path / "other"))
    for row in index(one).to_dict("records"):
        assert digest_file(one / row["path"]) == digest_file(out / row["path"])
    assert sorted(index(one)["spec"]) == sorted(index(out)["spec"])
    recipe = read_recipes(out).recipe("tall")
    assert recipe is not None
    assert list(recipe["of"]["twice"]["of"]["both"]["of"]) == ["gray", "waveform"]


def test_in_memory_they_are_as_on_files(out: Path, clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    fresh = Store(tmp_path / "fresh")
    planned = plan_merges(plan_drawing(clips, ENCODINGS, tmp_path / "m", store=fresh).clips, MERGES, tmp_path / "m")
    assert [merge.name for merge in planned[0].merged] == ["both", "twice", "tall"]
    drawn = draw_clip(DrawTask(planned[0], {"tall": [INFO]}))
    assert drawn.failed_merges == {}
    assert set(drawn.inputs) == {"tall"}
    for name, digest in drawn.digests.items():
        assert digest == digest_file(out / name / "a" / "0.wav.png"), name
    with ImageDigests(fresh) as memory:
        for each in planned[0].drawn:
            memory.put(each.key, drawn.digests[str(each.row["encoding"])])
        for merge in planned[0].merged:
            memory.put(merge.key(drawn.digests), drawn.digests[merge.name])
    assert known_digests(planned[:1], store=fresh) == {("0.wav", name): own for name, own in drawn.digests.items()}


def test_a_partner_that_failed_is_named(out: Path, clips: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    wrong = {**MERGES, "both": Stack(of=["gray", "waveform"], direction="horizontal")}  # so that tall does not fit
    run = merge_images(index(out)[lambda t: t["encoding"].isin(list(ENCODINGS))], out, wrong, out, store=store)
    assert len(run.images) == 6
    assert set(run.failures["reason"]) == {
        "tall: twice is 16x16 (height x width), gray is 8x8: widths must be equal; draw them with the same size"
    }
    more = {**wrong, "last": Stack(of=["tall", "both"])}
    run = merge_images(index(out), out, more, out, store=store)
    assert "last: the clip has no image of tall" in set(run.failures["reason"])
    with pytest.raises(ImageError, match="none of 3 images could be merged"):
        merge_images(index(out), out, {"tall": wrong["tall"]}, out, store=store)
    planned = plan_merges(plan_drawing(clips, ENCODINGS, tmp_path / "m", store=store).clips, more, tmp_path / "m")
    drawn = draw_clip(DrawTask(planned[0], {"last": [INFO]}))
    assert drawn.failed_merges["last"] == "the clip has no image of tall"


def test_a_sound_that_changed_takes_its_merges_with_it(out: Path, clips: pd.DataFrame, store: Store) -> None:
    again = convert_clips(clips, ENCODINGS, out, store=store)
    assert again.warnings == ()
    assert clips_of(out, "tall") == ["0.wav", "1.wav", "2.wav"]
    audio.write_wav(clips["path"][1], np.random.default_rng(9).normal(0, 0.1, 2000), 8000)
    warnings = convert_clips(clips, {"waveform": ENCODINGS["waveform"]}, out, store=store).warnings
    assert [line.partition(":")[0] for line in warnings] == ["merge 'both'", "merge 'twice'", "merge 'tall'"]
    assert "1 images removed, since images of gray, waveform" in warnings[0]
    for name in MERGES:
        assert clips_of(out, name) == ["0.wav", "2.wav"]
    merge_images(index(out), out, MERGES, out, store=store)
    assert clips_of(out, "tall") == ["0.wav", "1.wav", "2.wav"]


def test_partners_drawn_again_to_the_same_bytes_leave_their_merges(
    out: Path, clips: pd.DataFrame, tmp_path: Path
) -> None:
    before = index(out)
    other = Store(tmp_path / "other")  # knows neither the images nor their files
    assert convert_clips(clips, ENCODINGS, out, store=other).warnings == ()
    pd.testing.assert_frame_equal(
        index(out).sort_values(["encoding", "clip_id"], ignore_index=True),
        before.sort_values(["encoding", "clip_id"], ignore_index=True),
    )
    assert set(read_recipes(out).merges) == set(MERGES)


def test_a_run_that_is_killed_leaves_no_merge_of_images_that_are_no_more(
    out: Path, clips: pd.DataFrame, store: Store
) -> None:
    from converter.pipeline import digest_clips, image_task
    from converter.registry import image_version

    for path in clips["path"]:
        audio.write_wav(path, np.random.default_rng(9).normal(0, 0.1, 2000), 8000)
    with FileDigests(store) as digests:
        versions = {name: (image_version(own), own.digest()[:16]) for name, own in ENCODINGS.items()}
        sounds = digest_clips(clips, digests, jobs=1, strict=False)
        begin(out, [image_task(clip, ENCODINGS, versions, out, store) for clip in sounds], digests)
    assert set(index(out)["encoding"]) == set()
    convert_clips(clips, ENCODINGS, out, store=store)
    assert set(index(out)["encoding"]) == set(ENCODINGS)


def test_a_merge_that_is_redefined_of_a_later_one(out: Path, clips: pd.DataFrame, store: Store) -> None:
    merge_images(index(out), out, {"late": Stack(of=["waveform", "waveform"])}, out, store=store)
    redefined = Stack(of=["late", "gray"])
    warnings = merge_images(index(out), out, {"both": redefined}, out, store=store).warnings
    assert [line.partition(":")[0] for line in warnings] == ["merge 'twice'", "merge 'tall'"]
    with pytest.raises(SettingsError, match="is made of itself"):
        merge_images(index(out), out, {"late": Stack(of=["both", "waveform"])}, out, store=store)
    finer = {"waveform": Waveform(size=(8, 8), foreground="red")}
    warnings = convert_clips(clips, finer, out, store=store).warnings
    assert [line.partition(":")[0] for line in warnings] == ["merge 'late'", "merge 'both'"]
    assert set(index(out)["encoding"]) == set(ENCODINGS)
