"""Which encodings there are, and specs by name: from JSON, from a study's table."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.presets import PRESETS
from converter.spec import Spec
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_bytes

if TYPE_CHECKING:
    import numpy as np

    from converter.sound import Sound

__all__ = [
    "DEFAULT",
    "code_version",
    "describe",
    "encode",
    "encoding_names",
    "make_spec",
    "preset_specs",
    "spec_class",
    "spec_from_json",
    "specs_from_study",
]

DEFAULT = ("linear", "logmel", "gray", "waveform")
"""The encodings of a study that names none."""
_HERE = Path(__file__).parent
_SHARED = ("sound.py", "dsp.py", "spectrogram.py", "raster.py", "colour.py")
_HARNESS = ("audio.py", "image.py")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@lru_cache(maxsize=1)
def encoding_names() -> tuple[str, ...]:
    """The encodings that there are: the modules in ``converter/encodings``, sorted."""
    found = pkgutil.iter_modules([str(_HERE / "encodings")])
    return tuple(sorted(m.name for m in found if not m.name.startswith("_")))


def describe(name: str) -> str:
    """First line of an encoding's description."""
    return (_module(name).__doc__ or "").strip().partition("\n")[0]


def spec_class(name: str) -> type[Spec]:
    """The spec's class of an encoding.

    Raises
    ------
    SettingsError
        No such encoding.
    """
    found: type[Spec] = _module(name).Spec
    return found


def encode(y: np.ndarray | Sound, *, sr: int, spec: Spec) -> np.ndarray:
    """Draw a clip with the encoding that `spec` belongs to.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    draw: Callable[..., np.ndarray] = _module(spec.encoding).encode
    return draw(y, sr=sr, spec=spec)


def make_spec(name: str, settings: Mapping[str, Any] | None = None, *, where: str = "") -> Spec:
    """Make the spec of encoding `name`; settings left out have their defaults.

    Raises
    ------
    SettingsError
        No such encoding, no such setting, a value out of range; `where` is said before it.
    """
    try:
        cls, settings = spec_class(name), dict(settings or {})
        known = [f.name for f in fields(cls)]
        for key in settings:
            if key not in known:
                raise SettingsError(f"encoding {name!r} has no setting {key!r}; {did_you_mean(key, known)}")
        return cls(**settings)
    except SettingsError as error:
        raise SettingsError(f"{where}{error}") from None


def spec_from_json(value: Mapping[str, Any]) -> Spec:
    """Read back what ``spec.to_json()`` gave.

    Examples
    --------
    >>> spec = make_spec("gray", {"n_mels": 64})
    >>> spec_from_json(spec.to_json()) == spec
    True
    """
    settings = dict(value)
    name = settings.pop("encoding", None)
    if not isinstance(name, str):
        raise SettingsError("spec: no 'encoding' in it; expected the JSON of an encoding's spec")
    return make_spec(name, settings)


def specs_from_study(table: Mapping[str, Any]) -> dict[str, Spec]:
    """Make the specs that a study's ``[convert]`` table asks for.

    Parameters
    ----------
    table : mapping
        ``encodings`` (default: :data:`DEFAULT`, or all of the preset), ``preset``, settings common to all encodings
        that have them, and a table per encoding of one's own: ``encoding`` (the one it is based on; its own name
        where that is one), ``preset`` (with which the common settings do not apply), settings.

    Returns
    -------
    dict of str to Spec
        Those listed first, then those of one's own that are not listed.

    Raises
    ------
    SettingsError
        Naming the key and what it may have meant.
    """
    own = {key: dict(value) for key, value in table.items() if isinstance(value, Mapping)}
    common = {k: v for k, v in table.items() if k not in own and k not in ("encodings", "preset")}
    known = {f.name for name in encoding_names() for f in fields(spec_class(name))}
    for key in common:
        if key not in known:
            hint = did_you_mean(key, known | {"encodings", "preset"})
            raise SettingsError(f"[convert] {key}: no such setting; {hint}")
    preset = table.get("preset", "")
    listed = table.get("encodings", list(preset_specs(preset)) if preset else list(DEFAULT))
    if not isinstance(listed, (list, tuple)) or not all(isinstance(name, str) for name in listed):
        raise SettingsError(f"[convert] encodings={listed!r}: must be a list of names")
    return {name: _study_spec(name, own, common, preset) for name in dict.fromkeys([*listed, *own])}


@lru_cache(maxsize=64)
def code_version(name: str) -> str:
    """sha256 over the source of everything that decides about an encoding's pixels, 64 hex digits."""
    import harness

    floor = Path(str(harness.__file__)).parent
    files = [_HERE / "encodings" / f"{name}.py", *(_HERE / s for s in _SHARED), *(floor / h for h in _HARNESS)]
    return digest_bytes(b"\0".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files))


def preset_specs(name: str) -> dict[str, Spec]:
    """The specs of a preset, by the name that its pictures go under.

    Raises
    ------
    SettingsError
        No such preset.
    """
    if name not in PRESETS:
        raise SettingsError(f"preset={name!r}: no such preset; {did_you_mean(str(name), PRESETS)}")
    return {under: make_spec(encoding, settings) for under, (encoding, settings) in PRESETS[name].items()}


def _study_spec(name: str, own: Mapping[str, dict[str, Any]], common: Mapping[str, Any], preset: str) -> Spec:
    if not _NAME.fullmatch(name):
        raise SettingsError(f"[convert] {name!r}: an encoding's name has letters, digits, '_', '-' and '.' only")
    settings = dict(own.get(name, {}))
    where = f"[convert.{name}] " if name in own else "[convert] "
    own_preset = settings.pop("preset", "")
    base = settings.pop("encoding", name)
    if own_preset or preset:
        specs = preset_specs(own_preset or preset)
        if base not in specs:
            raise SettingsError(f"{where}preset {own_preset or preset!r} has no {base!r}; {did_you_mean(base, specs)}")
        start = specs[base].to_json()
        base = start.pop("encoding")
    else:
        if base not in encoding_names():
            hint = did_you_mean(str(base), [*encoding_names(), *own])
            raise SettingsError(f"{where}{base!r}: no such encoding; {hint}")
        start = {}
    has = {f.name for f in fields(spec_class(base))}
    shared = {} if own_preset else {k: v for k, v in common.items() if k in has}
    return make_spec(base, start | shared | settings, where=where)


def _module(name: str) -> Any:
    if name not in encoding_names():
        raise SettingsError(f"encoding={name!r}: no such encoding; {did_you_mean(str(name), encoding_names())}")
    return import_module(f"converter.encodings.{name}")
