"""What goes into a report: excerpts, small images, data of every clip, within a budget; names are only ever text."""

from __future__ import annotations

import html
import io
import json
import math
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_study import RATE, command, sound

from evaluator import Evaluation, evaluate, results, thumbnails
from evaluator.__main__ import app
from evaluator.combinations import Combination
from evaluator.report import Report, ReportData
from evaluator.report_clips import clip_table, map_data, row_data
from evaluator.report_media import clips_by_interest, linked_sound
from evaluator.report_sources import Sources, read_sources
from harness import excerpts
from harness.audio import write_wav
from harness.errors import SettingsError
from harness.excerpts import Part, excerpt, loudest_start, make_excerpts
from harness.image import encode_png
from harness.store import Store
from harness.tables import CLIPS, FAILURES, IMAGES, PREDICTIONS, frame, write

HOSTILE = ("</script><img src=x onerror=alert(1)>", "\"quoted\" & 'both'", "鳥 🐦 \u202eabc", "=1+1|{{ 7 * 7 }}")


def decoded(data: bytes) -> tuple[np.ndarray, int]:
    """Samples of a WebM file and their rate."""
    with av.open(io.BytesIO(data)) as container:
        parts = [f.to_ndarray().reshape(-1).astype(np.float64) for f in container.decode(audio=0)]
        return np.concatenate(parts), container.streams.audio[0].rate


def blocks(page: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two blocks of JSON of a report."""
    found = [re.search(f'id="{name}">(.*?)</script>', page, re.DOTALL) for name in ("clip-data", "media-data")]
    data, media = (json.loads(match[1]) for match in found if match)
    return data, media


def numbers(text: str, dtype: str = "u1") -> list[int]:
    return np.frombuffer(b64decode(text.removeprefix("base64,")), dtype).tolist()


def make_run(folder: Path, classes: Sequence[str] = ("chirp", "hum", "hiss"), *, names: Sequence[str] = ()) -> Path:
    """A run of 18 clips with sounds and images of two encodings; ``wave`` errs more often."""
    rng = np.random.default_rng(0)
    clips, images, rows = [], [], []
    for k in range(18):
        clip, label, fold = (names[k] if k < len(names) else f"{k}.wav"), classes[k % 3], str(k // 6 + 1)
        path = folder / "sounds" / f"{k}.wav"
        write_wav(path, sound(("chirp", "hum", "hiss")[k % 3], k), RATE)
        clips.append({"clip_id": clip, "path": str(path), "label": label, "fold": fold, "group": f"g{k}"})
        for encoding, wrong in (("gray", {4, 10}), ("wave", {4, 7, 8})):
            image = folder / "images" / encoding / f"{k}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(encode_png(rng.integers(0, 255, (160, 240, 3)).astype(np.uint8)))
            images.append({"clip_id": clip, "encoding": encoding, "path": f"{encoding}/{k}.png", "label": label})
            guess = (k + (k in wrong)) % 3
            scores = {f"p:{name}": 0.1 + 0.7 * (i == guess) for i, name in enumerate(classes)}
            scores[f"p:{classes[guess]}"] -= 0.01 * k * (guess != k % 3)
            scores[f"p:{label}"] += 0.01 * k * (guess != k % 3)
            row = {"clip_id": clip, "encoding": encoding, "module": "m", "fold": fold, "label": label}
            rows.append({**row, "predicted": classes[guess], **scores})
    write(frame(clips, CLIPS), folder / "clips.csv", CLIPS)
    write(frame(images, IMAGES), folder / "images" / "images.csv", IMAGES)
    table = frame(rows, PREDICTIONS)
    for name in classes:
        table[f"p:{name}"] /= table[[f"p:{c}" for c in classes]].sum(axis=1)
    write(table, folder / "predictions.csv", PREDICTIONS)
    return folder


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots, which take longer than all else; test_evaluation.py has them."""
    monkeypatch.setattr(results, "try_png", lambda *_, **__: False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


# ---- excerpts and small images


def test_an_excerpt_is_the_loudest_part_and_the_same_bytes_again() -> None:
    t = np.arange(10 * 8000) / 8000
    y = (0.01 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)
    y[5 * 8000 : 7 * 8000] = 0.5 * np.sin(2 * np.pi * 1000 * t[: 2 * 8000])
    assert loudest_start(y, 8000, 2.0) == 5 * 8000
    data = excerpt(y, 8000, seconds=2.0)
    samples, sr = decoded(data)
    assert len(samples) / sr == pytest.approx(2, abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * sr / len(samples) == pytest.approx(1000, abs=5)
    assert data == excerpt(y, 8000, seconds=2.0)
    assert len(data) < 10_000
    assert len(decoded(excerpt(y[:2400], 8000))[0]) / sr == pytest.approx(0.3, abs=0.1), "a short sound is whole"
    assert excerpt(np.zeros(1, np.float32), 8000)


def test_a_slice_is_cut_before_its_loudest_part_is_looked_for(tmp_path: Path) -> None:
    t = np.arange(8 * RATE) / RATE
    y = np.where(t < 4, 0.1 * np.sin(2 * np.pi * 500 * t), np.sin(2 * np.pi * 1500 * t)).astype(np.float32)
    write_wav(tmp_path / "a.wav", y, RATE)
    part = Part(str(tmp_path / "a.wav"), 0.0, 3.5)
    found, missing = make_excerpts({"a": part}, store=Store(tmp_path / "store"), seconds=1.0)
    samples, sr = decoded(found["a"])
    assert np.argmax(np.abs(np.fft.rfft(samples))) * sr / len(samples) == pytest.approx(500, abs=5)
    assert missing == []


def test_once_stopped_no_more_sounds_are_made(run: Path, tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    parts = {"a": Part(str(run / "sounds" / "0.wav"), 0.0, 1.0)}
    found, missing = make_excerpts(parts, store=Store(tmp_path / "store"), stop=stop)
    assert (found, missing) == ({}, ["a"])


def test_what_is_done_with_the_figures_and_fails_leaves_a_report(run: Path, tmp_path: Path) -> None:
    seen = []

    def fail(found: Evaluation) -> None:
        seen.append(found.best)
        assert not found.report.exists()
        raise SettingsError("no room for a model")

    with pytest.raises(SettingsError, match="no room"):
        evaluate(run, store=Store(tmp_path / "store"), on_figures=fail)
    assert (run / "report.html").is_file()
    assert len(seen) == 1


def test_nothing_is_made_twice(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    first = evaluate(run, store=store).report.read_bytes()

    def make(*_: object, **__: object) -> bytes:
        raise AssertionError("made again")

    monkeypatch.setattr(excerpts, "excerpt", make)
    monkeypatch.setattr(thumbnails, "thumbnail", make)
    assert evaluate(run, store=store).report.read_bytes() == first


def test_a_small_image_has_the_proportions_of_the_image(run: Path, tmp_path: Path) -> None:
    paths = {("0.wav", "gray"): str(run / "images/gray/0.png"), ("1.wav", "gray"): str(run / "gone.png")}
    found = thumbnails.make_thumbnails(paths, store=Store(tmp_path / "store"))
    assert list(found) == [("0.wav", "gray")]
    with Image.open(io.BytesIO(found["0.wav", "gray"])) as image:
        assert (image.format, image.size) == ("WEBP", (112, 75))


# ---- data of every clip


def test_clips_are_in_natural_order_with_the_predictions_of_each_seed(
    make_predictions: Callable[..., pd.DataFrame],
) -> None:
    key = ("gray", "m", "h")
    table = make_predictions({key: 0.6}, n=40, seeds=("0", "1", "2"))
    lost = table[table["clip_id"] != "7.wav"]
    found = clip_table(lost, [Combination(*key)], {"3.wav": "g"}, labels={"other.wav": "cat"}, others=["other.wav"])
    assert found.clips[:3] == ["0.wav", "1.wav", "2.wav"]
    assert (found.clips[-1], found.labels[-1]) == ("other.wav", found.classes.index("cat"))
    assert found.groups[3] == "g"
    row = Combination(*key)
    wide = lost.pivot(index="clip_id", columns="seed", values="predicted")
    for k, clip in enumerate(found.clips[:-1]):
        assert [found.classes[c] for c in found.predicted[row][:, k]] == wide.loc[clip].tolist()
    score = [r[f"p:{r['label']}"] for r in lost[lost["clip_id"] == "5.wav"].to_dict("records")]
    assert found.true[row][found.clips.index("5.wav")] == pytest.approx(np.mean(score))
    wrong = lost[lost["label"] != lost["predicted"]].groupby("clip_id").size()
    assert {found.clips[k] for k in found.mistakes(row)} == set(wrong[wrong >= 2].index)
    assert found.bins[row][0].sum() == len(lost)
    figures = row_data(found, row, pd.DataFrame({"recall": [0.5]}, index=["cat"]))["figures"]
    assert figures == {"recall": [None, 0.5, None, None]}


def test_a_page_has_the_predictions_and_scores_of_every_row(run: Path, tmp_path: Path) -> None:
    data, _ = blocks(evaluate(run, store=Store(tmp_path / "store")).report.read_text(encoding="utf-8"))
    assert data["clips"] == [f"{k}.wav" for k in range(18)]
    assert [row["name"] for row in data["rows"]] == ["gray on m", "wave on m"]
    gray = numbers(data["rows"][0]["predicted"][0])
    assert [k for k in range(18) if gray[k] != data["labels"][k]] == [4, 10]
    table = pd.read_csv(run / "predictions.csv").set_index(["encoding", "clip_id"])
    first = table.loc["gray", "4.wav"]
    assert numbers(data["rows"][0]["given"])[4] == round(255 * first[f"p:{first['predicted']}"])
    assert numbers(data["rows"][0]["true"])[4] == round(255 * first[f"p:{first['label']}"])
    assert sum(n for n, _, _ in data["rows"][0]["bins"]) == 18


def test_places_on_a_map_have_one_scale(run: Path) -> None:
    found = evaluate(run)
    order = [found.best]
    table = clip_table(found.predictions, order, {}, labels={})
    xy = pd.DataFrame({"clip_id": ["0.wav", "1.wav", "2.wav"], "encoding": "gray", "module": "m"})
    places = map_data(xy.assign(x=[0.0, 4.0, math.inf], y=[1.0, 3.0, 0.0]), table)["gray", "m"]
    x, y = (numbers(places[axis], "<u2") for axis in "xy")
    assert (x[:4], y[:4]) == ([0, 65534, 65535, 65535], [0, 32767, 65535, 65535])


# ---- which sounds, and how many


def test_the_most_telling_clips_come_first(run: Path) -> None:
    found = evaluate(run)
    order = [Combination("gray", "m", ""), Combination("wave", "m", "")]
    table = clip_table(found.predictions, order, {}, labels={})
    assert table.mistakes(order[0]) == [4, 10]  # the surest first
    clips = clips_by_interest(table, order, {10: 1}, [13])
    assert clips[:6] == [4, 13, 7, 10, 1, 8], clips[:8]
    assert sorted(clips) == list(range(18))


def test_a_budget_is_never_exceeded_and_takes_the_first(run: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    full = evaluate(run, store=store).report.read_bytes()
    _, everything = blocks(full.decode())
    assert len(everything["sounds"]) == 18
    assert {name: len(images) for name, images in everything["images"].items()} == {"gray": 18, "wave": 3}
    size = len(full) - len(json.dumps(everything)) // 2 + 2000
    less = evaluate(run, store=store, budget_mb=size / 1e6).report.read_bytes()
    _, some = blocks(less.decode())
    assert len(less) <= size
    assert 0 < len(some["sounds"]) < 18
    assert set(some["sounds"]) >= {"4", "10"}
    assert all(everything["sounds"][k] == data for k, data in some["sounds"].items())
    assert f"the sounds of {len(some['sounds'])} of 18 clips" in less.decode()
    with pytest.raises(SettingsError, match="budget=0: must be more than 0"):
        evaluate(run, budget_mb=0)


def test_sounds_can_be_referred_to(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(app, "report", run, "--link-sounds", "--out", tmp_path / "out", capsys=capsys).code == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    _, media = blocks(page)
    assert media["sounds"]["4"] == "../run/sounds/4.wav"
    assert "it refers to the files of the corpus" in page
    part = Part("/sounds/a #1.wav", 1.5, math.nan)
    assert linked_sound(part, Path("/runs/one")) == "../../sounds/a%20%231.wav#t=1.5"
    assert linked_sound(Part("s3://bucket/a.wav", 0, 1), Path("/runs/one")) == ""


def test_a_report_without_its_sounds_and_images_says_so_once(run: Path, tmp_path: Path) -> None:
    for path in (run / "sounds").iterdir():
        path.unlink()
    for path in (run / "images").rglob("*.png"):
        path.unlink()
    page = evaluate(run, store=Store(tmp_path / "store")).report.read_text(encoding="utf-8")
    assert html.unescape(page).count("18 sounds could not be read, the first '4.wav'") == 1
    assert blocks(page)[1]["sounds"] == {}
    assert "<h2>Mistakes</h2>" in page
    (run / "images" / "images.csv").unlink()
    (run / "clips.csv").unlink()
    page = evaluate(run, store=Store(tmp_path / "store")).report.read_text(encoding="utf-8")
    assert "could not be read" not in page


def test_stages_with_their_times_are_named(run: Path) -> None:
    found = evaluate(run)
    steps = {"train": {"seconds": 111.0, "command": "train"}, "evaluate": {"seconds": 5.0}}
    sources = Sources(image_steps={"convert": {"seconds": 9.62, "command": "draw <it>"}})
    page = Report(ReportData("t", found, (), "", frame([], FAILURES), steps, sources=sources)).text(run / "no.png")
    cells = re.findall(r'<td class="n" data-value="([\d.]+)">([^<]+)</td><td class="n">(\d+)</td>', page)
    assert cells == [("9.62", "9.6 s", "534"), ("111.0", "1 min 51 s", "6167")]
    assert "draw &lt;it&gt;" in page


# ---- names are only ever text


def test_a_clip_that_was_cut_into_tiles_is_shown_by_its_first(tmp_path: Path) -> None:
    rows = [
        {"clip_id": name, "encoding": encoding, "path": f"{encoding}/x/{name}.png", "label": "x", "fold": "1"}
        for encoding, names in (("tiled", ["a.wav@tile0", "a.wav@tile1"]), ("whole", ["a.wav"]))
        for name in names
    ]
    (tmp_path / "images").mkdir()
    write(frame(rows, IMAGES), tmp_path / "images" / "images.csv", IMAGES)
    sources = read_sources(tmp_path, {})
    assert sources.image("a.wav", "tiled") == str(tmp_path / "images" / "tiled" / "x" / "a.wav@tile0.png")
    assert sources.image("a.wav", "whole").endswith("whole/x/a.wav.png")


def test_hostile_names_end_no_block(tmp_path: Path) -> None:
    names = [f"{name} {k}" for k, name in enumerate(HOSTILE)]
    folder = make_run(tmp_path / "run", HOSTILE[:3], names=names)
    page = evaluate(folder, store=Store(tmp_path / "store")).report.read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 3
    assert "<img src=x" not in page
    data, _ = blocks(page)
    assert data["classes"] == sorted(HOSTILE[:3])
    assert set(names) <= set(data["clips"])


def test_only_its_own_script_may_run_and_nothing_is_fetched(run: Path, tmp_path: Path) -> None:
    page = evaluate(run, store=Store(tmp_path / "store")).report.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert html.unescape(policy[1]).startswith("default-src 'none'; script-src 'sha256-")
    body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(?:href|action)\s*=|url\(|@import|<link|src="(?!data:)""", body)


def test_sources_of_a_run_without_tables_are_empty(tmp_path: Path) -> None:
    assert read_sources(tmp_path, {}) == Sources(image_folder=str(tmp_path / "images"))
