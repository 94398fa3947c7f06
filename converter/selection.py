"""The encodings that a study's ``[convert]`` table, or a command line, asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from converter.presets import PRESETS
from converter.registry import ENCODINGS, encoding_class
from converter.settings_file import read_settings, setting_in_file
from converter.spec import EXACT, Encoding
from harness.errors import SettingsError, did_you_mean
from harness.files import is_plain_name
from harness.settings import Namer, in_section
from harness.toml import apply_settings

__all__ = ["DEFAULT", "encodings_from_options", "encodings_from_study", "preset_encodings"]

DEFAULT = ("linear", "logmel", "gray", "waveform")
"""The encodings of a study that names none."""


def encodings_from_study(
    table: Mapping[str, Any], *, name_of: Namer | None = None, other_keys: Sequence[str] = ()
) -> dict[str, Encoding]:
    """Make the encodings that a study's ``[convert]`` table asks for.

    Parameters
    ----------
    table : mapping
        ``encodings`` (default: :data:`DEFAULT`, or all of the preset), ``preset``, ``settings`` (a file with eight of
        them, see :mod:`converter.settings_file`; what the table says itself goes before the file), settings common to
        all encodings that have them, and a table per encoding of one's own: ``encoding`` (the one it is based on; its
        own name where that is one), ``preset`` (with which the common settings do not apply), ``settings``, settings.
    name_of : callable, optional
        How the common settings were written, for messages; default: as in ``[convert]``.
    other_keys : sequence of str
        Keys that somebody else has read; a misspelt one may have meant them.

    Returns
    -------
    dict of str to Encoding
        Those listed first, then those of one's own that are not listed.

    Raises
    ------
    SettingsError
        Naming the key and what it may have meant.
    """
    table, name_of = _with_file(table, name_of or in_section("convert"))
    own = {key: dict(value) for key, value in table.items() if isinstance(value, Mapping)}
    common = {k: v for k, v in table.items() if k not in own and k not in ("encodings", "preset")}
    preset = table.get("preset", "")
    listed = table.get("encodings", list(preset_encodings(preset, name_of=name_of)) if preset else list(DEFAULT))
    if not isinstance(listed, (list, tuple)) or not all(isinstance(name, str) for name in listed):
        raise SettingsError(f"{name_of('encodings')}={listed!r}: must be a list of names")
    made = {name: _from_study(name, own, common, preset, name_of) for name in dict.fromkeys([*listed, *own])}
    _check_common(common, made, name_of, other_keys)
    return made


def _with_file(table: Mapping[str, Any], name_of: Namer) -> tuple[dict[str, Any], Namer]:
    """A table with the settings of the file that it names laid under its own, and how all of them are written."""
    own = {key: value for key, value in table.items() if key != "settings"}
    file = table.get("settings", "")
    if not isinstance(file, str):
        raise SettingsError(f"{name_of('settings')}={file!r}: must be the path of a settings file")
    if not file:
        return own, name_of
    read, in_file = read_settings(file), setting_in_file(file)
    return {**read, **own}, lambda name: in_file(name) if name in read and name not in own else name_of(name)


def encodings_from_options(
    encodings: Sequence[str], *, preset: str = "", size: str = "", settings: str = "", pairs: Sequence[str] = ()
) -> dict[str, Encoding]:
    """Make encodings from ``--encoding``, ``--preset``, ``--size``, ``--settings`` and ``--set``.

    Examples
    --------
    >>> encodings_from_options(["gray"], size="64x32", pairs=["n_mels=32"])["gray"].size
    (64, 32)
    """
    table = apply_settings({}, list(pairs))
    if size.strip() == EXACT:
        table["size"] = EXACT
    elif size:
        lengths = re.fullmatch(r"(\d+)[xX](\d+)", size.strip())
        if not lengths:
            raise SettingsError(f"--size {size!r}: expected HEIGHTxWIDTH, e.g. 224x224, or {EXACT}")
        table["size"] = [int(length) for length in lengths.groups()]
    if encodings:
        table["encodings"] = list(encodings)
    if preset:
        table["preset"] = preset
    if settings:
        table["settings"] = settings
    options = {"encodings": "--encoding", **{name: f"--{name}" for name in ("size", "encoding", "preset", "settings")}}
    return encodings_from_study(table, name_of=lambda name: options.get(name, f"--set {name}"))


def preset_encodings(name: Any, *, name_of: Namer = str) -> dict[str, Encoding]:
    """The encodings of a preset, by the name that their images go under.

    Raises
    ------
    SettingsError
        No such preset.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise SettingsError(f"{name_of('preset')}={name!r}: no such preset; {did_you_mean(str(name), PRESETS)}")
    return {under: encoding_class(encoding)(**settings) for under, (encoding, settings) in PRESETS[name].items()}


def _check_common(
    common: Mapping[str, Any], made: Mapping[str, Encoding], name_of: Namer, other_keys: Sequence[str]
) -> None:
    """Refuse a common setting that no encoding has, be it one of those that were asked for or another."""
    asked = {field for encoding in made.values() for field in type(encoding).model_fields}
    if set(common) <= asked:
        return
    known = asked | {field for name in ENCODINGS for field in ENCODINGS[name].model_fields}
    for key in common:
        if key not in known:
            hint = did_you_mean(key, known | {"encodings", "preset", "settings", *other_keys})
            raise SettingsError(f"{name_of(key)}: no such setting; {hint}")


def _from_study(
    name: str, own: Mapping[str, dict[str, Any]], common: Mapping[str, Any], preset: str, common_name: Namer
) -> Encoding:
    if not is_plain_name(name):
        raise SettingsError(
            f"{common_name('encodings')}: {name!r}: a name has letters, digits, '_', '-' and '.', at most 100"
        )
    settings, own_name = dict(own.get(name, {})), common_name
    if name in own:
        settings, own_name = _with_file(settings, in_section(f"convert.{name}"))
    own_preset = settings.pop("preset", "")
    if "encoding" in settings:
        where = f"{own_name('encoding')}={settings['encoding']!r}"
    else:
        where = f"[convert.{name}]" if name in own else f"{common_name('encodings')}: {name!r}"
    base = str(settings.pop("encoding", name))
    start: dict[str, Any] = {}
    if own_preset or preset:
        encodings = preset_encodings(own_preset or preset, name_of=own_name if own_preset else common_name)
        if base not in encodings:
            hint = did_you_mean(base, encodings)
            raise SettingsError(f"{where}: preset {own_preset or preset!r} has none of that name; {hint}")
        cls, start = type(encodings[base]), dict(encodings[base])
    elif base in ENCODINGS:
        cls = ENCODINGS[base]
    else:
        hint = did_you_mean(base, ENCODINGS.names() if name in own else [*ENCODINGS.names(), *own])
        raise SettingsError(f"{where}: no such encoding; {hint}")
    shared = {} if own_preset else {key: value for key, value in common.items() if key in cls.model_fields}
    return cls.read(start | shared | settings, name_of=lambda key: (own_name if key in settings else common_name)(key))
