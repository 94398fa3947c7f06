"""What was heard, as a sound file that is written while it is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from harness.errors import AudioError, SettingsError
from harness.files import atomic_path, write_bytes
from harness.settings import Namer, plain

__all__ = ["check_recording", "recording", "write_sound"]

_SUBTYPES = {".wav": ("PCM_16", "FLOAT"), ".flac": ("PCM_16", "PCM_24")}  # for samples of 16 bits, and for others
_WAV_BYTES = 2**32 - 2**16  # of samples


def check_recording(path: str | Path, *, name_of: Namer = plain) -> Path:
    """Make sure that a recording can go there; `name_of` gives a setting's name as the person wrote it.

    Raises
    ------
    SettingsError
        Another ending than ``.wav`` or ``.flac``, or a file that is there already.
    """
    path, name = Path(path).expanduser(), name_of("record")
    if path.suffix.lower() not in _SUBTYPES:
        raise SettingsError(f"{name}={path}: expected a name that ends in {' or '.join(_SUBTYPES)}")
    if path.exists():
        raise SettingsError(f"{name}={path}: is there already, and will not be overwritten; choose another name")
    return path


@contextmanager
def recording(path: Path, *, sr: int, bits: int, channels: int = 1) -> Iterator[Callable[[np.ndarray], None]]:
    """Open a recording; give a function that appends samples in [-1, 1], float32 (samples,) or (samples, channels).

    The file appears under its name when it is closed: at the end, after an interruption and after any error, with what
    was heard until then.

    Parameters
    ----------
    path : path
        ``.wav`` or ``.flac``.
    sr : int
        In Hz.
    bits, channels : int
        As :class:`labeler.live.sources.Source` says; 16 bits are written without loss.
    """
    failure: BaseException | None = None
    with atomic_path(path) as part, _opened(str(part), path, sr, bits, channels) as file:

        def append(y: np.ndarray) -> None:
            if path.suffix.lower() == ".wav" and file.tell() * channels * (2 if bits == 16 else 4) > _WAV_BYTES:
                raise SettingsError(f"{path}: a wav file holds 4 GB, and this one is full; record as .flac")
            try:
                file.write(_as_written(y, bits))
            except (soundfile.SoundFileError, AssertionError) as error:  # the latter where it wrote only a part
                raise AudioError(f"{path}: cannot be written ({error}); is the disk full?") from error

        try:
            yield append
        except BaseException as error:  # what was heard is there all the same
            failure = error
    if failure is not None:
        raise failure


def write_sound(path: Path, y: np.ndarray, *, sr: int, bits: int) -> None:
    """Write samples in [-1, 1], float32 (samples,) or (samples, channels), as a wav file without loss.

    Parameters as :func:`recording`.
    """
    data = BytesIO()  # libsndfile would not say that a disk is full
    with _opened(data, path, sr, bits, 1 if y.ndim == 1 else y.shape[1]) as file:
        file.write(_as_written(y, bits))
    write_bytes(path, data.getvalue())


def _opened(target: str | BytesIO, path: Path, sr: int, bits: int, channels: int) -> soundfile.SoundFile:
    suffix = path.suffix.lower()
    subtype = _SUBTYPES[suffix][0 if bits == 16 else 1]
    return soundfile.SoundFile(
        target, "w", samplerate=sr, channels=channels, subtype=subtype, format=suffix[1:].upper()
    )


def _as_written(y: np.ndarray, bits: int) -> np.ndarray:
    """Samples of 16 bits as the whole numbers that they were."""
    if bits == 32:
        return y
    return np.clip(np.rint(y * np.float32(32768)), -32768, 32767).astype(np.int16)
