"""``python -m corpora cut``: windows, labels of other programs, videos, damage, a second run."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from small_study import command

from corpora.__main__ import app
from corpora.cutting import CUTS
from corpora.pieces import CutSettings, pieces, windows
from corpora.recordings import find_recordings
from harness.audio import read as read_sound
from harness.audio import write_wav
from harness.decoder_messages import DecoderWarning
from harness.errors import TableError
from harness.tables import CLIPS, FAILURES, read
from harness.time_labels import read_time_labels

RATE = 8000


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Four seconds of noise in a class folder."""
    y = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    write_wav(tmp_path / "rec" / "bat" / "night.wav", y, RATE)
    return tmp_path / "rec" / "bat" / "night.wav"


def write_video(path: Path, *, seconds: float = 2.0, sounds: int = 1) -> None:
    """A few black frames with a tone of 440 Hz, and further audio streams with silence."""
    y = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 44100)) / 44100).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 32
        sound, *others = [container.add_stream("aac", rate=44100, layout="mono") for _ in range(sounds)]
        for k in range(int(10 * seconds)):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts = k
            container.mux(video.encode(frame))
        frame = av.AudioFrame.from_ndarray(y[None], format="fltp", layout="mono")
        frame.sample_rate = 44100
        for stream, last in ((sound, frame), (sound, None), (video, None)):
            container.mux(stream.encode(last))
        for stream in others:
            frame = av.AudioFrame.from_ndarray(0 * y[None], format="fltp", layout="mono")
            frame.sample_rate = 44100
            for last in (frame, None):
                container.mux(stream.encode(last))


def test_windows_with_a_hop(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Samples are those of the recording; the group is the recording; the rest at the end is no clip."""
    out = tmp_path / "out"
    said = command(app, "cut", night.parents[1], "--out", out, "--window-ms", 250, "--hop-ms", 300, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    clips, cuts = read(out / "clips.csv", CLIPS), read(out / "cuts.csv", CUTS)
    assert len(clips) == 13 and set(clips["label"]) == {"bat"} and set(clips["group"]) == {"bat/night.wav"}
    assert cuts["start_s"].tolist() == [round(0.3 * k, 6) for k in range(13)]
    whole, _ = read_sound(night)
    for row in cuts.itertuples():
        start = round(row.start_s * RATE)
        assert np.array_equal(read_sound(out / row.path)[0], whole[start : start + 2000])
    said = command(app, "scan", "csv", out / "clips.csv", "--out", tmp_path / "table" / "clips.csv", capsys=capsys)
    assert said.code == 0


def test_windows_are_the_same_for_any_blocks(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps and overlaps across the ends of the blocks in which a recording is read."""
    for hop in (50.0, 130.0, 700.0):
        settings = CutSettings(window_ms=130.0, hop_ms=hop)
        at_once = [(start, y.copy()) for start, y, _ in windows(night, settings)]
        monkeypatch.setattr("corpora.pieces._BLOCK_S", 0.11)
        in_blocks = [(start, y.copy()) for start, y, _ in windows(night, settings)]
        monkeypatch.undo()
        assert [start for start, _ in at_once] == [start for start, _ in in_blocks]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(at_once, in_blocks, strict=True))


def test_starts_within_a_millisecond(night: Path) -> None:
    """Windows whose starts are the same to a millisecond have names of their own."""
    recording = find_recordings([night])[0]
    for hop in (0.125, 1.05, 2.0):
        names = [name for name, *_ in pieces(recording, None, CutSettings(window_ms=3900.0, hop_ms=hop))]
        assert len(set(names)) == len(names) == int(100 / hop + 1e-9) + 1


AUDACITY = "0.5\t1.0\tcall\n0.5\t1.5\tcall\n0.5\t1.0\tcall\n0.5\t1.0\tsong\n3.5\t5.0\tcall\n9.0\t9.5\tsong\n"


def test_labels(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one class and start, of two classes, twice the same, beyond the end: each cut or named."""
    (tmp_path / "night.txt").write_text(AUDACITY)
    out = tmp_path / "out"
    args = ("cut", night, "--out", out, "--labels", tmp_path / "night.txt")
    said = command(app, *args, capsys=capsys)
    assert said.code == 0
    assert said.warnings == [
        "warning: 2 labels beyond the end of a recording: night.wav: 'call' to 5 s ends with the recording; "
        "night.wav: 'song' at 9 s is after its end",
        "warning: night.wav: 1 label there twice, cut once",
    ]
    cuts = read(out / "cuts.csv", CUTS)
    assert cuts[["clip_id", "label", "start_s", "end_s"]].to_numpy().tolist() == [
        ["night_00000500-00001000.wav", "call", 0.5, 1.0],
        ["night_00000500.wav", "song", 0.5, 1.0],
        ["night_00000500-00001500.wav", "call", 0.5, 1.5],
        ["night_00003500.wav", "call", 3.5, 4.0],
    ]
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.wav")}
    command(app, *args, capsys=capsys)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*.wav")} == before
    said = command(app, *args, "--window-ms", 400, capsys=capsys)
    assert said.warnings[-1].endswith("out: 4 clips of the cut that was there before, replaced or removed")
    assert sorted(path.name for path in out.glob("call/*.wav")) == [
        f"night_{ms:08}.wav" for ms in (500, 900, 3500, 3900, 4300, 4700) if ms < 4000
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "recording,label,start_s,end_s,score\nnight.wav,call,0.5,1.0,0.9\n"),
        ("excel.csv", "\ufeffrecording;label;start_s;end_s\r\nnight.wav;call;0,5;1\r\n"),
        ("night.txt", "0,500000\t1,000000\tcall\n"),
        ("night.wav.raven.txt", "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t0.5\t1.0\tcall\n"),
        ("night.audacity.txt", "0.5\t1.0\tcall\n"),
    ],
)
def test_labels_of_other_programs(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    (tmp_path / "labels").mkdir()
    file = tmp_path / "labels" / name
    file.write_text(text)
    labels = file if name.endswith("csv") else file.parent
    said = command(app, "cut", night, "--out", tmp_path / "out", "--labels", labels, capsys=capsys)
    assert (said.code, said.warnings) == (0, [])
    assert read(tmp_path / "out" / "clips.csv", CLIPS)["path"].tolist() == ["call/night_00000500.wav"]


def test_video_and_damage(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sound of a video is cut as any; of a recording that breaks off what is there, and it is named."""
    write_video(night.with_name("film.avi"))
    data = night.read_bytes()
    night.write_bytes(data[: len(data) // 2])
    out = tmp_path / "out"
    said = command(app, "cut", night.parent, "--out", out, "--window-ms", 500, capsys=capsys)
    assert said.code == 1
    assert read(out / "failures.csv", FAILURES)[["clip_id", "step"]].to_numpy().tolist() == [["night.wav", "cut"]]
    clips = read(out / "clips.csv", CLIPS)
    assert clips["group"].value_counts().to_dict() == {"film.avi": 4, "night.wav": 3}
    y, sr = soundfile.read(out / clips.loc[clips["group"] == "film.avi", "path"].iloc[1])
    assert (sr, len(y)) == (44100, 22050)
    assert abs(np.abs(np.fft.rfft(y)).argmax() * sr / len(y) - 440) <= 2


def test_whole_recordings(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wav of a video, and of a recording its very samples; not among the recordings."""
    write_video(night.with_name("film.mp4"))
    args = ("cut", night.parents[1], "--whole", "--out")
    assert command(app, *args, tmp_path / "out", capsys=capsys).code == 0
    clips = read(tmp_path / "out" / "clips.csv", CLIPS)
    assert clips["path"].tolist() == ["bat/film.wav", "bat/night.wav"]
    assert np.array_equal(read_sound(tmp_path / "out" / "bat" / "night.wav")[0], read_sound(night)[0])
    assert abs(soundfile.info(tmp_path / "out" / "bat" / "film.wav").duration - 2) < 0.1
    night.write_bytes(night.read_bytes()[:1000])
    said = command(app, *args, tmp_path / "again", capsys=capsys)
    assert said.code == 1 and "night.wav: cut short: its header promises 4.00 s" in said.warnings[0]
    assert [path.name for path in (tmp_path / "again" / "bat").iterdir()] == ["film.wav"]
    said = command(app, *args, tmp_path / "rec" / "out", capsys=capsys)
    assert said.code == 1 and "so that its clips would be cut again" in said.warnings[0]


def test_nothing_cut_is_a_failure(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "night.txt").write_text("9\t10\tcall\n")
    args = ("cut", night, "--out", tmp_path / "out", "--labels", tmp_path / "night.txt", "--jobs", 1)
    said = command(app, *args, capsys=capsys)
    assert said.code == 1 and said.warnings[-1].endswith(
        "nothing was cut; are there labels, and within the recordings?"
    )


def test_a_second_audio_stream_is_named(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", seconds=0.2, sounds=2)
    with pytest.warns(DecoderWarning, match=r"film.mp4: has 2 audio streams, of which the first is taken"):
        y, _ = read_sound(tmp_path / "film.mp4")
    assert np.abs(y).max() > 0.1


def test_whole_goes_on_after_what_has_no_sound(night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A video without sound and a wav without samples fail alone."""
    with av.open(str(night.with_name("mute.mp4")), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 32
        for frame in (av.VideoFrame(32, 32, "yuv420p"), None):
            container.mux(video.encode(frame))
    write_wav(night.with_name("empty.wav"), np.zeros(0, np.float32), RATE)
    said = command(app, "cut", night.parent, "--whole", "--out", tmp_path / "out", "--jobs", 1, capsys=capsys)
    assert said.code == 1
    assert read(tmp_path / "out" / "clips.csv", CLIPS)["clip_id"].tolist() == ["night.wav"]
    assert said.warnings[-1].startswith("warning: 2 recordings could not be cut to the end; see ")
    reasons = "; ".join(read(tmp_path / "out" / "failures.csv", FAILURES)["reason"])
    assert "empty.wav: holds no samples" in reasons and "mute.mp4: has no sound in it" in reasons
    assert sorted(path.name for path in (tmp_path / "out" / "bat").iterdir()) == ["night.wav"]


def test_videos_are_a_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rec" / "tone").mkdir(parents=True)
    for suffix in ("mp4", "avi", "mkv"):
        write_video(tmp_path / "rec" / "tone" / f"film.{suffix}", seconds=0.5)
    said = command(app, "scan", "folders", tmp_path / "rec", "--out", tmp_path / "clips.csv", capsys=capsys)
    assert said.code == 0
    assert len(read(tmp_path / "clips.csv", CLIPS)) == 3
    said = command(app, "look", tmp_path / "clips.csv", "--jobs", 1, capsys=capsys)
    assert (said.code, "rates       3 of 44100 Hz" in said.out) == (0, True)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "--window-ms: 0, and no --labels or --whole: say how long the clips are, or where the calls are"),
        (("--whole", "--window-ms", 5), "--whole and --window-ms: give one of them"),
        (("--hop-ms", 5, "--labels", "x.txt"), "--hop-ms=5: goes with --window-ms only"),
        (("--window-ms", -1), "--window-ms=-1.0: must be 0 or more"),
        (("--window-ms", 0.001), "--window-ms=0.001: shorter than a sample of night.wav (8000 Hz); expected at least"),
        (("--window-ms", 5, "--hop-ms", 1e-4), "--hop-ms=0.0001: shorter than a sample of night.wav (8000 Hz)"),
        (("--window-ms", 1, "--labels", "long.csv"), "--window-ms=1: makes 2,000,000 clips of 1 recording, more than"),
        (("--labels", "nowhere.txt"), "nowhere.txt: no labels there; expected a CSV, or label files of Audacity"),
        (("--labels", "other.txt"), "other.txt: labels of 'other': no such recording was given"),
        (("--labels", "wrong.csv"), "wrong.csv: a label 'x' from 2 to 1 s; expected seconds, 0 <= start < end"),
        (("--window-ms", 5, "--labels", "wrong.csv", "--label", "a"), "--label='a': the labels say what the clips are"),
    ],
)
def test_one_clear_line(
    night: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[object, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.txt").write_text("0\t1\tx\n")
    Path("long.csv").write_text("recording,label,start_s,end_s\nnight.wav,x,0,2000\n")
    Path("wrong.csv").write_text("recording,label,start_s,end_s\nnight.wav,x,2,1\n")
    said = command(app, "cut", night, "--out", "out", *given, capsys=capsys)
    assert said.code == 1 and len(said.warnings) == 1
    assert said.warnings[0].startswith(f"error: {says}")
    assert not Path("out", "clips.csv").exists()


INTERVALS = """    item [1]:
        class = "IntervalTier"
        name = "calls"
        xmin = 0
        xmax = 4
        intervals: size = 1
        intervals [1]:
            xmin = 0.5
            xmax = 1
            text = "call"
"""
POINTS = """    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 4
        points: size = 2
        points [1]:
            number = 2
            mark = "click"
        points [2]:
            number = 3
            mark = "click"
"""
HEAD = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 4\ntiers? <exists>\nsize = {}\nitem []:\n'
)


def test_points_of_praat_are_not_lost_in_silence(tmp_path: Path) -> None:
    """A warning says how many points are left out; a file of points alone is refused."""
    file = tmp_path / "night.TextGrid"
    file.write_text(HEAD.format(2) + INTERVALS + POINTS)
    with pytest.warns(DecoderWarning, match=r"night.TextGrid: 2 labels in point tiers, .* left out"):
        assert [each[:3] for each in read_time_labels(file)] == [(0.5, 1.0, "call")]
    file.write_text(HEAD.format(1) + POINTS)
    with pytest.raises(TableError, match="no labelled intervals, only 2 in point tiers"):
        read_time_labels(file)
