"""The report of a small real run, driven in Chromium: tables, switches, sounds, the map, accessibility, no requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converter.__main__ import app as converter_app
from corpora.__main__ import app as corpora_app
from evaluator import Evaluation, evaluate, results
from evaluator.report import Report, ReportData
from evaluator.report_sources import read_sources
from harness.files import natural_key
from harness.record import read_steps
from harness.store import Store
from harness.tables import FAILURES, PREDICTIONS, frame, write
from trainer.__main__ import app as trainer_app

LOADED = "a => new Promise(done => a.readyState ? done(1) : a.addEventListener('loadedmetadata', () => done(1)))"
FOLDERS = {"001 - Dog bark": "dog_bark", "002 - Rain": "rain", "009 - Rooster": "</script><b>rooster"}


@contextmanager
def opened(browser: Any, path: Path, *, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    """A page that has no problem until it is closed: no error, and no request but for itself and data."""
    page, problems = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme), []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    own = path.as_uri()
    page.on("request", lambda r: None if r.url.startswith(("data:", own)) else problems.append(r.url))
    page.goto(own)
    yield page
    page.close()
    assert problems == []


@pytest.fixture(scope="module")
def real_run(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """27 clips of ESC-10 in three folds, two encodings, the scattering transform."""
    home = tmp_path_factory.mktemp("real")
    rows = []
    for folder, label in FOLDERS.items():
        for fold in "123":
            for path in sorted((test_data / "data" / "esc10" / folder).glob(f"{fold}-*.ogg"))[:3]:
                group = path.name.split("-")[1]
                rows.append({"clip_id": path.name, "path": str(path), "label": label, "fold": fold, "group": group})
    pd.DataFrame(rows).to_csv(home / "clips.csv", index=False)
    run = home / "run"
    images = run / "images"
    steps: list[tuple[Any, list[object]]] = [
        (corpora_app, ["scan", "csv", home / "clips.csv", "--out", run / "clips.csv"]),
        (
            converter_app,
            ["--clips", run / "clips.csv", "--encoding", "gray", "--encoding", "waveform", "--out", images],
        ),
        (trainer_app, ["run", "--images", images / "images.csv", "--module", "builtin:scattering", "--out", run]),
    ]
    steps[1][1].extend(["--size", "64x64", "--out", images])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOUNDFOLD_STORE", str(home / "store"))
        for app, words in steps:
            with pytest.raises(SystemExit) as leaving:
                app([str(word) for word in words])
            assert not leaving.value.code
    return run


@pytest.fixture(scope="module")
def report(real_run: Path) -> tuple[Path, Evaluation]:
    """The run's report with a map, nearest clips and suspected labels that are made up."""
    store = Store(real_run.parent / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "try_png", lambda *_, **__: False)  # takes longer than all else
        found = evaluate(real_run, store=store)
    once = found.predictions.drop_duplicates("clip_id")
    ids = once["clip_id"].tolist()
    places = np.linspace(0, 1, len(ids))
    rows = [{"encoding": e, "module": "builtin:scattering"} for e in ("gray", "waveform")]
    maps = pd.concat([pd.DataFrame({"clip_id": ids, **row, "x": places, "y": places}) for row in rows])
    maps.attrs |= {"method": "PCA", "share": {("gray", "builtin:scattering"): 0.312}}
    nearest = pd.concat([pd.DataFrame({"clip_id": ids, **row, "nearest": ids[::-1], "distance": 1.0}) for row in rows])
    suspects = once[["clip_id", "label"]].head(5).assign(suggested="rain", quality=0.1, p_label=0.2, p_suggested=0.7)
    suspects.attrs |= {"estimate": 2, "clips": 27}
    data = ReportData(
        "a <run>", found, (), "", frame([], FAILURES), read_steps(real_run),
        sources=read_sources(real_run, {}), projections=maps, nearest=nearest, suspects=suspects, store=store,
    )  # fmt: skip
    path = real_run.parent / "made up.html"
    path.write_text(Report(data).text(real_run / "no.png"), encoding="utf-8")
    return path, found


def test_tables_sort_and_say_how(browser: Any, report: tuple[Path, Evaluation]) -> None:
    path, found = report
    with opened(browser, path) as page:
        ranking = page.locator("#ranking table")
        assert ranking.locator(".encoding").all_inner_texts() == found.ranking["encoding"].tolist()
        head = ranking.locator("th", has_text="encoding")
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        assert ranking.locator(".encoding").all_inner_texts() == ["gray", "waveform"]
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert ranking.locator(".encoding").all_inner_texts() == ["waveform", "gray"]
        accuracy = ranking.locator("th", has_text="accuracy")
        accuracy.get_by_role("button").click()
        assert (accuracy.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("descending", None)
        assert ranking.locator(".encoding").all_inner_texts() == found.ranking["encoding"].tolist()


def test_combinations_switch_and_pairs_are_listed(browser: Any, report: tuple[Path, Evaluation]) -> None:
    path, found = report
    last = found.ranking.iloc[-1]
    table = found.predictions[found.predictions["encoding"] == last["encoding"]]
    wrong = table[table["label"] != table["predicted"]]
    with opened(browser, path) as page:
        page.select_option("#row", "1")
        page.locator("#confusion").scroll_into_view_if_needed()
        cells = page.locator("#confusion-table td.off button")
        cells.first.wait_for()
        assert sum(int(text) for text in cells.all_inner_texts()) == len(wrong)
        count = page.locator("#mistakes-count")
        assert count.inner_text() == f"{len(wrong)} of 27 clips"
        shown = page.locator("#mistakes-cards > li")
        assert shown.count() == min(12, len(wrong))
        truth, guess = wrong.groupby(["label", "predicted"]).size().idxmax()
        pair = wrong[(wrong["label"] == truth) & (wrong["predicted"] == guess)]
        page.get_by_role("button", name=f"{len(pair)} {truth} taken for {guess}", exact=True).click()
        assert count.inner_text() == f"{len(pair)} {'clip' if len(pair) == 1 else 'clips'}: {truth} taken for {guess}"
        texts = shown.all_inner_texts()
        assert len(texts) == min(12, len(pair))
        assert all(any(name in text for name in pair["clip_id"]) for text in texts)
        page.locator("#mistakes-all").click()
        assert shown.count() == min(12, len(wrong))


def test_two_combinations_are_held_against_each_other(browser: Any, report: tuple[Path, Evaluation]) -> None:
    path, found = report
    right = found.predictions.assign(right=found.predictions["label"] == found.predictions["predicted"])
    wide = right.pivot(index="clip_id", columns="encoding", values="right")[found.ranking["encoding"].tolist()]
    a, b = (wide.iloc[:, k] for k in (0, 1))
    expected = [int(case.sum()) for case in (a & b, a & ~b, ~a & b, ~a & ~b)]
    with opened(browser, path) as page:
        page.locator("#two").scroll_into_view_if_needed()
        cells = page.locator("#two [data-case]")
        page.locator("#two [aria-pressed=true]").wait_for()
        assert [int(text) for text in cells.all_inner_texts()] == expected
        page.locator("#two [data-case='01']").click()
        ids = sorted(wide.index, key=natural_key)
        only_b = wide.index[~a & b]
        assert {c.get_attribute("data-clip") for c in page.locator("#two-cards > li").all()} == {
            str(ids.index(clip)) for clip in only_b
        }
        page.select_option("#row-a", "1")
        assert page.locator("#two-count").inner_text().startswith("0 clips")


def test_sounds_play_and_the_map_answers(browser: Any, report: tuple[Path, Evaluation]) -> None:
    path, found = report
    with opened(browser, path) as page:
        page.locator("#suspects").scroll_into_view_if_needed()
        assert "about 2 of 27 labels are wrong" in page.locator("#suspects").inner_text()
        page.locator("#suspects-table .play").first.click()
        page.eval_on_selector("#audio", LOADED)
        assert 2.9 < page.evaluate("document.getElementById('audio').duration") < 3.2
        assert found.predictions["clip_id"].sort_values().iloc[0] in page.locator("#player-name").inner_text()
        page.locator("#player-close").click()
        page.locator("#map").scroll_into_view_if_needed()
        canvas = page.locator("#map-canvas")
        page.locator("#map-legend li").first.wait_for()
        box = canvas.bounding_box()
        extent = (min(box["width"], box["height"]) - 24) / 2
        canvas.click(position={"x": box["width"] / 2 + extent, "y": box["height"] / 2 - extent})
        chosen = page.locator("#map-card li")
        ids = found.predictions.drop_duplicates("clip_id")["clip_id"].tolist()
        assert ids[-1] in chosen.inner_text()
        page.eval_on_selector("#audio", LOADED)
        assert ids[-1] in page.locator("#player-name").inner_text()
        canvas.press("ArrowLeft")
        assert ids[-2] in chosen.inner_text()
        before = canvas.evaluate("c => c.toDataURL()")
        page.select_option("#map-colour", "error")
        assert canvas.evaluate("c => c.toDataURL()") != before
        page.select_option("#map-list", index=0)
        assert sorted(ids, key=natural_key)[0] in chosen.inner_text()
        assert page.eval_on_selector_all("img", "all => all.every(i => i.complete && i.naturalWidth > 1)")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_accessible_and_as_wide_as_the_screen(
    browser: Any, report: tuple[Path, Evaluation], width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python")
    script = next(Path(axe.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    with opened(browser, report[0], width=width, scheme=scheme) as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")  # draws all that is drawn when it is near
        assert page.locator("#mistakes-count").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("b").filter(has_text="</script><b>rooster").count() > 0
        page.evaluate(script)
        found = page.evaluate("axe.run()")["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []


def test_one_combination_of_many_classes_and_seeds_without_scores(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "try_png", lambda *_, **__: False)
    rows = [
        {"clip_id": f"{k}", "encoding": "gray", "seed": seed, "label": f"class {k // 2}", "predicted": f"class {guess}"}
        for k in range(600)
        for seed, guess in (("0", k // 2), ("1", 299 if k == 7 else k // 2), ("2", 299 if k in (7, 9) else k // 2))
    ]
    write(frame(rows, PREDICTIONS), tmp_path / "predictions.csv", PREDICTIONS)
    with opened(browser, evaluate(tmp_path).report) as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        (card,) = page.locator("#mistakes-cards > li").all()
        assert card.inner_text().split("\n") == ["class 3", "taken for class 299 by 2 of 3 seeds", "7"]
        assert page.locator("#confused tbody tr").all_inner_texts() == [
            "class 3\tclass 299\t2\t33.3", "class 4\tclass 299\t1\t16.7",
        ]  # fmt: skip
        assert not page.locator("#two").is_visible()
        assert not page.locator(".choose").is_visible()


@pytest.mark.long
def test_thirty_combinations_of_8732_clips_open_at_once(browser: Any, tmp_path: Path) -> None:
    n, classes, rng = 8732, [f"class {k}" for k in range(10)], np.random.default_rng(0)
    label = rng.integers(0, 10, n)
    names = np.array(classes, dtype=object)
    clips = [f"{100_000 + k // 4}-{label[k]}-{k % 4}-{k}.wav" for k in range(n)]
    parts, maps = [], []
    for k in range(30):
        z = rng.standard_normal((n, 10))
        z[np.arange(n), label] += 1 + 0.1 * k
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        row = {"encoding": f"encoding {k % 10}", "module": f"module {k // 10}"}
        own = {"clip_id": clips, **row, "head": "h", "seed": "0", "fold": (np.arange(n) % 10 + 1).astype(str)}
        own |= {"group": [clip.split("-")[0] for clip in clips], "copy_of": "", "label": names[label]}
        own |= {"predicted": names[p.argmax(axis=1)], **{f"p:{c}": p[:, i] for i, c in enumerate(classes)}}
        parts.append(pd.DataFrame(own))
        maps.append(pd.DataFrame({"clip_id": clips, **row, "x": z[:, 0], "y": z[:, 1]}))
    write(pd.concat(parts), tmp_path / "predictions.csv", PREDICTIONS)
    found = evaluate(tmp_path)
    data = ReportData("large", found, (), "", frame([], FAILURES), {}, projections=pd.concat(maps))
    path = tmp_path / "large.html"
    path.write_text(Report(data).text(tmp_path / "no.png"), encoding="utf-8")
    assert path.stat().st_size < 5e6
    with opened(browser, path) as page:
        page.select_option("#row", "29")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        wrong = parts[0]["label"] != parts[0]["predicted"]
        assert page.locator("#mistakes-count").inner_text() == f"{int(wrong.sum())} of 8732 clips"
        assert page.locator("#mistakes-cards > li").count() == 12
