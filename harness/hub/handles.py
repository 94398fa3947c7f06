"""Module handles: what they mean, where their files lie, what their publishers are known to expect.

Nothing here imports TensorFlow unless a ``https://`` handle must be fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModuleError, SettingsError, did_you_mean
from harness.files import digest_file, digest_json

__all__ = ["ModuleSpec", "Published", "folder_digest", "known_publisher", "locate", "parse"]

BUILTINS = ("builtin:scattering",)
_CAN_BE_HAD = (
    "without a network there are builtin:scattering, a local SavedModel folder, "
    "and handles fetched before (TFHUB_CACHE_DIR, ~/.cache/kagglehub, ~/.keras)"
)


@dataclass(frozen=True)
class ModuleSpec:
    """A module as a person gives it.

    Parameters
    ----------
    handle : str
        As given; stands so in every table.
    base : Path
        Folder that a relative path is relative to.
    image_size : tuple of int, optional
        (height, width) in pixels, where the module does not say.
    value_range : tuple of float, optional
        (black, white) that the module expects, where it is not (0, 1).
    sample_rate : int
        In Hz, for a waveform module of unknown publisher; 0: read from the publisher.
    """

    handle: str
    base: Path = Path()
    image_size: tuple[int, int] | None = None
    value_range: tuple[float, float] | None = None
    sample_rate: int = 0

    @property
    def kind(self) -> str:
        """``builtin``, ``keras``, ``kaggle``, ``url`` or ``folder``."""
        for prefix in ("builtin", "keras", "kaggle"):
            if self.handle.startswith(f"{prefix}:"):
                return prefix
        return "url" if re.match(r"(https?|gs)://", self.handle) else "folder"

    @property
    def name(self) -> str:
        """What follows the scheme, or the folder."""
        return self.handle.split(":", 1)[1] if self.kind in {"builtin", "keras", "kaggle"} else self.handle

    def overrides(self) -> dict[str, Any]:
        """What was given by hand, as JSON values."""
        return {
            "image_size": list(self.image_size) if self.image_size else None,
            "value_range": list(self.value_range) if self.value_range else None,
            "sample_rate": self.sample_rate,
        }


@dataclass(frozen=True)
class Published:
    """What is known of a module from its name alone."""

    pattern: str
    image_size: tuple[int, int] | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    sample_rate: int = 0


_PUBLISHERS = (
    Published(r"yamnet", sample_rate=16000),
    Published(r"vggish", sample_rate=16000),
    Published(r"trillsson|trill|nonsemantic-speech|speech_embedding|frill", sample_rate=16000),
    Published(r"perch|bird-vocalization-classifier", sample_rate=32000),
    Published(r"birdnet", sample_rate=48000),
    Published(r"humpback", sample_rate=10000),
    Published(r"inception_?v3|inception-v3|inception_resnet_v2|inception-resnet-v2|xception", (299, 299)),
    Published(r"nasnet(_|/|-)large|pnasnet", (331, 331)),
    Published(r"bit/(s|m|r)-r\d+", (224, 224)),
)


def parse(given: str | Mapping[str, Any], *, base: Path = Path()) -> ModuleSpec:
    """Read a module from a handle, or from a table with ``handle`` and what is given by hand.

    Parameters
    ----------
    given : str or mapping
        ``"builtin:scattering"``, or ``{handle = ..., image_size = [224, 224], value_range = [-1, 1],
        sample_rate = 16000}``.
    base : path
        Folder that relative paths are relative to.

    Raises
    ------
    SettingsError
        An unknown key, builtin or value.
    """
    table: dict[str, Any] = {"handle": given} if isinstance(given, str) else dict(given)
    known = ("handle", "image_size", "value_range", "sample_rate")
    for key in table:
        if key not in known:
            raise SettingsError(f"module setting {key!r} is not known; {did_you_mean(key, known)}")
    handle = str(table.get("handle", "")).strip()
    if not handle:
        raise SettingsError("a module needs a handle, e.g. builtin:scattering")
    if handle.startswith("builtin:") and handle not in BUILTINS:
        raise SettingsError(f"module {handle!r} is not known; {did_you_mean(handle, BUILTINS)}")
    size, values = _pair(table, "image_size", int), _pair(table, "value_range", (int, float))
    if size and min(size) < 1:
        raise SettingsError(f"image_size={list(size)}: height and width must be positive")
    if values and values[0] == values[1]:
        raise SettingsError(f"value_range={list(values)}: black and white must differ")
    rate = table.get("sample_rate", 0)
    if not _is(rate, int) or rate < 0:
        raise SettingsError(f"sample_rate={rate!r}: expected a rate in Hz, e.g. 16000")
    if handle.startswith("builtin:") and (size or values or rate):
        raise SettingsError(f"module {handle!r} is what it is; leave out image_size, value_range and sample_rate")
    if handle.startswith("keras:") and (values or rate):
        raise SettingsError(f"module {handle!r} knows its value_range and takes pictures; only image_size can be given")
    return ModuleSpec(handle, base, size, (float(values[0]), float(values[1])) if values else None, rate)


def _pair(table: Mapping[str, Any], key: str, kind: Any) -> Any:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(_is(v, kind) for v in value):
        raise SettingsError(f"{key}={value!r}: expected two {'whole ' if kind is int else ''}numbers")
    return tuple(value)


def _is(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def known_publisher(handle: str) -> Published | None:
    """What the handle's name tells, or None; of a folder's path its last two parts count, e.g. ``yamnet/1``."""
    if ModuleSpec(handle).kind == "folder":
        handle = "/".join(Path(handle).parts[-2:])
    for known in _PUBLISHERS:
        if re.search(known.pattern, handle, re.IGNORECASE):
            return known
    size = re.search(r"(?<!\d)(96|128|160|192|224|240|256|260|299|300|331|380|384|456|480|512|528|600)(?!\d)", handle)
    return Published(handle, (int(size[1]), int(size[1]))) if size else None


def locate(spec: ModuleSpec) -> Path:
    """Find the module's SavedModel folder, fetching it where the handle says so.

    Raises
    ------
    ModuleError
        It is not there, or cannot be fetched; the line names what can be had.
    """
    if spec.kind == "url":
        return _checked(_resolve_url(spec.handle), spec)
    if spec.kind == "kaggle":
        return _checked(_resolve_kaggle(spec), spec)
    return _checked(spec.base / Path(spec.handle).expanduser(), spec)


def _checked(path: Path, spec: ModuleSpec) -> Path:
    if not path.is_dir():
        raise ModuleError(f"module {spec.handle!r}: no such folder ({_CAN_BE_HAD})")
    if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ModuleError(f"module {spec.handle!r}: not a SavedModel, no saved_model.pb in the folder")
    return path


def _resolve_url(handle: str) -> Path:
    from harness.hub.tensorflow import import_tensorflow

    import_tensorflow()
    import tensorflow_hub

    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # urllib, tarfile, kagglehub and TensorFlow all have errors of their own
        raise ModuleError(f"module {handle!r} cannot be fetched ({_short(error)}); {_CAN_BE_HAD}") from error


def _resolve_kaggle(spec: ModuleSpec) -> Path:
    import kagglehub

    try:
        return Path(kagglehub.model_download(spec.name))
    except Exception as error:  # requests, kagglehub and zipfile all have errors of their own
        raise ModuleError(f"module {spec.handle!r} cannot be fetched ({_short(error)}); {_CAN_BE_HAD}") from error


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "resolve" in text or "not known" in text:
        return "no network: the host name cannot be resolved"
    return text[:160] or type(error).__name__


def folder_digest(folder: Path) -> str:
    """sha256 over names and bytes of a module's files; its fingerprint file does not count."""
    files = sorted(
        Path(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if name not in {"fingerprint.pb", ".DS_Store", "README.md"}
    )
    return digest_json([[f.relative_to(folder).as_posix(), digest_file(f)] for f in files])
