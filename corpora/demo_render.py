"""From ten formulas to recordings: a source in its place, and several takes of it.

What makes the takes of one source alike beyond the sound itself, and so makes groups matter: the room, the background,
the microphone's tone, and often another sound, of another class, that is heard as well. How loud these are differs from
source to source, up to where they drown it. Levels were chosen once so that the demo study's rows spread over two
thirds to nine tenths of clips classified rightly, and are part of the corpus' version.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.random import Generator

from corpora.demo_sounds import RATE, SOUNDS

__all__ = ["Place", "draw_place", "render"]

_OVERLAPPED = 0.6  # share of the sources that are not alone
_OTHER_DB = (-18.0, -3.0)
_NOISE_DB = (-20.0, 6.0)


def render(label: str, *, source: int, take: int, seed: int) -> np.ndarray:
    """One clip.

    Parameters
    ----------
    label : str
        A key of :data:`corpora.demo_sounds.SOUNDS`.
    source, take : int
        Number of the source within its class, and of the take of it; from 0.
    seed : int
        Of the whole corpus.

    Returns
    -------
    ndarray of float32, shape (samples,)
        1.2 to 1.8 s at 22050 Hz, within [-0.9, 0.9].
    """
    root = [seed, list(SOUNDS).index(label), source]
    place = draw_place(np.random.default_rng([*root, 0]), label)
    once = np.random.default_rng([*root, 1 + take, 1])
    n = int(once.uniform(1.2, 1.8) * RATE)
    onset = int(place.onset_s * once.uniform(0.6, 1.4) * RATE)
    y = np.zeros(n)
    y[onset:] = SOUNDS[label](np.random.default_rng([*root, 0, 1]), once, n - onset)
    y = _in_room(y, place)
    y /= max(_loudness(y), 1e-9)
    if place.other:
        other = SOUNDS[place.other](np.random.default_rng([*root, 0, 2]), once, n)
        y += 10 ** (place.other_db / 20) * other / max(_loudness(other), 1e-9)
    level = place.noise_db + once.uniform(-1.0, 1.0)
    y += 10 ** (level / 20) * _coloured_noise(once, n, place.noise_slope)
    y *= 10 ** ((place.gain_db + once.uniform(-2.0, 2.0)) / 20) * 0.25
    return (0.9 * np.tanh(y / 0.9)).astype(np.float32)  # a microphone that saturates softly


@dataclass(frozen=True)
class Place:
    """Where a source was recorded.

    Parameters
    ----------
    other, other_db : str, float
        Another class that is heard as well, or empty, and its level against the source's loudest moment.
    room_s, room_mix : float
        Time in seconds over which the room rings out, and how loud it is against the source.
    room_seed : int
        Which room of that kind.
    tilt_db : float
        The microphone's tone: dB per octave, above 1 kHz up and below down.
    noise_slope, noise_db : float
        The background: dB per octave of its spectrum, and its level against the source's loudest moment.
    gain_db, onset_s : float
        Level of the recording, and when in it the sound begins, in seconds.
    """

    other: str
    other_db: float
    room_s: float
    room_mix: float
    room_seed: int
    tilt_db: float
    noise_slope: float
    noise_db: float
    gain_db: float
    onset_s: float


def draw_place(rng: Generator, label: str) -> Place:
    """Draw a place for a source of a class; what else sounds there is of another class."""
    others = sorted(set(SOUNDS) - {label})
    return Place(
        other=str(rng.choice(others)) if rng.random() < _OVERLAPPED else "",
        other_db=float(rng.uniform(*_OTHER_DB)),
        room_s=float(0.03 * 10 ** rng.random()),
        room_mix=float(rng.uniform(0.0, 0.5)),
        room_seed=int(rng.integers(2**31)),
        tilt_db=float(rng.uniform(-2.0, 2.0)),
        noise_slope=float(rng.uniform(-11.0, -3.0)),
        noise_db=float(rng.uniform(*_NOISE_DB)),
        gain_db=float(rng.uniform(-16.0, 4.0)),
        onset_s=float(rng.uniform(0.0, 0.35)),
    )


def _in_room(y: np.ndarray, place: Place) -> np.ndarray:
    """The sound with the room's echo, through the microphone; one product of spectra for both."""
    rng = np.random.default_rng(place.room_seed)
    t = np.arange(int(min(3 * place.room_s, 0.8) * RATE)) / RATE
    echo = rng.standard_normal(len(t)) * np.exp(-t / place.room_s)
    echo *= place.room_mix / max(float(np.sqrt((echo**2).sum())), 1e-9)
    echo[0] += 1.0
    size = scipy.fft.next_fast_len(len(y) + len(echo), real=True)
    spectrum = scipy.fft.rfft(y, size) * scipy.fft.rfft(echo, size) * _tilt(size, place.tilt_db)
    heard: np.ndarray = scipy.fft.irfft(spectrum, size)[: len(y)]
    return heard


def _coloured_noise(rng: Generator, n: int, slope_db: float) -> np.ndarray:
    """Noise of root mean square 1 whose spectrum falls or rises by `slope_db` per octave."""
    size = scipy.fft.next_fast_len(n, real=True)
    shaped = scipy.fft.irfft(scipy.fft.rfft(rng.standard_normal(size)) * _tilt(size, slope_db), size)[:n]
    return shaped / np.sqrt(np.mean(shaped**2))


def _tilt(size: int, slope_db: float) -> np.ndarray:
    """Gain per bin of a spectrum over `size` samples: `slope_db` per octave, 1 at 1 kHz, level below 50 Hz."""
    freq = np.maximum(np.arange(size // 2 + 1) * RATE / size, 50.0)
    gain: np.ndarray = (freq / 1000.0) ** (slope_db / (20 * np.log10(2)))
    return gain


def _loudness(y: np.ndarray) -> float:
    """Root mean square of the second loudest 20 ms, so that a click counts as well as a tone."""
    frame = int(0.02 * RATE)
    power = (y[: len(y) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    return float(np.sqrt(np.sort(power)[-2]))
