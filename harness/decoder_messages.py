"""What decoders say of sound files: not on the terminal, but in warnings that name the file.

libmpg123 prints to stderr, FFmpeg calls PyAV's log. Worker processes collect what is said and hand it to the process
that they work for (:mod:`harness.parallel`).
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from harness.native_stderr import LineFilter

__all__ = ["QUIET_MPG123", "DecoderWarning", "FfmpegMessages", "collected_messages", "import_av", "pass_on"]

_MOST_NAMES = 3
_COLLECTOR: ContextVar[list[str] | None] = ContextVar("messages of decoders", default=None)
_MPG123 = rb"\s*$|Note: |Warning: |warning: Cannot read next header|\[[^]]*libmpg123"
_USUAL = re.compile("Estimating duration from bitrate|detected only with low score")  # of any bare AAC or AC-3
_PLACE = re.compile(r"^\[[^]]*\]\s*")


class DecoderWarning(UserWarning):
    """Something that a decoder has said of a sound file."""


@contextmanager
def collected_messages() -> Iterator[list[str]]:
    """Collect what decoders say in this thread, one line for each file, instead of warning of it."""
    messages: list[str] = []
    token = _COLLECTOR.set(messages)
    try:
        yield messages
    finally:
        _COLLECTOR.reset(token)


def pass_on(messages: Sequence[str]) -> None:
    """Warn of messages, each once; or add them to those that are collected."""
    collector = _COLLECTOR.get()
    for message in dict.fromkeys(messages):
        if collector is None:
            warnings.warn(message, DecoderWarning, stacklevel=2)
        elif message not in collector:
            collector.append(message)


def _of_mpg123(names: Sequence[str], lines: Sequence[bytes]) -> None:
    said = [_PLACE.sub("", line.decode("utf-8", "backslashreplace").strip()) for line in lines]
    _say(names, "libmpg123", [line for line in said if line])


def _say(names: Sequence[str], library: str, lines: Sequence[str]) -> None:
    """Pass on what was said of a file, or of one of several that were read at the same time."""
    if not lines:
        return
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    rest = f" or {len(names) - _MOST_NAMES} others" if len(names) > _MOST_NAMES else ""
    of = " or ".join(sorted(names)[:_MOST_NAMES]) + rest
    pass_on([f"{of}: {library} says: {' '.join(lines[0].split())[:200]}{more}"])


QUIET_MPG123 = LineFilter(_MPG123, _of_mpg123)
"""What libmpg123 prints is held back within ``QUIET_MPG123.of(path)``, and becomes a warning that names the file."""


def import_av() -> Any:
    """PyAV, which takes tens of milliseconds and is rarely needed."""
    import av  # see above

    return av


class FfmpegMessages:
    """What FFmpeg says of a file.

    Parameters
    ----------
    name : str
        The file.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take what FFmpeg says in this thread meanwhile; nothing else may read with FFmpeg there until it ends."""
        av = import_av()
        if av.logging.get_level() is None:  # PyAV passes on nothing; its decoders have no threads of their own here
            logging.getLogger("libav").addHandler(logging.NullHandler())  # or logging prints what nobody handles
            av.logging.set_level(av.logging.WARNING)
        with av.logging.Capture(local=True) as records:
            try:
                yield
            finally:
                self._lines += [
                    f"{part}: {text}" if part else text for _, part, text in records if not _USUAL.search(text)
                ]

    def say(self) -> None:
        """Warn of what was said."""
        _say([self._name], "FFmpeg", self._lines)
