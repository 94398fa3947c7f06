"""``labeler listen`` and ``snapshot``: a stream has the scores of a file, and what was lost is said."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from rich.console import Console
from small_study import RATE, command, sound

from harness.errors import AudioError, SettingsError
from harness.model import ModelCard
from harness.tables import read
from labeler.__main__ import app
from labeler.live import listening
from labeler.live.listening import Heard, Listener, listen_to
from labeler.live.microphone import Microphone
from labeler.live.opening import open_source
from labeler.live.ring import RingBuffer
from labeler.live.smoothing import LiveSmoother
from labeler.live.sources import Block, FileSource, PcmSource, Source
from labeler.live.view import TerminalView
from labeler.loading import Model, load_model
from labeler.scanning import SCORES, Windows, scan_sound
from labeler.smoothing import Smoothing

ROOT = Path(__file__).resolve().parents[2]


class Ear(Model):
    """A model that takes waveforms and scores by the mean of what is not padding; it needs no TensorFlow."""

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """How high the samples are, and how low."""
        means = np.array([y.sum(dtype=np.float64) / max(1, np.count_nonzero(y)) for y in batch])
        return np.stack([0.5 + means / 2, 0.5 - means / 2], axis=1)


def hear(longest_s: float = 0.5, sr: int = RATE) -> Model:
    """Such a model: what it hears can be read off its scores."""
    module = {"handle": "m", "digest": "", "takes": "waveform", "height": 0, "width": 0, "value_range": [-1.0, 1.0],
              "sample_rate": sr, "features": 1}  # fmt: skip
    return Ear(ModelCard(["up", "down"], takes="waveform", module=module, longest_s=longest_s), lambda: None)


@pytest.fixture(scope="module")
def folder(studied: Path) -> Path:
    """The study's model, which takes images."""
    return studied / "run" / "model"


@pytest.fixture(scope="module")
def trained(folder: Path) -> Model:
    """That model, loaded."""
    return load_model(folder)


def sounds(*kinds: str) -> np.ndarray:
    """One sound after the other, whole numbers of 1 / 32768."""
    y = np.concatenate([sound(kind, 90 + k) for k, kind in enumerate(kinds)])
    return (np.rint(y * 32768).clip(-32768, 32767) / 32768).astype(np.float32)


def pcm(y: np.ndarray) -> bytes:
    return (y * 32768).astype("<i2").tobytes()


class Parts:
    """A source of blocks as they are given."""

    name, sr, bits, channels = "parts", RATE, 16, 1

    def __init__(self, *blocks: Block) -> None:
        self._blocks = iter(blocks)

    def read(self) -> Block | None:
        return next(self._blocks, None)

    def close(self) -> None:
        """Nothing is open."""


class Notes(Listener):
    """All that a listener is given."""

    def __init__(self) -> None:
        self.windows: list[Heard] = []
        self.gaps: list[tuple[float, float]] = []
        self.samples: list[np.ndarray] = []

    def heard(self, heard: Heard) -> None:
        self.windows.append(heard)

    def lost(self, at_s: float, lost_s: float) -> None:
        self.gaps.append((at_s, lost_s))

    def sound(self, y: np.ndarray) -> None:
        self.samples.append(y)


def notes_of(model: Model, source: Source, windows: Windows, smoother: LiveSmoother | None = None) -> Notes:
    notes = Notes()
    listen_to(model, source, windows, [notes], smoother=smoother)
    return notes


# ---- the same scores as a file


@pytest.mark.parametrize("rate", [RATE, 11025])
@pytest.mark.parametrize("way", ["fast", "real time", "standard input"])
def test_a_stream_has_the_windows_and_scores_of_a_scan(trained: Model, tmp_path: Path, rate: int, way: str) -> None:
    y, path = sounds("hum", "hiss", "chirp")[: -RATE // 20], tmp_path / "x.wav"
    soundfile.write(path, y, rate)
    if way == "standard input":
        ours, theirs = os.pipe()
        writer = threading.Thread(target=lambda: (os.write(theirs, pcm(y)), os.close(theirs)))
        writer.start()
        source: Source = PcmSource(ours, sr=rate)
    else:
        source = FileSource(path, fast=way == "fast")
    notes = notes_of(trained, source, Windows(0.3, 0.1))
    heard = np.concatenate(notes.samples)
    np.testing.assert_array_equal(heard, y)
    for each in notes.windows:
        start, stop = round(each.start_s * rate), round(each.end_s * rate)
        expected = trained.label(heard[start:stop], sr=rate)
        np.testing.assert_allclose(each.scores[expected.index], expected, atol=1e-5)
    scanned = list(scan_sound(hear(), path, Windows(0.3, 0.1)))
    assert [(w.start_s, w.end_s) for w in notes.windows] == [(start, end) for start, end, _ in scanned]
    ups = [w.scores["up"] for w in notes_of(hear(), FileSource(path, fast=True), Windows(0.3, 0.1)).windows]
    np.testing.assert_allclose(ups, [scores[0] for _, _, scores in scanned], atol=1e-6)


def test_a_window_as_long_as_a_clip_has_the_scores_of_label_and_of_the_table(trained: Model, studied: Path) -> None:
    wav = next((studied / "sounds").glob("hum/1-*.wav"))
    got: list[Heard] = []
    trained.listen(got.append, input=str(wav), fast=True)
    (heard,) = got
    expected = trained.label(wav)
    np.testing.assert_allclose(heard.scores[expected.index], expected, atol=1e-5)


def test_a_clip_that_is_shorter_than_the_window_and_a_rest_at_the_end() -> None:
    short = notes_of(hear(), Parts(Block(np.full(800, 0.5, np.float32))), Windows(0.5, 0.5))
    assert [(w.start_s, w.end_s, w.scores["up"]) for w in short.windows] == [(0.0, 0.1, 0.75)]
    rest = notes_of(hear(), Parts(Block(np.zeros(4800, np.float32))), Windows(0.5, 0.5))
    assert [(w.start_s, w.end_s) for w in rest.windows] == [(0.0, 0.5), (0.5, 0.6)]
    nothing = notes_of(hear(), Parts(Block(np.zeros(4300, np.float32))), Windows(0.5, 0.5))
    assert [(w.start_s, w.end_s) for w in nothing.windows] == [(0.0, 0.5)]


# ---- what was lost


def test_no_window_reaches_over_lost_sound() -> None:
    up, down = np.full(5000, 0.5, np.float32), np.full(8000, -0.5, np.float32)
    notes = notes_of(hear(), Parts(Block(up), Block(down, lost_s=0.25)), Windows(0.5, 0.25), LiveSmoother("mean", 2))
    assert notes.gaps == [(0.625, 0.25)]
    starts = [w.start_s for w in notes.windows]
    assert starts == [0.0, 0.625, 0.875, 1.125]
    assert [w.scores["up"] for w in notes.windows] == pytest.approx([0.75, 0.25, 0.25, 0.25])
    assert sum(map(len, notes.samples)) == 13000


@pytest.mark.parametrize(
    ("how", "ups"),
    [("mean", [1.0, 0.5, 0.0, 0.5]), ("median", [1.0, 0.5, 0.0, 0.5]), ("onset", [0.3, 0.21, 0.147, 0.4029])],
)
def test_smoothing_goes_over_the_windows_so_far(how: Smoothing, ups: list[float]) -> None:
    y = np.repeat(np.array([1.0, -1.0, -1.0, 1.0], np.float32), 4000)
    notes = notes_of(hear(), Parts(Block(y)), Windows(0.5, 0.5), LiveSmoother(how, 2))
    assert [w.scores["up"] for w in notes.windows] == pytest.approx(ups)


def test_the_ring_loses_and_repeats_nothing_whatever_the_sizes() -> None:
    rng = np.random.default_rng(5)
    ring, y = RingBuffer(97), rng.random(20000, dtype=np.float32)

    def write() -> None:
        start = 0
        while start < len(y):
            length = int(rng.integers(1, 300))
            assert ring.write(y[start : start + length])
            start += length
        ring.end()

    threading.Thread(target=write, daemon=True).start()
    got, position = [], 0
    while not ring.is_over(position):
        stop = ring.wait(position, timeout=5)
        got.append(ring.read(position, stop))
        position = stop
        ring.release(max(0, position - 40))
        ring.read(max(0, position - 40), position)
    np.testing.assert_array_equal(np.concatenate(got), y)


# ---- devices


BAD_RATE, BUSY = OSError(-9997, "Invalid sample rate"), OSError(-9985, "Device unavailable")


class FakeAudio:
    """PyAudio with devices and a stream that give what a test wants."""

    paInt16 = 8

    def __init__(self, names: list[str], script: list[Any], *, opens: OSError | None = None) -> None:
        self.names, self.script, self.opens = names, list(script), opens

    def PyAudio(self) -> FakeAudio:
        return self

    def get_device_count(self) -> int:
        return len(self.names)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {"index": index, "name": self.names[index], "defaultSampleRate": 8000.0, "maxInputChannels": 1}

    def get_default_input_device_info(self) -> dict[str, Any]:
        if not self.names:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(0)

    def open(self, **_: Any) -> FakeAudio:
        if self.opens:
            raise self.opens
        return self

    def get_read_available(self) -> int:
        return 400

    def read(self, count: int) -> bytes:
        answer = self.script.pop(0)
        if isinstance(answer, OSError):
            os.write(2, b"ALSA lib pcm.c:8545:(snd_pcm_recover) overrun occurred\nExpression 'err' failed in 'a.c'\n")
            raise answer
        return pcm(np.full(count, answer, np.float32))

    def start_stream(self) -> None:
        """Nothing runs."""

    close = terminate = start_stream


def fake(monkeypatch: pytest.MonkeyPatch, *script: Any, names: list[str] | None = None, **more: Any) -> None:
    audio: Any = FakeAudio(["Built-in", "USB mic", "USB cam"] if names is None else names, list(script), **more)
    monkeypatch.setitem(sys.modules, "pyaudio", audio)


def test_an_overflow_of_the_device_is_a_gap_and_a_lost_device_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    overflow, gone = OSError(-9981, "Input overflowed"), OSError(-9999, "Unanticipated host error")
    fake(monkeypatch, *[0.5] * 12, overflow, *[-0.5] * 10, gone)
    notes = Notes()
    with pytest.raises(AudioError, match=r"^microphone 'Built-in': was lost after 1\.1 s \(Unanticipated host error\)"):
        listen_to(hear(), Microphone(), Windows(0.5, 0.5), [notes])
    assert capfd.readouterr().err == ""
    assert [at for at, _ in notes.gaps] == [0.6]
    assert [(w.start_s, w.end_s, w.scores["up"]) for w in notes.windows] == [(0.0, 0.5, 0.75), (0.6, 1.1, 0.25)]


def test_a_device_that_gives_nothing_any_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, 0.5)
    clock = iter(range(100))
    microphone = Microphone()
    microphone.read()
    monkeypatch.setattr("labeler.live.microphone.time", SimpleNamespace(monotonic=lambda: 1e6 + next(clock), sleep=int))
    for available, why in [(0, "no samples for 3 s"), (-9988, "error -9988 of PortAudio")]:
        monkeypatch.setattr(FakeAudio, "get_read_available", lambda self, available=available: available)
        with pytest.raises(AudioError, match=rf"was lost after 0\.1 s \({why}\); is it still connected\?"):
            microphone.read()


@pytest.mark.parametrize(
    ("options", "faked", "says"),
    [
        ([], {"names": []}, "no microphone: the system knows no device that records; --input FILE and --input - need"),
        (["--input", "USB"], {}, "--input=USB: several devices have that in their names; available: 0 'Built"),
        (["--input", "7"], {}, "--input=7: no such file, and no device of that name; available: 0 'Built-in'"),
        (["--input", "x.wav"], {}, "x.wav: no such file"),
        (["--input", "https://a.org/x.wav"], {}, "--input=https://a.org/x.wav: sounds to label are local files"),
        (["--rate", "7"], {"opens": BAD_RATE}, "--rate=7: microphone 'Built-in' does not record at that; its own is"),
        ([], {"opens": BUSY}, "microphone 'Built-in': cannot be opened (Device unavailable); another program"),
        (["--fast"], {}, "--fast: only a file"),
        (["--seconds", "-1"], {}, "--seconds=-1.0: must be a number of 0 or more"),
        (["--smoothing", "means"], {}, "--smoothing='means': did you mean 'mean'? available: mean, median, none"),
        (["--smoothing-s", "-1"], {}, "--smoothing-s=-1.0: must be a number of 0 or more"),
        (["--smoothing-s", "3"], {}, "--smoothing-s=3.0: is the span of a mean or a median, and smoothing is 'none'"),
        (["--record", "x.mp3"], {}, "--record=x.mp3: expected a name that ends in .wav or .flac"),
        (["--osc", "here"], {}, "--osc=here: expected HOST:PORT"),
        (["--format", "csv"], {}, "--format 'csv' is not known; available: jsonl, text"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(
    options: list[str], faked: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    fake(monkeypatch, **faked)
    monkeypatch.setattr("labeler.load_model", lambda _: hear())
    said = command(app, "listen", "--model", "m", *options, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {says}")
    assert len(said.err.splitlines()) == 1


def test_without_pyaudio_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(
        AudioError, match=r"^the microphone needs PyAudio, which is not installed: pip install .*--input -"
    ):
        open_source("")


def test_raw_pcm_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(800), RATE)
    with open(path) as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(SettingsError, match="rate is missing: raw PCM"):
            open_source("-")
        with pytest.raises(AudioError, match="standard input: begins as a sound file does; expected raw PCM"):
            listen_to(hear(), open_source("-", rate=RATE), Windows(0.5, 0.5), [])


# ---- recording, messages, callback


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), ValueError("the callback fails")])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_recording_is_whole_whatever_ends_it(tmp_path: Path, ending: BaseException, suffix: str) -> None:
    y, path, record = sounds("hum", "hiss", "chirp"), tmp_path / "x.wav", tmp_path / f"heard.{suffix}"
    soundfile.write(path, y, RATE, subtype="FLOAT")

    def callback(heard: Heard) -> None:
        if heard.end_s > 0.8:
            raise ending

    with pytest.raises(type(ending)):
        hear().listen(callback, input=path, window=0.3, hop=0.3, fast=True, record=record)
    np.testing.assert_array_equal(soundfile.read(record, dtype="float32")[0], y)
    assert sorted(tmp_path.iterdir()) == sorted([path, record])
    with pytest.raises(SettingsError, match=rf"record=.*heard\.{suffix}: is there already"):
        hear().listen(callback, input=path, record=record)


def test_false_from_the_callback_ends_it(tmp_path: Path) -> None:
    path, got = tmp_path / "x.wav", []
    soundfile.write(path, np.repeat([0.0, 0.5], [RATE, 3 * RATE]), RATE)

    def callback(heard: Heard) -> bool:
        got.append(heard)
        return heard.scores["up"] < 0.6  # as numpy says it

    hear().listen(callback, input=path, fast=True)
    assert [each.end_s for each in got] == [0.5, 1.0, 1.5]
    got.clear()
    hear().listen(lambda heard: got.append(heard), input=path, hop=0.25, fast=True, seconds=1.1)
    assert [each.end_s for each in got] == [0.5, 0.75, 1.0, 1.1]
    assert [each.level_db for each in got][:3] == [-120.0] * 3


def test_osc_messages(tmp_path: Path) -> None:
    pytest.importorskip("pythonosc", reason="messages from the microphone need python-osc (extra mic)")
    from pythonosc.osc_message import OscMessage

    from labeler.live.osc import OscSender

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender = OscSender(f"127.0.0.1:{receiver.getsockname()[1]}", top=2)
        source = Parts(Block(np.full(4000, 0.5, np.float32)), Block(np.zeros(1, np.float32), lost_s=0.5))
        listen_to(hear(), source, Windows(0.5, 0.5), [sender])
        messages = [OscMessage(receiver.recv(4096)) for _ in range(4)]
    assert [(each.address, each.params) for each in messages] == [
        ("/soundfold/label", ["up", 0.75]),
        ("/soundfold/scores", ["up", 0.75, "down", 0.25]),
        ("/soundfold/level", [pytest.approx(-6.0206, abs=1e-3)]),
        ("/soundfold/lost", [0.5]),
    ]


# ---- the command


def test_lines_of_a_file_and_json_with_what_was_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "x.wav", sounds("hum", "hiss"), RATE)
    said = command(app, "listen", "--model", folder, "--input", tmp_path / "x.wav", "--fast", "--top", 1, capsys=capsys)
    assert (said.code, said.err) == (0, "heard 0.6 s; 2 windows\n")
    assert [line.split()[:2] + line.split()[3:] for line in said.out.splitlines()] == [
        ["0.00", "0.30", "hum"], ["0.30", "0.60", "hiss"]]  # fmt: skip

    fake(monkeypatch, *[0.5] * 10, OSError(-9981, "Input overflowed"), *[-0.5] * 10)
    monkeypatch.setattr("labeler.load_model", lambda _: hear())
    said = command(app, "listen", "--model", "m", "--seconds", 1, "--format", "jsonl", capsys=capsys)
    assert said.code == 0
    first, lost, second = map(json.loads, said.out.splitlines())
    assert (first["predicted"], first["scores"]) == ("up", {"up": 0.75, "down": 0.25})
    assert (second["start_s"], second["end_s"], second["predicted"]) == (0.5, 1.0, "down")
    assert (lost["at_s"], set(lost)) == (0.5, {"at_s", "lost_s"})
    assert said.err.startswith("warning: about 0.")


def test_a_snapshot_of_a_file(trained: Model, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = sounds("chirp", "hum")
    soundfile.write(tmp_path / "x.wav", y, RATE, subtype="FLOAT")
    out = tmp_path / "snap"
    said = command(app, "snapshot", "--model", folder, "--input", tmp_path / "x.wav", "--out", out, capsys=capsys)
    assert (said.code, said.out.split()[1]) == (0, "chirp")
    np.testing.assert_array_equal(soundfile.read(out / "snapshot.wav", dtype="float32")[0], y[: len(y) // 2])
    table = read(out / "scores.csv", SCORES)
    expected = trained.label(out / "snapshot.wav")
    np.testing.assert_allclose(
        table[[f"p:{name}" for name in expected.index]].iloc[0].to_numpy(float), expected, atol=1e-8
    )
    np.testing.assert_allclose(trained.label(out / "snapshot.png")[expected.index], expected, atol=1e-8)
    options = ["--model", folder, "--input", tmp_path / "x.wav", "--seconds", 5]
    said = command(app, "snapshot", *options, "--out", out, capsys=capsys)
    assert said.code == 0
    assert said.warnings[0] == f"warning: {tmp_path / 'x.wav'}: ended after 0.60 s, before the 5 s of a snapshot"
    (tmp_path / "scores.csv").write_text("my own")
    said = command(app, "snapshot", *options, "--out", tmp_path, capsys=capsys)
    assert (said.code, "scores.csv: is in the way" in said.err) == (1, True)


# ---- latency


class Order(Listener):
    """In which order a listener is called, as letters: window, sound, refresh."""

    calls = ""

    def heard(self, heard: Heard) -> None:
        self.calls += "w"

    def sound(self, y: np.ndarray) -> None:
        self.calls += "s"

    def refresh(self) -> None:
        self.calls += "r"


def test_a_window_is_scored_before_anything_else_is_done_with_its_sound() -> None:
    order = Order()
    listen_to(hear(), Parts(Block(np.full(RATE // 2, 0.5, np.float32))), Windows(0.5, 0.5), [order])
    assert order.calls.replace("r", "") == "ws"


def test_nothing_is_drawn_where_a_window_is_about_to_be_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(listening, "monotonic", lambda: now[0])
    refreshing = listening._Refreshing()
    assert refreshing.is_due(0.001)  # nothing is known of how long it takes
    with refreshing:
        now[0] += 0.02
    assert refreshing.is_due(0.04)
    assert not refreshing.is_due(0.02)
    now[0] += 0.6
    assert refreshing.is_due(0.02)  # never drawn would be worse


def test_a_small_terminal_shows_the_classes_and_what_was_lost() -> None:
    console = Console(file=StringIO(), force_terminal=True, color_system="256", width=40, height=10)
    view = TerminalView("title " * 9, sr=RATE, windows=Windows(0.5, 0.5), top=5, console=console)
    scores = pd.Series({"up": 0.75, "down": 0.25})
    view.sound(np.full(RATE, 0.1, np.float32))
    view.heard(Heard(start_s=0, end_s=0.5, scores=scores, level_db=-20, latency_s=0.01))
    view.lost(1.0, 0.5)
    lines = view.frame().plain.splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 40
    assert [line.split()[0] for line in lines[:4]] == ["title", "level", "up", "down"]
    assert lines[0].endswith("…")  # what is cut looks so
    assert lines[-2].rstrip() == "heard 1.0 s   lost 0.5 s"


# ---- a microphone that ALSA makes of a file

ALSA = """
pcm.null {{ type null }}
pcm.fakemic {{ type file; slave.pcm "null"; file "/dev/null"; infile "{raw}"; format "raw" }}
pcm.!default {{ type asym; playback.pcm "null"; capture.pcm "fakemic" }}
"""


@pytest.fixture
def virtual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What a virtual microphone will hear, at `RATE`, if PyAudio and ALSA are there."""
    pytest.importorskip("pyaudio", reason="the microphone needs PyAudio (extra mic)", exc_type=ImportError)
    if sys.platform != "linux":
        pytest.skip("the virtual microphone is made by ALSA, on Linux")
    y, raw, config = sounds("hum", "hiss", "chirp"), tmp_path / "microphone.raw", tmp_path / "alsa.conf"
    raw.write_bytes(pcm(y))
    config.write_text(ALSA.format(raw=raw), encoding="utf-8")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    return y


def test_the_microphone_is_recorded_and_labelled_rightly(
    virtual: np.ndarray, trained: Model, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "heard.wav"
    options = ["--rate", RATE, "--seconds", 0.9, "--hop", 0.3, "--format", "jsonl", "--record", record]
    said = command(app, "listen", "--model", folder, *options, capsys=capfd)
    assert (said.code, said.err) == (0, f"heard 0.9 s; 3 windows; recorded in {record}\n")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["predicted"] for row in rows] == ["hum", "hiss", "chirp"]
    np.testing.assert_array_equal(soundfile.read(record, dtype="float32")[0], virtual)
    for k, row in enumerate(rows):
        expected = trained.label(virtual[k * 2400 : (k + 1) * 2400], sr=RATE)
        assert row["scores"] == pytest.approx(dict(expected), abs=1e-5)

    said = command(app, "listen", "--devices", capsys=capfd)
    assert said.code == 0
    assert "default  (44100 Hz, the default)" in said.out
    assert said.err == ""


def test_a_snapshot_from_the_microphone(
    virtual: np.ndarray, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = command(app, "snapshot", "--model", folder, "--rate", RATE, "--out", tmp_path / "snap", capsys=capfd)
    assert (said.code, said.err) == (0, "recording 0.3 s from microphone 'default'\n")
    assert said.out.split()[1] == "hum"
    assert {path.name for path in (tmp_path / "snap").glob("s*")} == {"snapshot.wav", "snapshot.png", "scores.csv"}


def test_a_system_without_devices_says_so_in_one_line(
    virtual: np.ndarray, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lost = 'pcm.null { type null }\npcm.!default { type asym; playback.pcm "null"; capture.pcm "missing" }\n'
    (tmp_path / "alsa.conf").write_text(lost, encoding="utf-8")
    said = command(app, "listen", "--model", folder, capsys=capfd)
    assert said.code == 1
    assert said.err.startswith("error: no microphone: ")
    assert len(said.err.splitlines()) == 1


# ---- the terminal

PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import labeler
from harness.cli import main
from labeler.__main__ import app
from test_live import hear
labeler.load_model = lambda _: hear()
sys.argv = ["labeler", "listen", "--model", "bats", "--input", {sound!r}, "--hop", "0.1", "--record", {record!r}]
main(app)
"""


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Any]:
    """A terminal of 80 x 24 cells: `tmux(words)` gives what tmux answers."""
    if not shutil.which("tmux"):
        pytest.skip("the live view of the microphone is looked at in tmux, which is not installed")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    def run(*words: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "tmux"), "-u", "-f", "/dev/null", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=20).stdout

    yield run
    run("kill-server")


def test_the_live_view_in_a_terminal_and_ctrl_c(tmux: Any, tmp_path: Path) -> None:
    y, path, record = np.zeros(60 * RATE, np.float32), tmp_path / "bats.wav", tmp_path / "heard.wav"
    y[:: RATE // 1000] = 0.9  # a series of pulses
    soundfile.write(path, y, RATE)
    program = PROGRAM.format(
        paths=[str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "labeler")], sound=str(path), record=str(record)
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    line = f"{sys.executable} {tmp_path / 'program.py'}; echo code=$?; cat"
    tmux("new-session", "-d", "-x", "80", "-y", "24", line)

    def screen_with(text: str) -> list[str]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            lines = tmux("capture-pane", "-p").splitlines()
            if any(text in line for line in lines):
                return lines
        raise AssertionError("\n".join(lines))

    lines = screen_with("latency 1")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("soundfold listen   bats   ")
    assert lines[1].startswith("level    █")
    assert lines[1].endswith("dB  peak   -0.9 dB")
    assert lines[3].startswith("up    █")
    assert lines[3].endswith("0.950")
    assert lines[4].startswith("down")
    assert sum("▀" * 71 in line for line in lines) >= 10
    assert "lost 0.0 s   window 0.5 s every 0.1 s" in lines[-2]
    assert "Ctrl-C ends" in lines[-1]

    tmux("send-keys", "C-c")
    lines = screen_with("code=")
    assert lines[0].startswith("heard ")
    assert "code=0" in lines
    heard = soundfile.read(record, dtype="float32")[0]
    assert len(heard) >= RATE // 2
    np.testing.assert_array_equal(heard, soundfile.read(path, dtype="float32")[0][: len(heard)])
