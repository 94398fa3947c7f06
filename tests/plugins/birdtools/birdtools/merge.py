"""The merge method ``difference``."""

from collections.abc import Mapping

import numpy as np

from merger import MergeMethod
from merger.pixels import Names, check_sizes


class Difference(MergeMethod):
    """How far the first two images are apart, pixel by pixel.

    Parameters
    ----------
    of : tuple of str
        Encodings; images of one size.
    """

    name = "difference"

    of: Names

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """The absolute difference of each pixel and channel."""
        check_sizes(images, self.of, equal="sizes")
        first, second = (images[name].astype(np.int16) for name in self.of[:2])
        return np.abs(first - second).astype(np.uint8)
