"""Each of red, green, blue (and alpha) is an encoding or a constant, with strength, inversion, binarisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import SettingsError
from merger.pixels import byte, check_keys, check_sizes, luminance, partner, partner_name, scaled
from merger.spec import MergeSpec

__all__ = ["Channel", "Spec", "merge"]


@dataclass(frozen=True)
class Channel:
    """What one channel shows: the luminance of a picture, then binarised, then inverted, then weakened.

    Parameters
    ----------
    encoding : str
        The picture; empty: `constant`.
    constant : int
        0 to 255.
    strength : float
        0 to 1; values are multiplied by it and cut off as ``int`` does.
    invert : bool
        255 minus the value.
    binarise : int
        Values above this become 255, others 0; -1: left as they are.
    """

    encoding: str = ""
    constant: int = 0
    strength: float = 1.0
    invert: bool = False
    binarise: int = -1

    def to_json(self) -> Any:
        """The shortest way to say it in a study."""
        if not self.encoding:
            return self.constant
        said: dict[str, Any] = {"encoding": self.encoding, "strength": self.strength, "invert": self.invert}
        return said | ({} if self.binarise < 0 else {"binarise": self.binarise})


@dataclass(frozen=True)
class Spec(MergeSpec):
    """Three channels, or four with alpha.

    Parameters
    ----------
    of : tuple of Channel
        Red, green, blue and perhaps alpha.
    """

    of: tuple[Channel, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Spec:
        """Read ``of = ["gray", 0.25, {encoding = "waveform", invert = true, binarise = 100}]``.

        Raises
        ------
        SettingsError
            Not three or four channels, an unknown key, a value out of range, no encoding at all.
        """
        check_keys("channels", settings, ["of"])
        of = settings.get("of")
        if not isinstance(of, (list, tuple)) or len(of) not in (3, 4):
            raise SettingsError(f"of={of!r}: channels takes three (red, green, blue) or four (and alpha)")
        spec = cls(tuple(_channel(each) for each in of))
        if not spec.partners:
            raise SettingsError(f"of={of!r}: at least one channel must be an encoding")
        return spec

    @property
    def partners(self) -> tuple[str, ...]:
        """The encodings that it needs, each once."""
        return tuple(dict.fromkeys(c.encoding for c in self.of if c.encoding))

    def settings(self) -> dict[str, Any]:
        """All settings as JSON values, without `how`."""
        return {"of": [channel.to_json() for channel in self.of]}


def merge(pictures: Mapping[str, np.ndarray], spec: Spec) -> np.ndarray:
    """Merge the pictures of one clip.

    Parameters
    ----------
    pictures : mapping of str to ndarray of uint8, shape (H, W, 3)
        By encoding; all of one size.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W, 4)

    Raises
    ------
    ImageError
        A picture is missing, or sizes differ.

    Examples
    --------
    >>> spec = Spec.from_settings({"of": ["gray", 0.25, {"encoding": "gray", "invert": True}]})
    >>> merge({"gray": np.full((1, 1, 3), 200, np.uint8)}, spec).tolist()
    [[[200, 63, 55]]]
    """
    check_sizes(pictures, spec.partners, sides="both")
    size = pictures[spec.partners[0]].shape[:2]
    gray = {name: luminance(pictures[name]) for name in spec.partners}
    return np.stack([_values(channel, gray, size) for channel in spec.of], axis=-1)


def _values(channel: Channel, gray: Mapping[str, np.ndarray], size: tuple[int, ...]) -> np.ndarray:
    if not channel.encoding:
        return np.full(size, channel.constant, np.uint8)
    values = partner(gray, channel.encoding)
    if channel.binarise >= 0:
        values = np.where(values > channel.binarise, np.uint8(255), np.uint8(0))
    if channel.invert:
        values = 255 - values
    return scaled(values, channel.strength)


def _channel(value: Any) -> Channel:
    if isinstance(value, (int, float)):
        return Channel(constant=byte("of", value))
    if not isinstance(value, Mapping):
        return Channel(encoding=partner_name(value))
    check_keys("a channel", value, ["encoding", "strength", "invert", "binarise"])
    strength, invert, binarise = value.get("strength", 1.0), value.get("invert", False), value.get("binarise", False)
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength <= 1:
        raise SettingsError(f"strength={strength!r}: must be a number from 0 to 1")
    if not isinstance(invert, bool):
        raise SettingsError(f"invert={invert!r}: must be true or false")
    return Channel(
        encoding=partner_name(value.get("encoding")),
        strength=float(strength),
        invert=invert,
        binarise=-1 if binarise is False else byte("binarise", binarise),
    )
