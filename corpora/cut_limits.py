"""Cuts that are refused before anything is written: clips shorter than a sample, and more clips than anybody wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpora.pieces import CutSettings, windows_in
from corpora.recordings import Recording, Span
from harness.cli import count
from harness.decoding import header_duration_rate
from harness.errors import AudioError, SettingsError
from harness.settings import Namer

__all__ = ["MOST_CLIPS", "check_cut"]

MOST_CLIPS = 1_000_000
"""That one command cuts."""
_READERS = 4


def check_cut(
    recordings: Sequence[Recording],
    spans: Mapping[Path, Sequence[Span]] | None,
    settings: CutSettings,
    name_of: Namer,
) -> None:
    """Refuse windows that cannot be meant, by the headers of the recordings; one that cannot be read says nothing.

    Parameters
    ----------
    recordings : sequence of Recording
        Those that are cut.
    spans : mapping of Path to sequence of Span, optional
        Where their calls are.
    settings : CutSettings
    name_of : callable
        How the settings were written, for messages.

    Raises
    ------
    SettingsError
        A window or a hop shorter than a sample of a recording, or more than :data:`MOST_CLIPS` clips in all.
    """
    if not settings.window_ms:
        return
    with ThreadPoolExecutor(_READERS) as pool:
        headers = list(pool.map(_header, recordings))
    clips = 0
    for recording, (seconds, sr) in zip(recordings, headers, strict=True):
        for key, given in (("window_ms", settings.window_ms), ("hop_ms", settings.hop_ms)):
            if given and sr and given * sr < 1000:
                raise SettingsError(
                    f"{name_of(key)}={given:g}: shorter than a sample of {recording.name} ({sr} Hz); expected at "
                    f"least {1000 / sr:.4g} ms"
                )
        own = [Span(0.0, seconds, "")] if spans is None else spans[recording.path]
        clips += sum(windows_in(span, settings) for span in own)
    if clips > MOST_CLIPS:
        name = name_of("hop_ms" if settings.hop_ms else "window_ms")
        raise SettingsError(
            f"{name}={1000 * settings.hop_s:g}: makes {clips:,} clips of {count(len(recordings), 'recording')}, more "
            f"than the {MOST_CLIPS:,} that one command cuts; take a longer one, or fewer recordings"
        )


def _header(recording: Recording) -> tuple[float, int]:
    try:
        return header_duration_rate(recording.path)
    except (AudioError, OSError):  # named when it is cut
        return 0.0, 0
