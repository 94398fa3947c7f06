"""Settings files: the eight settings of a mel spectrogram as RealtimeAudioClassification has them, read and written.

One line of keys and one of values, as ``SpectrumVariables.csv`` there::

    RESOLUTION,SAMPLE_RATE,N_FFT,N_MELS,HOP_LENGTH,FMIN,FMAX,POWER
    224,22500,1024,224,64,10,11250,2

``RESOLUTION`` is height and width of a square image in pixels. A pickled dictionary of the same keys, as older versions
of that project wrote (``.SpecVar``), is read as well; see :mod:`converter.pickled_settings`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.pickled_settings import is_pickle, read_pickled_settings
from converter.spectrogram import MelSpectrogram
from harness.errors import SettingsError, did_you_mean
from harness.files import open_regular, write_text
from harness.settings import is_number, positive_int

__all__ = ["SETTINGS_KEYS", "common_settings", "read_settings", "write_settings"]

SETTINGS_KEYS = {
    "RESOLUTION": "size",
    "SAMPLE_RATE": "sample_rate",
    "N_FFT": "n_fft",
    "N_MELS": "n_mels",
    "HOP_LENGTH": "hop_length",
    "FMIN": "fmin",
    "FMAX": "fmax",
    "POWER": "power",
}
"""The keys of a settings file, with the settings of an encoding that they stand for."""

_KEY_OF = {name: key for key, name in SETTINGS_KEYS.items()}
_LARGEST = 1 << 16  # bytes; the files have a hundred


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a settings file, CSV or pickled.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        ``size`` (height and width in pixels), ``sample_rate`` (Hz), ``n_fft`` and ``hop_length`` (samples), ``n_mels``,
        ``fmin`` and ``fmax`` (Hz), ``power``: ``LogMel(**read_settings("spectrum.csv"))``.

    Raises
    ------
    SettingsError
        Not such a file, a key that is missing or not known, a value out of range, FMAX above half of SAMPLE_RATE.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    if len(data) > _LARGEST:
        raise SettingsError(f"{path}: has more than {_LARGEST:,} bytes, expected a settings file of eight keys")
    cells = read_pickled_settings(data, name=str(path)) if is_pickle(data) else _csv_cells(data, path)
    for key in cells:
        if key not in SETTINGS_KEYS:
            raise SettingsError(f"{path}: {key[:50]!r}: no such key; {did_you_mean(key, SETTINGS_KEYS)}")
    missing = [key for key in SETTINGS_KEYS if key not in cells]
    if missing:
        raise SettingsError(f"{path}: {', '.join(missing)} missing; expected {', '.join(SETTINGS_KEYS)}")
    values: dict[str, Any] = {SETTINGS_KEYS[key]: _number(cells[key], key, path) for key in SETTINGS_KEYS}
    values["size"] = [_resolution(values["size"], path)] * 2
    read = MelSpectrogram.read(values, name_of=setting_in_file(path))
    return {name: getattr(read, name) for name in SETTINGS_KEYS.values()}


def setting_in_file(path: str | Path) -> Any:
    """How a settings file names a setting, for messages.

    Examples
    --------
    >>> setting_in_file("spectrum.csv")("fmax")
    'spectrum.csv: FMAX'
    """
    return lambda name: f"{path}: {_KEY_OF.get(name, name)}"


def write_settings(path: str | Path, settings: Mapping[str, Any] | MelSpectrogram) -> None:
    """Write the eight settings as a CSV file, which :func:`read_settings` reads; other settings are not in it.

    Parameters
    ----------
    path : path
    settings : MelSpectrogram or mapping
        An encoding such as ``LogMel(n_mels=64)``, or its settings by name; those that a mapping lacks are the defaults.
        ``fmax = 0`` is written as the number that it stands for, half the rate.

    Raises
    ------
    SettingsError
        An image that is not square, a value out of range.
    """
    if isinstance(settings, Mapping):
        settings = MelSpectrogram.read(settings)
    height, width = settings.size
    if height != width or not height:
        raise SettingsError(f"size={list(settings.size)}: a settings file has one RESOLUTION, for a square image")
    values = {name: getattr(settings, name) for name in SETTINGS_KEYS.values()}
    values |= {"size": height, "fmax": settings.highest_hz}
    cells = [f"{value:.17g}" if value % 1 else str(int(value)) for value in values.values()]
    write_text(path, f"{','.join(SETTINGS_KEYS)}\n{','.join(cells)}\n")


def common_settings(encodings: Mapping[str, Any]) -> dict[str, Any]:
    """The eight settings of several encodings, for :func:`write_settings`.

    Parameters
    ----------
    encodings : mapping of str to Encoding
        By name; those that lack one of the eight, as ``waveform`` does, do not count.

    Raises
    ------
    SettingsError
        None of them has all eight, or two differ in one.
    """
    known = {name: each for name, each in encodings.items() if isinstance(each, MelSpectrogram)}
    if not known:
        raise SettingsError(
            f"encodings {', '.join(encodings)}: none is a mel spectrogram, which has all eight settings"
        )
    first = next(iter(known))
    for name, encoding in known.items():
        for setting in SETTINGS_KEYS.values():
            if getattr(encoding, setting) != getattr(known[first], setting):
                raise SettingsError(
                    f"encodings {first!r} and {name!r} differ in {setting}: a settings file has one for all"
                )
    return {setting: getattr(known[first], setting) for setting in SETTINGS_KEYS.values()}


def _csv_cells(data: bytes, path: str | Path) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        delimiter = ";" if ";" in text.partition("\n")[0] else ","
        lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter, strict=True) if any(line)]
    except (UnicodeDecodeError, csv.Error):
        raise SettingsError(f"{path}: neither a CSV file nor a pickled dictionary of the eight keys") from None
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        raise SettingsError(f"{path}: expected one line of keys ({', '.join(SETTINGS_KEYS)}) and one of as many values")
    keys = [key.strip() for key in lines[0]]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise SettingsError(f"{path}: {twice[0][:50]!r}: is there twice")
    return dict(zip(keys, lines[1], strict=True))


def _number(cell: int | float | str, key: str, path: str | Path) -> int | float:
    """A cell as a number, whole where it is written so."""
    value: int | float = math.nan
    try:
        number = float(cell)
        value = int(number) if number.is_integer() else number
    except (ValueError, OverflowError):
        pass
    if not is_number(value) or isinstance(cell, bool):
        raise SettingsError(f"{path}: {key}={str(cell)[:50]!r}: must be a number")
    return value


def _resolution(value: float, path: str | Path) -> int:
    try:
        return positive_int(value)
    except ValueError as error:
        raise SettingsError(f"{path}: RESOLUTION={value}: {error}, height and width of the image") from None
