"""Which encodings there are: ours, those of installed packages, those of plugin files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter import drawing
from converter.spec import Encoding
from harness.code_version import code_version
from harness.errors import SettingsError, did_you_mean
from harness.registry import Registry, defining_module
from harness.settings import Namer, plain
from harness.store import key_of

__all__ = [
    "ENCODINGS",
    "encoding_class",
    "encoding_code",
    "encoding_from_json",
    "encoding_warnings",
    "image_key",
    "image_version",
]

ENCODINGS: Registry[type[Encoding]] = Registry(
    "encoding", Encoding, package="converter.encodings", group="soundfold.encodings"
)


def encoding_class(name: Any, *, name_of: Namer = plain) -> type[Encoding]:
    """The class of an encoding.

    Raises
    ------
    SettingsError
        No such encoding.
    """
    if name not in ENCODINGS:
        raise SettingsError(
            f"{name_of('encoding')}={name!r}: no such encoding; {did_you_mean(str(name), ENCODINGS.names())}"
        )
    return ENCODINGS[name]


def encoding_from_json(value: Mapping[str, Any]) -> Encoding:
    """Read back what ``Encoding.to_json`` gave.

    Raises
    ------
    SettingsError
        No encoding named in it, one that is not known, or settings that it does not have.

    Examples
    --------
    >>> gray = encoding_class("gray")(n_mels=64)
    >>> encoding_from_json(gray.to_json()) == gray
    True
    """
    settings = dict(value)
    name = settings.pop("encoding", None)
    if not isinstance(name, str):
        raise SettingsError("spec: no 'encoding' in it; expected the JSON of an encoding")
    return encoding_class(name).read(settings)


def encoding_warnings(encodings: Mapping[str, Encoding]) -> tuple[str, ...]:
    """What a user of these encodings should know, a line each, with the names of those that it is about."""
    about: dict[str, list[str]] = {}
    for name, encoding in encodings.items():
        for line in encoding.warnings():
            about.setdefault(line, []).append(name)
    return tuple(f"{', '.join(names)}: {line}" for line, names in about.items())


def encoding_code(encoding: Encoding) -> str:
    """Version of all code that decides about the pixels of an encoding, 64 hex digits."""
    return code_version(defining_module(type(encoding)), drawing.__name__)


def image_version(encoding: Encoding) -> dict[str, str]:
    """What an encoding adds to the keys of its images, the same for all clips: its settings, the code that draws."""
    return {"spec": encoding.digest(), "code": encoding_code(encoding)}


def image_key(sound: str, version: Mapping[str, str]) -> str:
    """Key of an image in the store, from the sound's digest and :func:`image_version`."""
    return key_of(audio=sound, **version)
