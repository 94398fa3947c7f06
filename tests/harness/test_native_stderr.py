"""Lines of native code are dropped, those of everybody else come through, in any number of threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import soundfile

from harness import audio
from harness.errors import AudioError
from harness.native_stderr import LineFilter, stderr_held_back


def damaged(path: Path) -> Path:
    """An MP3 with something else in its midst, which libmpg123 says a lot about."""
    y = np.random.default_rng(0).standard_normal(44100) * 0.1
    soundfile.write(str(path), y, 44100)
    data = bytearray(path.read_bytes().replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0"))
    data[len(data) // 3 : len(data) // 3 + 900] = b"\xff\xe3garbage\x01" * 90
    path.write_bytes(data)
    return path


@pytest.mark.filterwarnings("ignore::harness.decoder_messages.DecoderWarning")
@pytest.mark.parametrize("name", ["a.mp3", "named_otherwise.wav"])
def test_what_libmpg123_says_does_not_reach_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    path = damaged(tmp_path / "a.mp3").rename(tmp_path / name)
    soundfile.read(str(path))
    assert "Trying to resync" in capfd.readouterr().err, "libsndfile alone"
    with ThreadPoolExecutor(4) as pool:
        lengths = set(pool.map(lambda _: len(audio.read(path)[0]), range(8)))
    with pytest.raises(AudioError, match="a part of it is missing there"):  # block by block it ends there
        list(audio.read_blocks(path, seconds=0.3))
    audio.duration(path)
    assert len(lengths) == 1
    assert capfd.readouterr().err == ""


def test_other_lines_come_through_when_the_last_thread_leaves(capfd: pytest.CaptureFixture[str]) -> None:
    quiet, inside = LineFilter(rb"Note: "), Barrier(3)

    def say(number: int) -> None:
        with quiet:
            inside.wait(timeout=60)
            os.write(2, b"Note: noise\nline %d\n" % number)
            inside.wait(timeout=60)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(say, range(3)))
    assert sorted(capfd.readouterr().err.splitlines()) == ["line 0", "line 1", "line 2"]
    os.write(2, b"Note: after it\n")
    assert capfd.readouterr().err == "Note: after it\n"


def test_what_was_held_back_is_shown_where_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with stderr_held_back():
        os.write(2, b"unseen\n")
    with pytest.raises(ValueError, match="no"), stderr_held_back():
        os.write(2, b"seen\n")
        raise ValueError("no")
    assert capfd.readouterr().err == "seen\n"
