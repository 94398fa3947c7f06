"""What decoders say of a file is a warning that names it, also where a worker process read it."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from harness import audio
from harness.decoder_messages import DecoderWarning, collected_messages, pass_on
from harness.parallel import in_parallel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """An MP3 with something else in its midst, which is read all the same."""
    path = tmp_path / "damaged.mp3"
    soundfile.write(str(path), np.random.default_rng(0).standard_normal(44100) * 0.1, 44100)
    middle = bytearray(path.read_bytes().replace(b"Info", bytes(4)).replace(b"Xing", bytes(4)))
    middle[len(middle) // 3 : len(middle) // 3 + 900] = b"\xff\xe3garbage\x01" * 90
    path.write_bytes(middle)
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    soundfile.write(str(tmp_path / "whole.mp3"), np.zeros(44100), 44100)
    return tmp_path / "whole.mp3"


def length(path: str) -> int:
    return len(audio.read(path)[0])


def test_in_this_process(damaged: Path, whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(DecoderWarning) as said:
        length(str(damaged))
        length(str(whole))
    assert len(said) == 1
    assert str(said[0].message).startswith(f"{damaged}: libmpg123 says: Note: Illegal Audio-MPEG-Header")
    assert "more)" in str(said[0].message)
    with collected_messages() as messages:
        length(str(damaged))
    assert messages == [str(said[0].message)]
    assert capfd.readouterr().err == ""


def test_in_worker_processes(damaged: Path, whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = [str(whole), str(damaged), str(whole)]
    with pytest.warns(DecoderWarning) as said:
        sounds = list(in_parallel(audio.read, paths, jobs=2, what="reading"))
    assert len(sounds) == 3
    assert [str(each.message).partition(": ")[0] for each in said] == [str(damaged)]
    assert "mpg123" not in capfd.readouterr().err


def test_what_ffmpeg_says(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as out:
        stream = out.add_stream("flac", rate=48000, layout="mono")
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(np.full((1, 4096), k, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 4096 * k
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    path = tmp_path / "ends_early.mkv"
    path.write_bytes(data.getvalue()[:-1])
    with pytest.warns(DecoderWarning, match=r"ends_early\.mkv: FFmpeg says: \w"):
        assert length(str(path)) == 20 * 4096
    assert capfd.readouterr().err == ""


def test_on_the_command_line_it_is_one_line(damaged: Path) -> None:
    code = f"from harness import audio, cli\ncli.main(lambda: audio.read({str(damaged)!r}) and None)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"warning: {damaged}: libmpg123 says: ")


def test_each_message_once() -> None:
    with collected_messages() as messages:
        pass_on(["a", "b", "a"])
        pass_on(["b", "c"])
    assert messages == ["a", "b", "c"]
