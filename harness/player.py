"""A player for a page or a notebook: a short, compressed copy of a sound that is in the page itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import audio
from harness.errors import SettingsError
from harness.excerpts import MEDIA_TYPE, excerpt

__all__ = ["Player", "play"]


@dataclass(frozen=True, repr=False)
class Player:
    """A sound that a notebook plays: the last value of a cell, or what ``display`` is given.

    Parameters
    ----------
    data : bytes
        Opus in WebM.
    autoplay : bool
        Whether it sounds by itself when it is shown; a browser may wait until something on the page was clicked.
    """

    data: bytes
    autoplay: bool = False

    def _repr_html_(self) -> str:
        """The HTML element that a notebook shows."""
        source = f"data:{MEDIA_TYPE};base64,{base64.b64encode(self.data).decode()}"
        return f'<audio controls{" autoplay" if self.autoplay else ""} src="{source}"></audio>'

    def __repr__(self) -> str:
        return f"Player({len(self.data)} bytes)"


def play(
    source: str | Path | np.ndarray, *, sr: int | None = None, seconds: float = 10.0, autoplay: bool = False
) -> Player:
    """Give a notebook a sound to play, small enough to be saved with it.

    Parameters
    ----------
    source : path, or array of float, shape (samples,)
        Any sound that :mod:`harness.audio` reads, or mono samples in [-1, 1].
    sr : int, optional
        Rate of the samples in Hz; not for a file.
    seconds : float
        Of a longer sound the loudest part of this length.
    autoplay : bool
        Play it at once.

    Raises
    ------
    AudioError
        The file cannot be read.
    SettingsError
        Samples without their rate, or no length.

    Examples
    --------
    >>> play(np.sin(np.arange(8000) / 3), sr=8000)._repr_html_()[:23]
    '<audio controls src="da'
    """
    if not seconds > 0:
        raise SettingsError(f"seconds={seconds:g}: must be above 0")
    if isinstance(source, (str, Path)):
        if sr is not None:
            raise SettingsError(f"sr={sr!r}: the rate of a file is read from it; leave sr out")
        y, rate = audio.read(source)
    else:
        y = np.asarray(source, np.float32)
        if sr is None:
            raise SettingsError("sr is missing: samples need their rate in Hz, play(y, sr=22050)")
        if y.ndim != 1 or not y.size or not np.isfinite(y).all():
            raise SettingsError(f"source has shape {y.shape}: expected mono samples, at least one, all finite")
        rate = sr
    return Player(excerpt(y, rate, seconds=seconds), autoplay)
