"""A stand-in of UrbanSound8K: its real table over sounds from formulas.

Each line of the CSV becomes a file of its name, fold and duration. Ten kinds of sound have a source (what sounds) and a
place (its tone, its background) for each recording, and slices of a recording share both. How loud the background
is, and that a slice that the CSV calls background (``salience`` 2) has another class's sound over it, makes the classes
neither trivial nor hopeless to tell apart. Rates, channels and sample formats have about the shares of the corpus, and
belong to the recording as they do there.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr
from numpy.random import Generator
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from corpora.demo_sounds import RATE, SOUNDS
from harness.errors import SettingsError
from harness.files import write_json
from harness.parallel import in_parallel

__all__ = ["make_corpus", "read_part"]

VERSION = 4
LONGEST_S = 4.0
RATES = {44100: 0.61, 48000: 0.29, 96000: 0.07, 22050: 0.01, 16000: 0.008, 11025: 0.007, 8000: 0.005}
FORMATS = {
    ("WAV", "PCM_16"): 0.55,
    ("WAVEX", "PCM_16"): 0.11,
    ("WAV", "PCM_24"): 0.16,
    ("WAVEX", "PCM_24"): 0.15,
    ("WAVEX", "FLOAT"): 0.01,
    ("WAV", "FLOAT"): 0.01,
    ("WAV", "PCM_U8"): 0.01,
}
STEREO = 0.9


def make_corpus(metadata: Path, folder: Path, *, part: int = 0, seed: int = 0) -> pd.DataFrame:
    """Write the stand-in, unless it is there already.

    Parameters
    ----------
    metadata : path
        The corpus's ``UrbanSound8K.csv``.
    folder : path
        Gets ``metadata/UrbanSound8K.csv`` and ``audio/foldN/``.
    part : int
        The first so many recordings of each fold; 0: all.
    seed : int

    Returns
    -------
    DataFrame
        The lines of the CSV that were used.
    """
    table, done = read_part(metadata, part), folder / "made.json"
    wanted = {"version": VERSION, "part": part, "seed": seed, "clips": len(table)}
    if done.is_file() and json.loads(done.read_text()) == wanted:
        return table
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "metadata").mkdir(parents=True)
    if part:
        table.to_csv(folder / "metadata" / metadata.name, index=False)
    else:
        shutil.copyfile(metadata, folder / "metadata" / metadata.name)
    for fold in table["fold"].unique():
        (folder / "audio" / f"fold{fold}").mkdir(parents=True)
    recordings = [own.to_dict("records") for _, own in table.groupby("fsID", sort=False)]
    for _ in in_parallel(partial(_write_recording, folder=folder, seed=seed), recordings, jobs=-1, what="sounds"):
        pass
    write_json(done, wanted)
    return table


def read_part(metadata: Path, part: int) -> pd.DataFrame:
    """The lines of the first `part` recordings of each fold; of all where that is 0."""
    if not metadata.is_file():
        raise SettingsError(f"metadata={str(metadata)!r}: no such file; expected UrbanSound8K.csv")
    table = pd.read_csv(metadata)
    if not part:
        return table
    number = table.groupby("fold")["fsID"].transform(lambda own: pd.factorize(own)[0])
    return table[number < part].reset_index(drop=True)


def _write_recording(slices: list[dict[str, object]], *, folder: Path, seed: int) -> None:
    """Write all slices of one recording."""
    recording = int(str(slices[0]["fsID"]))
    rng = np.random.default_rng([seed, recording])
    rate = int(rng.choice(list(RATES), p=_shares(RATES)))
    container, subtype = list(FORMATS)[rng.choice(len(FORMATS), p=_shares(FORMATS))]
    stereo, delay, lean = rng.random() < STEREO, int(rng.integers(0, 12)), rng.uniform(0.6, 1.0)
    for number, row in enumerate(slices):
        y = _slice(row, number, seed=seed)
        y = soxr.resample(y, RATE, rate, quality="MQ") if rate != RATE else y
        y = y[: max(1, round(_seconds(row) * rate))]
        if stereo:
            y = np.stack([y, lean * np.roll(y, delay)], axis=1)
        path = folder / "audio" / f"fold{row['fold']}" / str(row["slice_file_name"])
        soundfile.write(str(path), y, rate, format=container, subtype=subtype)


def _shares(of: dict) -> np.ndarray:
    shares = np.array(list(of.values()))
    return shares / shares.sum()


def _seconds(row: dict[str, object]) -> float:
    return min(float(str(row["end"])) - float(str(row["start"])), LONGEST_S)


def _slice(row: dict[str, object], number: int, *, seed: int) -> np.ndarray:
    """One slice at :data:`RATE`, float32 in [-1, 1]: source, distractor, background, tone, level."""
    recording, label = int(str(row["fsID"])), str(row["class"])
    root = [seed, recording, list(CLASSES).index(label)]
    place, take = np.random.default_rng([*root, 0]), np.random.default_rng([*root, 1, number])
    n = max(64, round(_seconds(row) * RATE) + 8)
    tone, hiss = _curve(place, 5.0), _curve(place, 9.0) - place.uniform(0.5, 4.0) * np.arange(_OCTAVES)
    noise_db, gain_db = place.uniform(-24.0, 3.0), place.uniform(-20.0, 0.0)
    other, over_db = str(place.choice([name for name in CLASSES if name != label])), place.uniform(-14.0, 2.0)
    y = _unit(CLASSES[label](np.random.default_rng([*root, 2]), take, n))
    if row["salience"] == 2:
        y += 10 ** (over_db / 20) * _unit(CLASSES[other](np.random.default_rng([*root, 3]), take, n))
    background = _unit(_equalised(take.standard_normal(n), hiss))
    y = _equalised(y + 10 ** (noise_db / 20) * background, tone)
    level = 10 ** ((gain_db + take.uniform(-2.0, 2.0)) / 20)
    return np.tanh(0.3 * level * _unit(y)).astype(np.float32)


_OCTAVES = 9


def _curve(rng: Generator, spread_db: float) -> np.ndarray:
    """Gains in dB at the octaves from 43 Hz on."""
    return rng.normal(0.0, spread_db, _OCTAVES)


def _equalised(y: np.ndarray, gains_db: np.ndarray) -> np.ndarray:
    size = next_fast_len(len(y), real=True)
    octave = np.log2(np.maximum(np.arange(size // 2 + 1) * RATE / size, 43.0) / 43.0)
    gain = 10 ** (np.interp(octave, np.arange(_OCTAVES), gains_db) / 20)
    heard: np.ndarray = irfft(rfft(y, size) * gain, size)[: len(y)]
    return heard


def _unit(y: np.ndarray) -> np.ndarray:
    """Root mean square 1 over the louder half of the sound."""
    power = np.sort(np.add.reduceat(y**2, np.arange(0, len(y), 512)))[::-1]
    half = power[: max(1, len(power) // 2)].sum() / min(len(y), 512 * max(1, len(power) // 2))
    return y / np.sqrt(half + 1e-12)


# ---- the classes that the demo corpus does not have


def air_conditioner(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A fan: hum of its motor and blades under a steady rush of air."""
    hum, blades = source.choice([50.0, 60.0]) * source.choice([1, 2]), source.uniform(60, 260)
    air = _equalised(take.standard_normal(n), -source.uniform(1.0, 5.0) * np.arange(_OCTAVES))
    tones = _tone(np.full(n, hum), 1 / np.arange(1, 7) ** source.uniform(0.5, 2), take)
    tones += source.uniform(0, 1.0) * _tone(np.full(n, blades), (1, 0.5, 0.3), take)
    return _unit(air) + source.uniform(0.1, 1.2) * _unit(tones)


def car_horn(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A horn: two reedy notes, held, or in short blasts."""
    pitch, held = source.uniform(300, 520), source.uniform(0.15, 1.5)
    weights = source.uniform(0.2, 1.0, 8) / np.arange(1, 9) ** 0.5
    y = _tone(np.full(n, pitch), weights, take) + _tone(np.full(n, pitch * source.choice([1.19, 1.26])), weights, take)
    t = np.arange(n) / RATE + take.uniform(0, 0.3)
    return y * (np.mod(t, 1.4 * held) < held)


def children_playing(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A playground: many high voices, calling and laughing."""
    y, voices = np.zeros(n), source.uniform(350, 750, 4)
    for _ in range(int(source.uniform(2, 5) * n / RATE) + 1):
        length = int(take.uniform(0.1, 0.5) * RATE)
        u = np.linspace(0, 1, length)
        pitch = take.choice(voices) * 2 ** (take.uniform(-0.4, 0.4) + take.uniform(-0.4, 0.4) * np.sin(np.pi * u))
        call = _tone(pitch, (1.0, 0.8, 0.6, 0.4, 0.3, 0.2), take) * np.sin(np.pi * u) * take.uniform(0.2, 1.0)
        start = int(take.integers(0, n))
        y[start : start + length] += call[: n - start]
    return y + 0.1 * _unit(_equalised(take.standard_normal(n), -2.0 * np.arange(_OCTAVES)))


def drilling(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A drill: a whining motor and the fast, dense blows of its bit."""
    rate, pitch = source.uniform(28, 80), source.uniform(400, 1600)
    motor = _tone(pitch * (1 + 0.02 * _drift(take, n)), (1.0, 0.6, 0.5, 0.3), take)
    return _blows(source, take, n, rate, sharp=6.0) + source.uniform(0.1, 0.8) * _unit(motor)


def gun_shot(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A shot: a crack that dies away in the echo of the place, once or several times."""
    decay, tilt = source.uniform(0.04, 0.4), -source.uniform(0.5, 4.0) * np.arange(_OCTAVES)
    blast = _equalised(take.standard_normal(n), tilt) * np.exp(-np.arange(n) / RATE / decay)
    y, gap = np.zeros(n), source.uniform(0.12, 2.5)
    for at in np.arange(take.uniform(0, 0.2) * min(1.0, n / RATE), n / RATE, gap):
        start = int(at * RATE)
        y[start:] += take.uniform(0.5, 1.0) * blast[: n - start]
    return y


def jackhammer(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A jackhammer: slower, heavier blows than a drill's, and the rush of its air."""
    rush = _equalised(take.standard_normal(n), _curve(source, 3.0))
    return _blows(source, take, n, source.uniform(14, 38), sharp=9.0) + source.uniform(0.1, 0.6) * _unit(rush)


def street_music(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A street musician: notes of a scale over chords, now and then a beat."""
    root, beat = source.uniform(110, 300), source.uniform(0.18, 0.5)
    weights = source.uniform(0.1, 1.0, 6) / np.arange(1, 7) ** source.uniform(0.3, 1.5)
    scale, steps = np.array([0, 2, 4, 5, 7, 9, 11, 12]), int(n / RATE / beat) + 2
    place = np.minimum((np.arange(n) / RATE / beat + take.uniform()).astype(int), steps - 1)
    y = np.zeros(n)
    for octave, gain in ((0.0, 0.6), (12.0, 1.0), (19.0, 0.3)):
        notes = root * 2 ** ((octave + take.choice(scale, steps)) / 12)
        y += gain * _tone(notes[place], weights, take)
    fade = np.exp(-source.uniform(0.5, 4.0) * np.mod(np.arange(n) / RATE / beat, 1.0))
    return y * fade + source.uniform(0, 0.5) * take.standard_normal(n) * fade**6


def _tone(freq: np.ndarray, weights: object, take: Generator) -> np.ndarray:
    """Harmonics of a frequency in Hz, up to half the rate."""
    phase = 2 * np.pi * np.cumsum(freq) / RATE + take.uniform(0, 6)
    top = 0.46 * RATE / max(float(freq.max()), 1.0)
    return np.sum([w * np.sin(k * phase) for k, w in enumerate(np.asarray(weights), start=1) if k < top], axis=0)


def _drift(take: Generator, n: int) -> np.ndarray:
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, 12), take.standard_normal(12))


def _blows(source: Generator, take: Generator, n: int, rate: float, *, sharp: float) -> np.ndarray:
    """Repeated bursts of noise through the resonances of a tool and what it hits."""
    phase = np.mod(np.cumsum(rate * (1 + 0.04 * _drift(take, n))) / RATE, 1.0)
    driven = np.exp(-sharp * phase) * take.standard_normal(n)
    y = 0.3 * driven
    for centre in np.exp(source.uniform(np.log(150), np.log(6000), 4)):
        radius = np.exp(-np.pi * 0.25 * centre / RATE)
        y += lfilter([1 - radius], [1.0, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], driven)
    return y


CLASSES = {
    "air_conditioner": air_conditioner,
    "car_horn": car_horn,
    "children_playing": children_playing,
    "dog_bark": SOUNDS["dog_bark"],
    "drilling": drilling,
    "engine_idling": SOUNDS["engine"],
    "gun_shot": gun_shot,
    "jackhammer": jackhammer,
    "siren": SOUNDS["siren"],
    "street_music": street_music,
}
"""Each class's sound: `(source, take, samples)` to samples on any scale, as :mod:`corpora.demo_sounds` has them."""
