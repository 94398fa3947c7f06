"""Holes in compressed recordings are found to a packet, and nothing is found in whole ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.audio import read_blocks
from harness.errors import AudioError
from harness.stream_holes import first_hole

RATE = 22050
SECONDS = 20
FORMS = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


def noise() -> np.ndarray:
    """Noise that changes slowly, so that every packet differs."""
    rng = np.random.default_rng(0)
    t = np.arange(SECONDS * RATE) / RATE
    return (0.2 * rng.standard_normal(len(t)) * (1.2 + np.sin(3 * t))).clip(-1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """A sound in each codec."""
    found = {}
    for form, codec in FORMS:
        file, rate = io.BytesIO(), 24000 if codec == "OPUS" else RATE
        soundfile.write(file, noise(), rate, format=form, subtype=codec)
        found[codec] = file.getvalue()
    return found


@pytest.mark.parametrize(("form", "codec"), FORMS)
def test_whole_files_have_none_and_holes_are_where_they_are(form: str, codec: str, whole: dict[str, bytes]) -> None:
    data = whole[codec]
    length = soundfile.info(io.BytesIO(data)).duration
    middle, some = len(data) // 2, 4000
    assert first_hole(io.BytesIO(data), form) is None
    junk = np.random.default_rng(1).integers(0, 256, some, np.uint8).tobytes()
    for broken in (
        data[:middle] + data[middle + some :],
        data[:middle] + bytes(some) + data[middle + some :],
        data[:middle] + junk + data[middle + some :],
    ):
        hole = first_hole(io.BytesIO(broken), form)
        assert hole is not None
        assert length / 2 - 1.5 < hole < length / 2 + 0.2
    assert first_hole(io.BytesIO(data[:middle]), form) is None, "a file that ends too soon has no hole"
    assert first_hole(io.BytesIO(b""), form) is None
    assert first_hole(io.BytesIO(junk), form) in (None, 0.0)


def test_what_is_put_between_the_frames_of_an_mp3_is_no_hole(whole: dict[str, bytes]) -> None:
    data = whole["MPEG_LAYER_III"]
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    assert first_hole(io.BytesIO(tag + data), "MP3") is None
    assert first_hole(io.BytesIO(data + b"TAG" + bytes(125)), "MP3") is None
    at = data.index(b"\xff\xf3", len(data) // 2)
    assert first_hole(io.BytesIO(data[:at] + b"nothing" * 9 + data[at:]), "MP3") is None, "all frames are there"


def test_chained_streams_are_one_after_the_other(whole: dict[str, bytes]) -> None:
    two = whole["VORBIS"] + whole["OPUS"]
    assert first_hole(io.BytesIO(two), "OGG") is None
    cut = len(whole["VORBIS"]) + len(whole["OPUS"]) // 2
    hole = first_hole(io.BytesIO(two[:cut] + two[cut + 4000 :]), "OGG")
    assert hole is not None
    assert SECONDS + 4 < hole < SECONDS + 16


@pytest.mark.parametrize(("form", "codec"), [FORMS[0], FORMS[2]])
def test_blocks_end_at_the_hole(form: str, codec: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    data = whole[codec]
    path = tmp_path / f"night.{form.lower()}"
    path.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 2000 :])
    parts: list[np.ndarray] = []
    with pytest.raises(AudioError, match=r"night\.\w+: damaged after (8|9|10)\.\d\d s: a part of it is missing there"):
        for y, _ in read_blocks(path, seconds=3):
            parts.append(y)
    found = np.concatenate(parts)
    path.write_bytes(data)
    expected = np.concatenate([y for y, _ in read_blocks(path, seconds=3)])
    assert len(expected) == pytest.approx(SECONDS * RATE, abs=RATE / 20)
    assert 8 * RATE < len(found) < 10.2 * RATE
    np.testing.assert_allclose(found, expected[: len(found)], atol=1e-4)
