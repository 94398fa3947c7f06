"""What a person says of a time of listening, and listening by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from harness.model import ModelCard
from harness.settings import Count, Namer, Settings, at_least, plain
from labeler.card_encodings import draws_all_channels
from labeler.live.listening import Heard, Listener, listen_to
from labeler.live.opening import open_source
from labeler.live.recording import check_recording, recording
from labeler.live.smoothing import LiveSmoother
from labeler.live.sources import Source
from labeler.scanning import Windows, windows_for
from labeler.smoothing import Smoothing, check_span

if TYPE_CHECKING:  # which offers `listen` as a method
    from labeler.loading import Model

__all__ = ["ListenSettings", "Listening", "listen", "live_windows", "opened", "smoother_of"]

_USUAL_HOP_S = 1.0
_Seconds = Annotated[float, PlainValidator(at_least(0))]


class ListenSettings(Settings):
    """What is listened to, and how it is cut and written.

    Parameters
    ----------
    input : str, int or path
        A device, a file or standard input: see :func:`labeler.live.opening.open_source`.
    seconds : float
        Of sound, then it ends; 0: for ever, or to the end of a file.
    window, hop : float
        In seconds. 0: the longest training clip; the window, but at most one second.
    rate : int
        In Hz; see :func:`labeler.live.opening.open_source`.
    fast : bool
        A file not in real time.
    smoothing : str
        See :class:`labeler.live.smoothing.LiveSmoother`.
    smoothing_s : float
        Seconds that a mean or a median goes over; 0: three windows.
    record : path, optional
        A ``.wav`` or ``.flac`` file for what is heard.
    """

    input: str | int | Path = ""
    seconds: _Seconds = 0.0
    window: _Seconds = 0.0
    hop: _Seconds = 0.0
    rate: Count = 0
    fast: bool = False
    smoothing: Smoothing = "none"
    smoothing_s: _Seconds = 0.0
    record: str | Path | None = None

    @model_validator(mode="after")
    def _check_span(self) -> Self:
        check_span(self.smoothing, self.smoothing_s)
        return self


class Listening(NamedTuple):
    """A source that is open, and the windows that it will be cut into."""

    source: Source
    windows: Windows
    listeners: list[Listener]


def live_windows(card: ModelCard, settings: ListenSettings) -> Windows:
    """The windows of a model for live sound; errors as :func:`labeler.scanning.windows_for`."""
    windows = windows_for(card, window=settings.window, hop=settings.hop)
    return windows if settings.hop else Windows(windows.length_s, min(windows.length_s, _USUAL_HOP_S))


def smoother_of(settings: ListenSettings, windows: Windows) -> LiveSmoother:
    """What smooths the scores of such windows."""
    return LiveSmoother(
        settings.smoothing, max(1, round(settings.smoothing_s / windows.hop_s)) if settings.smoothing_s else 0
    )


@contextmanager
def opened(model: Model, settings: ListenSettings, *, name_of: Namer = plain) -> Iterator[Listening]:
    """Check everything, then open the source, and the recording where one is wanted.

    Parameters
    ----------
    model : Model
    settings : ListenSettings
    name_of : callable
        Gives a setting's name as the person wrote it, for messages.

    Raises
    ------
    AudioError, SettingsError
        As :func:`labeler.live.opening.open_source`; a recording that cannot go there; no such windows.
    """
    windows = live_windows(model.card, settings)
    target = check_recording(settings.record, name_of=name_of) if settings.record else None
    mono = not draws_all_channels(model.card)
    source = open_source(settings.input, rate=settings.rate, fast=settings.fast, mono=mono, name_of=name_of)
    with ExitStack() as stack:
        stack.callback(source.close)
        listeners: list[Listener] = []
        if target is not None:
            append = stack.enter_context(recording(target, sr=source.sr, bits=source.bits, channels=source.channels))
            listeners.append(_Recorder(append))
        yield Listening(source, windows, listeners)


def listen(model: Model, callback: Callable[[Heard], bool | None], settings: ListenSettings) -> None:
    """Listen, and call a function with each window; False ends the loop. Errors as :func:`opened`, and as
    :func:`labeler.live.listening.listen_to`.
    """
    with opened(model, settings) as (source, windows, listeners):
        everyone: Sequence[Listener] = [*listeners, _Caller(callback)]
        listen_to(model, source, windows, everyone, seconds=settings.seconds, smoother=smoother_of(settings, windows))


class _Recorder(Listener):
    def __init__(self, append: Callable[[np.ndarray], None]) -> None:
        self._append = append

    def sound(self, y: np.ndarray) -> None:
        self._append(y)


class _Caller(Listener):
    def __init__(self, callback: Callable[[Heard], bool | None]) -> None:
        self._callback = callback

    def heard(self, heard: Heard) -> bool | None:
        return self._callback(heard)
