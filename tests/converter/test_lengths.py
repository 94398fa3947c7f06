"""Images of one length, exact in frames: by computing, not by resizing."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest

from converter.encodings.gray import Gray
from converter.encodings.linear import Linear
from converter.encodings.multires import Multires
from converter.encodings.stereo import Stereo
from converter.encodings.waveform import Waveform
from converter.registry import ENCODINGS, encoding_from_json
from converter.selection import encodings_from_options
from converter.sound import as_sound, fit_length
from converter.time_frequency import TimeFrequency
from harness.errors import SettingsError

S1 = {"sample_rate": 16000, "n_fft": 512, "win_length": 320, "hop_length": 32, "center": False, "duration_s": 3.0}
S3 = {"sample_rate": 22050, "n_fft": 400, "hop_length": 200, "n_mels": 64, "frames": 330}


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.parametrize(
    ("encoding", "height"), [(Linear(**S1, size="exact"), 257), (Gray(**S1, n_mels=100, size="exact"), 100)]
)
@pytest.mark.parametrize("samples", [1000, 48000, 60000])
def test_three_seconds_that_are_not_centred(encoding: Linear | Gray, height: int, samples: int) -> None:
    """tf.signal.stft(y, frame_length=320, frame_step=32) of 48,000 samples: 1491 frames of 257 bins."""
    y = noise(samples)
    assert encoding.draw(y, sr=16000).shape == (height, 1491, 3)
    values = encoding.values(as_sound(y, sr=16000, settings=encoding))
    assert values.shape == (height, 1491)
    padded = fit_length(y, 48000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(320) / 320)
    frames = np.stack([padded[k : k + 320] * window for k in range(0, 48000 - 319, 32)])
    expected = np.abs(np.fft.rfft(frames, 512)).T ** 2
    if height == 100:
        expected = librosa.filters.mel(sr=16000, n_fft=512, n_mels=100) @ expected
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5 * expected.max())


@pytest.mark.parametrize("samples", [100, 30000, 66000, 200000])
def test_330_frames_of_64_mels(samples: int) -> None:
    encoding, y = Gray(**S3, size="exact"), noise(samples)
    assert encoding.draw(y, sr=22050).shape == (64, 330, 3)
    values = encoding.values(as_sound(y, sr=22050, settings=encoding))
    expected = librosa.feature.melspectrogram(
        y=fit_length(y, max(samples, 70000)), sr=22050, n_fft=400, hop_length=200, n_mels=64, pad_mode="constant"
    )[:, :330]
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_padding_is_silence_and_not_the_reference() -> None:
    for pad, columns in (("end", slice(60, 100)), ("start", slice(0, 40)), ("centre", np.r_[:15, 85:100])):
        drawn = Gray(frames=100, size="exact", n_fft=512, hop_length=256, pad=pad, sample_rate=8000).draw(
            noise(50 * 256), sr=8000
        )
        assert drawn[:, columns].max() == 0, pad
        assert drawn.max() == 255


def test_the_loudest_part() -> None:
    y = noise(20000) / 100
    y[12000:13000] *= 50
    crop = fit_length(y, 4000, crop="loudest")
    assert np.array_equal(crop, y[(start := 12000 - int(np.flatnonzero(crop == y[12000])[0])) : start + 4000])
    assert 9000 <= start <= 12000
    power = [float(np.square(y[k : k + 4000], dtype=float).sum()) for k in range(16001)]
    assert start == int(np.argmax(power))
    click = np.zeros(1000, np.float32)
    click[600] = 1
    assert np.flatnonzero(fit_length(click, 101, crop="loudest")).tolist() == [50], "of equals the middle one"
    assert len(fit_length(np.zeros(1000), 300, crop="loudest")) == 300
    stereo = np.stack([np.zeros(1000), click], axis=1)
    assert np.flatnonzero(fit_length(stereo, 101, crop="loudest")[:, 1]).tolist() == [50]


@pytest.mark.parametrize(
    ("pad", "crop", "left"),
    [("end", "end", [4, 5]), ("start", "start", [1, 2]), ("repeat", "centre", [3, 4]), ("start", "auto", [4, 5])],
)
def test_what_remains_of_a_longer_clip(pad: str, crop: str, left: list[int]) -> None:
    assert fit_length(np.array([1, 2, 3, 4, 5]), 2, pad=pad, crop=crop).tolist() == left
    assert len({Gray(duration_s=1, crop=c).sound_key() for c in ("start", "end", "loudest")}) == 3


@pytest.mark.parametrize("name", [n for n in ENCODINGS.names() if issubclass(ENCODINGS[n], TimeFrequency)])
def test_every_encoding_with_frames_is_exact(name: str) -> None:
    encoding: Any = ENCODINGS[name](frames=20, size="exact")
    sound = as_sound(noise(30000), sr=22050, settings=encoding)
    assert encoding.values(sound).shape[1] == encoding.size[1] == 20
    assert encoding.draw(noise(30000), sr=22050).shape == encoding.silence().shape == (*encoding.size, 3)
    assert encoding_from_json(encoding.to_json()) == encoding
    assert encoding.replace(ref=2.0).size == encoding.size if name != "pcen" else True


def test_other_encodings_that_are_not_centred() -> None:
    settings = {"center": False, "frames": 20, "size": "exact", "n_fft": 512, "win_length": 400, "hop_length": 128}
    for cls in (Linear, Stereo, Gray):
        encoding = cls(**settings)
        assert encoding.n_samples == 19 * 128 + 400
        assert encoding.draw(noise(9999), sr=22050).shape[1] == 20
    with pytest.raises(SettingsError, match="center=False: must be true, since windows"):
        Multires(center=False)
    y = noise(5000)
    one, two = (as_sound(y, sr=22050, settings=Linear(center=center)) for center in (True, False))
    assert one.key != two.key


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": "exact"}, "size='exact': needs frames or duration_s"),
        ({"size": "exakt"}, r"size='exakt': must be \[height, width\] in pixels, or 'exact'"),
        ({"size": "exact", "tiles": True}, "size='exact': needs frames, the width of a tile"),
        ({"size": "exact", "frames": 20000}, "size='exact': 128 rows and 20000 frames, neither may be above 16384"),
        ({"frames": 3, "duration_s": 2.0}, "frames=3: is a length of its own; leave out duration_s=2"),
        ({"frames": 10**9}, "frames=1000000000: with hop_length=512: more than 268,435,456 samples"),
        ({"frames": -1}, "frames=-1: must be an integer of 0 or more"),
        ({"crop": "loudst"}, "did you mean 'loudest'"),
        ({"center": 1}, "center=1: must be true or false"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Gray(**settings)


def test_on_the_command_line() -> None:
    made = encodings_from_options(["gray"], size="exact", pairs=["frames=330", "n_mels=64"])
    assert made["gray"].size == (64, 330)
    with pytest.raises(SettingsError, match="--size='exact': waveform has no rows and frames; give"):
        encodings_from_options(["waveform"], size="exact")
    with pytest.raises(SettingsError, match=r"--size 'big': expected HEIGHTxWIDTH, e.g. 224x224, or exact"):
        encodings_from_options(["gray"], size="big")
    with pytest.raises(SettingsError, match="waveform has no rows"):
        Waveform(size="exact")
