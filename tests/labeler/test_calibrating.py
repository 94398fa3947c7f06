"""Thresholds from labelled recordings, and call density from a few reviewed windows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import command

from harness.errors import SettingsError, TableError
from harness.tables import FAILURES, read, write
from labeler.__main__ import app
from labeler.annotations import write_annotations
from labeler.calibrating import choose_thresholds
from labeler.density import bin_windows, draw_sample, estimate_density
from labeler.detecting import Detection, Event, detect_table
from labeler.event_scores import Tolerance, event_figures
from labeler.review_page import REVIEWED
from labeler.scanning import SCORES
from labeler.thresholds import THRESHOLDS
from labeler.truth import TRUTH, read_truth


def scores_of(values: dict[str, list[float]], recording: str = "night.wav") -> pd.DataFrame:
    starts = np.arange(float(len(next(iter(values.values())))))
    columns = {f"p:{name}": each for name, each in values.items()}
    return pd.DataFrame({"recording": recording, "start_s": starts, "end_s": starts + 1, **columns})


def rows(*events: tuple[str, float, float], recording: str = "night.wav") -> pd.DataFrame:
    named = [{"recording": recording, "label": label, "start_s": a, "end_s": b} for label, a, b in events]
    return pd.DataFrame(named, columns=["recording", "label", "start_s", "end_s"])


def test_figures_of_events_with_tolerances() -> None:
    pytest.importorskip("sed_scores_eval")
    truth = rows(("dog", 1, 2), ("dog", 10, 14), ("cat", 5, 6))
    found = rows(("dog", 1.4, 2.4), ("dog", 1.5, 2.5), ("dog", 10.2, 16), ("dog", 30, 31))
    at = Tolerance(onset_s=0.5, offset_s=0.5, offset_share=0.0)
    figures = event_figures(found, truth, ["night.wav"], ["dog", "cat"], at).set_index("label")
    dog = figures.loc["dog"]
    assert (dog["calls"], dog["detected"], dog["precision"], dog["recall"]) == (2, 4, 0.25, 0.5)  # each counts once
    assert dog["f1"] == pytest.approx(2 / 6)
    assert figures.loc["cat", "recall"] == 0
    assert np.isnan(figures.loc["cat", "precision"])
    longer = event_figures(found, truth, ["night.wav"], ["dog"], at.replace(offset_share=0.5)).iloc[0]
    assert longer["recall"] == 1.0  # 2 s late is half the length of four seconds
    assert event_figures(found, truth, ["other.wav"], ["dog"], at).iloc[0]["calls"] == 0


def test_the_threshold_with_the_best_f1_is_chosen_with_the_settings_of_the_scan() -> None:
    pytest.importorskip("sed_scores_eval")
    scores = scores_of({"dog": [0.1, 0.3, 0.1, 0.8, 0.75, 0.1, 0.7, 0.2, 0.4], "cat": [0.1] * 9})
    truth, at = rows(("dog", 3, 5), ("dog", 6, 7)), Tolerance(onset_s=0.2, offset_s=0.2, offset_share=0)
    chosen = choose_thresholds(scores, truth, ["night.wav"], detection=Detection(), tolerance=at).set_index("label")
    assert 0.4 < chosen.loc["dog", "threshold"] <= 0.7
    assert chosen.loc["dog", ["calls", "detected", "f1"]].tolist() == [2, 2, 1]
    assert np.isnan(chosen.loc["cat", "threshold"])
    joined = Detection(gap_s=1.0)  # the two calls become one, which is not what the labels say
    assert choose_thresholds(scores, truth, ["night.wav"], detection=joined, tolerance=at)["f1"].iloc[0] < 1
    with pytest.raises(SettingsError, match="label 'dgo': the model has no such class; did you mean 'dog'"):
        choose_thresholds(scores, rows(("dgo", 1, 2)), ["night.wav"], detection=joined, tolerance=at)


def test_labels_are_read_from_a_table_and_from_label_files(tmp_path: Path) -> None:
    recordings = ["a/night.wav", "b/night.wav", "b/day.wav"]
    write(rows(("dog", 1, 2), recording="day.wav"), tmp_path / "truth.csv", TRUTH)
    truth, labelled, said = read_truth(tmp_path / "truth.csv", recordings)
    assert said == [
        f"{tmp_path / 'truth.csv'}: 2 of 3 recordings not named, and taken as without calls: a/night.wav and others"
    ]
    assert truth["recording"].tolist() == ["b/day.wav"]
    assert labelled == recordings
    write(rows(("dog", 1, 2)), tmp_path / "truth.csv", TRUTH)
    with pytest.raises(SettingsError, match="several recordings have that name"):
        read_truth(tmp_path / "truth.csv", recordings)
    pytest.importorskip("crowsetta")
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "day.txt").write_text("1.0\t2.0\tdog\n4.0\t5.5\tcat\n")
    truth, labelled, _ = read_truth(folder, recordings)
    assert truth.values.tolist() == [["b/day.wav", "dog", 1.0, 2.0], ["b/day.wav", "cat", 4.0, 5.5]]
    assert labelled == ["b/day.wav"]
    write_annotations(folder / "x.wav.TextGrid", "praat", {"dog": [Event(1, 2, 1)]}, path=Path("x.wav"), length_s=9)
    with pytest.raises(SettingsError, match=r"labels of 'x.wav': it was not scanned; scanned are night.wav, day.wav"):
        read_truth(folder, recordings)


def test_each_recording_has_one_label_file(tmp_path: Path) -> None:
    for name in ("night.wav.raven.txt", "night.wav.audacity.txt", "day.txt"):
        (tmp_path / name).write_text("1.0\t2.0\tdog\n")
    both = "night.wav.audacity.txt and night.wav.raven.txt are both label files of a/night.wav"
    with pytest.raises(SettingsError, match=both):
        read_truth(tmp_path, ["a/night.wav", "a/day.wav"])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("night.wav,dog,3,", "a call from 3 to nan s: expected start_s and end_s, both in seconds"),
        ("night.wav,dog,3,1", "a call from 3 to 1 s: expected a start of 0 or more, and an end that is not before it"),
        ("night.wav,dog,-1,1", "a call from -1 to 1 s: expected a start of 0 or more"),
        ("night.wav,dog,50,54", "a call from 50 to 54 s in a/night.wav, which ends before 9.00 s; expected seconds"),
        ("night.wav,dog,1,2", "a call from 1 to 2 s is there twice"),
    ],
)
def test_calls_that_cannot_be_are_named_with_their_line(row: str, says: str, tmp_path: Path) -> None:
    file, recordings, ends = tmp_path / "truth.csv", ["a/night.wav", "a/{day}.wav"], {"a/night.wav": 9.0}
    file.write_text(f"recording,label,start_s,end_s\nnight.wav,dog,1,2\n\n{row}\n")
    with pytest.raises(TableError, match=re.escape(f"{file}: line 4: {says}")):
        read_truth(file, recordings, ends=ends)
    _, label, start, end = row.split(",")
    (tmp_path / "night.txt").write_text(f"1\t2\tdog\n{start}\t{end or 'nan'}\t{label}\n")
    with pytest.raises(TableError, match=r"night\.txt: line 2: "):
        read_truth(tmp_path / "night.txt", recordings, ends=ends)


def test_a_truth_that_says_too_little(tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text("recording,label,start_s,end_s\n")
    with pytest.raises(TableError, match=r"truth.csv: no calls in it"):
        read_truth(file, ["night.wav"])
    file.write_text("recording,label,start_s,end_s\nb.wav,dog,1,2\n")
    found = read_truth(file, ["a.wav", "b.wav", "c.wav"])
    assert found.labelled == ["a.wav", "b.wav", "c.wav"]
    assert found.warnings == [f"{file}: 2 of 3 recordings not named, and taken as without calls: a.wav and others"]


def test_the_command_writes_what_scan_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sed_scores_eval")
    write(scores_of({"dog": [0.1, 0.9, 0.1, 0.4], "cat": [0.1] * 4}), tmp_path / "scores.csv", SCORES)
    write(rows(("dog", 1, 2)), tmp_path / "truth.csv", TRUTH)
    options = ["--scores", tmp_path / "scores.csv", "--truth", tmp_path / "truth.csv", "--out", tmp_path / "t.csv"]
    said = command(app, "threshold", *options, "--onset", 0.1, "--offset", 0.1, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert " dog: 1 call, 1 detected, precision 1.00, recall 1.00, f1 1.00\n" in said.out
    chosen = read(tmp_path / "t.csv", THRESHOLDS).set_index("label")["threshold"]
    found = detect_table(read(tmp_path / "scores.csv", SCORES), Detection(thresholds={"dog": chosen["dog"]}))
    assert found[["start_s", "end_s"]].values.tolist() == [[1.0, 2.0]]
    said = command(app, "threshold", *options, "--onset", -1, capsys=capsys)
    assert said.code == 1
    assert said.err.startswith("error: --onset=-1.0: must be a number of 0 or more")


def test_calls_that_a_scan_could_not_read_are_named_and_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sed_scores_eval")
    values = {"dog": [0.1, 0.9, 0.1, 0.4]}
    both = pd.concat([scores_of(values), scores_of(values, "/x/part.wav")])
    write(both, tmp_path / "scores.csv", SCORES)
    failed = [{"clip_id": n, "path": f"/x/{n}", "step": "scan", "reason": "damaged"} for n in ("part.wav", "bad.wav")]
    write(pd.DataFrame(failed), tmp_path / "failures.csv", FAILURES)
    in_part = rows(("dog", 1, 2), ("dog", 8, 9), recording="part.wav")
    bad = rows(("dog", 1, 2), ("dog", 3, 4), recording="bad.wav")
    write(pd.concat([rows(("dog", 1, 2)), in_part, bad]), tmp_path / "truth.csv", TRUTH)
    options = ["--scores", tmp_path / "scores.csv", "--truth", tmp_path / "truth.csv", "--out", tmp_path / "t.csv"]
    said = command(app, "threshold", *options, capsys=capsys)
    assert said.code == 0
    assert said.warnings == [
        "warning: /x/bad.wav: failed in the scan and is left out; 2 labelled calls not counted",
        "warning: /x/part.wav: read up to 4.00 s only; 1 labelled call after that not counted",
    ]
    assert " dog: 2 calls, 2 detected, precision 1.00" in said.out
    write(bad, tmp_path / "truth.csv", TRUTH)
    said = command(app, "threshold", *options, capsys=capsys)
    assert said.code == 1
    assert said.err.endswith("truth.csv: the recordings of its calls all failed in the scan, see failures.csv\n")


def test_bins_get_smaller_where_scores_are_high() -> None:
    counts = np.bincount(bin_windows(np.random.default_rng(0).permutation(160.0 * np.arange(160))))
    assert counts.tolist() == [80, 40, 20, 10, 10]
    assert bin_windows(np.array([0.1, 0.9, 0.5, 0.2]), bins=2).tolist() == [0, 1, 1, 0]


def test_the_interval_holds_the_true_density_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(1), 0
    for trial in range(60):
        values = rng.random(2000)
        calls = rng.random(2000) < values**4  # a fifth of the windows
        table = scores_of({"dog": list(values)})
        drawn = draw_sample(table, "dog", each=25, seed=trial).index.to_numpy()
        assert len(drawn) == 125
        found = estimate_density(values, drawn, calls[drawn], level=0.9)
        held += found.low <= calls.mean() <= found.high
        assert abs(found.density - calls.mean()) < 0.15
    assert 48 <= held <= 60


def test_density_needs_windows_of_all_ranges() -> None:
    with pytest.raises(SettingsError, match="no reviewed window has a score of range 1 of 5"):
        estimate_density(np.arange(100.0), [99, 98], [True, True])
    everything = estimate_density(np.arange(8.0), range(8), [False] * 6 + [True] * 2, bins=2)
    assert everything[:3] == (0.25, 0.25, 0.25)


def test_density_from_the_table_of_a_review(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = scores_of({"dog": list(np.linspace(0, 1, 40))})
    write(scores, tmp_path / "scores.csv", SCORES)
    drawn = draw_sample(scores, "dog", each=4)
    verdicts = ["right" if row["p:dog"] > 0.8 else "wrong" for _, row in drawn.iterrows()]
    review = drawn.assign(clip_id="", path="/x", label="", detected="dog", verdict=verdicts, chosen="sample", score=0.0)
    review["label"] = review["verdict"]
    write(review, tmp_path / "review.csv", REVIEWED)
    options = ["--scores", tmp_path / "scores.csv", "--reviewed", tmp_path / "review.csv", "--out", tmp_path / "d.csv"]
    said = command(app, "density", *options, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("dog: ")
    (row,) = pd.read_csv(tmp_path / "d.csv").to_dict("records")
    assert row["low"] < 0.2 < row["high"]
    assert row["reviewed"] == len(drawn)
    write(review.assign(chosen="detections"), tmp_path / "review.csv", REVIEWED)
    said = command(app, "density", *options, capsys=capsys)
    assert said.code == 1
    assert "no windows in it that were drawn by `review --sample`" in said.err
