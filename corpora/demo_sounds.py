"""Ten kinds of sound from formulas, each with the name that a person would give it.

Every function takes two random generators: `source` draws what belongs to the thing that sounds (its pitch, its rate,
its body) and is started anew for each take, so that takes of one source share it; `take` draws what differs from one
take to the next. Each returns `n` samples, float64, at :data:`RATE`, on any scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

__all__ = ["RATE", "SOUNDS", "Sound"]

RATE = 22050
"""Samples per second."""

_TOP = 0.46 * RATE  # no partial above: it would fold back

Sound: TypeAlias = Callable[[Generator, Generator, int], np.ndarray]


def bell(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A church or hand bell: partials that are no multiples of each other, ringing out after one or two strikes."""
    pitch = _log_uniform(source, 450, 1000)
    decay = source.uniform(0.45, 1.2)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.01, 4.1]) * source.uniform(0.99, 1.01, 8)
    weights = np.array([0.5, 1.0, 0.8, 0.45, 0.7, 0.35, 0.3, 0.2]) * source.uniform(0.6, 1.2, 8)
    strike = _ringing(n, pitch * ratios, weights, decay / np.sqrt(ratios))
    gap = int(source.uniform(0.45, 0.9) * RATE)
    y = np.zeros(n)
    for k in range(source.integers(1, 3)):
        _add(y, strike * take.uniform(0.7, 1.0), k * gap + int(take.uniform(0, 0.02) * RATE))
    return y


def bird_whistle(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A songbird: a phrase of short, fast, nearly pure glides."""
    base = _log_uniform(source, 2200, 3800)
    notes, length = int(source.integers(2, 5)), source.uniform(0.07, 0.2)
    slopes, steps = source.uniform(-0.4, 0.4, notes), source.uniform(-0.25, 0.25, notes)
    bend, rest = source.uniform(-0.15, 0.15), source.uniform(0.03, 0.12)
    y, at = np.zeros(n), 0.0
    while at < n / RATE:
        for slope, step in zip(slopes, steps, strict=True):
            u = np.linspace(0, 1, int(length * take.uniform(0.92, 1.08) * RATE))
            freq = base * 2 ** (step + slope * u + bend * np.sin(2 * np.pi * u))
            tone = _harmonics(freq, (1.0, 0.08)) * np.sin(np.pi * u) ** 0.7
            _add(y, tone * take.uniform(0.7, 1.0), int(at * RATE))
            at += length + rest
        at += take.uniform(0.15, 0.5)
    return y


def clock_tick(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A mechanical clock: dry clicks in strict time, tick unlike tock."""
    period = source.uniform(0.2, 0.5)
    body = _log_uniform(source, 1400, 4200) * source.uniform(0.6, 1.9, 4)
    weights, decay = source.uniform(0.3, 1.0, 4), source.uniform(0.002, 0.007)
    ratio, tock_gain = source.uniform(0.72, 0.9), source.uniform(0.4, 0.9)
    tick = _ringing(int(0.06 * RATE), body, weights, np.full(4, decay))
    tock = _ringing(int(0.06 * RATE), body * ratio, weights, np.full(4, decay)) * tock_gain
    y = np.zeros(n)
    for k, at in enumerate(np.arange(take.uniform(0, 0.1), n / RATE, period)):
        _add(y, (tick, tock)[k % 2] * take.uniform(0.85, 1.0), int(at * RATE))
    return y


def crickets(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A field cricket: one very high tone in chirps of a few pulses each."""
    carrier = _log_uniform(source, 4000, 5800)
    pulse_rate, pulses = source.uniform(22, 48), int(source.integers(3, 6))
    chirp_gap = pulses / pulse_rate + source.uniform(0.12, 0.4)
    t = np.arange(n) / RATE - take.uniform(0, chirp_gap)
    inside = np.mod(t, chirp_gap) * pulse_rate
    gate = np.where(inside < pulses, np.sin(np.pi * np.mod(inside, 1.0)) ** 1.5, 0.0)
    swell = 1 - 0.4 * np.cos(np.pi * np.minimum(inside / pulses, 1.0))
    return gate * swell * _harmonics(np.full(n, carrier) * (1 + 0.01 * gate), (1.0, 0.05))


def dog_bark(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A dog: short hoarse bursts whose pitch jumps up and falls, through the formants of an open mouth."""
    pitch = _log_uniform(source, 230, 560)
    size, hoarse = (pitch / 340) ** 0.45, source.uniform(0.15, 0.5)
    length, gap = source.uniform(0.1, 0.22), source.uniform(0.3, 0.62)
    y, at = np.zeros(n), 0.0
    while at < n / RATE:
        u = np.linspace(0, 1, int(length * take.uniform(0.85, 1.15) * RATE))
        freq = pitch * take.uniform(0.94, 1.06) * (0.65 + 0.75 * np.sin(np.pi * u**0.6) ** 0.8)
        voice = _sawtooth(freq) + hoarse * take.standard_normal(len(u))
        formed = sum(
            gain * _resonated(voice, size * centre, width)
            for centre, width, gain in ((720, 160, 1.0), (1450, 240, 0.7), (2700, 400, 0.35))
        )
        _add(y, formed * np.minimum(u / 0.06, 1) * (1 - u) ** 0.8 * take.uniform(0.7, 1.0), int(at * RATE))
        at += gap * take.uniform(0.85, 1.2)
    return y


def engine(source: Generator, take: Generator, n: int) -> np.ndarray:
    """An idling engine: low pulses of uneven cylinders through the exhaust, a little unsteady."""
    rate, drift = _log_uniform(source, 18, 60), source.uniform(0.01, 0.05)
    cylinders = 1 + source.uniform(-0.35, 0.35, 4)
    pipes, rasp = source.uniform((70, 190, 480), (150, 400, 1100)), source.uniform(0.05, 0.4)
    wobble = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, 8), take.standard_normal(8))
    phase = np.cumsum(rate * (1 + drift * wobble)) / RATE + take.uniform(0, 4)
    pulse = np.exp(-7 * np.mod(phase, 1.0)) * cylinders[phase.astype(int) % 4]
    driven = pulse - pulse.mean() + rasp * pulse * take.standard_normal(n)
    return (
        sum(g * _resonated(driven, f, 0.35 * f + 30) for f, g in zip(pipes, (1.0, 0.8, 0.6), strict=True))
        + 0.05 * driven
    )


def rain(source: Generator, take: Generator, n: int) -> np.ndarray:
    """Rain: a hiss of countless drops, with single ones close by."""
    tilt, density = source.uniform(0.2, 0.75), _log_uniform(source, 20, 120)
    splash = _log_uniform(source, 1500, 5000)
    white = take.standard_normal(n)
    hiss = _filtered([1.0], [1.0, -tilt], white) - 0.5 * _filtered([0.1], [1.0, -0.9], white)
    drops = np.where(take.random(n) < density / RATE, take.exponential(1.0, n), 0.0)
    near = _resonated(drops * take.choice((-1.0, 1.0), n), splash, 0.5 * splash)
    return hiss / hiss.std() + source.uniform(0.2, 0.5) * near / max(np.abs(near).max(), 1e-9) * 8


def siren(source: Generator, take: Generator, n: int) -> np.ndarray:
    """An ambulance or police siren: a strong tone that wails up and down."""
    low = _log_uniform(source, 480, 800)
    span, period = source.uniform(0.5, 1.1), _log_uniform(source, 0.35, 1.3)
    u = np.mod(np.arange(n) / RATE / period + take.uniform(), 1.0)
    two_tone = source.random() < 0.3
    shape = np.clip(8 * np.sin(2 * np.pi * u), -1, 1) if two_tone else np.sin(2 * np.pi * u)
    freq = low * 2 ** (span * (0.5 if two_tone else 1.0) * (0.5 + 0.5 * shape))
    return _harmonics(freq, (1.0, 0.25, 0.4, 0.1, 0.18)) * (1 + 0.15 * shape)


def telephone(source: Generator, take: Generator, n: int) -> np.ndarray:
    """An old telephone: a clapper between two small gongs, about twenty strokes a second, ringing and resting."""
    gong = _log_uniform(source, 1100, 1900)
    stroke, decay = source.uniform(16, 28), source.uniform(0.05, 0.18)
    interval, ring, rest = source.uniform(1.12, 1.35), source.uniform(0.4, 0.9), source.uniform(0.2, 0.4)
    ratios, weights = np.array([1.0, 2.08, 3.2]), np.array([1.0, 0.5, 0.25]) * source.uniform(0.5, 1.3, 3)
    gongs = [_ringing(int(0.5 * RATE), gong * k * ratios, weights, decay / ratios) for k in (1.0, interval)]
    y = np.zeros(n)
    lead = take.uniform(0, 0.3)
    for k, at in enumerate(np.arange(0, n / RATE, 1 / stroke)):
        if np.mod(at + lead, ring + rest) < ring:
            _add(y, gongs[k % 2] * take.uniform(0.8, 1.0), int(at * RATE))
    return y


def water_drops(source: Generator, take: Generator, n: int) -> np.ndarray:
    """A dripping tap: bubbles, each a short tone that rises as it fades, now and then."""
    pitch, decay = _log_uniform(source, 600, 1500), source.uniform(0.015, 0.05)
    gap, rise = source.uniform(0.18, 0.55), source.uniform(1.5, 7.0)
    t = np.arange(int(0.25 * RATE)) / RATE
    y, at = np.zeros(n), take.uniform(0, 0.1)
    while at < n / RATE:
        freq = np.minimum(pitch * take.uniform(0.8, 1.25) * (1 + rise * t), _TOP)
        _add(y, np.exp(-t / decay) * _harmonics(freq, (1.0,)) * take.uniform(0.5, 1.0), int(at * RATE))
        at += gap * take.uniform(0.6, 1.5)
    return y


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


def _harmonics(freq: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """A tone of slowly changing frequency (Hz) and its multiples, without those that would fold back."""
    phase = 2 * np.pi * np.cumsum(freq) / RATE
    return sum(w * np.sin(k * phase) * (k * freq < _TOP) for k, w in enumerate(weights, start=1)) + np.zeros(len(freq))


def _sawtooth(freq: np.ndarray) -> np.ndarray:
    return 2 * np.mod(np.cumsum(freq) / RATE, 1.0) - 1


def _ringing(n: int, freqs: np.ndarray, weights: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """Decaying partials that start together; decays in seconds."""
    t = np.arange(n)[None, :] / RATE
    audible = (freqs < _TOP)[:, None] * weights[:, None]
    return (audible * np.exp(-t / decays[:, None]) * np.sin(2 * np.pi * freqs[:, None] * t)).sum(axis=0)


def _resonated(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A two-pole resonance at `centre` Hz, `width` Hz wide, about 1 at its peak."""
    radius = np.exp(-np.pi * width / RATE)
    angle = 2 * np.pi * min(centre, _TOP) / RATE
    gain = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)
    filtered: np.ndarray = _filtered([gain], [1.0, -2 * radius * np.cos(angle), radius**2], x)
    return filtered


def _add(y: np.ndarray, event: np.ndarray, at: int) -> None:
    stop = min(len(y), at + len(event))
    if at < stop:
        y[at:stop] += event[: stop - at]


SOUNDS: dict[str, Sound] = {
    sound.__name__: sound
    for sound in (bell, bird_whistle, clock_tick, crickets, dog_bark, engine, rain, siren, telephone, water_drops)
}
"""Every kind of sound by its label, sorted."""


def _filtered(b: list[float], a: list[float], x: np.ndarray) -> np.ndarray:
    """A linear filter's output, as scipy.signal.lfilter gives it."""
    from scipy.signal import lfilter  # a second, which every command that knows the corpora would wait

    y: np.ndarray = lfilter(b, a, x)
    return y
