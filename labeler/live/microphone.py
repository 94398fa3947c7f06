"""The microphone, by PyAudio (the extra ``mic``).

PortAudio and the libraries below it (ALSA, JACK) write dozens of lines to stderr whenever they look for devices; they
are held back, and what a person can do something about is said in one line.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from harness.errors import AudioError, SettingsError
from harness.native_stderr import LineFilter, stderr_held_back
from harness.settings import Namer, plain
from labeler.live.sources import Block

__all__ = ["Device", "Microphone", "devices"]

_PERIOD_S = 0.05  # of PortAudio, whose buffer holds four of them
_LEAST_S = 0.01  # read at a time
_LOOK_S = 0.004
_PATIENCE_S = 3.0
_OVERFLOWED, _BAD_RATE, _BAD_CHANNELS, _BUSY = -9981, -9997, -9998, -9985  # PortAudio's errors
_NOISE = rb"ALSA lib |Expression '|Cannot connect to server|jack server|Jack|\s*$"  # of the libraries
_LIST = "`soundfold listen --devices` lists what there is"
_OTHERS = "--input FILE and --input - need none"


class Device(NamedTuple):
    """A device that records: number, name, own rate in Hz, and whether it is the default one."""

    number: int
    name: str
    sr: int
    default: bool = False


def devices() -> list[Device]:
    """All devices that record.

    Raises
    ------
    AudioError
        PyAudio is not there.
    """
    with stderr_held_back():
        audio = _import_pyaudio().PyAudio()
        try:
            return _devices(audio)
        finally:
            audio.terminate()


class Microphone:
    """A device that records: mono, 16 bits.

    Parameters
    ----------
    device : int or str
        Its number, or part of its name; empty for the default one.
    rate : int
        In Hz; 0 for the device's own.
    name_of : callable
        Gives a setting's name as the person wrote it, for messages.

    Raises
    ------
    AudioError
        PyAudio is not there, or the device cannot be opened.
    SettingsError
        No such device, several of that name, or a rate that it does not have.
    """

    bits = 16
    channels = 1

    def __init__(self, device: int | str = "", *, rate: int = 0, name_of: Namer = plain) -> None:
        pyaudio = _import_pyaudio()
        self._name_of = name_of
        with stderr_held_back():
            self._audio: Any = pyaudio.PyAudio()
        try:
            found = _find(_devices(self._audio), device, name_of("input"))
            self.name, self.sr = f"microphone {found.name!r}", rate or found.sr
            self._stream = self._opened(found, pyaudio.paInt16)
        except BaseException:
            self._audio.terminate()
            raise
        self._quiet = LineFilter(_NOISE)
        self._begun, self._heard_at, self._samples = False, 0.0, 0

    def read(self) -> Block | None:
        """See :meth:`labeler.live.sources.Source.read`; a device has no end.

        Raises
        ------
        AudioError
            The device was lost.
        """
        try:
            if not self._begun:
                with self._quiet:
                    self._stream.start_stream()
                self._begun, self._heard_at = True, time.monotonic()
            data, lost = self._recorded()
        except OSError as error:
            raise self._lost(_text(error)) from error
        self._samples += len(data) // 2
        return Block(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), lost)

    def close(self) -> None:
        """See :meth:`labeler.live.sources.Source.close`."""
        with stderr_held_back():
            with suppress(OSError):  # a device that is not there any more
                self._stream.close()
            self._audio.terminate()

    def _recorded(self) -> tuple[bytes, float]:
        """The next samples, and the seconds that are missing before them."""
        lost = 0.0
        while True:
            count = self._available()
            try:
                with self._quiet:
                    data: bytes = self._stream.read(count)
            except OSError as error:
                if _number(error) != _OVERFLOWED:
                    raise
                lost += time.monotonic() - self._heard_at  # what came since then was dropped, with this block
                self._heard_at = time.monotonic()
            else:
                self._heard_at = time.monotonic()
                return data, lost

    def _available(self) -> int:
        """Wait until there is something to read; how many samples can be read at once, so that reading never waits."""
        least, most = max(1, round(_LEAST_S * self.sr)), max(1, round(_PERIOD_S * self.sr))
        since = time.monotonic()
        while True:
            with self._quiet:
                count: int = self._stream.get_read_available()
            if count >= least:
                return min(count, most)
            if count < 0 and count != _OVERFLOWED:  # which the next read says again
                raise OSError(count, f"error {count} of PortAudio")
            if time.monotonic() - since > _PATIENCE_S:
                raise self._lost(f"no samples for {_PATIENCE_S:g} s")
            time.sleep(_LOOK_S)

    def _opened(self, found: Device, format: int) -> Any:
        """The device's stream, which does not run yet."""
        with stderr_held_back():
            try:
                return self._audio.open(
                    format=format, channels=1, rate=self.sr, input=True, start=False,
                    input_device_index=found.number, frames_per_buffer=max(1, round(_PERIOD_S * self.sr)),
                )  # fmt: skip
            except OSError as error:
                failure = error
        raise self._not_opened(failure, found)

    def _lost(self, why: str) -> AudioError:
        return AudioError(
            f"{self.name}: was lost after {self._samples / self.sr:.1f} s ({why}); is it still connected?"
        )

    def _not_opened(self, error: OSError, found: Device) -> Exception:
        number = _number(error)
        if number == _BAD_RATE:
            return SettingsError(
                f"{self._name_of('rate')}={self.sr}: {self.name} does not record at that; its own is {found.sr} Hz"
            )
        if number == _BAD_CHANNELS:
            return AudioError(f"{self.name}: does not give a single channel; choose another one, {_LIST}")
        busy = "; another program may be using it" if number == _BUSY else ""
        return AudioError(f"{self.name}: cannot be opened ({_text(error)}){busy}; {_LIST}")


def _import_pyaudio() -> Any:
    try:
        import pyaudio  # installed only with the extra `mic`
    except ImportError as error:
        why = "is not installed" if getattr(error, "name", "") == "pyaudio" else f"cannot be loaded ({error})"
        raise AudioError(
            f"the microphone needs PyAudio, which {why}: pip install 'soundfold[mic]' (on Debian and Ubuntu after "
            f"apt-get install portaudio19-dev gcc); {_OTHERS}"
        ) from None
    return pyaudio


def _devices(audio: Any) -> list[Device]:
    try:
        default = int(audio.get_default_input_device_info()["index"])
    except OSError:
        default = -1
    infos = [audio.get_device_info_by_index(number) for number in range(audio.get_device_count())]
    return [
        Device(int(each["index"]), str(each["name"]), round(each["defaultSampleRate"]), each["index"] == default)
        for each in infos
        if each["maxInputChannels"] > 0
    ]


def _find(found: list[Device], wanted: int | str, name: str) -> Device:
    """The device that is meant."""
    if not found:
        raise AudioError(f"no microphone: the system knows no device that records; {_OTHERS}")
    named = ", ".join(f"{each.number} {each.name!r}" for each in found)
    if wanted == "" and not any(each.default for each in found):
        raise AudioError(f"no microphone: none is the system's default; choose one by {name}: {named}")
    if isinstance(wanted, int) or wanted.isdecimal():
        some = [each for each in found if each.number == int(wanted)]
    elif wanted:
        exact = [each for each in found if each.name == wanted]
        some = exact or [each for each in found if wanted.lower() in each.name.lower()]
    else:
        some = [each for each in found if each.default]
    if len(some) != 1:
        what = "several devices have that in their names" if some else "no such file, and no device of that name"
        raise SettingsError(f"{name}={wanted}: {what}; available: {named}")
    return some[0]


def _number(error: OSError) -> int:
    return next((each for each in error.args if isinstance(each, int)), 0)


def _text(error: OSError) -> str:
    return next((" ".join(each.split()) for each in error.args if isinstance(each, str)), "unknown reason")
