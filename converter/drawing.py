"""Draw one clip: an array for a notebook or a model, PNG files for the converter."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.sound import Sound, as_sound
from converter.spec import Encoding
from converter.tiles import Tile
from harness import audio
from harness.errors import SettingsError

__all__ = ["draw", "draw_pixels", "draw_pngs"]


def draw(
    source: str | Path | np.ndarray | Sequence[float],
    encoding: Encoding,
    *,
    sr: int | None = None,
    start_s: float = math.nan,
    end_s: float = math.nan,
) -> np.ndarray:
    """Draw a sound, or a part of it, exactly as the converter does.

    Parameters
    ----------
    source : path, or array of float, shape (samples,)
        Any sound that :mod:`harness.audio` reads, or mono samples in [-1, 1].
    encoding : Encoding
        For instance ``LogMel(n_mels=64)``.
    sr : int
        Rate of the samples in Hz; needed for samples, not for a file.
    start_s, end_s : float
        The part of a file, in seconds; NaN for its own start and end.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    AudioError
        The file cannot be read, is empty, or holds NaN.
    SettingsError
        Samples without their rate, or something that is no encoding.

    Examples
    --------
    >>> from converter.encodings.gray import Gray
    >>> draw(np.sin(np.arange(22050) / 10), Gray(size=(100, 200)), sr=22050).shape
    (100, 200, 3)
    """
    if not isinstance(encoding, Encoding):
        raise SettingsError(f"encoding={encoding!r}: expected an encoding with its settings, for instance LogMel()")
    for line in encoding.warnings():  # Python shows a warning once
        warnings.warn(f"{encoding.name}: {line}", stacklevel=2)
    if isinstance(source, (str, Path)):
        if sr is not None:
            raise SettingsError(f"sr={sr!r}: the rate of a file is read from it; leave sr out")
        y, rate = audio.read(source, start_s=start_s, end_s=end_s, mono=not encoding.all_channels)
        return encoding.draw(y, sr=rate)
    if not isinstance(source, (np.ndarray, list, tuple)):
        raise SettingsError(
            f"source is a {type(source).__name__}: expected the path of a sound, or an array of samples"
        )
    if sr is None:
        raise SettingsError("sr is missing: samples need their rate in Hz, draw(y, encoding, sr=22050)")
    if not (math.isnan(start_s) and math.isnan(end_s)):
        raise SettingsError("start_s, end_s: are for files; take a part of the samples themselves")
    return encoding.draw(source, sr=sr)


def draw_pngs(
    path: str | Path, encodings: Sequence[Encoding | Tile], *, start_s: float, end_s: float, digest: str = ""
) -> Iterator[bytes]:
    """As :func:`draw_pixels`, a PNG for each encoding."""
    for spec, sound in _sounds(path, encodings, start_s=start_s, end_s=end_s, digest=digest):
        yield spec.png(sound)


def draw_pixels(
    path: str | Path, encodings: Sequence[Encoding | Tile], *, start_s: float, end_s: float, digest: str = ""
) -> Iterator[np.ndarray]:
    """Draw a clip with several encodings; it is read once, and they share what they can.

    Parameters
    ----------
    path : path
    encodings : sequence of Encoding or Tile
        Tiles are of this clip; those of one place should come one after the other, since only these share anything.
    start_s, end_s : float
        The part that is meant, in seconds; NaN for the file's own start and end.
    digest : str
        What :func:`harness.audio.digest` found before; empty: not compared.

    Yields
    ------
    ndarray of uint8, shape (H, W, 3)
        For each encoding, in their order.

    Raises
    ------
    AudioError
        The clip cannot be read, or has changed since its digest was found.
    """
    for spec, sound in _sounds(path, encodings, start_s=start_s, end_s=end_s, digest=digest):
        yield spec.checked(sound)


def _sounds(
    path: str | Path, encodings: Sequence[Encoding | Tile], *, start_s: float, end_s: float, digest: str
) -> Iterator[tuple[Encoding, Sound]]:
    """Each encoding, and the sound as it takes it; those that take the same share it."""
    parts = [each if isinstance(each, Tile) else None for each in encodings]
    specs = [each.encoding if isinstance(each, Tile) else each for each in encodings]
    every = any(spec.all_channels for spec in specs)
    y, sr = audio.read(path, start_s=start_s, end_s=end_s, digest=digest, mono=not every)
    mono = audio.to_mono(y)
    place: tuple[float, float] | None = None
    sounds: dict[tuple[Any, ...], Sound] = {}
    for tile, spec in zip(parts, specs, strict=True):
        if place != (own := (tile.start_s, tile.end_s) if tile else None):
            place, sounds = own, {}
        key = spec.sound_key()
        if key not in sounds:
            samples = y if spec.all_channels else mono
            sounds[key] = as_sound(tile.cut(samples, sr) if tile else samples, sr=sr, settings=spec)
        yield spec, sounds[key]
