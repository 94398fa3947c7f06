"""``soundfold scan``: tables, label files, images; resumed, in parallel, what is broken named; parity with clips."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_study import RATE, Said, command, sound

from harness.audio import digest, write_wav
from harness.cutting import write_exact_wav
from harness.errors import SettingsError
from harness.tables import FAILURES, SCORE_PREFIX, read
from labeler import loading, scanning, score_blocks, speed
from labeler.__main__ import app
from labeler.calls import CALLS
from labeler.detecting import DETECTIONS, Detection
from labeler.files import unique_names
from labeler.loading import load_model
from labeler.scanning import SCORES, Windows, scan_sound
from labeler.truth import read_truth

PARTS = ("hum", "hum", "hiss", "hum")


@pytest.fixture
def model(studied: Path) -> Path:
    return studied / "run" / "model"


@pytest.fixture
def night(studied: Path, tmp_path: Path) -> Path:
    """A folder with two recordings, of which one is cut short: in each sounds of the study one after the other."""
    folder = tmp_path / "night"
    y = np.concatenate([sound(label, k) for k, label in enumerate(PARTS)])
    write_wav(folder / "a.wav", y, RATE)
    (folder / "b.wav").write_bytes((folder / "a.wav").read_bytes()[:-4000])
    return folder


def scan(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    return command(app, "scan", *args, capsys=capsys)


def labels_of(out: Path) -> list[str]:
    return read(out / "detections.csv", DETECTIONS)["label"].tolist()


def test_calls_are_found_counted_cut_and_drawn(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("crowsetta")
    out = tmp_path / "out"
    extras = ["--formats", "audacity,raven", "--formats", "praat", "--cut", "--pictures"]
    said = scan(night, "--model", model, "--out", out, *extras, capsys=capsys)
    assert said.code == 1
    assert f"{night / 'b.wav'}: cut short" in said.warnings[0]
    assert said.warnings[0].endswith("; the tables have it up to 0.95 s")
    assert "1 of 2 recordings could not be read to their end; see failures.csv" in said.warnings[1]
    assert "2 recordings (1 only up to where it is damaged), " in said.out
    detections = read(out / "detections.csv", DETECTIONS)
    of_a = detections["recording"] == str(night / "a.wav")
    assert detections[~of_a]["label"].tolist()[:2] == ["hum", "hiss"]
    assert detections["end_s"].iloc[-1] == pytest.approx(0.95)
    detections = detections[of_a]
    assert detections["label"].tolist() == ["hum", "hiss", "hum"]
    np.testing.assert_allclose(detections["start_s"], [0, 0.6, 0.9], atol=1e-3)
    np.testing.assert_allclose(detections["end_s"], [0.6, 0.9, 1.2], atol=1e-3)
    counted = read(out / "calls.csv", CALLS)
    assert counted["minutes"].tolist() == [0.02] * 3 + [0.0158] * 3
    counted = counted[:3]
    assert dict(zip(counted["label"], counted["calls"], strict=True)) == {"chirp": 0, "hum": 2, "hiss": 1}
    assert f"{night / 'a.wav'},hum,2,0.02,100.0\n" in (out / "calls.csv").read_text()
    assert f"{night / 'a.wav'},hum,0,2\n" in (out / "minutes.csv").read_text()
    assert set(read(out / "scores.csv", SCORES)["recording"]) == {str(night / "a.wav"), str(night / "b.wav")}
    assert read(out / "failures.csv", FAILURES)[["path", "step"]].values.tolist() == [[str(night / "b.wav"), "scan"]]
    assert sorted(p.name for p in (out / "labels").iterdir()) == [
        f"{name}.{ending}" for name in ("a.wav", "b.wav") for ending in ("TextGrid", "audacity.txt", "raven.txt")
    ]
    assert len(list((out / "cuts" / "hum").glob("a.wav_*.wav"))) == 2
    assert (out / "images" / "a.wav.png").stat().st_size > 10_000
    assert json.loads((out / "run.json").read_text())["steps"]["scan"]["spec"]["windows"]["length_s"] > 0


def test_nothing_of_an_earlier_scan_is_left_and_nothing_of_somebody_else_is_touched(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = [night / "a.wav", "--model", model, "--out", out, "--cut"]
    assert scan(*options, capsys=capsys).code == 0
    (out / "cuts" / "hum" / "mine_00000000.wav").touch()
    assert {p.parent.name for p in out.glob("cuts/*/a.wav_*.wav")} == {"hum", "hiss"}
    assert scan(*options, "--classes", "hiss", capsys=capsys).code == 0
    assert [p.relative_to(out).as_posix() for p in sorted(out.glob("cuts/*/*.wav"))] == [
        "cuts/hiss/a.wav_00000600.wav",
        "cuts/hum/mine_00000000.wav",
    ]
    other = tmp_path / "other"
    other.mkdir()
    (other / "calls.csv").write_text("my own")
    said = scan(night / "a.wav", "--model", model, "--out", other, capsys=capsys)
    assert said.code == 1
    assert "calls.csv: is in the way, and was not written by soundfold" in said.err


def test_a_scan_of_other_recordings_leaves_nothing_of_the_one_before(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("crowsetta")
    out, other = tmp_path / "out", write_wav(tmp_path / "c.wav", sound("hiss", 9), RATE) or tmp_path / "c.wav"
    options = ["--model", model, "--out", out]
    assert scan(night, *options, "--cut", "--formats", "audacity", capsys=capsys).code == 1
    cuts = len(list(out.glob("cuts/*/*.wav")))
    known = json.loads((out / "recordings.json").read_text())
    assert known["digests"][str(night / "a.wav")] == digest(night / "a.wav")
    assert command(app, "review", out, capsys=capsys).code == 0
    said = scan(other, *options, capsys=capsys)
    assert said.code == 0
    assert said.warnings == [
        f"warning: {out}: held an earlier scan with 2 recordings that this one does not have; its results were removed "
        f"(tables, {cuts} cut-outs, 2 label files, 1 review page), and what is there now is of this scan alone"
    ]
    assert not [*out.glob("cuts/*/*"), *out.glob("labels/*"), *out.glob("*.html")]
    for name in ("scores.csv", "detections.csv", "calls.csv", "minutes.csv"):
        assert set(pd.read_csv(out / name)["recording"]) <= {str(other)}
    assert not (out / "failures.csv").exists()
    for name in ("recordings.json", ".soundfold.json"):  # as an older version leaves it, with the files of others
        (out / name).unlink()
    assert scan(night / "a.wav", *options, capsys=capsys).warnings[0].startswith(f"warning: {out}: held an earlier")


def test_what_is_before_the_damage_is_scored_and_the_damage_is_named_again(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y = np.concatenate([sound(label, k) for k, label in enumerate(PARTS * 4)])
    path, whole, out = tmp_path / "x.flac", tmp_path / "whole.flac", tmp_path / "out"
    soundfile.write(whole, y, RATE)
    data = bytearray(whole.read_bytes())
    data[len(data) * 3 // 4 : len(data) * 3 // 4 + 2000] = bytes(2000)
    path.write_bytes(data)
    for more in ([], ["--gap", 0.3]):  # the second time the scores are there
        said = scan(path, whole, "--model", model, "--out", out, "--cut", "--pictures", *more, capsys=capsys)
        assert said.code == 1
        scores = read(out / "scores.csv", SCORES)
        damaged, good = (scores[scores["recording"] == str(each)] for each in (path, whole))
        assert 8 <= len(damaged) < len(good) == 16
        end = damaged["end_s"].iloc[-1]
        assert 2.4 < end < 4.2
        np.testing.assert_allclose(damaged.iloc[:8, 1:], good.iloc[:8, 1:], atol=1e-6)
        (failure,) = read(out / "failures.csv", FAILURES).to_dict("records")
        assert failure["reason"].startswith(f"{path}: cut short or damaged after {end:.2f} s")
        assert failure["reason"].endswith(f"the tables have it up to {end:.2f} s")
        cut = [p.name for p in out.glob("cuts/*/x.flac_*.wav")]
        assert len(cut) == (read(out / "detections.csv", DETECTIONS)["recording"] == str(path)).sum() > 0
        assert (out / "images" / "x.flac.png").is_file()


def test_another_threshold_scores_nothing_again_and_another_window_does(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    original = loading.Model.scores
    monkeypatch.setattr(loading.Model, "scores", lambda self, b: scored.append(len(b)) or original(self, b))
    options = ["--model", model, "--out", tmp_path / "out"]
    assert scan(night / "a.wav", *options, capsys=capsys).code == 0
    assert sum(scored) == 4
    assert scan(night / "a.wav", *options, "--threshold", "hiss=1", "--gap", 0.5, capsys=capsys).code == 0
    assert sum(scored) == 4
    assert labels_of(tmp_path / "out") == ["hum"]
    assert scan(night / "a.wav", *options, "--classes", "hiss,chirp", capsys=capsys).code == 0
    assert labels_of(tmp_path / "out") == ["hiss"]
    assert scan(night / "a.wav", *options, "--hop", 0.1, capsys=capsys).code == 0
    assert sum(scored) > 10


def test_what_was_killed_goes_on_where_it_stopped(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_blocks, "_BLOCK", 1)
    monkeypatch.setattr(scanning, "_BATCH", 3)
    options = [night / "a.wav", "--model", model, "--hop", 0.1]
    assert scan(*options, "--out", tmp_path / "whole", capsys=capsys).code == 0
    out, begun = tmp_path / "out", []

    def stopping(*args: object, **kwargs: object) -> object:
        for k, row in enumerate(scan_sound(*args, **kwargs)):
            if not begun and k == 7:
                begun.append(k)
                raise KeyboardInterrupt
            yield row

    monkeypatch.setattr(score_blocks, "scan_sound", stopping)
    assert scan(*options, "--out", out, capsys=capsys).code == 130
    assert not (out / "scores.csv").exists()
    assert len(list(out.glob("windows/*/*.npy"))) == 2
    (out / "windows" / next((out / "windows").iterdir()).name / "00001.npy").write_bytes(b"damaged")
    skipped = []
    monkeypatch.setattr(score_blocks, "scan_sound", lambda *a, skip: skipped.append(skip) or scan_sound(*a, skip=skip))
    assert scan(*options, "--out", out, capsys=capsys).code == 0
    assert skipped == [3]
    for name in ("scores.csv", "detections.csv", "calls.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_other_processes_have_scored_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "_EVERY_S", 0.001)
    measured, seen = [], threading.Event()

    def measure() -> float:
        if len(measured) == 1:  # another process writes 360 windows, ten seconds from one to the next
            (tmp_path / "key").mkdir()
            np.save(tmp_path / "key" / "00000.npy", np.zeros((360, 2 + 3)))
        measured.append(score_blocks.scored_seconds(tmp_path, classes=3, hop_s=10.0))
        if len(measured) > 3:
            seen.set()
        return measured[-1]

    with speed.Speed(["a.wav", "b.wav"]).watching(measure):
        assert seen.wait(10)
    assert measured[:2] == [0.0, 3600.0]
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("0 of 2 recordings, 1.00 h of sound: ")
    assert said[0].endswith(" times real time")


def test_files_of_recordings_have_names_of_their_own(tmp_path: Path) -> None:
    names = unique_names([Path(each) for each in ("a/x.wav", "b/x.wav", "a:b.wav", "a_b.wav", "n" * 250)])
    assert names[:2] == ["a_x.wav", "b_x.wav"]
    assert len({*names}) == 5
    assert max(map(len, names)) <= 200
    pytest.importorskip("crowsetta")
    for name, label in zip(names[:2], ("dog", "cat"), strict=True):
        (tmp_path / f"{name}.audacity.txt").write_text(f"1.0\t2.0\t{label}\n")
    calls = read_truth(tmp_path, ["a/x.wav", "b/x.wav"]).calls
    assert calls[["recording", "label"]].values.tolist() == [["a/x.wav", "dog"], ["b/x.wav", "cat"]]


def test_a_cut_out_that_does_not_fit_on_the_disk_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"c\.wav"):
            write_exact_wav(tmp_path / "c.wav", np.zeros(RATE * 9, np.float32), RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["--jobs", "--scheduler"])
@pytest.mark.long
def test_in_other_processes_it_is_the_same(
    how: str, model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(night / "c.wav", sound("hiss", 9), RATE)
    options = [night, "--model", model]
    assert scan(*options, "--out", tmp_path / "one", capsys=capsys).code == 1
    elsewhere = {"--jobs": 2, "--scheduler": "local:2"}
    if how == "--scheduler":
        pytest.importorskip("distributed")
    assert scan(*options, "--out", tmp_path / "two", how, elsewhere[how], capsys=capsys).code == 1
    for name in ("scores.csv", "detections.csv", "calls.csv", "minutes.csv", "failures.csv"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_from_python_it_gives_data_frames(model: Path, night: Path) -> None:
    found = load_model(model).scan(night / "a.wav", detection=Detection(classes=("hum",)))
    assert found.detections["label"].tolist() == ["hum", "hum"]
    assert found.calls[["label", "calls"]].values.tolist() == [["hum", 2.0]]
    assert len(found.scores) == 4
    assert repr(found) == "<Scan of 4 windows; calls: 2 hum>"
    with pytest.raises(SettingsError, match="source is of type list: expected the path of one recording"):
        load_model(model).scan([night / "a.wav"])
    with pytest.warns(UserWarning, match=r"b\.wav: cut short.*; this scan has it up to 0\.95 s"):
        part = load_model(model).scan(night / "b.wav", detection=Detection(classes=("hum",)))
    assert part.scores["end_s"].iloc[-1] == pytest.approx(0.95)


def test_a_clip_has_the_scores_of_its_prediction_its_file_and_a_window(studied: Path, model: Path) -> None:
    loaded = load_model(model)
    path = next((studied / "sounds" / "hum").glob("1-*.wav"))
    y, sr = soundfile.read(path, dtype="float32")
    ((_, _, window),) = scan_sound(loaded, path, Windows(len(y) / sr, len(y) / sr))
    of_file = loaded.label(path)[loaded.card.classes].to_numpy()
    of_samples = loaded.label(y, sr=sr)[loaded.card.classes].to_numpy()
    np.testing.assert_allclose(window, of_file, atol=1e-6)
    np.testing.assert_allclose(of_samples, of_file, atol=1e-6)


@pytest.mark.parametrize("encoding", ["gray", "merged", "sound"])
def test_scores_of_predictions_are_those_of_the_labeler(studied: Path, tmp_path: Path, encoding: str) -> None:
    """With the model of one fold, on a clip that it does not know: an encoding, a merge, the sound itself."""
    from harness.store import Store
    from trainer.export import export_fold

    run = studied / "run"
    table = pd.read_csv(run / "predictions.csv", dtype={"fold": str, "seed": str})
    row = table[(table["fold"] == "1") & (table["encoding"] == encoding)].iloc[0]
    named = {name: row[name] for name in ("encoding", "module", "head", "seed")}
    out = tmp_path / "m"
    export_fold(run, named, "1", out, images_folder=run / "images", store=Store(studied / "store"))
    loaded = load_model(out)
    path = next((studied / "sounds").glob(f"*/{row['clip_id']}"))
    ((_, _, window),) = scan_sound(loaded, path, Windows(loaded.card.longest_s, loaded.card.longest_s))
    expected = row[[f"{SCORE_PREFIX}{name}" for name in loaded.card.classes]].to_numpy(float)
    np.testing.assert_allclose(window, expected, atol=1e-5)
    np.testing.assert_allclose(loaded.label(path)[loaded.card.classes].to_numpy(), expected, atol=1e-5)


def test_what_is_not_installed_is_one_line(
    model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "crowsetta", None)
    said = scan(night, "--model", model, "--out", tmp_path / "out", "--formats", "raven", capsys=capsys)
    assert said.code == 1
    assert said.err.startswith("error: label files of Audacity, Raven and Praat need crowsetta")
    assert said.err.endswith("pip install 'soundfold[annotations]'\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--threshold", "0"], "--threshold=0.0: must be a number above 0, up to 1"),
        (["--classes", "hun"], "the model has no class 'hun'; did you mean 'hum'"),
        (["--formats", "audicity"], "--formats"),
        (["--hop", "9"], "hop=9"),
        (["--smoothing", "meen"], "--smoothing"),
        (["--jobs", "0"], "jobs=0"),
        (["--min-length", "5", "--max-length", "2"], "--max-length=2.0: is below the shortest length, 5 s"),
        (["--smoothing-s", "3"], "--smoothing-s=3.0: is the span of a mean or a median, and smoothing is 'none'"),
    ],
)
def test_what_is_wrong_is_one_line(
    wrong: list[str], says: str, model: Path, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = scan(night, "--model", model, "--out", tmp_path / "out", *wrong, capsys=capsys)
    assert said.code == 1
    assert len(said.err.splitlines()) == 1, said.err
    assert says in said.err
    assert not (tmp_path / "out").exists()
