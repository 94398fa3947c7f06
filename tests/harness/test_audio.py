"""Reading sounds: every format, mono, the rate asked for, the part asked for, errors that name the file."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from harness import audio
from harness.errors import AudioError

RATE = 22050
FORMATS = {
    "wav8": ("wav", {"subtype": "PCM_U8"}, 1 / 127),
    "wav16": ("wav", {"subtype": "PCM_16"}, 1e-4),
    "wav24": ("wav", {"subtype": "PCM_24"}, 1e-6),
    "wav32": ("wav", {"subtype": "PCM_32"}, 1e-7),
    "float": ("wav", {"subtype": "FLOAT"}, 0.0),
    "double": ("wav", {"subtype": "DOUBLE"}, 0.0),
    "extensible": ("wav", {"subtype": "PCM_24", "format": "WAVEX"}, 1e-6),
    "flac": ("flac", {}, 1e-4),
    "aiff": ("aiff", {}, 1e-4),
    "au": ("au", {}, 1e-4),
    "ogg": ("ogg", {}, 0.05),
    "mp3": ("mp3", {}, 0.05),
    "m4a": ("m4a", {}, 0.05),
}


def sweep(seconds: float = 1.5, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 400 * t) * t) * np.minimum(1, 20 * t)).astype(np.float32)


def write(path: Path, y: np.ndarray, rate: int = RATE, **options: Any) -> Path:
    if path.suffix == ".m4a":
        write_aac(path, y, rate)
    else:
        soundfile.write(str(path), y, rate, **options)
    return path


def write_aac(path: Path, y: np.ndarray, rate: int, **options: str) -> None:
    import av

    channels = np.atleast_2d(y.T)
    layout = "mono" if len(channels) == 1 else "stereo"
    try:
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream("aac", rate=rate)
            stream.layout = layout  # type: ignore[union-attr]
            for start in range(0, channels.shape[1], 1024):
                block = np.ascontiguousarray(channels[:, start : start + 1024], np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))  # type: ignore[union-attr]
            container.mux(stream.encode(None))  # type: ignore[union-attr]
    except av.codec.codec.UnknownCodecError:
        pytest.skip("this build of PyAV cannot encode AAC")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sweep in every format, stereo with different channels."""
    folder = tmp_path_factory.mktemp("recorded")
    y = np.stack([sweep(), 0.5 * sweep()], axis=1)
    return {name: write(folder / f"{name}.{suffix}", y, **options) for name, (suffix, options, _) in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_as_the_mean_of_its_channels(recorded: dict[str, Path], name: str) -> None:
    y, rate = audio.read(recorded[name])
    expected = 0.75 * sweep()
    assert rate == RATE
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert y.flags["C_CONTIGUOUS"]
    lossy = name in {"ogg", "mp3", "m4a"}
    assert len(expected) <= len(y) <= len(expected) + (2048 if lossy else 0)
    error = np.abs(y[: len(expected)] - expected)
    assert (np.sqrt((error**2).mean()) if lossy else error.max()) <= FORMATS[name][2]
    assert audio.duration(recorded[name]) == pytest.approx(len(y) / rate, abs=0.05)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("start", "end"), [(0.3, 1.1), (math.nan, 0.5), (0.7, math.nan), (0.0, 99.0)])
def test_a_part_is_the_part_of_the_whole(recorded: dict[str, Path], name: str, start: float, end: float) -> None:
    whole, rate = audio.read(recorded[name])
    part, _ = audio.read(recorded[name], start_s=start, end_s=end)
    first = 0 if math.isnan(start) else round(start * rate)
    last = len(whole) if math.isnan(end) else round(end * rate)
    assert np.array_equal(part, whole[first:last])


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_number_of_channels(tmp_path: Path, channels: int) -> None:
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (500, channels)).astype(np.float32)
    got, _ = audio.read(write(tmp_path / "a.wav", y, subtype="FLOAT"))
    assert np.allclose(got, y.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000, 192000])
def test_resampling_goes_straight_to_the_rate(tmp_path: Path, rate: int) -> None:
    y = sweep(0.5, rate)
    got = audio.load(write(tmp_path / "a.wav", y, rate, subtype="FLOAT"), sr=16000)
    assert len(got) == 8000
    assert np.array_equal(got, soxr.resample(y, rate, 16000, quality="HQ"))
    assert np.abs(got - sweep(0.5, 16000))[400:-400].max() < 0.01


def test_the_same_rate_is_the_same_array() -> None:
    y = sweep()
    assert audio.resample(y, RATE, RATE) is y


@pytest.mark.parametrize("rate", [100, 8000, 22050, 192000])
def test_one_sample_stays_a_sound(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.array([0.5], np.float32), 22050)
    got = audio.load(path, sr=rate)
    assert len(got) >= 1
    assert np.isfinite(got).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    y = sweep()
    y[7] = bad
    path = write(tmp_path / "bad.wav", y, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"bad\.wav: holds samples that are NaN or infinite; write the file again"):
        audio.load(path, sr=16000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"this is a text about dogs\n" * 50, r"not a sound that can be read \(.+\); is it cut short or misnamed\?"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "has no sound in it|not a sound that can be read"),
        (b"RIFF", "not a sound that can be read"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00", "not a sound that can be read|no sound in it|holds no samples"),
    ],
    ids=["empty", "text", "image", "four bytes", "tag alone"],
)
def test_what_is_no_sound_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=rf"clip\.wav: ({said})") as caught:
        audio.read(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioError, match=rf"{path.name}: no such file$"):
            audio.read(path)
    for call in (audio.duration, audio.digest):
        with pytest.raises(AudioError, match=r"none\.wav: "):
            call(tmp_path / "none.wav")


def test_a_sound_without_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "none.wav", np.zeros(0, np.float32))
    with pytest.raises(AudioError, match=r"none\.wav: holds no samples$"):
        audio.read(path)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (5.0, math.nan, r"holds no samples from 5 s$"),
        (1.0, 0.5, r"holds no samples from 1 s up to 0\.5 s$"),
        (math.nan, 0.0, r"holds no samples up to 0 s$"),
        (-1.0, math.nan, r"start_s=-1, end_s=nan: must not be negative$"),
        (math.nan, -1.0, r"start_s=nan, end_s=-1: must not be negative$"),
    ],
)
@pytest.mark.parametrize("name", ["wav16", "mp3", "m4a"])
def test_a_part_that_is_not_there(recorded: dict[str, Path], name: str, start: float, end: float, said: str) -> None:
    with pytest.raises(AudioError, match=rf"{name}\.\w+: {said}"):
        audio.read(recorded[name], start_s=start, end_s=end)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.95])
def test_a_file_cut_short_gives_its_start_or_a_named_error(
    recorded: dict[str, Path], tmp_path: Path, name: str, share: float
) -> None:
    whole, _ = audio.read(recorded[name])
    data = recorded[name].read_bytes()
    path = tmp_path / recorded[name].name
    path.write_bytes(data[: max(20, round(len(data) * share))])
    try:
        y, _ = audio.read(path)
    except AudioError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert np.isfinite(y).all()
        assert 0 < len(y) <= len(whole)
        assert share > 0, "20 bytes are no sound"


def test_the_name_does_not_decide(recorded: dict[str, Path], tmp_path: Path) -> None:
    for name in ("flac", "m4a", "ogg"):
        path = tmp_path / f"{name}.wav"
        shutil.copyfile(recorded[name], path)
        assert np.array_equal(audio.read(path)[0], audio.read(recorded[name])[0])


def test_a_video_without_sound_is_named(tmp_path: Path) -> None:
    import av

    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"  # type: ignore[union-attr]
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    with pytest.raises(AudioError, match=r"silent\.mp4: has no sound in it"):
        audio.read(path)


def test_digests_tell_bytes_and_parts_apart(recorded: dict[str, Path], tmp_path: Path) -> None:
    path = recorded["wav16"]
    parts = [(math.nan, math.nan), (0.0, math.nan), (math.nan, 1.0), (0.0, 1.0), (0.0, 1.5), (0.5, 1.0)]
    digests = [audio.digest(path, start_s=s, end_s=e) for s, e in parts]
    assert len(set(digests)) == len(parts)
    assert all(len(d) == 64 for d in digests)
    copy = tmp_path / "another name.wav"
    shutil.copyfile(path, copy)
    assert audio.digest(copy) == digests[0]
    copy.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert audio.digest(copy) != digests[0]


def test_a_part_from_a_table_has_the_same_digest(recorded: dict[str, Path]) -> None:
    path = recorded["wav16"]
    by_hand = audio.digest(path, start_s=0.5, end_s=1)
    assert audio.digest(path, start_s=np.float64(0.5), end_s=np.float64(1.0)) == by_hand


def test_written_wavs_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.wav"
    audio.write_wav(path, sweep(), RATE)
    y, rate = audio.read(path)
    assert rate == RATE
    assert np.abs(y - sweep()).max() < 1e-4
    assert soundfile.info(str(path)).subtype == "PCM_16"
    assert [p.name for p in path.parent.iterdir()] == ["a.wav"]
    audio.write_wav(path, np.array([2.0, -2.0], np.float32), RATE)
    assert np.allclose(audio.read(path)[0], [1, -1], atol=1e-4), "too loud is cut off, not wrapped round"


@pytest.mark.corpus
def test_real_recordings(esc10: Path) -> None:
    paths = sorted(esc10.rglob("*.ogg"))
    assert len(paths) == 400
    for path in paths[::57]:
        y, rate = audio.read(path)
        assert rate == 44100
        assert 4.5 < len(y) / rate < 5.5
        assert 0.001 < np.abs(y).max() <= 1.01
        assert audio.duration(path) == pytest.approx(len(y) / rate, abs=0.02)
        part = audio.load(path, sr=16000, start_s=1, end_s=2)
        assert len(part) == 16000


@pytest.mark.corpus
def test_a_real_clip_of_urbansound8k(seed_example: Path) -> None:
    y = audio.load(seed_example / "344-3-5-0.wav", sr=22050)
    assert len(y) > 1000
    assert np.isfinite(y).all()


def test_an_mp4_that_holds_less_than_its_index_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    write_aac(path, sweep(4.0), RATE, movflags="faststart")  # the index comes first
    assert len(audio.read(path)[0]) == pytest.approx(4 * RATE, abs=0.1 * RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"a\.m4a: (cut short|not a sound .* is it cut short)"):
        audio.read(path)
