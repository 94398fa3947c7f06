"""`corpora cut`, `look` and `verify`: damaged recordings, labels and tables, hostile names; all is done or named."""

from __future__ import annotations

import random
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from attack.damage import damaged

from corpora.cutting import CUTS, cut_recordings
from corpora.file_digests import DIGESTS
from corpora.look import look_at_table
from corpora.look_page import PAGE
from corpora.pieces import CutSettings
from corpora.scanning import scan_to_table
from corpora.verifying import verify_table
from harness.audio import read as read_sound
from harness.audio import write_wav
from harness.errors import SoundfoldError
from harness.store import Store
from harness.tables import CLIPS, frame, read, write

RATE = 8000
LABELS = {
    "night.txt": "0.5\t1.0\tcall\n1.2\t1.9\tsong\n\\\t100\t200\n",
    "night.raven.txt": "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t0.5\t1.0\tcall\n2\t1.0\t1.5\tsong\n",
    "labels.csv": "recording,label,start_s,end_s\nnight.wav,call,0.5,1.0\nnight.wav,song,1.0,1.5\n",
}


@pytest.fixture
def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_recordings_that_break_off(tmp_path: Path, noise: np.ndarray, suffix: str) -> None:
    """Wherever a file ends: the windows that are there are its own, and one that is not whole is named."""
    whole = tmp_path / f"night.{suffix}"
    soundfile.write(whole, noise, RATE)
    data, y = whole.read_bytes(), read_sound(whole)[0]
    for k, share in enumerate((0.0, 0.02, 0.3, 0.7, 0.99, 1.0)):
        folder = tmp_path / f"cut{k}"
        folder.mkdir()
        (folder / whole.name).write_bytes(data[: round(share * len(data))])
        found = cut_recordings([folder], tmp_path / f"out{k}", CutSettings(window_ms=100), jobs=1)
        cuts = read(tmp_path / f"out{k}" / "cuts.csv", CUTS)
        whole_enough = len(cuts) >= len(y) // 800 - 1  # of lossy formats a tenth of a second may be missing
        assert len(found.clips) == len(cuts) and (len(found.failures) == 1 or whole_enough)
        for row in cuts.itertuples() if suffix != "mp3" else ():
            start = round(row.start_s * RATE)
            clip = read_sound(tmp_path / f"out{k}" / row.path)[0]
            assert len(clip) == 800 and np.abs(clip - y[start : start + 800]).max() < 1e-3


@pytest.mark.parametrize("name", LABELS)
def test_damaged_labels(tmp_path: Path, noise: np.ndarray, name: str) -> None:
    """Cut, or one line that names the file; never a clip that is longer than its recording."""
    write_wav(tmp_path / "night.wav", noise, RATE)
    rng, refused = random.Random(name), 0
    for k in range(40):
        file = tmp_path / "labels" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(damaged(LABELS[name].encode(), rng))
        try:
            found = cut_recordings([tmp_path / "night.wav"], tmp_path / f"out{k}", CutSettings(), labels=file, jobs=1)
        except SoundfoldError as error:
            assert name in str(error) and "\n" not in str(error)
            refused += 1
            continue
        lengths = [soundfile.info(tmp_path / f"out{k}" / path).frames for path in found.clips["path"]]
        assert all(0 < length <= len(noise) for length in lengths)
    assert 0 < refused < 40


class _Tags(HTMLParser):
    """Counts elements."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.seen.append(tag)


def test_hostile_names_on_the_page(tmp_path: Path, noise: np.ndarray) -> None:
    """Names, labels, folds and groups are only ever text."""
    names = ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a\nb", "'&amp;"]
    write_wav(tmp_path / "a.wav", noise, RATE)
    write_wav(tmp_path / "b.wav", np.zeros(100), RATE)
    rows = [
        {
            "clip_id": name,
            "path": "ab"[k % 2] + ".wav",
            "label": name,
            "fold": name,
            "group": name if k > 2 else names[0],
        }
        for k, name in enumerate(names)
    ]
    write(frame(rows, CLIPS), tmp_path / "clips.csv", CLIPS)
    look_at_table(tmp_path / "clips.csv", out=tmp_path / "look", store=Store(tmp_path / "store"), jobs=1)
    page, tags = (tmp_path / "look" / PAGE).read_text(encoding="utf-8"), _Tags()
    tags.feed(page)
    assert tags.seen.count("script") == 1 and "{{ 7 * 7 }}" in page
    assert page.count("<img") == page.count('<img src="data:image/webp;base64,')


def test_damaged_digests(tmp_path: Path, noise: np.ndarray) -> None:
    """A damaged digests.csv is refused by name, or files count as changed or unknown: none passes as checked."""
    for name in "abc":
        write_wav(tmp_path / "in" / f"{name}.wav", noise * (ord(name) - 96) / 3, RATE)
    store = Store(tmp_path / "store")
    scan_to_table("folders", tmp_path / "in", out=tmp_path / "out" / "clips.csv", store=store)
    file, rng = tmp_path / "out" / DIGESTS.name, random.Random(0)
    good = file.read_bytes()
    for _ in range(60):
        file.write_bytes(damaged(good, rng))
        try:
            found = verify_table(tmp_path / "out" / "clips.csv", store=store, jobs=1)
        except SoundfoldError as error:
            assert DIGESTS.name in str(error)
            continue
        recorded = read(file, DIGESTS)
        known = set(recorded.loc[recorded["digest"] != "", "path"])
        assert set(found.unknown) == {str(tmp_path / "in" / f"{name}.wav") for name in "abc"} - known
