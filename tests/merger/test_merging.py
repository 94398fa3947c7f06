"""Many clips' images at once: joined on clip_id, put into the store by content, what fails and how."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plugins.support import MERGE_FILE, loaded

from harness import image, tables
from harness.cli import guard
from harness.errors import ImageError, SettingsError
from harness.files import write_bytes
from harness.images import ImageRun, finish
from harness.recipes import Recipes
from harness.record import read_steps, record_step
from harness.store import Store
from merger import registry
from merger.__main__ import app
from merger.methods.channels import Channels
from merger.methods.stack import Stack
from merger.pipeline import merge_images
from merger.registry import METHODS, method_from_json
from merger.spec import MergeMethod

MERGES: dict[str, MergeMethod] = {
    "stacked": Stack(of=["gray", "waveform"]),
    "merged": Channels(of=["gray", 0.25, {"encoding": "waveform", "invert": True, "binarise": 100}]),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images of five clips in two encodings, the second in another order."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for encoding, order in (("gray", range(5)), ("waveform", [3, 1, 4, 0, 2])):
        for i in order:
            path = f"{encoding}/c{i % 2}/{i}.wav.png"
            write_bytes(tmp_path / "images" / path, image.encode_png(rng.integers(0, 256, (4, 6, 3), np.uint8)))
            clip = {"clip_id": f"{i}.wav", "label": f"c{i % 2}", "fold": str(i), "group": f"g{i}"}
            rows.append({**clip, "encoding": encoding, "path": path, "spec": f"{encoding}-spec"})
    tables.write(tables.frame(rows, tables.IMAGES), tmp_path / "images" / "images.csv", tables.IMAGES)
    record_step(tmp_path / "images", "convert", spec={"encodings": {"gray": {}, "waveform": {}, "linear": {}}})
    return tmp_path / "images"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def merged_now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the merges that were computed, in order."""
    done: list[str] = []
    for cls in (Stack, Channels):
        real = cls.merge
        monkeypatch.setattr(cls, "merge", lambda self, images, real=real: done.append(self.name) or real(self, images))
    return done


def images_of(root: Path) -> pd.DataFrame:
    return tables.read(root / "images.csv", tables.IMAGES)


def merged_image(root: Path, encoding: str, clip_id: str) -> np.ndarray:
    table = images_of(root)
    row = table[(table["encoding"] == encoding) & (table["clip_id"] == clip_id)].iloc[0]
    return image.read(root / row["path"])


def test_joins_on_clip_id_not_on_position(root: Path, store: Store) -> None:
    before = images_of(root)
    run = merge_images(before, root, MERGES, root, store=store)
    merged, failures = run.images, run.failures
    assert failures.empty
    assert len(merged) == 10
    pd.testing.assert_frame_equal(images_of(root), pd.concat([before, merged], ignore_index=True))
    for i in range(5):
        gray, wave, stacked = (merged_image(root, name, f"{i}.wav") for name in ("gray", "waveform", "stacked"))
        assert np.array_equal(stacked[:4], gray)
        assert np.array_equal(stacked[4:], wave)
    row = merged[merged["clip_id"] == "3.wav"].iloc[0]
    assert (row["path"], row["label"], row["fold"], row["group"]) == ("stacked/c1/3.wav.png", "c1", "3", "g3")
    recorded = read_steps(root)["merge"]["spec"]["merges"]
    assert {name: method_from_json(spec) for name, spec in recorded.items()} == MERGES


def test_a_second_run_merges_nothing(root: Path, store: Store, merged_now: list[str]) -> None:
    merge_images(images_of(root), root, MERGES, root, store=store)
    assert len(merged_now) == 10
    stamps = {p: p.stat().st_mtime_ns for p in root.rglob("*.png")}
    merge_images(images_of(root), root, MERGES, root, store=store)
    assert len(merged_now) == 10
    assert stamps == {p: p.stat().st_mtime_ns for p in root.rglob("*.png")}
    (root / "stacked" / "c0" / "0.wav.png").write_bytes(b"damaged")
    merge_images(images_of(root), root, MERGES, root, store=store)
    assert len(merged_now) == 10
    assert merged_image(root, "stacked", "0.wav").shape == (8, 6, 3)


def test_the_key_has_the_partners_the_spec_and_the_code(
    root: Path, store: Store, merged_now: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = images_of(root)
    merge_images(images, root, MERGES, root, store=store)
    merged_now.clear()
    write_bytes(root / "gray" / "c0" / "0.wav.png", image.encode_png(np.zeros((4, 6, 3), np.uint8)))
    merge_images(images, root, MERGES, root, store=store)
    assert merged_now == ["stack", "channels"]
    assert merged_image(root, "stacked", "0.wav")[:4].max() == 0
    merged_now.clear()
    merge_images(images, root, {"stacked": Stack(of=["waveform", "gray"])}, root, store=store)
    assert merged_now == ["stack"] * 5
    merged_now.clear()
    merge_images(images, root, {"stacked2": Stack(of=["waveform", "gray"])}, root, store=store)
    assert merged_now == []
    monkeypatch.setattr(registry, "code_version", lambda *modules: "new")
    merge_images(images, root, {"stacked": MERGES["stacked"]}, root, store=store)
    assert merged_now == ["stack"] * 5


def test_several_processes_change_nothing(root: Path, tmp_path: Path) -> None:
    with loaded(MERGE_FILE):  # which worker processes must load as well
        methods = {name: METHODS[name](of=["gray", "waveform", "waveform"]) for name in METHODS}
        images = images_of(root)
        one = merge_images(images, root, methods, tmp_path / "one", store=Store(tmp_path / "s1")).images
        two = merge_images(images, root, methods, tmp_path / "two", store=Store(tmp_path / "s2"), jobs=2).images
    assert set(one["encoding"]) >= {"brightest", "stack"}
    pd.testing.assert_frame_equal(one, two)
    for path in one["path"]:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_missing_partner_or_another_size_is_named_and_the_rest_goes_on(root: Path, store: Store) -> None:
    images = images_of(root)
    short = images[~((images["clip_id"] == "1.wav") & (images["encoding"] == "waveform"))]
    short = short[short["clip_id"] != "0.wav"]  # has neither: the converter named it already
    write_bytes(root / "gray" / "c0" / "2.wav.png", image.encode_png(np.zeros((4, 5, 3), np.uint8)))
    (root / "waveform" / "c1" / "3.wav.png").unlink()
    run = merge_images(short, root, {"stacked": MERGES["stacked"]}, root, store=store)
    merged, failures = run.images, run.failures
    assert merged["clip_id"].tolist() == ["4.wav"]
    reasons = dict(zip(failures["clip_id"], failures["reason"], strict=True))
    assert set(reasons) == {"1.wav", "2.wav", "3.wav"}
    assert reasons["1.wav"] == "stacked: the clip has no image of waveform"
    assert "gray is 4x5 (height x width), waveform is 4x6" in reasons["2.wav"]
    assert "3.wav.png: No such file" in reasons["3.wav"]
    pd.testing.assert_frame_equal(tables.read(root / "failures.csv", tables.FAILURES), failures)
    with pytest.raises(ImageError, match=r"clip_id='1.wav': stacked: the clip has no image"):
        merge_images(short, root, {"stacked": MERGES["stacked"]}, root, store=store, strict=True)
    short = short[~short["clip_id"].isin(["1.wav", "3.wav"])]
    with pytest.raises(ImageError, match=r"clip_id='2.wav': stacked: gray is 4x5"):
        merge_images(short, root, {"stacked": MERGES["stacked"]}, root, store=store, strict=True)


def test_nothing_that_can_be_merged_is_an_error(root: Path, store: Store) -> None:
    for path in root.rglob("waveform/*/*.png"):
        write_bytes(path, image.encode_png(np.zeros((5, 5, 3), np.uint8)))
    with pytest.raises(ImageError, match=r"none of 5 images could be merged; the first: 0.wav: .*5x5"):
        merge_images(images_of(root), root, {"stacked": MERGES["stacked"]}, root, store=store)
    assert "stacked" not in set(images_of(root)["encoding"])


def test_partners_in_another_folder_that_were_drawn_anew(root: Path, store: Store, tmp_path: Path) -> None:
    """The merge that is made of them is named where it is merged with others."""
    out = tmp_path / "other"
    merge_images(images_of(root), root, {"m1": Stack(of=["gray", "waveform"])}, out, store=store)
    again = merge_images(images_of(out), out, {"m2": Stack(of=["m1", "m1"])}, out, store=store)
    assert again.warnings == ()
    path = next(root.rglob("gray/*/*.png"))
    write_bytes(path, image.encode_png(255 - image.read(path)))
    again = merge_images(images_of(out), out, {"m2": Stack(of=["m1", "m1"])}, out, store=store)
    assert len(again.warnings) == 1
    assert again.warnings[0].startswith(f"merge 'm1' in {out}: images of gray, waveform in {root} that it was made of")
    merge_images(images_of(root), root, {"m1": Stack(of=["gray", "waveform"])}, out, store=store)
    again = merge_images(images_of(out), out, {"m2": Stack(of=["m1", "m1"])}, out, store=store)
    assert again.warnings == ()


def test_names_that_are_taken_and_partners_that_are_not_there(root: Path, store: Store) -> None:
    images = images_of(root)
    for name in ("gray", "linear"):
        with pytest.raises(SettingsError, match=f"name='{name}': an encoding has that name already"):
            merge_images(images, root, {name: Stack(of=["waveform", "waveform"])}, root, store=store)
    with pytest.raises(SettingsError, match="of 'grey', which no clip has; did you mean 'gray'"):
        merge_images(images, root, {"m": Stack(of=["grey", "waveform"])}, root, store=store)
    with pytest.raises(SettingsError, match="merge 'ms2' is of 'ms', which no clip has; available: "):
        merge_images(images, root, {"ms2": Stack(of=["ms", "waveform"])}, root, store=store)


def test_the_command_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*args: str) -> int:
        monkeypatch.setattr(sys, "argv", ["merger", "--images", str(root / "images.csv"), "--out", str(root), *args])
        try:
            return guard(app)
        except SystemExit as leaving:
            return int(leaving.code or 0)

    assert call("--name", "stacked", "--how", "stack", "--of", "gray", "--of", "waveform") == 0
    assert "5 images of stacked" in capsys.readouterr().out
    wave = '{encoding = "waveform", invert = true, binarise = 100}'
    assert call("--name", "merged", "--how", "channels", "--of", "gray", "--of", "0.25", "--of", wave) == 0
    merged = merged_image(root, "merged", "0.wav")
    assert (merged[..., 1] == 63).all()
    wide = ("--name", "wide", "--how", "stack", "--of", "gray", "--of", "waveform", "--set", "direction=horizontal")
    assert call(*wide) == 0
    assert merged_image(root, "wide", "0.wav").shape == (4, 12, 3)
    assert call("--name", "x", "--how", "stak", "--of", "gray", "--of", "waveform") == 1
    assert "did you mean 'stack'" in capsys.readouterr().err
    (root / "gray" / "c0" / "2.wav.png").write_bytes(b"no image")
    assert call("--name", "stacked", "--how", "stack", "--of", "gray", "--of", "waveform") == 1
    assert "1 clip could not be merged" in capsys.readouterr().err
    assert call("--list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(METHODS.names())
    with loaded():
        more = ("--plugin", str(MERGE_FILE))
        assert call(*more, "--name", "b", "--how", "brightest", "--of", "waveform", "--of", "waveform") == 0
        assert call(*more, "--list") == 0
        assert "brightest" in capsys.readouterr().out


def test_merges_of_images_that_are_drawn_anew_leave_the_index(root: Path, store: Store) -> None:
    of_merge: MergeMethod = Stack(of=["stacked", "gray"])
    merge_images(images_of(root), root, {"stacked": MERGES["stacked"]}, root, store=store)
    merge_images(images_of(root), root, {"twice": of_merge}, root, store=store)
    before = images_of(root)
    gray = before[before["encoding"] == "gray"]
    same = finish_convert(root, gray)
    assert same.warnings == ()
    assert set(images_of(root)["encoding"]) == {"gray", "waveform", "stacked", "twice"}
    rows = gray.assign(spec=["of another size" if k < 2 else spec for k, spec in enumerate(gray["spec"])])
    warnings = finish_convert(root, rows.iloc[:4]).warnings  # two are drawn anew, one is gone
    assert len(warnings) == 2
    assert warnings[0].startswith("merge 'stacked': 3 images removed, since images of gray, waveform that they were")
    assert warnings[1].startswith("merge 'twice': 3 images removed")
    left = images_of(root)
    for name in ("stacked", "twice"):
        assert sorted(left.loc[left["encoding"] == name, "clip_id"]) == ["2.wav", "3.wav"]
        assert len(list((root / name).rglob("*.png"))) == 2


def finish_convert(root: Path, gray: pd.DataFrame) -> ImageRun:
    """Have the images of one encoding drawn again."""
    rows = gray.to_dict("records")
    return finish(root, "convert", rows=rows, failures=[], recipes=Recipes({"gray": {}}), inputs={}, started=0.0)
