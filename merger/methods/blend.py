"""Weighted mean of pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import SettingsError
from merger.pixels import check_keys, check_sizes, partner_name
from merger.spec import MergeSpec

__all__ = ["Spec", "merge"]


@dataclass(frozen=True)
class Spec(MergeSpec):
    """What is blended, and with which weights.

    Parameters
    ----------
    of : tuple of str
        Encodings.
    weights : tuple of float
        One for each; not negative, not all 0. Only their ratios matter.
    """

    of: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Spec:
        """Read ``of = ["logmel", "waveform"]``, ``weights = [2, 1]`` (default: equal).

        Raises
        ------
        SettingsError
            Fewer than two encodings, an unknown key, weights that do not fit.
        """
        check_keys("blend", settings, ["of", "weights"])
        of = settings.get("of")
        if not isinstance(of, (list, tuple)) or len(of) < 2:
            raise SettingsError(f"of={of!r}: blend takes two encodings or more")
        weights = settings.get("weights", [1.0] * len(of))
        if not isinstance(weights, (list, tuple)) or len(weights) != len(of):
            raise SettingsError(f"weights={weights!r}: must be one number for each of {len(of)} encodings")
        for weight in weights:
            number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not number or not math.isfinite(weight) or weight < 0:
                raise SettingsError(f"weights={weights!r}: must be numbers of 0 or more")
        if not any(weights):
            raise SettingsError(f"weights={weights!r}: at least one must be above 0")
        return cls(tuple(partner_name(each) for each in of), tuple(float(w) for w in weights))

    def settings(self) -> dict[str, Any]:
        """All settings as JSON values, without `how`."""
        return {"of": list(self.of), "weights": list(self.weights)}


def merge(pictures: Mapping[str, np.ndarray], spec: Spec) -> np.ndarray:
    """Blend the pictures of one clip.

    Parameters
    ----------
    pictures : mapping of str to ndarray of uint8, shape (H, W, 3)
        By encoding; all of one size.
    spec : Spec

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        The weighted mean, rounded to the nearest.

    Raises
    ------
    ImageError
        A picture is missing, or sizes differ.
    """
    check_sizes(pictures, spec.of, sides="both")
    total = np.zeros(pictures[spec.of[0]].shape, np.float64)
    for name, weight in zip(spec.of, spec.weights, strict=True):
        total += weight * pictures[name]
    return np.floor(total / sum(spec.weights) + 0.5).astype(np.uint8)
