"""Distortions of training pictures: crop, scale, flip, brightness.

A picture is resized to (1 + crop %) times a factor between 1 and 1 + scale % of the module's size, a window of the
module's size is cut out of it at random, flipped in one of two cases, and multiplied by a factor of 1 ± brightness %.
Gray pictures are RGB by then, as all are. Nothing of this is cached, and validation and test pictures stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from harness import image

__all__ = ["Distortions", "distort", "distorted_batch"]

_READERS = 2


@dataclass(frozen=True)
class Distortions:
    """What is done to a training picture.

    Parameters
    ----------
    flip_left_right : bool
    random_crop, random_scale, random_brightness : int
        In per cent, 0 or more.
    """

    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0


def distort(pixels: np.ndarray, spec: Distortions, *, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Distort one picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
    spec : Distortions
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
    factor = (1 + spec.random_crop / 100) * (1 + grow * spec.random_scale / 100)
    tall, wide = int(height * factor), int(width * factor)
    resized = image.resize(pixels, tall, wide)
    top, left = int(down * (tall - height + 1)), int(right * (wide - width + 1))
    window = resized[top : top + height, left : left + width]
    if spec.flip_left_right and flip < 0.5:
        window = window[:, ::-1]
    brightness = 1 + (2 * gain - 1) * spec.random_brightness / 100
    return window.astype(np.float32) * np.float32(brightness / 255)


def distorted_batch(
    files: Sequence[str], spec: Distortions, *, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Read pictures and distort each on its own.

    Parameters
    ----------
    files : sequence of str, length n
        Paths; one may stand more than once.
    spec, height, width : see :func:`distort`
    rng : Generator
        One generator for each picture is drawn from it.

    Returns
    -------
    ndarray of float32, shape (n, height, width, 3)
    """

    def one(item: tuple[str, np.random.Generator]) -> np.ndarray:
        return distort(image.read(item[0]), spec, height=height, width=width, rng=item[1])

    with ThreadPoolExecutor(_READERS) as pool:
        return np.stack(list(pool.map(one, zip(files, rng.spawn(len(files)), strict=True))))
