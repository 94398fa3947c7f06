"""The review page of a scan, driven in Chromium: its keys, its players, and a CSV that `corpora` and `density` read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import RATE, command, sound

from corpora.loading import load
from harness.audio import digest, write_wav
from harness.errors import SettingsError, TableError
from harness.files import write_json
from harness.record import record_step
from harness.tables import read, write
from labeler.__main__ import app
from labeler.detecting import DETECTIONS, Detection, detect_table
from labeler.replacing import begin_results
from labeler.review import choose_detections, write_review
from labeler.review_page import REVIEWED, render_page
from labeler.scanned import Scanned, read_scanned, write_scanned
from labeler.scanning import SCORES

SCORED = [0.9, 0.1, 0.55, 0.1, 0.99, 0.1, 0.7, 0.1]


@pytest.fixture
def scanned(tmp_path: Path) -> Path:
    """The folder of a scan of one recording with four calls, whose name needs quoting everywhere."""
    recording = tmp_path / 'night, "one" <b>.wav'
    write_wav(recording, np.concatenate([sound("hum", k) for k in range(8)]), RATE)
    starts = 0.3 * np.arange(8)
    times = {"start_s": starts, "end_s": starts + 0.3}
    scores = pd.DataFrame({"recording": str(recording), **times, "p:hum": SCORED, "p:hiss": 1 - np.array(SCORED)})
    detection = Detection(classes=("hum",))
    folder = tmp_path / "scan"
    write(scores, folder / SCORES.name, SCORES)
    write(detect_table(scores, detection), folder / DETECTIONS.name, DETECTIONS)
    record_step(folder, "scan", spec={"windows": {"length_s": 0.6}, "detection": detection.to_json()})
    return folder


def test_best_and_most_doubtful_alternate_and_clips_are_as_long_as_windows(scanned: Path) -> None:
    detections, scores = read(scanned / DETECTIONS.name, DETECTIONS), read(scanned / SCORES.name, SCORES)
    spec = {"windows": {"length_s": 0.6}, "detection": {"threshold": 0.5, "thresholds": {}}}
    items = choose_detections(detections, scores, spec, ["hum"], 3)
    assert [item.score for item in items] == [0.99, 0.55, 0.9]
    assert [(item.start_s, item.end_s) for item in items] == [(1.05, 1.65), (0.45, 1.05), (0.0, 0.6)]
    assert choose_detections(detections, scores, spec, ["hiss"], 3) == []
    single = {"windows": {"length_s": 0.6}, "detection": {"threshold": 0.5, "thresholds": {"hum": 0.9}}}
    assert [item.score for item in choose_detections(detections, scores, single, [], 4)] == [0.99, 0.55, 0.9, 0.7]


def test_the_page_in_a_browser(browser: Any, scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(app, "review", scanned, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"4 clips to judge: {scanned / 'review.html'}\n"
    page, problems = browser.new_page(), []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto((scanned / "review.html").as_uri())
    assert page.locator("article").count() == 4
    assert page.eval_on_selector_all("img", "all => all.every(i => i.complete && i.naturalWidth > 1)")
    seconds = "a => new Promise(done => { a.onloadedmetadata = () => done(a.duration); a.preload = 'auto'; a.load(); })"
    assert 0.55 < page.eval_on_selector("audio", seconds) < 0.75
    assert page.locator("#last").inner_text() == "3"  # two classes, and what is wrong
    for key in "rw2":
        page.keyboard.press(key)
    assert page.locator("#count").inner_text() == "3"
    assert page.eval_on_selector_all("article", "all => all.map(a => a.dataset.verdict)")[:3] == [
        "right",
        "wrong",
        "other",
    ]
    page.reload()  # verdicts are remembered
    assert page.locator("#count").inner_text() == "3"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    assert page.locator("#count").inner_text() == "2"
    page.locator("article").nth(1).locator("button[data-verdict=wrong]").click()
    page.select_option("#order", "best")
    assert page.eval_on_selector_all("article strong", "all => all.length") == 4
    assert page.locator("article").first.inner_text().split()[1] == "0.990"
    with page.expect_download() as downloading:
        page.locator("#download").click()
    downloading.value.save_as(tmp_path / "review.csv")
    page.close()
    assert problems == []
    table = read(tmp_path / "review.csv", REVIEWED)
    assert table["verdict"].tolist() == ["right", "wrong", "other"]
    assert table["label"].tolist() == ["hum", "background", "hiss"]
    clips = load("csv", tmp_path / "review.csv").sort_values("start_s")
    assert clips["label"].tolist() == ["hiss", "background", "hum"]
    assert clips["path"].unique().tolist() == [str(tmp_path / 'night, "one" <b>.wav')]
    assert clips[["start_s", "end_s"]].values.tolist() == [[0.0, 0.6], [0.45, 1.05], [1.05, 1.65]]


def test_letters_are_the_keys_of_classes_after_the_ninth(browser: Any, tmp_path: Path) -> None:
    times = {"start_s": 0.0, "end_s": 1.0, "from_s": 0.0, "to_s": 1.0}
    item = {"recording": "a.wav", "label": "c0", "score": 0.9, "image": "", "sound": "", **times}
    classes = [f"c{k}" for k in range(30)]
    named = {"title": "x", "key": "letters", "chosen": "detections", "wrong_label": "c0"}
    (tmp_path / "page.html").write_text(render_page([item] * 3, classes, **named), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    for key in "9as":
        page.keyboard.press(key)
    assert page.eval_on_selector_all("select[aria-label]", "all => all.map(one => one.value)") == ["c8", "c9", "c26"]
    assert page.locator("article option").nth(10).inner_text() == "a c9"
    page.close()


def test_a_sample_for_density_hides_the_scores(
    browser: Any, scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        write_review(scanned, tmp_path / "sample.html", labels=["hum"], sample=1) == 4
    )  # 8 windows, 4 ranges have one
    page = browser.new_page()
    page.goto((tmp_path / "sample.html").as_uri())
    assert "0." not in page.locator("article strong").first.inner_text()
    for _ in range(4):
        page.keyboard.press("r")
    with page.expect_download() as downloading:
        page.locator("#download").click()
    downloading.value.save_as(tmp_path / "review.csv")
    page.close()
    table = read(tmp_path / "review.csv", REVIEWED)
    assert set(table["chosen"]) == {"sample"}
    assert len(table) == 4


def test_a_scan_of_relative_paths_can_be_reviewed_from_anywhere(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording,) = tmp_path.glob("*.wav")
    for name, schema in ((SCORES.name, SCORES), (DETECTIONS.name, DETECTIONS)):
        write(read(scanned / name, schema).assign(recording=recording.name), scanned / name, schema)
    known = Scanned({recording.name: "night.wav"}, str(tmp_path), {recording.name: digest(recording)})
    write_scanned(scanned, known)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert write_review(scanned, scanned / "page.html") == 4
    assert json.dumps(str(recording)).replace("<", "\\u003c") in (scanned / "page.html").read_text()
    recording.rename(elsewhere / recording.name)  # where a relative path leads to now
    assert write_review(scanned, tmp_path / "page.html") == 4
    (elsewhere / recording.name).write_bytes((elsewhere / recording.name).read_bytes()[:-2] + b"xx")
    with pytest.raises(TableError, match="has changed since it was scanned"):
        write_review(scanned, tmp_path / "page.html")
    (elsewhere / recording.name).unlink()
    with pytest.raises(TableError, match=re.escape(f"not there any more, expected at {recording}; move it back")):
        write_review(scanned, tmp_path / "page.html")
    (scanned / "review.html").write_text("somebody's own")
    names, _ = begin_results(scanned, [Path("other.wav")], [])
    assert names == ["other.wav"]
    assert [path.name for path in scanned.glob("*.html")] == ["review.html"]
    assert read_scanned(scanned) == Scanned({"other.wav": "other.wav"}, str(elsewhere), {}, [])


def test_what_cannot_be_reviewed(scanned: Path, tmp_path: Path) -> None:
    for options, message in [
        ({"labels": ["hun"]}, "no such class; did you mean 'hum'"),
        ({"labels": ["hiss"]}, "no detections to review"),
        ({"sample": 3}, "a sample is drawn for one label"),
    ]:
        with pytest.raises(SettingsError, match=message):
            write_review(scanned, tmp_path / "page.html", **options)
    write_json(scanned / "run.json", {"schema": 1, "steps": {}})  # as of another program
    assert write_review(scanned, tmp_path / "page.html") == 4
