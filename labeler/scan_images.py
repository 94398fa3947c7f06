"""Images of a scan: spectrogram, scores over time and calls, ten minutes of a recording in each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.dsp import decibels, mel_bands, stft_power
from harness import audio
from harness.files import atomic_path
from harness.reading import read_until_damage
from labeler.detecting import Event, edges

__all__ = ["draw_scan", "spectrogram"]

_PAGE_S = 600.0
_RATE, _N_FFT, _N_MELS = 22050, 1024, 96
_COLUMNS = 1200
_TOP_DB = 80.0


def spectrogram(y: np.ndarray, sr: int, *, columns: int = _COLUMNS, n_mels: int = _N_MELS) -> np.ndarray:
    """A mel spectrogram in decibels below its maximum, of a given width at most.

    Parameters
    ----------
    y : ndarray of float32, shape (samples,)
    sr : int
        In Hz; above 22050 the sound is resampled to that.
    columns, n_mels : int

    Returns
    -------
    ndarray of float32, shape (n_mels, columns or fewer)
        From -80 to 0, lowest frequency in row 0; each column the loudest of the frames in it.
    """
    rate = min(sr, _RATE)
    y = audio.resample(y, sr, rate)
    frames_each = max(1, math.ceil(len(y) / (_N_FFT // 4) / columns))
    step = frames_each * (_N_FFT // 4) * 256  # samples at a time
    parts = []
    for start in range(0, len(y), step):
        power = stft_power(y[start : start + step], n_fft=_N_FFT, hop_length=_N_FFT // 4, win_length=_N_FFT)
        bands = mel_bands(power, sr=rate, n_fft=_N_FFT, n_mels=n_mels, fmin=0.0, fmax=rate / 2)[
            :, : step // (_N_FFT // 4)
        ]
        parts.append(np.maximum.reduceat(bands, np.arange(0, bands.shape[1], frames_each), axis=1))
    loudest = np.concatenate(parts, axis=1)
    return np.maximum(decibels(loudest, power=2.0, ref=float(loudest.max())), np.float32(-_TOP_DB))


def draw_scan(
    path: Path,
    file: Path,
    times: np.ndarray,
    scores: np.ndarray,
    classes: Sequence[str],
    found: Mapping[str, Sequence[Event]],
) -> list[Path]:
    """Draw a recording, ten minutes to a PNG.

    Parameters
    ----------
    path : Path
        The recording.
    file : Path
        Name of the images without the ending; those of a longer recording are numbered.
    times, scores : ndarray of float64, shape (windows, 2) and (windows, classes)
    classes : sequence of str
    found : mapping of str to sequence of Event
        Its calls by label; the scores of these labels are drawn.

    Returns
    -------
    list of Path
    """
    files: list[Path] = []
    drawn = scores[:, [list(classes).index(name) for name in found]]
    long = len(times) and times[-1, 1] > _PAGE_S
    for page, (y, sr) in enumerate(read_until_damage(path, seconds=_PAGE_S)):
        name = f"{file.name}_{page + 1:03}.png" if long or page else f"{file.name}.png"
        _draw_page(file.with_name(name), y, sr, page * _PAGE_S, times, drawn, found)
        files.append(file.with_name(name))
    return files


def _draw_page(
    file: Path,
    y: np.ndarray,
    sr: int,
    start_s: float,
    times: np.ndarray,
    scores: np.ndarray,
    found: Mapping[str, Sequence[Event]],
) -> None:
    from matplotlib.figure import Figure  # only where images are asked for

    end_s = start_s + len(y) / sr
    figure = Figure(figsize=(14, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    top.imshow(spectrogram(y, sr), origin="lower", aspect="auto", cmap="magma", extent=(start_s, end_s, 0.0, 1.0))
    top.set(yticks=[], ylabel="mel bands")
    top.set_title(file.stem, parse_math=False)
    bounds = edges(times[:, 0], times[:, 1]) if len(times) else np.zeros(1)
    lines: list[Any] = []
    for k, events in enumerate(found.values()):
        colour = f"C{k % 10}"
        lines.append(bottom.plot([], [], color=colour)[0])
        if len(times):
            bottom.stairs(scores[:, k], bounds, color=colour, baseline=None)
        for event in events:
            _mark(top, bottom, event, colour)
    bottom.set(xlim=(start_s, end_s), ylim=(0, 1.02), xlabel="s", ylabel="score")
    if found:
        legend = bottom.legend(lines, list(found), loc="upper right", ncols=5, fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)
    with atomic_path(file) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name that the font cannot write
        figure.savefig(part, dpi=100, format="png")


def _mark(top: Any, bottom: Any, event: Event, colour: str) -> None:
    bottom.axvspan(event.start_s, event.end_s, color=colour, alpha=0.25, linewidth=0)
    top.plot([event.start_s, event.end_s], [0.97, 0.97], color=colour, linewidth=5, solid_capstyle="butt")
