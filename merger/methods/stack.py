"""Pictures side by side: top to bottom, or left to right, any number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import SettingsError, did_you_mean
from merger.pixels import check_keys, check_sizes, partner_name
from merger.spec import MergeSpec

__all__ = ["Spec", "merge"]

_DIRECTIONS = ("vertical", "horizontal")


@dataclass(frozen=True)
class Spec(MergeSpec):
    """What is stacked, and how.

    Parameters
    ----------
    of : tuple of str
        Encodings, first at the top or at the left; one may stand there twice.
    direction : {"vertical", "horizontal"}
        Top to bottom, or left to right.
    """

    of: tuple[str, ...]
    direction: str = "vertical"

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Spec:
        """Read ``of = ["logmel", "waveform"]``, ``direction = "vertical"``.

        Raises
        ------
        SettingsError
            Fewer than two encodings, an unknown key or direction.
        """
        check_keys("stack", settings, ["of", "direction"])
        of, direction = settings.get("of"), settings.get("direction", "vertical")
        if not isinstance(of, (list, tuple)) or len(of) < 2:
            raise SettingsError(f"of={of!r}: stack takes two encodings or more")
        if direction not in _DIRECTIONS:
            raise SettingsError(f"direction={direction!r}: {did_you_mean(str(direction), _DIRECTIONS)}")
        return cls(tuple(partner_name(each) for each in of), direction)

    def settings(self) -> dict[str, Any]:
        """All settings as JSON values, without `how`."""
        return {"of": list(self.of), "direction": self.direction}


def merge(pictures: Mapping[str, np.ndarray], spec: Spec) -> np.ndarray:
    """Stack the pictures of one clip; each part equals its picture.

    Parameters
    ----------
    pictures : mapping of str to ndarray of uint8, shape (H, W, 3)
        By encoding; of one width where they are stacked top to bottom, of one height left to right.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (sum of H, W, 3) or (H, sum of W, 3)

    Raises
    ------
    ImageError
        A picture is missing, or they do not fit.
    """
    vertical = spec.direction == "vertical"
    check_sizes(pictures, spec.of, sides="width" if vertical else "height")
    return np.concatenate([pictures[name] for name in spec.of], axis=0 if vertical else 1)
