"""Folders of images as a corpus: ``images.csv`` without a hand-written table, and a study of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_study import command

import merger.__main__ as merging
import study
from corpora.__main__ import app
from harness.errors import SettingsError
from harness.store import Store
from harness.tables import IMAGES, read
from labeler import load_model

Builder = Callable[[Path], Path]
PATTERN = r"(?P<fold>\d)-(?P<group>\d+)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Class folders of images under two names: red ones and blue ones, in three folds."""
    rng = np.random.default_rng(0)
    for name in ("drawn", "other"):
        for k in range(24):
            label = ("red", "blue")[k % 2]
            pixels = rng.integers(0, 60, (16, 16, 3)).astype(np.uint8)
            pixels[..., 0 if label == "red" else 2] += 150
            path = tmp_path / name / label / f"{k // 8}-{k // 4}-{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path


def test_scan_merge_and_verify(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two scans with two names are partners of a merge; a changed image is named; no image is ever removed."""
    table = tmp_path / "drawn" / "images.csv"  # among the images themselves
    for name, encoding in (("drawn", ()), ("other", ("--encoding", "other"))):
        args = ("scan", "images", root / name, "--out", table, "--pattern", PATTERN, *encoding)
        assert command(app, *args, capsys=capsys).code == 0
    rows = read(table, IMAGES)
    assert rows["encoding"].value_counts().to_dict() == {"image": 24, "other": 24}
    assert set(rows["fold"]) == {"0", "1", "2"} and set(rows["label"]) == {"red", "blue"}
    args = ("--images", table, "--name", "both", "--how", "stack", "--of", "image", "--of", "other")
    assert command(merging.app, *args, "--out", tmp_path / "merged", capsys=capsys).code == 0
    assert len(read(tmp_path / "merged" / "images.csv", IMAGES)) == 24
    first = tmp_path / "drawn" / "red" / "0-0-0.png"
    first.write_bytes((tmp_path / "drawn" / "red" / "0-0-2.png").read_bytes())
    args = ("scan", "images", root / "drawn", "--out", table, "--pattern", PATTERN, "--classes", "blue")
    assert command(app, *args, capsys=capsys).code == 0
    assert first.is_file() and len(read(table, IMAGES)) == 36


def test_changed_and_added_images(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, red = tmp_path / "out" / "images.csv", root / "drawn" / "red"
    assert command(app, "scan", "images", root / "drawn", "--out", table, capsys=capsys).code == 0
    (red / "0-0-0.png").write_bytes((red / "0-0-2.png").read_bytes())
    (red / "new.png").write_bytes((red / "0-0-2.png").read_bytes())
    said = command(app, "verify", table, capsys=capsys)
    assert (said.code, said.out.splitlines()) == (
        1,
        [f"changed  {red / '0-0-0.png'}", f"added    {red / 'new.png'}", "24 files: 0 missing, 1 changed, 1 added"],
    )


def test_nothing_to_hear(root: Path, tmp_path: Path, tiny_yamnet: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A look at images, and a module that takes sounds: one line each."""
    table = tmp_path / "out" / "images.csv"
    command(app, "scan", "images", root / "drawn", "--out", table, capsys=capsys)
    said = command(app, "look", table, capsys=capsys)
    assert said.warnings[-1] == (
        f"error: {table}: a table of images, which have no sound; expected a clips table of sounds"
    )
    file = tmp_path / "s.toml"
    file.write_text(f"[corpus]\nname = 'images'\nroot = 'drawn'\n[train]\nmodules = ['{tiny_yamnet}']\n")
    for setting in ("convert.n_mels=3", "convert.keep_images=false"):
        with pytest.raises(SettingsError, match=r"\[convert\]: the corpus 'images' has images already"):
            study.make_plan(file, [setting], Store(tmp_path / "store"))
    with pytest.raises(SettingsError, match=r"\[train\] modules: one takes sounds, but the corpus 'images'"):
        study.make_plan(file, [], Store(tmp_path / "store"))


def test_encodings_of_a_clip_must_agree(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "out" / "images.csv"
    command(app, "scan", "images", root / "drawn", "--out", table, "--pattern", PATTERN, capsys=capsys)
    args = ("scan", "images", root / "other", "--out", table, "--encoding", "other", "--split", "50/50")
    said = command(app, *args, capsys=capsys)
    assert said.code == 1
    assert "images.csv: clip '0-0-0.png' has fold '0' as 'image', and" in said.warnings[-1]
    said = command(app, "scan", "folders", root, "--out", table, "--encoding", "x", capsys=capsys)
    assert said.code == 1


@pytest.mark.long
def test_a_study_of_images(root: Path, tmp_path: Path, tiny_module: str) -> None:
    """No [convert]; merges of the images; a model that labels images."""
    file = tmp_path / "images.toml"
    text = f"""[corpus]
name = "images"
root = "drawn"
pattern = '{PATTERN}'
[merge.inverted]
how = "channels"
of = ["image", 0.25, {{encoding = "image", invert = true}}]
[train]
modules = ['{tiny_module}']
"""
    file.write_text(text, encoding="utf-8")
    plan = study.make_plan(file, [], Store(tmp_path / "store"))
    run = study.run_study(plan, tmp_path / "run")
    assert run.failures.empty
    assert set(run.ranking["encoding"]) == {"image", "inverted"}
    assert run.predictions["clip_id"].nunique() == 24
    report = run.evaluation.report.read_text()
    assert "could not be read" not in report and "image/webp" in report
    model = load_model(tmp_path / "run" / "model")
    assert set(model.card.classes) == {"red", "blue"}
