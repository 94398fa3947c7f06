"""From the scores of windows to calls: thresholds, smoothing, gaps, lengths, background; label files, cut-outs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from harness.cutting import cut_parts
from harness.errors import SettingsError, TableError
from labeler.annotations import ANNOTATION_FORMATS, annotation_file, read_annotations, write_annotations
from labeler.calls import count_calls, count_minutes
from labeler.cutting import cut_events
from labeler.detecting import Detection, Event, detect, detect_table
from labeler.thresholds import other_settings, parse_thresholds

JOINED = "smoothing none 0, hysteresis 1, gap 2, length 0 to 0"


def calls(
    values: list[float], *, hop: float = 1.0, length: float = 1.0, **settings: object
) -> list[tuple[float, float]]:
    """Start and end of the calls of one class whose windows have these scores."""
    starts = hop * np.arange(len(values))
    found = detect(np.array(values)[:, None], starts, starts + length, ["call"], Detection(**settings))
    return [(event.start_s, event.end_s) for event in found["call"]]


def test_windows_in_a_row_are_one_call() -> None:
    assert calls([1, 1, 0, 1]) == [(0, 2), (3, 4)]
    assert calls([0, 0]) == calls([]) == []
    assert calls([1, 1, 1]) == [(0, 3)]


def test_overlapping_windows_do_not_make_a_call_longer() -> None:
    # a call at 10 s is in the windows that begin from 8 to 10 s
    values = [1.0 if 8 <= start <= 10 else 0.0 for start in np.arange(0, 20, 0.5)]
    assert calls(values, hop=0.5, length=2.0) == [(8.75, 11.25)]


def test_a_threshold_for_each_class() -> None:
    scores = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    starts = np.arange(2.0)
    found = detect(scores, starts, starts + 1, ["a", "b", "c"], Detection(thresholds={"a": 0.7, "b": 0.2}))
    assert {name: len(events) for name, events in found.items()} == {"a": 0, "b": 1, "c": 0}
    assert found["b"] == [Event(0.0, 2.0, 0.7)]


def test_gaps_lengths_and_hysteresis() -> None:
    assert calls([1, 0, 1, 0, 0, 1], gap_s=1.0) == [(0, 3), (5, 6)]
    assert calls([1, 0, 1, 1, 0, 1, 1, 1], min_s=2.0) == [(2, 4), (5, 8)]
    assert calls([1, 0, 1, 1, 0, 1, 1, 1], max_s=2.0) == [(0, 1), (2, 4)]
    assert calls([1, 0, 1], gap_s=1.0, min_s=3.0) == [(0, 3)]
    assert calls([0.3, 0.6, 0.3, 0.2, 0.6], hysteresis=0.5) == [(1, 3), (4, 5)]


def test_smoothing() -> None:
    assert calls([0, 0, 1, 0, 0, 1, 1, 1, 0, 0], smoothing="median") == [(5, 8)]
    assert calls([0, 0, 1, 0, 1, 0, 0], smoothing="mean", smoothing_s=3.0, threshold=0.6) == [(3, 4)]
    rising = calls([0] * 5 + [1] * 10 + [0] * 10, smoothing="onset", threshold=0.2)
    ((start, end),) = rising  # the fast average 0.7 old + 0.3 new is above the slow one, 0.9 and 0.1
    fast = slow = 0.0
    for k, score in enumerate([0] * 5 + [1] * 10 + [0] * 10):
        fast, slow = 0.7 * fast + 0.3 * score, 0.9 * slow + 0.1 * score
        assert (fast > slow and fast >= 0.2) == (start <= k < end)


def test_where_the_background_scores_highest_there_is_no_call() -> None:
    scores = np.array([[0.4, 0.6], [0.6, 0.4], [0.4, 0.6]])
    starts = np.arange(3.0)
    settings = Detection(threshold=0.3)
    assert detect(scores, starts, starts + 1, ["dog", "background"], settings) == {"dog": [Event(1.0, 2.0, 0.6)]}
    assert len(detect(scores, starts, starts + 1, ["dog", "rain"], settings)["rain"]) == 1
    honoured = detect(scores, starts, starts + 1, ["dog", "rain"], settings.replace(background=("rain",)))
    assert honoured == {"dog": [Event(1.0, 2.0, 0.6)]}
    none = detect(scores, starts, starts + 1, ["dog", "background"], settings.replace(background=()))
    assert set(none) == {"dog", "background"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": ("dgo",)}, "no class 'dgo'; did you mean 'dog'"),
        ({"thresholds": {"cat": 0.5}}, "thresholds: the model has no class 'cat'"),
        ({"background": ("dog", "rain")}, "all are background"),
    ],
)
def test_settings_that_do_not_fit_the_model(settings: dict[str, object], message: str) -> None:
    table = pd.DataFrame({"recording": ["a"], "start_s": [0.0], "end_s": [1.0], "p:dog": [1.0], "p:rain": [0.0]})
    with pytest.raises(SettingsError, match=message):
        detect_table(table, Detection(**settings))


def test_settings_out_of_range() -> None:
    for settings in ({"threshold": 0}, {"threshold": 1.1}, {"hysteresis": 0}, {"gap_s": -1}, {"smoothing": "other"}):
        with pytest.raises(SettingsError, match=next(iter(settings))):
            Detection(**settings)


def test_thresholds_as_text_and_as_a_file(tmp_path: Path) -> None:
    assert parse_thresholds("0.7") == (0.7, {})
    assert parse_thresholds("dog=0.7,0.4") == (0.4, {"dog": 0.7})
    file = tmp_path / "thresholds.csv"
    file.write_text("label,threshold,calls,detected,precision,recall,f1\ndog,0.3,1,1,1,1,1\ncat,,0,0,,,\n")
    assert parse_thresholds(str(file)) == (0.5, {"dog": 0.3})
    assert other_settings(str(file), Detection()) == other_settings("0.5", Detection()) == ""
    file.write_text(f'label,threshold,calls,detected,precision,recall,f1,settings\ndog,0.3,1,1,1,1,1,"{JOINED}"\n')
    assert other_settings(str(file), Detection(gap_s=2.0)) == ""
    assert f"were chosen with {JOINED}; this scan has smoothing mean 0" in other_settings(
        str(file), Detection(smoothing="mean")
    )
    with pytest.raises(SettingsError, match="--threshold 'dog=x': expected a number"):
        parse_thresholds("dog=x", name="--threshold")
    file.write_text("label,settings,threshold,calls,detected,precision,recall,f1\ndog,,,0,0,,,\n")
    with pytest.raises(SettingsError, match=r"thresholds\.csv: has no threshold of any class"):
        parse_thresholds(str(file), name="--threshold")


def test_counts() -> None:
    found = {"dog": [Event(1, 2, 0.9), Event(70, 71, 0.9), Event(75, 130, 0.9)], "cat": []}
    assert [(row["label"], row["calls"], row["per_minute"]) for row in count_calls("a", found, 120.0)] == [
        ("dog", 3, 1.5),
        ("cat", 0, 0.0),
    ]
    counted = {(row["label"], row["minute"]): row["calls"] for row in count_minutes("a", found, 130.0)}
    assert counted == {("dog", 0): 1, ("dog", 1): 2, ("dog", 2): 0, ("cat", 0): 0, ("cat", 1): 0, ("cat", 2): 0}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two minutes and a bit, each 16-bit sample another one than its neighbours."""
    y = np.random.default_rng(0).integers(-32768, 32768, round(130.3 * 8000)).astype(np.int16)
    soundfile.write(tmp_path / "night.wav", y, 8000)
    return tmp_path / "night.wav"


FOUND = {"dog bark": [Event(0.5, 1.25, 0.9), Event(59.0, 61.5, 0.8)], 'the "owl"': [Event(60.0, 130.3, 0.7)], "cat": []}


@pytest.mark.parametrize("format", ANNOTATION_FORMATS)
@pytest.mark.parametrize("found", [FOUND, {"cat": []}], ids=["calls", "none"])
def test_labels_of_other_programs_there_and_back(recording: Path, format: str, found: dict[str, list[Event]]) -> None:
    pytest.importorskip("crowsetta")
    file = annotation_file(recording.with_name("night"), format)
    write_annotations(file, format, found, path=recording, length_s=130.3)
    back = read_annotations(file)
    expected = sorted((e.start_s, e.end_s, label) for label, events in found.items() for e in events)
    assert list(back["label"]) == [row[2] for row in expected]
    np.testing.assert_allclose(
        back[["start_s", "end_s"]].to_numpy(float), np.array([r[:2] for r in expected]).reshape(-1, 2)
    )
    assert [p.name for p in recording.parent.iterdir() if p.name.startswith(".")] == []


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation\n"


def test_label_files_as_audacity_and_raven_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crowsetta", None)  # which is not needed for them
    file = tmp_path / "night.txt"
    expected = [[3.0, 6.0, "rooster"], [19.0, 21.5, "dog bark"]]
    rows = ["1\tWaveform 1\t1\t3\t6\t0\t22050\trooster", "2\tWaveform 1\t1\t19\t21.5\t0\t22050\tdog bark"]
    both = "\n".join(each.replace("Waveform", view) for each in rows for view in ("Waveform", "Spectrogram"))
    for text in (
        "3\t6\trooster\n19\t21.5\tdog bark\n",
        "\ufeff3.0\t6.0\trooster\r\n\\\t100.0\t200.0\r\n19\t21.5\tdog bark\r\n\\\t-1.0\t200.0\r\n",
        RAVEN + "\n".join(rows),
        RAVEN + both + "\n",
        RAVEN.replace("Annotation", "Call") + both,
    ):
        file.write_text(text, encoding="utf-8", newline="")
        assert read_annotations(file).values.tolist() == expected, text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3\t6\trooster\n7\t9\n", "night.txt: line 2: expected start, end and label with tabs between"),
        ("3\tx\trooster\n", "night.txt: line 1: expected start and end in seconds, not '3' and 'x'"),
        (RAVEN + "1\tWaveform 1\t1\t3\t\t0\t22050\trooster", "night.txt: line 2: expected start and end in seconds"),
        (RAVEN + "1\tWaveform 1\t1\t3\t6\t0\t22050\t", "night.txt: line 2: has no label"),
        (RAVEN.replace("\tAnnotation", "") + "1\tWaveform 1\t1\t3\t6\t0\t22050", "column 'Annotation' is missing"),
    ],
)
def test_what_is_wrong_in_a_label_file_is_named_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "night.txt").write_text(text)
    with pytest.raises(TableError, match=re.escape(says)):
        read_annotations(tmp_path / "night.txt")


def test_cut_outs_hold_the_right_samples(recording: Path, tmp_path: Path) -> None:
    whole, _ = soundfile.read(recording, dtype="int16")
    files = cut_events(recording, FOUND, tmp_path / "cuts", "night")
    assert [file.relative_to(tmp_path / "cuts").as_posix() for file in files] == [
        "dog bark/night_00000500.wav",
        "dog bark/night_00059000.wav",
        "the _owl_/night_00060000.wav",
    ]
    events = [event for some in FOUND.values() for event in some]
    for file, event in zip(files, events, strict=True):
        cut, sr = soundfile.read(file, dtype="int16")
        assert sr == 8000
        np.testing.assert_array_equal(cut, whole[round(event.start_s * 8000) : round(event.end_s * 8000)])


def test_parts_beyond_the_end_are_cut_short(recording: Path) -> None:
    parts = {k: len(y) for k, y, _ in cut_parts(recording, [(130.0, 140.0), (0.0, 130.3), (120.0, 121.0)])}
    assert parts == {0: 2400, 1: round(130.3 * 8000), 2: 8000}
