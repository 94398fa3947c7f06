"""Milliseconds for one image of each encoding, beside librosa's own function for it; a table of ``convert``.

Ours is the whole image of 224 x 224 pixels from samples in memory; librosa's is the function that gives the matrix,
with the same settings, and decibels where ours has them: no image. They are taken in turns in one process, on one core,
and the median of the processor's time is given. Where librosa has no function, the usual way is: three spectrograms for
``multires``, two for ``stereo``, a convolution for each row of ``scalogram``; ``waveform`` has none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import librosa
import numpy as np
import scipy

from benchmarks.tables import Cell, Table, ratio
from converter.encodings.scalogram import Scalogram
from converter.registry import ENCODINGS
from converter.sound import Sound, as_sound
from converter.spec import Encoding

__all__ = ["costs"]

RATE = 22050
Work = Callable[[], Any]


def costs(*, seconds: float = 5.0, rounds: int = 9) -> Table:
    """Measure each encoding, and all of them on one clip, as the converter draws them."""
    y = example(seconds)
    encodings = [ENCODINGS[name]() for name in ENCODINGS.names()]
    rows: list[list[Cell]] = []
    total = 0.0
    for encoding in encodings:
        ours: Work = partial(draw_all, [encoding], y)
        usual = USUAL.get(encoding.name)
        times = medians([ours, partial(usual, y)] if usual else [ours], rounds=rounds)
        theirs = times[1] if usual else None
        total += theirs or 0.0
        rows.append([encoding.name, times[0], theirs, ratio(theirs, times[0])])
    (together,) = medians([partial(draw_all, encodings, y)], rounds=rounds)
    rows.append([f"all {len(encodings)} of one clip", together, total, ratio(total, together)])
    return Table(f"one clip of {seconds:g} s, milliseconds on one core", ["", "ours", "librosa", "ratio"], rows)


def medians(works: Sequence[Work], *, rounds: int) -> list[float]:
    """Milliseconds of the processor's time for each, the median of so many rounds in turns, on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        times: list[list[float]] = [[] for _ in works]
        for k in range(rounds + 1):
            for work, of in zip(works, times, strict=True):
                started = time.process_time()
                work()
                if k:  # the first call makes filters
                    of.append(1e3 * (time.process_time() - started))
    finally:
        os.sched_setaffinity(0, cores)
    return [float(np.median(of)) for of in times]


def example(seconds: float) -> np.ndarray:
    """A tone, a click and noise, float32 (samples,)."""
    t = np.arange(round(seconds * RATE)) / RATE
    y = 0.2 * np.sin(2 * np.pi * 440 * t) + np.random.default_rng(0).normal(0, 0.02, len(t))
    y[len(t) // 3] += 0.5
    return y.astype(np.float32)


def draw_all(encodings: Sequence[Encoding], y: np.ndarray) -> None:
    """Draw one clip, sharing what can be shared."""
    sounds: dict[tuple[Any, ...], Sound] = {}
    for encoding in encodings:
        key = encoding.sound_key()
        if key not in sounds:
            sounds[key] = as_sound(np.stack([y, y], 1) if encoding.all_channels else y, sr=RATE, settings=encoding)
        encoding.encode(sounds[key])


def mel(y: np.ndarray, **settings: Any) -> np.ndarray:
    """A mel spectrogram in decibels."""
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE, **settings), ref=np.max)


def mel_delta(y: np.ndarray) -> None:
    """A mel spectrogram and its changes."""
    S = mel(y)
    librosa.feature.delta(S)
    librosa.feature.delta(S, order=2)


def hpss(y: np.ndarray) -> None:
    """Two parts and the whole, each as mel spectrogram."""
    S = np.abs(librosa.stft(y))
    for part in (*librosa.decompose.hpss(S), S):
        librosa.power_to_db(librosa.feature.melspectrogram(S=part**2, sr=RATE), ref=np.max)


def scalogram(y: np.ndarray) -> None:
    """A convolution with the wavelet of each row."""
    encoding = Scalogram()
    for hz in encoding.row_hz():
        scale = encoding.omega0 * RATE / (2 * np.pi * hz)
        eta = np.arange(-int(5.5 * scale) - 1, int(5.5 * scale) + 2) / scale
        wavelet = np.exp(1j * encoding.omega0 * eta - eta**2 / 2).astype(np.complex64)
        np.abs(scipy.signal.fftconvolve(y, wavelet, mode="same")[:: encoding.hop_length])


USUAL: dict[str, Callable[[np.ndarray], Any]] = {
    "chroma": lambda y: librosa.power_to_db(librosa.feature.chroma_stft(y=y, sr=RATE, tuning=0.0, norm=None)),
    "cqt": lambda y: librosa.amplitude_to_db(np.abs(librosa.cqt(y, sr=RATE, n_bins=101)), ref=np.max),
    "gray": mel,
    "hpss": hpss,
    "linear": lambda y: librosa.amplitude_to_db(np.abs(librosa.stft(y)), ref=np.max),
    "logmel": mel,
    "mel_delta": mel_delta,
    "mel_power": lambda y: librosa.feature.melspectrogram(y=y, sr=RATE),
    "mfcc": lambda y: librosa.feature.mfcc(y=y, sr=RATE, lifter=40),
    "multires": lambda y: [mel(y, win_length=window, hop_length=256) for window in (512, 1024, 2048)],
    "pcen": lambda y: librosa.pcen(librosa.feature.melspectrogram(y=y, sr=RATE, power=1) * 2**31, sr=RATE),
    "scalogram": scalogram,
    "stereo": lambda y: [mel(each) for each in (y, y)],
}
