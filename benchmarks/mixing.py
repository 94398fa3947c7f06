"""Recordings of ten minutes with calls at known times, mixed from the clips of one fold of ESC-10.

First come stretches of only rain, sea and helicopter, a minute each; then seven minutes of rain with dog barks and
roosters over it. Each clip is used twice, at two levels. A call is one clip's run of sound: from the first to the last
moment that is louder than 40 dB below its maximum (many clips of ESC-10 end in digital silence).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness import audio
from harness.audio import write_wav

__all__ = ["CALLS", "EMPTY", "RATE", "Mixed", "mix"]

RATE = 44100
CALLS = ("dog_bark", "rooster")
EMPTY = ("rain", "sea_waves", "helicopter")
_EMPTY_S, _LONG_S = 60.0, 600.0
_TWICE = 2
_LEAST_GAP_S = 5.0  # between two calls
_BED_RMS = 0.03
_LEVELS_DB = (10.0, 20.0)  # of a call above the rain
_SILENT = 0.01  # of the maximum
_FADE_S = 0.5


@dataclass(frozen=True)
class Mixed:
    """A recording that was mixed.

    Parameters
    ----------
    path : Path
    truth : DataFrame
        recording, start_s, end_s, label of each call.
    empty : sequence of (float, float, str)
        Stretches without any call: start and end in seconds, what is heard.
    """

    path: Path
    truth: pd.DataFrame
    empty: Sequence[tuple[float, float, str]]


def mix(clips: Mapping[str, Sequence[Path]], path: Path, *, seed: int) -> Mixed:
    """Mix a recording.

    Parameters
    ----------
    clips : mapping of str to sequence of path
        Clips of one fold, by label.
    path : Path
        The wav to write.
    seed : int
    """
    rng = np.random.default_rng(seed)
    bed = [_bed(clips[name], _EMPTY_S, rng) for name in EMPTY]
    bed.append(_bed(clips["rain"], _LONG_S - _EMPTY_S * len(EMPTY), rng))
    y = np.concatenate(bed)
    empty = [(k * _EMPTY_S, (k + 1) * _EMPTY_S, name) for k, name in enumerate(EMPTY)]
    runs = [(name, run_of_sound(_read(clip))) for name in CALLS for clip in clips[name] for _ in range(_TWICE)]
    rng.shuffle(runs)  # type: ignore[arg-type]
    rows, at = [], len(EMPTY) * _EMPTY_S + _LEAST_GAP_S
    spare = _LONG_S - at - sum(len(run) / RATE + _LEAST_GAP_S for _, run in runs)
    gaps = _LEAST_GAP_S + spare * rng.dirichlet(np.ones(len(runs)))
    for (name, run), gap in zip(runs, gaps, strict=True):
        start, level = round(at * RATE), rng.uniform(*_LEVELS_DB)
        y[start : start + len(run)] += run * (_BED_RMS * 10 ** (level / 20) / np.sqrt(np.mean(run**2)))
        rows.append({"recording": str(path), "start_s": at, "end_s": at + len(run) / RATE, "label": name})
        at += len(run) / RATE + gap
    write_wav(path, (y / max(1.0, 1.01 * np.abs(y).max())).astype(np.float32), RATE)
    return Mixed(path, pd.DataFrame(rows), empty)


def run_of_sound(y: np.ndarray) -> np.ndarray:
    """A clip from the first to the last sample that is louder than 40 dB below its maximum."""
    loud = np.flatnonzero(np.abs(y) > _SILENT * np.abs(y).max())
    return y[loud[0] : loud[-1] + 1]


def _read(path: Path) -> np.ndarray:
    return audio.load(path, sr=RATE)


def _bed(clips: Sequence[Path], seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Clips one after the other, cross-faded and of equal level, again and again up to a length."""
    fade, length = round(_FADE_S * RATE), round(seconds * RATE)
    ramp = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    y, at = np.zeros(length + 30 * RATE, np.float32), 0
    while at < length:
        for k in rng.permutation(len(clips)):
            clip = run_of_sound(_read(clips[k]))
            clip = clip * (_BED_RMS / np.sqrt(np.mean(clip**2)))
            clip[:fade] *= ramp
            clip[-fade:] *= ramp[::-1]
            if at < length:
                y[at : at + len(clip)] += clip[: len(y) - at]
                at += len(clip) - fade
    return y[:length]
