"""Encodings beyond the spectrogram: against librosa's functions and direct formulas, and what their images show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from converter.drawing import draw, draw_pixels
from converter.dsp import stft_power
from converter.encodings.chroma import Chroma, chroma_bank
from converter.encodings.cqt import Cqt, cqt_power
from converter.encodings.gray import Gray
from converter.encodings.hpss import Hpss, separate
from converter.encodings.logmel import LogMel
from converter.encodings.mel_delta import MelDelta, delta
from converter.encodings.mfcc import Mfcc, cepstrum
from converter.encodings.multires import Multires
from converter.encodings.pcen import Pcen, normalise_energy
from converter.encodings.scalogram import Scalogram, wavelet_power
from converter.encodings.stereo import Stereo
from converter.pipeline import convert_clips
from converter.sound import as_sound
from converter.spec import Encoding
from harness import audio
from harness.errors import SettingsError
from harness.store import Store

SR = 22050
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.1, 2 * SR).astype(np.float32)
T = np.arange(SR) / SR
CLICK = np.zeros(SR, np.float32)
CLICK[SR // 2] = 0.5
S = stft_power(NOISE, n_fft=1024, hop_length=256, win_length=1024)
S_DB = librosa.power_to_db(S[:64], ref=np.max)


def tone(hz: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * T)).astype(np.float32)


def values(encoding: Encoding, y: np.ndarray) -> np.ndarray:
    return encoding.values(as_sound(y, sr=SR, settings=encoding))  # type: ignore[attr-defined]


# ---- against librosa


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("reach", [1, 4, 20])
def test_delta(order: int, reach: int) -> None:
    if reach < order:
        return
    expected = librosa.feature.delta(S_DB, width=2 * reach + 1, order=order)
    np.testing.assert_allclose(delta(S_DB, reach=reach, order=order), expected, atol=2e-4)


def test_delta_of_few_frames() -> None:
    np.testing.assert_allclose(
        delta(S_DB[:, :8], reach=4, order=1), librosa.feature.delta(S_DB[:, :8], width=7), atol=1e-4
    )
    assert not delta(S_DB[:, :2], reach=4, order=1).any()


@pytest.mark.parametrize("lifter", [0, 22])
def test_mfcc(lifter: int) -> None:
    expected = librosa.feature.mfcc(S=S_DB, n_mfcc=13, lifter=lifter)
    np.testing.assert_allclose(cepstrum(S_DB, n_mfcc=13, lifter=lifter), expected, rtol=1e-4, atol=1e-3)


def test_mfcc_of_a_sound() -> None:
    encoding = Mfcc(n_mfcc=13, lifter=0, range_db=1000, size=(13, 87))
    expected = librosa.feature.mfcc(y=NOISE, sr=SR, n_mfcc=13)[1:]
    drawn = encoding.levels(values(encoding, NOISE))[1:]
    np.testing.assert_allclose((drawn - 128.5 / 256) * 2000, expected, atol=0.05)


@pytest.mark.parametrize("settings", [{}, {"gain": 0.5, "bias": 10.0, "root": 0.25, "time_constant": 0.06, "eps": 1.0}])
def test_pcen(settings: dict[str, float]) -> None:
    mel = librosa.feature.melspectrogram(y=NOISE, sr=SR, power=1) * 2**31
    theirs = {("power" if name == "root" else name): value for name, value in settings.items()}
    first = librosa.pcen(np.ones((1, 2)), sr=SR, time_constant=settings.get("time_constant", 0.4))
    assert np.isfinite(first).all()
    frames = settings.get("time_constant", 0.4) * SR / 512
    b = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    expected = librosa.pcen(mel, sr=SR, zi=(1 - b) * mel[:, :1], **theirs)
    np.testing.assert_allclose(values(Pcen(**settings), NOISE), expected, rtol=1e-3)
    one = normalise_energy(mel[:, :1], frame_s=0.1, gain=1.0, bias=2.0, root=0.5, time_constant=1.0, eps=1e-6)
    assert np.isfinite(one).all()


@pytest.mark.parametrize(("n_fft", "n_chroma", "tuning"), [(2048, 12, 0.0), (1023, 24, 0.3), (4096, 12, -0.5)])
def test_chroma_filters(n_fft: int, n_chroma: int, tuning: float) -> None:
    ours = chroma_bank(SR, n_fft, n_chroma, tuning, 0, 1 + n_fft // 2)
    theirs = librosa.filters.chroma(sr=SR, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_chroma() -> None:
    raw = librosa.feature.chroma_stft(y=NOISE, sr=SR, tuning=0.0, norm=None)
    np.testing.assert_allclose(values(Chroma(), NOISE), raw, rtol=1e-4)
    by_frame = Chroma(norm="frame")
    expected = librosa.feature.chroma_stft(y=NOISE, sr=SR, tuning=0.0)
    np.testing.assert_allclose(by_frame.levels(values(by_frame, NOISE)), expected, rtol=1e-4)


@pytest.mark.parametrize(("kernel", "margin"), [(31, 1.0), (17, 3.0), (8, 1.0)])
def test_hpss(kernel: int, margin: float) -> None:
    some = S[:200, :60]
    expected = librosa.decompose.hpss(np.sqrt(some), kernel_size=kernel, margin=margin)
    for ours, theirs in zip(separate(some, kernel=kernel, margin=margin), expected, strict=True):
        np.testing.assert_allclose(ours, theirs**2, rtol=1e-3, atol=1e-9)


def test_medians_longer_than_the_sound() -> None:  # where SciPy's own of a matrix are wrong
    some = S[:50, :60]
    windows = [
        np.lib.stride_tricks.sliding_window_view(np.pad(each, ((0, 0), (250, 250)), mode="symmetric"), 501, axis=1)
        for each in (some, some.T)
    ]
    harmonic, percussive = np.median(windows[0], axis=2), np.median(windows[1], axis=2).T
    ours = separate(some, kernel=501, margin=1.0)
    np.testing.assert_allclose(ours[0], some * (harmonic / (harmonic + percussive)) ** 2, rtol=1e-4)
    np.testing.assert_allclose(ours[1], some * (percussive / (harmonic + percussive)) ** 2, rtol=1e-4)


def test_hpss_of_nothing_is_nothing() -> None:
    assert not any(part.any() for part in separate(np.zeros((9, 9), np.float32), kernel=3, margin=1.0))


def test_multires_is_one_spectrogram_for_each_window() -> None:
    encoding = Multires(n_mels=40, power=1.0, hop_length=512)
    drawn = encoding.channel_values(as_sound(NOISE, sr=SR, settings=encoding))
    for ours, window in zip(drawn, (512, 1024, 2048), strict=True):
        theirs = librosa.feature.melspectrogram(y=NOISE, sr=SR, n_mels=40, power=1.0, win_length=window)
        np.testing.assert_allclose(ours, theirs * np.sqrt(2048 / window), rtol=1e-4)


def test_stereo_is_the_middle_the_difference_and_both() -> None:
    left, right = NOISE[:SR], NOISE[SR:]
    encoding = Stereo(n_mels=40)
    drawn = encoding.channel_values(as_sound(np.stack([left, right], axis=1), sr=SR, settings=encoding))
    mel = [librosa.feature.melspectrogram(y=y, sr=SR, n_mels=40) for y in (left + right, left - right, left, right)]
    for ours, theirs in zip(drawn, (mel[0] / 4, mel[1] / 4, (mel[2] + mel[3]) / 2), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


# ---- wavelets


@pytest.mark.parametrize("hop_length", [512, 300])
def test_cqt_is_the_direct_sum(hop_length: int) -> None:
    settings = {"sr": SR, "fmin": 110.0, "n_bins": 70, "bins_per_octave": 12, "hop_length": hop_length}
    y = np.concatenate([NOISE, NOISE])[:70000]
    ours = np.sqrt(cqt_power(y, **settings))  # type: ignore[arg-type]
    wavelets, lengths = librosa.filters.wavelet(
        freqs=110.0 * 2.0 ** (np.arange(70) / 12), sr=SR, alpha=np.full(70, (2 ** (1 / 6) - 1) / (2 ** (1 / 6) + 1))
    )
    half = wavelets.shape[1] // 2
    padded = np.pad(y, half)
    for frame in (0, 1, ours.shape[1] // 2, ours.shape[1] - 1):
        part = padded[frame * hop_length :][: 2 * half]
        direct = np.abs((wavelets[:, ::-1] * np.roll(part, -1)).sum(axis=1)) * np.sqrt(lengths)
        np.testing.assert_allclose(ours[:, frame], direct, rtol=2e-3, atol=2e-4 * ours.max())


def test_cqt_is_librosas_within_its_resampling() -> None:
    settings = {"sr": SR, "fmin": 65.4, "n_bins": 84, "bins_per_octave": 12, "hop_length": 512}
    theirs = np.abs(librosa.cqt(NOISE, sparsity=0, **settings))
    ours = np.sqrt(cqt_power(NOISE, **settings))  # type: ignore[arg-type]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[-12:], theirs[-12:], rtol=1e-3, atol=5e-4 * theirs.max())
    np.testing.assert_allclose(ours, theirs, atol=0.05 * theirs.max())
    assert np.median(np.abs(ours - theirs)) < 5e-3 * theirs.max()


def test_scalogram_is_the_direct_formula() -> None:
    hz, omega0 = (60.0, 440.0, 5000.0, SR / 2), 6.0
    ours = wavelet_power(NOISE, sr=SR, hz=hz, omega0=omega0, hop_length=128)
    for row, frequency in enumerate(hz):
        scale = omega0 / (2 * np.pi * frequency) * SR
        for frame in (0, 1, 170, ours.shape[1] - 1):
            eta = (np.arange(len(NOISE)) - 128 * frame) / scale
            wavelet = np.pi**-0.25 * np.exp(-1j * omega0 * eta - eta**2 / 2) / np.sqrt(scale)
            direct = np.abs((NOISE * wavelet).sum()) ** 2
            assert ours[row, frame] == pytest.approx(direct, rel=2e-3, abs=1e-5 * float(ours[row].max()))


def test_long_sounds_are_the_short_ones_joined() -> None:
    y = np.tile(NOISE, 5)
    for encoding in (Cqt(), Scalogram()):
        whole, part = values(encoding, y), values(encoding, y[20 * 512 :])
        step = 20 * 512 // encoding.hop_length
        reach = SR // encoding.hop_length
        np.testing.assert_allclose(whole[:, step + reach :], part[:, reach:], rtol=1e-2, atol=1e-5 * whole.max())


# ---- what they show


@pytest.mark.parametrize("encoding", [Cqt(size=(300, 40)), Scalogram(size=(300, 40))], ids=lambda e: e.name)
@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_a_tone_lies_on_its_row_low_frequencies_at_the_bottom(encoding: Cqt | Scalogram, hz: float) -> None:
    row = 299 - int(encoding.draw(tone(hz), sr=SR)[:, 20].sum(axis=1).argmax())
    rows = encoding.row_hz()
    expected = np.interp(np.log(hz), np.log(rows), (np.arange(len(rows)) + 0.5) / len(rows) * 300)
    assert abs(row + 0.5 - expected) <= 300 / len(rows)


@pytest.mark.parametrize("encoding", [MelDelta(), Multires(), Hpss(), Stereo()], ids=lambda e: e.name)
def test_colours_lie_where_gray_lies(encoding: Encoding) -> None:
    y = tone(2000)
    assert np.array_equal(
        encoding.draw(y, sr=SR)[:, 100].sum(axis=1).argmax(), Gray().draw(y, sr=SR)[:, 100, 0].argmax()
    )


def test_chroma_has_c_at_the_bottom_and_octaves_in_one_row() -> None:
    rows = [int(Chroma(size=(12, 20)).draw(tone(hz), sr=SR)[:, 10].sum(axis=1).argmax()) for hz in (523.25, 1046.5)]
    assert rows == [11, 11]
    assert int(Chroma(size=(12, 20)).draw(tone(440.0), sr=SR)[:, 10].sum(axis=1).argmax()) == 2


def test_what_is_steady_is_red_and_what_is_abrupt_green() -> None:
    steady, abrupt = (Hpss().draw(y, sr=SR).astype(float) for y in (tone(1000), CLICK))
    assert steady[..., 0].max() > steady[:, 112, 1].max() + 50
    assert abrupt[..., 1].max() > abrupt[..., 0].max() + 50


def test_noise_is_equally_bright_in_all_windows_a_click_red_and_a_low_tone_blue() -> None:
    encoding = Multires()
    assert np.ptp(encoding.draw(NOISE, sr=SR).mean(axis=(0, 1))) <= 3
    sounds = [as_sound(y, sr=SR, settings=encoding) for y in (CLICK, tone(150))]
    click, low = ([each.max() for each in encoding.channel_values(sound)] for sound in sounds)
    assert click[0] > 1.8 * click[1] > 3.2 * click[2]
    assert low[2] > 1.2 * low[1] > 1.5 * low[0]


def test_a_louder_sound_rises_in_green_and_a_steady_one_is_middle() -> None:
    rising = np.linspace(0.01, 1, SR, dtype=np.float32) ** 4 * NOISE[:SR]
    assert MelDelta().draw(rising, sr=SR)[..., 1].mean() > 132
    assert abs(MelDelta().draw(tone(1000), sr=SR)[:, 60:160, 1:].mean() - 128) < 2


def test_pcen_darkens_what_is_steady_and_begins_without_a_flash() -> None:
    y = 0.1 * NOISE
    y[SR:][: SR // 2] += tone(1000)[: SR // 2]
    drawn = Pcen(colormap="gray").draw(y, sr=SR)[..., 0]
    assert drawn[:, 105:125].max() > 240
    assert drawn[:, :90].max() < 100
    assert drawn[:, :5].max() < 100


# ---- channels


def test_a_file_gives_its_channels_to_stereo_and_its_mix_to_others(tmp_path: Path) -> None:
    both = np.stack([tone(500), tone(3000)], axis=1)
    files = {"wide": both, "mono": both[:, 0], "six": np.hstack([both, np.tile(NOISE[:SR, None], 4)])}
    for name, y in files.items():
        soundfile.write(tmp_path / f"{name}.wav", y, SR, subtype="FLOAT")
    wide, mono, six = (draw(tmp_path / f"{name}.wav", Stereo()) for name in files)
    assert np.array_equal(wide, Stereo().draw(both, sr=SR))
    assert np.array_equal(wide, six), "the first two channels count"
    assert wide[..., 1].max() > 200
    assert not mono[..., 1].any()
    assert np.array_equal(mono[..., 0], Gray().draw(tone(500), sr=SR)[..., 0])
    together = list(draw_pixels(tmp_path / "wide.wav", [Gray(), Stereo(), LogMel()], start_s=np.nan, end_s=np.nan))
    assert np.array_equal(together[1], wide)
    assert np.array_equal(together[0], draw(tmp_path / "wide.wav", Gray()))


def test_opposite_polarity_is_cyan() -> None:
    drawn = Stereo().draw(np.stack([tone(1000), -tone(1000)], axis=1), sr=SR)
    assert not drawn[..., 0].any()
    assert np.array_equal(drawn[..., 1], drawn[..., 2])


@pytest.mark.parametrize("pad", ["end", "start", "centre", "repeat"])
def test_channels_are_padded_resampled_and_cropped_alike(pad: str) -> None:
    y = np.stack([NOISE[:SR], NOISE[:SR]], axis=1)
    for duration_s in (0.4, 1.5):
        for sr in (SR, 16000):
            drawn = Stereo(duration_s=duration_s, pad=pad).draw(y, sr=sr)
            assert not drawn[..., 1].any()
            assert np.array_equal(drawn[..., 0], Gray(duration_s=duration_s, pad=pad).draw(y[:, 0], sr=sr)[..., 0])


# ---- settings that are impossible, or hardly meant


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (
            Cqt,
            {"n_bins": 108},
            r"n_bins=108: its highest filter, at 15804 Hz, would reach 11025 Hz, .* at most 101 fit",
        ),
        (Cqt, {"fmin": 20000}, r"fmin=20000.*: too high for sample_rate=22050"),
        (Cqt, {"fmin": 2, "bins_per_octave": 48}, r"fmin=2.*: its filter would be 3\d s long"),
        (Scalogram, {"fmax": 12000}, r"fmax=12000.*: above 11025 Hz, half of sample_rate=22050"),
        (Scalogram, {"fmin": 500, "fmax": 400}, r"fmin=500.*: must be below fmax=400"),
        (Scalogram, {"fmin": 1, "omega0": 20}, r"fmin=1.*: its wavelet would be 35 s long with omega0=20"),
        (Scalogram, {"omega0": 1}, r"omega0=1"),
        (Mfcc, {"n_mfcc": 200}, r"n_mfcc=200: must not be above n_mels=128"),
        (Mfcc, {"axis": "symlog"}, r"axis='symlog': symlog is a scale of frequencies"),
        (Chroma, {"axis": "symlog"}, r"axis='symlog': symlog is a scale of frequencies"),
        (Chroma, {"norm": "frame", "ref": 3.0}, r"ref=3.0: does not apply with norm='frame'"),
        (Multires, {"divisors": [1, 2]}, r"divisors=\[1, 2\]: must be three positive integers"),
        (Multires, {"n_fft": 64, "divisors": [32, 2, 1]}, r"divisors=.*: a window would have less than 4 samples"),
        (Hpss, {"margin": 0.5}, r"margin=0.5"),
    ],
)
def test_impossible_settings_are_refused(cls: type[Encoding], settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{message}"):
        cls(**settings)


def test_empty_mel_bands_and_pitch_classes_are_named(clips: pd.DataFrame, tmp_path: Path) -> None:
    assert not any(cls().warnings() for cls in (LogMel, Gray, MelDelta, Multires, Hpss, Mfcc, Pcen, Chroma, Stereo))
    with pytest.warns(UserWarning, match="Empty filters"):
        empty = int((librosa.filters.mel(sr=SR, n_fft=256, n_mels=128).max(axis=1) == 0).sum())
    narrow = {"n_fft": 256, "hop_length": 256}
    encodings = {"gray": Gray(**narrow), "logmel": LogMel(**narrow), "chroma": Chroma(n_fft=16)}
    warnings = convert_clips(clips, encodings, tmp_path / "images", store=Store(tmp_path / "store")).warnings
    assert len(warnings) == 2
    assert warnings[0].startswith(
        f"gray, logmel: {empty} of n_mels=128 mel bands are empty: between fmin=0 and fmax=11025 Hz"
    )
    assert "n_fft=256; lower n_mels, or raise n_fft" in warnings[0]
    assert warnings[1].startswith("chroma: ")
    with pytest.warns(UserWarning, match=rf"^gray: {empty} of n_mels=128 mel bands are empty"):
        draw(NOISE, encodings["gray"], sr=SR)
    assert "clicks between two windows are hardly drawn" in Multires(hop_length=300).warnings()[0]


# ---- the same everywhere

DRAW_ALL = """
import hashlib
import numpy as np
from converter.registry import ENCODINGS
y = np.random.default_rng(5).normal(0, 0.1, 30000).astype(np.float32)
drawn = hashlib.sha256()
for name in ENCODINGS.names():
    drawn.update(ENCODINGS[name]().draw(y, sr=22050).tobytes())
print(drawn.hexdigest())
"""


def test_two_processes_draw_the_same_bytes() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DRAW_ALL],
            cwd=Path(audio.__file__).parents[1],
            env={"PYTHONHASHSEED": str(n), "OMP_NUM_THREADS": str(n), "OPENBLAS_NUM_THREADS": str(n)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in (1, 2)
    ]
    first, second = (process.communicate()[0] for process in running)
    assert len(first) == 65
    assert first == second
