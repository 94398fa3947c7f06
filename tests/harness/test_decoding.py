"""Files that are cut short are refused and named; what promises nothing, and parts that are there, are read."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from harness import audio
from harness.errors import AudioError

RATE = 22050


def sweep(seconds: float, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 400 * t) * t) * np.minimum(1, 20 * t)).astype(np.float32)


def write(path: Path, y: np.ndarray) -> Path:
    soundfile.write(str(path), y, RATE)
    return path


def cut(path: Path, share: float = 0.4) -> Path:
    """The first bytes of a file, under its own name in another folder."""
    data = path.read_bytes()
    out = path.parent / f"cut_{path.name}"
    out.write_bytes(data[: int(len(data) * share)])
    return out


@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW"])
def test_a_sphere_that_is_cut_short(tmp_path: Path, subtype: str) -> None:
    """NIST's header counts the samples of each channel."""
    whole = tmp_path / "a.sph"
    soundfile.write(whole, np.stack([sweep(1.0)] * 2, axis=1), RATE, format="NIST", subtype=subtype)
    assert len(audio.read(whole)[0]) == RATE
    with pytest.raises(AudioError, match=r"cut short: its header promises 1.00 s, 0.39 s are there"):
        audio.read(cut(whole))
    assert len(audio.read(cut(whole), end_s=0.2)[0]) == round(0.2 * RATE)


def test_a_caf_that_lacks_its_last_bytes(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.caf", sweep(4.0))
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(AudioError, match="cut short"):
        audio.read(whole)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.w64", "a.rf64", "a.mp3"])
def test_less_than_the_header_promises(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / name, sweep(4.0))
    assert len(audio.read(whole)[0]) == pytest.approx(4 * RATE, abs=0.1 * RATE)
    short = cut(whole)
    with pytest.raises(AudioError, match=rf"^\S*cut_{name}: cut short: .* promises 4\.0. s, 1\.\d\d s are there"):
        audio.read(short)
    with pytest.raises(AudioError, match=rf"cut_{name}: cut short"):
        list(audio.read_blocks(short, seconds=0.5))


@pytest.mark.parametrize(("name", "options"), [("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"})])
def test_an_ogg_whose_last_page_is_incomplete(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = tmp_path / name
    soundfile.write(str(path), sweep(4.0, 48000), 48000, **options)
    assert len(audio.read(path)[0]) == pytest.approx(4 * 48000, abs=4800)
    with pytest.raises(AudioError, match=rf"cut_{name}: cut short: its last page is incomplete; fetch it again"):
        audio.read(cut(path))


@pytest.mark.parametrize("name", ["a.flac", "a.caf"])
def test_what_libsndfile_itself_finds_cut(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, sweep(4.0))
    with pytest.raises(AudioError, match=rf"cut_{name}: (cut short|not a sound that can be read .*is it cut short)"):
        audio.read(cut(path))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.au", "a.caf", "a.w64"])
def test_16_bit_samples_are_those_of_libsndfile(tmp_path: Path, name: str) -> None:
    y = np.stack([np.arange(-32768, 32768), np.arange(32767, -32769, -1)], axis=1).astype(np.int16)
    soundfile.write(str(tmp_path / name), y, RATE, subtype="PCM_16")
    expected = soundfile.read(str(tmp_path / name), dtype="float32")[0]
    blocks = [block for block, _ in audio.read_blocks(tmp_path / name, seconds=1.0, mono=False)]
    for got in (audio.read(tmp_path / name, mono=False)[0], np.concatenate(blocks)):
        assert got.dtype == np.float32
        assert np.array_equal(got, expected)


def test_a_part_that_is_there_is_read(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", sweep(4.0))
    short = cut(whole)
    y, _ = audio.read(short, start_s=0.5, end_s=1.5)
    assert y.tobytes() == audio.read(whole, start_s=0.5, end_s=1.5)[0].tobytes()
    with pytest.raises(AudioError, match=r"cut short: its header promises 4\.00 s, 1\.60 s are there"):
        audio.read(short, start_s=0.5, end_s=2.0)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_wav_that_was_written_to_a_pipe_is_as_long_as_it_is(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "a.wav", sweep(1.0))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", size)
    path.write_bytes(data)
    assert len(audio.read(path)[0]) == RATE


def test_an_mp3_without_a_count_of_frames_is_as_long_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", sweep(4.0))
    data = path.read_bytes().replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")
    path.write_bytes(data[: len(data) // 2])
    assert 0 < len(audio.read(path)[0]) < 4 * RATE


def test_a_few_bytes_less_are_no_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sweep(1.0))
    path.write_bytes(path.read_bytes()[:-44])
    assert len(audio.read(path)[0]) == RATE - 22


@pytest.mark.parametrize("gain", [1.0, 0.93])
@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_cancel_give_one_of_them(tmp_path: Path, channels: int, gain: float) -> None:
    y = sweep(1.0)
    signs = [(-1) ** k * (gain if k % 2 == 0 else 1.0) for k in range(channels)]
    path = tmp_path / "inverted.wav"
    soundfile.write(str(path), np.stack([y * s for s in signs], axis=1), RATE, subtype="FLOAT")
    expected = y if gain == 1.0 else -y  # the strongest, of equals the first
    assert audio.read(path)[0].tobytes() == expected.astype(np.float32).tobytes()
    ((block, _),) = audio.read_blocks(path, seconds=5)
    assert block.tobytes() == expected.tobytes()


def test_more_than_eight_channels_by_ffmpeg(tmp_path: Path) -> None:
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (800, 12)).astype(np.float32)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=8000, layout="7.1.4")
        frame = av.AudioFrame.from_ndarray(y.reshape(1, -1), format="flt", layout="7.1.4")
        frame.sample_rate = 8000
        for each in (frame, None):
            container.mux(stream.encode(each))
    found, sr = audio.read(tmp_path / "a.mkv", mono=False)
    assert sr == 8000
    np.testing.assert_array_equal(found, y)


def test_channels_that_differ_are_averaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((RATE, 2)).astype(np.float32) * 0.1
    y[:, 1] -= 0.5 * y[:, 0]
    path = tmp_path / "wide.wav"
    soundfile.write(str(path), y, RATE, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(path)[0], y.mean(axis=1), atol=1e-7)


def test_samples_beyond_all_measure_are_refused(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "huge.wav"
    soundfile.write(str(path), sweep(0.5) * np.float32(1e30), RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"huge\.wav: holds samples up to 5e\+29, expected -1 to 1; write the file"):
        audio.read(path)
    assert not recwarn.list


LISTS = {
    "concat": "ffconcat version 1.0\nfile {name}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{folder}/{name}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
}


@pytest.mark.parametrize("kind", [*LISTS, "sd2"])
def test_a_file_that_names_others_is_no_sound(kind: str, tmp_path: Path) -> None:
    """No digest of it would cover them."""
    other, path = write(tmp_path / "other.wav", sweep(1.0)), tmp_path / "a.wav"
    if kind == "sd2":  # Sound Designer II: what it holds is said in a file next to it
        soundfile.write(str(tmp_path / "a.sd2"), sweep(1.0), RATE, format="SD2", subtype="PCM_16")
        (tmp_path / "a.sd2").rename(path)
        (tmp_path / "._a.sd2").rename(tmp_path / "._a.wav")
    else:
        path.write_text(LISTS[kind].format(name=other.name, folder=tmp_path))
    reads = [
        lambda: audio.read(path),
        lambda: audio.read(path, digest=audio.digest(path)),
        lambda: list(audio.read_blocks(path, seconds=1.0)),
        lambda: audio.duration(path),
    ]
    for read in reads:
        with pytest.raises(AudioError, match=r"a\.wav: not a sound that can be read"):
            read()
