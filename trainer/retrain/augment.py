"""Distortions of training images: crop, scale, flip, brightness.

An image is resized to (1 + crop %) times a factor between 1 and 1 + scale % of the module's size, a window of the
module's size is cut out of it at random, flipped in one of two cases, and multiplied by a factor of 1 ± brightness %.
Gray images are RGB by then, as all are. Nothing of this is cached, and validation and test images stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from harness.image import read, resize
from harness.settings import Count, Settings
from trainer.retrain.flags import Percentage

__all__ = ["Distortions", "distort", "distorted_batch"]

_READERS = 2


class Distortions(Settings):
    """What is done to a training image.

    Parameters
    ----------
    flip_left_right : bool
    random_crop, random_scale : int
        In per cent, 0 or more.
    random_brightness : int
        In per cent, 0 to 100.
    """

    flip_left_right: bool = False
    random_crop: Count = 0
    random_scale: Count = 0
    random_brightness: Percentage = 0


def distort(
    pixels: np.ndarray, distortions: Distortions, *, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Distort one image.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
    distortions : Distortions
    height, width : int
        Of the result, in pixels.
    rng : Generator
        Four numbers are drawn, and a fifth for the flip, whatever is on.

    Returns
    -------
    ndarray of float32, shape (height, width, 3)
        In [0, 1 + random_brightness / 100].
    """
    grow, down, right, flip, gain = rng.random(5)
    factor = (1 + distortions.random_crop / 100) * (1 + grow * distortions.random_scale / 100)
    tall, wide = int(height * factor), int(width * factor)
    resized = resize(pixels, tall, wide)
    top, left = int(down * (tall - height + 1)), int(right * (wide - width + 1))
    window = resized[top : top + height, left : left + width]
    if distortions.flip_left_right and flip < 0.5:
        window = window[:, ::-1]
    brightness = 1 + (2 * gain - 1) * distortions.random_brightness / 100
    return window.astype(np.float32) * np.float32(brightness / 255)


def distorted_batch(
    files: Sequence[str], distortions: Distortions, *, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Read images and distort each on its own.

    Parameters
    ----------
    files : sequence of str, length n
        Paths; one may be given more than once.
    distortions, height, width : see :func:`distort`
    rng : Generator
        One generator for each image is drawn from it.

    Returns
    -------
    ndarray of float32, shape (n, height, width, 3)
    """

    def one(item: tuple[str, np.random.Generator]) -> np.ndarray:
        return distort(read(item[0]), distortions, height=height, width=width, rng=item[1])

    with ThreadPoolExecutor(_READERS) as pool:
        return np.stack(list(pool.map(one, zip(files, rng.spawn(len(files)), strict=True))))
