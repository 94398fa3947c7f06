"""The pieces that a recording is cut into: windows with a hop, or labelled parts, with the names of their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from corpora.recordings import Recording, Span
from harness.cutting import cut_parts
from harness.reading import read_until_damage
from harness.settings import Settings

__all__ = ["CutSettings", "pieces", "windows", "windows_in"]

_BLOCK_S = 60.0
_NAMED_BY_MS = 0.002  # hops in seconds; the starts of shorter ones may be the same to a millisecond


class CutSettings(Settings):
    """How recordings are cut.

    Parameters
    ----------
    window_ms : float
        Length of a clip in milliseconds; 0: a clip is all that a label marks.
    hop_ms : float
        From the start of a clip to that of the next; 0: `window_ms`.
    whole : bool
        Each recording is one clip, as it is: a video becomes a wav.
    """

    window_ms: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    hop_ms: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    whole: bool = False

    @property
    def window_s(self) -> float:
        """Length of a clip in seconds."""
        return self.window_ms / 1000

    @property
    def hop_s(self) -> float:
        """From clip to clip in seconds."""
        return (self.hop_ms or self.window_ms) / 1000


def pieces(
    recording: Recording, spans: Sequence[Span] | None, settings: CutSettings
) -> Iterator[tuple[str, Span, np.ndarray, int]]:
    """Each clip of a recording: its file name, its place, its samples and their rate.

    Parameters
    ----------
    recording : Recording
    spans : sequence of Span, optional
        Where its calls are; without them all of it is cut into windows.
    settings : CutSettings

    Yields
    ------
    name : str
    span : Span
        As it was asked for: `y` is shorter, or empty, where the recording ends before.
    y : ndarray of float32, shape (samples,)
        Mono, in [-1, 1].
    sr : int
        The recording's rate in Hz.

    Raises
    ------
    AudioError
        The recording cannot be read to its end.
    """
    if spans is None:
        for start, y, sr in windows(recording.path, settings):
            span = Span(start, start + len(y) / sr, recording.label)
            yield f"{recording.stem}_{(_ms if settings.hop_s >= _NAMED_BY_MS else _us)(start)}.wav", span, y, sr
        return
    parts = list(dict.fromkeys(part for span in spans for part in _inside(span, settings)))
    names = _names(recording.stem, parts)
    for k, y, sr in cut_parts(recording.path, [(span.start_s, span.end_s) for span in parts]) if parts else ():
        yield names[k], parts[k], y, sr


def windows(path: Path, settings: CutSettings) -> Iterator[tuple[float, np.ndarray, int]]:
    """Start in seconds, samples and rate of each window, all of one length; what is left at the end is not one."""
    rest, first, number = np.zeros(0, np.float32), 0, 0
    for y, sr in read_until_damage(path, seconds=_BLOCK_S):
        rest = np.concatenate([rest, y])
        length = max(1, round(settings.window_s * sr))
        while (start := round(number * settings.hop_s * sr)) + length <= first + len(rest):
            yield start / sr, rest[start - first : start - first + length], sr
            number += 1
        drop = max(0, min(start - first, len(rest)))
        rest, first = rest[drop:], first + drop


def windows_in(span: Span, settings: CutSettings) -> int:
    """How many windows a labelled part has; 0 where it is shorter than one."""
    rest = span.end_s - span.start_s - settings.window_s
    return 0 if rest < 0 else int(rest / settings.hop_s + 1e-9) + 1


def _inside(span: Span, settings: CutSettings) -> Iterator[Span]:
    """A labelled part as it is, or the windows in it; one that is shorter than a window as it is."""
    n = windows_in(span, settings) if settings.window_ms else 0
    if not n:
        yield span
        return
    for k in range(n):
        start = span.start_s + k * settings.hop_s
        yield Span(start, start + settings.window_s, span.label)


def _names(stem: str, spans: Sequence[Span]) -> list[str]:
    """File names: by the start; by start and end, and a number, where several of a label would have one name."""
    starts = Counter((span.label, _ms(span.start_s)) for span in spans)
    both = Counter((span.label, _ms(span.start_s), _ms(span.end_s)) for span in spans)
    seen: Counter[tuple[str, ...]] = Counter()
    names = []
    for span in spans:
        key = (span.label, _ms(span.start_s), _ms(span.end_s))
        seen[key] += 1
        until = f"-{key[2]}" if starts[key[:2]] > 1 else ""
        names.append(f"{stem}_{key[1]}{until}{f'_{seen[key]}' if both[key] > 1 else ''}.wav")
    return names


def _ms(seconds: float) -> str:
    return f"{round(1000 * seconds):08}"


def _us(seconds: float) -> str:
    """Milliseconds with three places behind the point; no sample is shorter."""
    return f"{1000 * seconds:012.3f}"
