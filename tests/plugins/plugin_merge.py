"""A merge method in one file."""

from collections.abc import Mapping

import numpy as np

from merger import MergeMethod
from merger.pixels import Names, check_sizes


class Brightest(MergeMethod):
    """The brightest of several images, pixel by pixel.

    Parameters
    ----------
    of : tuple of str
        Encodings; images of one size.
    """

    name = "brightest"

    of: Names

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """The highest value of each pixel and channel."""
        check_sizes(images, self.of, equal="sizes")
        return np.maximum.reduce([images[name] for name in self.of])
