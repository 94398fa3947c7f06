"""What an encoding can be told: the base of every spec, and the checks of single settings.

A spec is a frozen dataclass. Each field carries a check that returns the value in its one true form (so that
``power=2`` and ``power=2.0`` are one spec with one digest) or raises one clear line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from harness.errors import SettingsError, did_you_mean
from harness.files import digest_json

__all__ = [
    "Spec",
    "at_least",
    "colour",
    "colour_map",
    "one_of",
    "positive",
    "positive_int",
    "reference",
    "setting",
    "size",
]

Check = Callable[[str, Any], Any]
MAX_SIDE = 16384


def setting(default: Any, check: Check) -> Any:
    """Make a dataclass field with its check."""
    return field(default=default, metadata={"check": check})


def positive_int(name: str, value: Any) -> int:
    """A whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value < 1 or value % 1:
        raise SettingsError(f"{name}={value!r}: must be a positive integer")
    return int(value)


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    if not _is_number(value) or value <= 0:
        raise SettingsError(f"{name}={value!r}: must be a number above 0")
    return float(value)


def at_least(lowest: float, whole: bool = False) -> Check:
    """A check for a finite number not below `lowest`."""

    def check(name: str, value: Any) -> float:
        if not _is_number(value) or value < lowest or (whole and value % 1):
            kind = "an integer" if whole else "a number"
            raise SettingsError(f"{name}={value!r}: must be {kind} of {lowest:g} or more")
        return int(value) if whole else float(value)

    return check


def one_of(*allowed: str) -> Check:
    """A check for one of a few words."""

    def check(name: str, value: Any) -> str:
        if value not in allowed:
            raise SettingsError(f"{name}={value!r}: {did_you_mean(str(value), allowed)}")
        return str(value)

    return check


def size(name: str, value: Any) -> tuple[int, int]:
    """Height and width of a picture in pixels."""
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise SettingsError(f"{name}={value!r}: must be [height, width] in pixels")
    height, width = (positive_int(name, side) for side in value)
    if max(height, width) > MAX_SIDE:
        raise SettingsError(f"{name}=[{height}, {width}]: no side may be above {MAX_SIDE} pixels")
    return height, width


def reference(name: str, value: Any) -> str | float:
    """``"max"`` (the clip's own maximum), ``"corpus"`` (that of all clips), or an absolute value above 0."""
    if value in ("max", "corpus"):
        return str(value)
    if not _is_number(value) or value <= 0:
        raise SettingsError(f'{name}={value!r}: must be "max", "corpus" or a number above 0')
    return float(value)


def colour_map(name: str, value: Any) -> str:
    """Name of a matplotlib colour map."""
    from matplotlib import colormaps

    if not isinstance(value, str) or value not in colormaps:
        raise SettingsError(f"{name}={value!r}: no such colour map; {_few(str(value), list(colormaps))}")
    return value


def colour(name: str, value: Any) -> str:
    """A colour by its HTML name or as #rrggbb; kept as #rrggbb."""
    from PIL import ImageColor

    try:
        rgb = ImageColor.getrgb(value)[:3]
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsError(f"{name}={value!r}: must be a colour such as 'white' or '#1f77b4'") from error
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _few(name: str, available: list[str]) -> str:
    """Did-you-mean for a list too long to be printed."""
    from difflib import get_close_matches

    close = get_close_matches(name, available, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else "matplotlib's list has them, e.g. 'magma'"


@dataclass(frozen=True)
class Spec:
    """What every encoding can be told.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture in pixels.
    sample_rate : int
        Rate in Hz that the sound is brought to.
    duration_s : float
        Length in seconds that every clip is padded (with silence) or cropped to. 0: each clip as long as it is,
        stretched to the width.
    pad : str
        Where a shorter clip is padded, and what is cropped: ``end`` (silence after it; its start is kept), ``start``
        (silence before it; its end is kept), ``centre`` (both sides; its middle is kept), ``repeat`` (again and
        again until full; its start is kept).

    Raises
    ------
    SettingsError
        A value out of range.
    """

    size: tuple[int, int] = setting((224, 224), size)
    sample_rate: int = setting(22050, positive_int)
    duration_s: float = setting(0.0, at_least(0))
    pad: str = setting("end", one_of("end", "start", "centre", "repeat"))

    def __post_init__(self) -> None:
        """Check every field, then all together."""
        for each in fields(self):
            object.__setattr__(self, each.name, each.metadata["check"](each.name, getattr(self, each.name)))
        self.check()

    def check(self) -> None:
        """Check what concerns several settings at once."""
        if self.duration_s and round(self.duration_s * self.sample_rate) < 1:
            raise SettingsError(f"duration_s={self.duration_s:g}: shorter than one sample at {self.sample_rate} Hz")

    @property
    def encoding(self) -> str:
        """Name of the encoding: that of the module which defines the spec."""
        return type(self).__module__.rpartition(".")[2]

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values, with the encoding's name; ``spec_from_json`` reads it back."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"encoding": self.encoding} | {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def digest(self) -> str:
        """sha256 over all settings, 64 hex digits."""
        return _digest(self)


@lru_cache(maxsize=256)
def _digest(spec: Spec) -> str:
    return digest_json(spec.to_json())
