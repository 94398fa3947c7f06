"""Our spectra against librosa's, on noise, tones and a real recording."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from converter.dsp import decibels, fft_frequencies, mel_bands, mel_bank, mel_frequencies, stft_power
from harness.audio import load

SR = 22050
Y = np.random.default_rng(1).normal(0, 0.1, 30000).astype(np.float32)


@pytest.mark.parametrize("n", [1, 700, 30000])
@pytest.mark.parametrize(
    ("n_fft", "hop_length", "win_length"), [(2048, 512, 2048), (400, 200, 400), (512, 128, 320), (1023, 100, 1001)]
)
@pytest.mark.filterwarnings("ignore:n_fft")
def test_stft(n: int, n_fft: int, hop_length: int, win_length: int) -> None:
    ours = stft_power(Y[:n], n_fft=n_fft, hop_length=hop_length, win_length=win_length)
    theirs = np.abs(librosa.stft(Y[:n], n_fft=n_fft, hop_length=hop_length, win_length=win_length)) ** 2
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6 * theirs.max())


def test_stft_in_blocks_is_the_same() -> None:
    y = np.resize(Y, 600_000)
    whole = stft_power(y, n_fft=256, hop_length=128, win_length=256)
    assert whole.shape[1] > 2 * 1024
    part = stft_power(y[128 * 1000 :], n_fft=256, hop_length=128, win_length=256)
    assert np.array_equal(whole[:, 1002:], part[:, 2:])


@pytest.mark.parametrize(
    ("sr", "n_fft", "n_mels", "fmin", "fmax"),
    [(22050, 2048, 128, 0.0, 11025.0), (16000, 512, 64, 125.0, 7500.0), (44100, 1024, 40, 1500.0, 20000.0)],
)
def test_mel_bank(sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> None:
    ours = mel_bank(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    theirs = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(
        mel_frequencies(n_mels, fmin=fmin, fmax=fmax), librosa.mel_frequencies(n_mels, fmin=fmin, fmax=fmax), rtol=1e-9
    )
    np.testing.assert_allclose(fft_frequencies(sr=sr, n_fft=n_fft), librosa.fft_frequencies(sr=sr, n_fft=n_fft))


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_mel_spectrogram(power: float) -> None:
    S = stft_power(Y, n_fft=2048, hop_length=512, win_length=2048) ** np.float32(power / 2)
    ours = mel_bands(S, sr=SR, n_fft=2048, n_mels=128, fmin=0.0, fmax=SR / 2)
    theirs = librosa.feature.melspectrogram(y=Y, sr=SR, power=power)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_decibels_of_power_by_power_and_of_magnitude_by_magnitude() -> None:
    S_power = np.abs(librosa.stft(Y)) ** 2
    S_magnitude = np.sqrt(S_power)
    np.testing.assert_allclose(
        decibels(S_power, power=2, ref=3.0), librosa.power_to_db(S_power, ref=3.0, top_db=None), atol=1e-3
    )
    np.testing.assert_allclose(
        decibels(S_magnitude, power=1, ref=3.0), librosa.amplitude_to_db(S_magnitude, ref=3.0, top_db=None), atol=1e-3
    )
    np.testing.assert_allclose(decibels(S_magnitude, power=1, ref=1.0), decibels(S_power, power=2, ref=1.0), atol=1e-3)
    np.testing.assert_allclose(
        decibels(S_power, power=2, ref=1.0, twice=True),
        librosa.amplitude_to_db(S_power, ref=1.0, top_db=None),
        atol=1e-3,
    )


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_twenty_decibels_of_gain_are_twenty_decibels(power: float) -> None:
    levels = [
        decibels(
            stft_power(gain * Y, n_fft=2048, hop_length=512, win_length=2048) ** np.float32(power / 2),
            power=power,
            ref=1.0,
        )
        for gain in (np.float32(1), np.float32(10))
    ]
    np.testing.assert_allclose(levels[1] - levels[0], 20.0, atol=1e-3)


def test_decibels_of_silence_are_finite() -> None:
    assert decibels(np.zeros(3, np.float32), power=2, ref=1.0).tolist() == pytest.approx([-100.0] * 3, abs=1e-4)
    assert np.isfinite(decibels(np.zeros(3, np.float32), power=1, ref=0.0)).all()


@pytest.mark.corpus
def test_a_real_recording(seed_example: Path) -> None:
    y = load(seed_example / "344-3-5-0.wav", sr=SR)
    S = stft_power(y, n_fft=2048, hop_length=512, win_length=2048)
    ours = decibels(mel_bands(S, sr=SR, n_fft=2048, n_mels=128, fmin=0.0, fmax=SR / 2), power=2, ref=1.0)
    theirs = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR), ref=1.0, top_db=None)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
