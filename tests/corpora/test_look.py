"""``python -m corpora look``: what it says of the sounds of a table, what it writes, what it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_study import command

from corpora.__main__ import app
from corpora.findings import SOUNDS
from corpora.look import look_at_table
from corpora.look_page import PAGE
from harness.audio import write_wav
from harness.record import record_step
from harness.shared_groups import SharedGroups
from harness.tables import CLIPS, DUPLICATES, FAILURES, frame, read, write


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A clips table of six sounds: a copy in another fold, one in the same, stereo, silence, clipping."""
    rng = np.random.default_rng(0)
    y = 0.1 * rng.standard_normal(16000).astype(np.float32)
    write_wav(tmp_path / "a.wav", y, 16000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    write_wav(tmp_path / "c.wav", 0.5 * y, 16000)
    write_wav(tmp_path / "silent.wav", np.zeros(4000), 8000)
    write_wav(tmp_path / "clipped.wav", np.clip(20 * rng.standard_normal(32000), -1, 1), 16000)
    soundfile.write(tmp_path / "stereo.wav", 0.1 * rng.standard_normal((48000, 2)), 16000)
    folds = {"a": "1", "b": "2", "c": "1", "silent": "1", "clipped": "2", "stereo": "2"}
    rows = [{"clip_id": name, "path": f"{name}.wav", "label": "x", "fold": fold} for name, fold in folds.items()]
    write(frame(rows, CLIPS), tmp_path / "clips.csv", CLIPS)
    return tmp_path / "clips.csv"


def test_what_it_says(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "look", clips, "--jobs", 1, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    assert said.out.splitlines() == [
        f"{clips}: 6 clips, 1 class, 2 folds, 0 groups",
        "class  clips  groups  fold 1  fold 2",
        "x          6       0       3       3",
        "all        6       0       3       3",
        "",
        "duration    0.5 to 3 s, median 1 s",
        "rates       5 of 16000 Hz, 1 of 8000 Hz",
        "channels    5 of 1, 1 of 2",
        "levels      -120 to 0 dB of full scale, median -20 dB",
        "silent      1: 'silent'",
        "clipped     1: 'clipped'",
        "duplicates  3 pairs of clips with the same sound (1 exact, 2 near)",
        "            2 in different folds: 'a' (fold 1) and 'b' (fold 2); 'b' (fold 2) and 'c' (fold 1)",
        "            1 in one fold: 'a' and 'c'",
    ]


def test_what_it_writes(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(app, "look", clips, "--jobs", 1, "--out", tmp_path / "look", capsys=capsys)
    pairs = read(tmp_path / "look" / "duplicates.csv", DUPLICATES)
    assert pairs[["clip_a", "clip_b", "kind"]].to_numpy().tolist() == [
        ["a", "b", "exact"],
        ["a", "c", "near"],
        ["b", "c", "near"],
    ]
    sounds = read(tmp_path / "look" / "sounds.csv", SOUNDS).set_index("clip_id")
    assert sounds.loc["stereo", ["duration_s", "sample_rate", "channels"]].tolist() == [3.0, 16000.0, 2.0]
    assert sounds["silent"].to_dict() == {name: float(name == "silent") for name in sounds.index}
    assert sounds.loc["clipped", "clipped_samples"] > 10000
    assert sounds.loc["a", "digest"] == sounds.loc["b", "digest"]


def test_clips_that_are_not_there(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the scan put into failures.csv is counted; what has gone or broken since is named, and the rest is done."""
    failed = [{"clip_id": "gone", "path": "gone.wav", "step": "corpus", "reason": "no such file"}]
    write(frame(failed, FAILURES), tmp_path / "failures.csv", FAILURES)
    assert "not there   1: see " in command(app, "look", clips, "--jobs", 1, capsys=capsys).out
    (tmp_path / "stereo.wav").write_bytes(b"no sound")
    (tmp_path / "clipped.wav").unlink()
    said = command(app, "look", clips, "--jobs", 1, "--out", tmp_path / "look", capsys=capsys)
    assert said.code == 1
    assert said.warnings == ["warning: 2 clips could not be read; the first is 'clipped'"]
    assert "unreadable  2: 'clipped', 'stereo'" in said.out
    assert "duplicates  3 pairs" in said.out
    assert np.isnan(read(tmp_path / "look" / "sounds.csv", SOUNDS)["duration_s"].iloc[4:]).all()


def test_no_such_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "look", tmp_path / "clips.csv", capsys=capsys)
    assert said.code == 1
    assert said.warnings == [
        f"error: {tmp_path / 'clips.csv'}: no such table; expected clips.csv with columns {', '.join(CLIPS.columns)}"
    ]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A clips table in which each sound has a fault of its own, and a group is in two folds."""
    rng = np.random.default_rng(0)
    y = (0.1 * rng.standard_normal(16000)).astype(np.float32)
    z = (0.1 * rng.standard_normal(16000)).astype(np.float32)
    soundfile.write(tmp_path / "inverted.wav", np.stack([y, -y], axis=1), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "wide.wav", np.stack([z, 0.3 * y], axis=1), 16000)
    write_wav(tmp_path / "offset.wav", 0.1 * rng.standard_normal(16000) - 0.1, 16000)
    wander = 0.3 * np.sin(2 * np.pi * 3.3 * np.arange(16000) / 16000)  # has a mean of 2 %, but no offset
    write_wav(tmp_path / "wander.wav", wander, 16000)
    write_wav(tmp_path / "padded.wav", np.concatenate([0.1 * rng.standard_normal(3000), np.zeros(29000)]), 16000)
    write_wav(tmp_path / "faint.wav", 0.002 * rng.standard_normal(16000), 16000)
    write_wav(tmp_path / "short.wav", 0.1 * rng.standard_normal(800), 16000)
    write_wav(tmp_path / "cut<b>.wav", 0.1 * rng.standard_normal(16000), 16000)
    names = ("inverted", "wide", "wander", "offset", "padded", "faint", "short", "cut<b>")
    rows = [
        {"clip_id": name, "path": f"{name}.wav", "label": "x" if k else "y", "fold": str(k % 2 + 1), "group": "rec"}
        for k, name in enumerate(names)
    ]
    rows[-1] |= {"start_s": 0.5, "end_s": 1.5}
    write(frame(rows, CLIPS), tmp_path / "odd.csv", CLIPS)
    return tmp_path / "odd.csv"


def test_each_fault_is_named_with_its_file(odd: Path) -> None:
    found = {each.name: (each.clips, each.measured) for each in look_at_table(odd, jobs=1).findings}
    assert found == {
        "channels cancel": (["inverted"], ["-120 dB in mono"]),
        "cut beyond the end": (["cut<b>"], ["0.5 s missing"]),
        "DC offset": (["offset"], ["-10.1 % of full scale"]),
        "mostly silence": (["padded"], ["90 % of 2 s"]),
        "faint": (["faint"], ["-54 dB"]),
        "short": (["short"], ["50 ms"]),
    }


def test_declared_exceptions_are_no_leak(odd: Path, tmp_path: Path) -> None:
    """The leak is said first on the page and in the terminal; on the page not where the corpus declares the group."""
    found = look_at_table(odd, jobs=1, out=tmp_path / "look")
    assert str(found).splitlines()[6] == "leaks       1 group in several folds: 'rec' (folds 1, 2)"
    page = (tmp_path / "look" / PAGE).read_text()
    assert page.index("1 group is in several folds") < page.index('id="classes"')
    assert "cut&lt;b&gt;" in page and "cut<b>" not in page
    declared = SharedGroups("official", {"rec": ("1", "2")}).to_json()
    record_step(tmp_path, "corpus", spec={"table": "odd.csv", **declared})
    look_at_table(odd, jobs=1, out=tmp_path / "look")
    page = (tmp_path / "look" / PAGE).read_text()
    assert "group is in several folds" not in page
    assert "declares 1 group in several folds" in page


def test_the_page_in_a_browser(clips: Path, tmp_path: Path, browser: Any) -> None:
    """It asks for nothing, a sound plays, and a narrow screen shows all of its width."""
    look_at_table(clips, jobs=1, out=tmp_path / "look", examples=2)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page, requests, errors = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.goto((tmp_path / "look" / PAGE).as_uri())
    assert page.locator("main > section").first.get_attribute("class") == "leaks"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert page.locator("#examples ~ .cards .card").count() == 2
    page.evaluate(
        "() => { const { play } = HTMLMediaElement.prototype;"
        "HTMLMediaElement.prototype.play = function () { window.heard = this; return play.call(this); }; }"
    )
    page.locator("button.play").first.click()
    page.evaluate(
        "() => new Promise((done) => window.heard.addEventListener('timeupdate',"
        "() => window.heard.currentTime > 0.05 && done()))"
    )
    page.locator("button.play.on").click()
    assert page.evaluate("window.heard.paused") and page.locator("button.play.on").count() == 0
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == [] and errors == []
    context.close()
