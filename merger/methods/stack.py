"""The merge method ``stack``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from merger.pixels import Names, check_sizes
from merger.spec import MergeMethod

__all__ = ["Stack"]


class Stack(MergeMethod):
    """Images one after the other: top to bottom, or left to right, any number.

    Parameters
    ----------
    of : tuple of str
        Encodings, first at the top or at the left; one may be given twice.
    direction : {"vertical", "horizontal"}
        Top to bottom, or left to right.
    """

    name = "stack"

    of: Names
    direction: Literal["vertical", "horizontal"] = "vertical"

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """Stack images of one width (of one height from left to right); each part equals its image."""
        vertical = self.direction == "vertical"
        check_sizes(images, self.of, equal="widths" if vertical else "heights")
        return np.concatenate([images[name] for name in self.of], axis=0 if vertical else 1)
