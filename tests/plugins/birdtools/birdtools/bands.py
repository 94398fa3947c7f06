"""What the encoding is made with."""

import numpy as np

BIRD_HZ = 4000.0


def emphasis(hz: np.ndarray) -> np.ndarray:
    """Weights of frequencies, 1 at that of most birds and less with every octave from it, shape of `hz`."""
    octaves = np.abs(np.log2(np.maximum(hz, 1.0) / BIRD_HZ))
    return (2.0**-octaves).astype(np.float32)
