"""A folder of awkward sound files: every one is drawn or named, none is lost, no worker crashes, nothing is printed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from awkward_files import broken_files, cut_files, whole_files, write_all

from converter.encodings.gray import Gray
from converter.pipeline import convert_clips
from harness import image, tables
from harness.parallel import KILLED
from harness.store import Store

SMALL = Gray(size=(16, 16), n_fft=256, hop_length=256, n_mels=16, sample_rate=8000)
"""Quick to draw."""
HALF = ("SD2_", "AIFF_DWVW_")
"""Of an SD2 the other half is another file; libsndfile writes DWVW, but does not read it."""


@pytest.mark.filterwarnings("ignore::harness.decoder_messages.DecoderWarning")
def test_every_file_is_drawn_or_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = whole_files()
    broken, cut = broken_files(whole), cut_files(whole)
    files = {**whole, **broken, **cut}
    assert len(files) >= 250
    write_all(tmp_path / "sounds", files)
    clips = tables.frame(
        [{"clip_id": name, "path": str(tmp_path / "sounds" / name), "label": "x"} for name in files], tables.CLIPS
    )
    run = convert_clips(clips, {"gray": SMALL}, tmp_path / "images", store=Store(tmp_path / "store"), jobs=2)
    drawn, failed = set(run.images["clip_id"]), set(run.failures["clip_id"])
    assert drawn | failed == set(files), "none is lost"
    assert not drawn & failed
    assert [name for name in failed if name in whole and not name.startswith(HALF)] == []
    assert drawn & set(broken) == set()
    for name, why in reasons(run.failures).items():
        assert name in why
        assert "\n" not in why
        assert KILLED not in why
    for path in run.images["path"]:
        assert image.read(tmp_path / "images" / path).shape == (16, 16, 3)
    said = capfd.readouterr()
    assert [line for line in said.err.splitlines() if "drawing" not in line and line.strip()] == []


def reasons(failures: pd.DataFrame) -> dict[str, str]:
    return dict(zip(failures["clip_id"], failures["reason"], strict=True))
