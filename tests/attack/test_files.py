"""One bad file is one row of ``failures.csv``: whatever its decoder does, whatever it is, whatever its name."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from attack.dying import die, die_at_three
from PIL import Image

from harness import audio, image
from harness.decoding import decode, decode_blocks, header_duration
from harness.errors import AudioError, ImageError, WorkerError
from harness.parallel import in_parallel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes, devices and signals")
TONE = (0.3 * np.sin(np.arange(8000) / 5)).astype(np.float32)


def encoded(kind: str, rate: int = 8000, **options: str) -> bytearray:
    data = io.BytesIO()
    soundfile.write(data, TONE, rate, format=kind, **options)
    return bytearray(data.getvalue())


def flac_of(count: int) -> bytearray:
    """A FLAC whose header promises so many samples; 0 is how it says that it does not know."""
    data = encoded("FLAC")
    fields = int.from_bytes(data[18:26], "big")
    data[18:26] = ((fields >> 36 << 36) | count).to_bytes(8, "big")
    return data


def test_13_a_flac_that_does_not_count_its_samples_is_read(tmp_path: Path) -> None:
    path = tmp_path / "streamed.flac"
    path.write_bytes(flac_of(0))
    y, sr = audio.read(path)
    assert sr == 8000
    np.testing.assert_allclose(y, TONE, atol=1e-4)
    assert audio.duration(path) == 1.0
    assert len(audio.read(path, start_s=0.25, end_s=0.5)[0]) == 2000
    assert sum(len(block) for block, _ in audio.read_blocks(path, seconds=0.3)) == 8000


def matroska_without_codec() -> bytes:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    return file.getvalue().replace(b"A_PCM/INT/LIT", b"A_XXX/INT/LIT")


HUGE = 2**36 - 1
BAD_SOUNDS = {
    "huge.flac": (bytes(flac_of(HUGE)), "cut short"),
    "no codec.mkv": (matroska_without_codec, "its codec is not known"),
    "slow.wav": (bytes(encoded("WAV", 7)), "7 Hz, expected 100 to 1,000,000"),
    "fast.wav": (bytes(encoded("WAV", 2_000_000)), "2,000,000 Hz, expected"),
    "slow.au": (bytes(encoded("AU", 1)), "1 Hz, expected 100"),
}


@pytest.mark.parametrize("name", BAD_SOUNDS)
def test_13_and_14_sounds_that_no_decoder_bears_are_named(tmp_path: Path, name: str) -> None:
    data, said = BAD_SOUNDS[name]
    path = tmp_path / name
    path.write_bytes(data() if callable(data) else data)
    with pytest.raises(AudioError, match=said) as raised:
        audio.load(path, sr=8000)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    with pytest.raises(AudioError):
        list(decode_blocks(path, 1.0))


@pytest.mark.parametrize("error", [AttributeError("'NoneType'"), OverflowError("too large"), MemoryError()])
def test_13_whatever_a_decoder_raises_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV"))
    monkeypatch.setattr("harness.decoding._is_lossy", raise_it)
    monkeypatch.setattr("harness.decoding.header_rate", raise_it)
    for read in (lambda: decode(path, 0, 1), lambda: list(decode_blocks(path, 1)), lambda: header_duration(path)):
        with pytest.raises(AudioError, match=f"^{path}: "):
            read()


def test_13_an_item_that_kills_its_process_is_the_only_one_without_a_result() -> None:
    found = in_parallel(die_at_three, list(range(12)), jobs=2, what="drawing", if_killed=lambda number: -number)
    assert list(found) == [0, 1, 2, -3, *range(4, 12)]
    with pytest.raises(WorkerError, match="for want of memory"):  # every one does: it is hardly the items
        list(in_parallel(die, list(range(8)), jobs=2, what="drawing", if_killed=lambda number: -number))


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_14_only_regular_files_are_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.wav"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    for read in (audio.read, audio.digest, audio.duration):
        with pytest.raises(AudioError, match="is not a regular file"):
            read(path)
    with pytest.raises(ImageError, match="is not a regular file"):
        image.read(path)


def test_14_sounds_that_are_too_long_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(encoded("WAV"))
    monkeypatch.setattr("harness.decoding.MOST_SAMPLES", 7999)
    monkeypatch.setattr("harness.decoding._AT_ONCE", 1000)
    with pytest.raises(AudioError, match=r"long\.wav: holds more than 7,999 samples"):
        audio.read(path)
    assert len(audio.read(path, start_s=0.5)[0]) == 4000  # a part is a sound of its own
    assert sum(len(block) for block, _ in audio.read_blocks(path, seconds=0.3)) == 8000
    monkeypatch.setattr("harness.audio.MOST_SAMPLES", 15999)
    with pytest.raises(AudioError, match="1 s at 16000 Hz are more than 15,999 samples"):
        audio.resample(TONE, 8000, 16000)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says that it is large."""
    data = io.BytesIO()
    Image.new("L", (8, 8)).save(data, "PNG")
    png = bytearray(data.getvalue())
    png[16:24] = struct.pack(">II", width, height)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.mark.parametrize("size", [(10_001, 10_000), (15_000, 15_000), (2**30, 2**30)])
def test_14_images_that_are_too_large_are_named(size: tuple[int, int], recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(ImageError, match=r"bomb\.png: .*(expected 100,000,000 at most|exceeds limit)"):
        image.decode(bomb(*size), name="bomb.png")
