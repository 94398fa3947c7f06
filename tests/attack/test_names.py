"""Names of sounds, classes and folders that trip programs up go through a whole study, to the report and the model."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from small_study import CLASSES, RATE, sound

import study
from harness.audio import write_wav
from harness.run_lock import LOCK
from labeler.loading import load_model

LABELS = {"chirp": "-rf 'a\"b", "hum": "línea\nzwei,; $(x) `y` 音", "hiss": "=1+1 <script>&amp;%s{0}"}
NAMES = (
    *("--help.wav", "a\nb.wav", "quo\"te,'s.wav", "音🐦é.wav", "  spaces  .wav", "%s{}$HOME`x`.wav", "<b>&lt;.wav"),
    *(f"{'ü' * 125}.wav", "x" * 251 + ".wav"),  # as long as a file system takes
)


@pytest.fixture
def hostile(tmp_path: Path, tiny_module: str) -> Path:
    """A study of a clips table with such names."""
    root = tmp_path / "so'und\"s \n$x"
    rows: list[dict[str, str]] = []
    for kind in CLASSES:
        for fold in "123":
            for number, name in enumerate(NAMES):
                path = root / f"{kind}{fold}" / name
                write_wav(path, sound(kind, 10 * int(fold) + number, seconds=0.2), RATE)
                clip = {"clip_id": f"{kind}{fold}/{name}", "path": str(path)}
                rows.append({**clip, "label": LABELS[kind], "fold": fold, "group": f"{fold}{kind}{name}"})
    with open(tmp_path / "clips.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "names.toml").write_text(
        f"[corpus]\nname = 'csv'\nroot = 'clips.csv'\n[convert]\nencodings = ['gray', 'waveform']\nsize = [24, 24]\n"
        f"sample_rate = {RATE}\nn_fft = 256\nhop_length = 64\nn_mels = 24\n[merge.both]\nhow = 'stack'\n"
        f"of = ['gray', 'waveform']\n[train]\nmodules = ['{tiny_module}']\n",
        encoding="utf-8",
    )
    return tmp_path / "names.toml"


def test_hostile_names_through_a_whole_study(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = study.study(hostile, out=out, jobs=2)
    assert first.failures.empty
    assert set(first.predictions["label"]) == set(LABELS.values())
    assert len(first.predictions) == 3 * 3 * 3 * len(NAMES)
    images = pd.read_csv(out / "images" / "images.csv", dtype=str, keep_default_na=False)
    assert set(images["clip_id"]) == set(first.predictions["clip_id"])
    assert all((out / "images" / path).is_file() for path in images["path"])
    assert images["path"].is_unique
    report = first.evaluation.report.read_text(encoding="utf-8")
    assert "<script>&amp;%s" not in report
    assert not (out / LOCK).exists()
    model = load_model(out / "model")
    assert set(model.label(pd.read_csv(tmp_path / "clips.csv", dtype=str)["path"][0]).index) == set(LABELS.values())
    before = {name: (out / name).read_bytes() for name in ("predictions.csv", "ranking.csv", "images/images.csv")}
    assert study.study(hostile, out=out, jobs=1).failures.empty
    assert {name: (out / name).read_bytes() for name in before} == before
