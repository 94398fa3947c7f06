"""The source that a person names: a device, a sound file, or ``-`` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from harness import audio
from harness.errors import SettingsError
from harness.settings import Namer, plain
from harness.urls import url_of
from labeler.live.microphone import Microphone
from labeler.live.sources import FileSource, PcmSource, Source

__all__ = ["is_sound_file", "open_source"]


def open_source(
    given: str | Path | int, *, rate: int = 0, fast: bool = False, mono: bool = True, name_of: Namer = plain
) -> Source:
    """Open what a person names as the input.

    Parameters
    ----------
    given : str, path or int
        A device by its number or by part of its name, empty for the default one; a sound file; ``-`` for raw PCM on
        standard input.
    rate : int
        In Hz: of the raw PCM, or what a device is asked for; 0 for a device's own.
    fast : bool
        A file not in real time.
    mono : bool
        False: all channels of a file, for a model that draws them; a device and raw PCM have one.
    name_of : callable
        Gives a setting's name as the person wrote it, for messages.

    Raises
    ------
    SettingsError
        No such device and no such file, or an option that such an input does not have.
    AudioError
        It cannot be opened or read.
    """
    text = str(given)
    if url_of(text):
        raise SettingsError(f"{name_of('input')}={text}: sounds to label are local files; fetch it first")
    if text == "-":
        if sys.stdin.isatty():
            raise SettingsError(
                f"{name_of('input')}=-: standard input is a terminal; send raw PCM (mono, s16le) through a pipe"
            )
        if not rate:
            raise SettingsError(f"{name_of('rate')} is missing: raw PCM on standard input does not say its rate in Hz")
        return PcmSource(sys.stdin.fileno(), sr=rate)
    if not isinstance(given, int) and is_sound_file(given):
        if rate:
            raise SettingsError(f"{name_of('rate')}={rate}: {text} has its own rate; leave it out")
        return FileSource(Path(given).expanduser(), fast=fast, mono=mono)
    if fast:
        raise SettingsError(f"{name_of('fast')}: only a file can be heard faster than in real time")
    return Microphone(given if isinstance(given, int) else text, rate=rate, name_of=name_of)


def is_sound_file(given: str | Path | int) -> bool:
    """Whether a file is meant: by its type, by the ending of its name, or as it is there."""
    if isinstance(given, int) or not str(given):
        return False
    path = Path(given).expanduser()
    return isinstance(given, Path) or path.suffix.lower() in audio.SUFFIXES or path.is_file()
