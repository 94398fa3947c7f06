"""Operations on stacks of maps that `scattering` is made of: continue, filter, halve, pool.

Maps are float32 (M, h, w), rows frequency, columns time. What a bank of filters gives of them is laid out
(M, h, w / group, maps * group): of each filter `group` neighbours in time follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # tensorflow is imported when a module is built
    import tensorflow as tf  # five seconds

__all__ = ["as_maps", "band_weights", "halved", "mirrored", "modulus", "next_octave", "pool", "power"]

_DEPTH = 2  # columns that a convolution takes for channels, and of which mirrored maps have a multiple

_SMALL = 128  # pixels: up to here dense matrices are faster than convolutions


def band_weights(rows: int, bands: int) -> np.ndarray:
    """Mean over each of `bands` equal parts of `rows` rows, a row on a border shared between both its bands.

    Returns
    -------
    np.ndarray, shape (bands, rows), float64
        Each row of it sums to 1.
    """
    edges = np.linspace(0, rows, bands + 1)[:, None]
    start = np.arange(rows)
    overlap = np.minimum(edges[1:], start + 1) - np.maximum(edges[:-1], start)
    weights: np.ndarray = np.clip(overlap, 0, None) * (bands / rows)
    return weights


def power(tf: Any, x: tf.Tensor, exponent: float) -> tf.Tensor:
    """x to a power; that of the default, 5/4, by two roots, which take a fifth of the time."""
    return x * tf.sqrt(tf.sqrt(x)) if exponent == 1.25 else tf.pow(x, exponent)


def modulus(tf: Any, mirrored: tf.Tensor, bank: np.ndarray, step: int, shape: Sequence[int]) -> tf.Tensor:
    """``|x * psi|`` of maps x, of which `shape` is (h, w) and which are given mirrored, at every `step`-th pixel.

    Returns
    -------
    tf.Tensor, shape (M, h', w' / group, orientations * group)
        `group` neighbours in time follow each other.
    """
    kernels = np.concatenate([bank.real, bank.imag], axis=-1)
    z = _filtered(tf, mirrored, kernels, step, shape, most=2)
    half = z.shape[3] // 2
    return tf.sqrt(tf.square(z[..., :half]) + tf.square(z[..., half:]))


def halved(tf: Any, mirrored: tf.Tensor, margin: int, shape: Sequence[int]) -> tf.Tensor:
    """Smooth maps by a binomial of order 4 and take every second pixel of them (Burt & Adelson 1983).

    `shape` is (h, w) of the maps (M, h, w), which are given mirrored by `margin`.
    """
    binomial = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    skipped, odd = divmod(margin - 2, 2)  # rows of the result, and one of the kernel, above the image
    kernel = np.outer(np.pad(binomial, (odd, 0)), np.pad(binomial, (margin - 2, 0)))
    smooth = _filtered(tf, mirrored, kernel[..., None], 2, (shape[0] + 2 * skipped, shape[1]), most=8)
    return tf.reshape(smooth[:, skipped:], (-1, -(-shape[0] // 2), -(-shape[1] // 2)))


def next_octave(tf: Any, wide: tf.Tensor, margin: int, shape: Sequence[int]) -> tf.Tensor:
    """Halvings of maps of which `shape` is (h, w); they are given mirrored by `margin`, and so is what is returned.

    Of small maps by two products with matrices, in a third of the time of a convolution.
    """
    if max(shape) > _SMALL:
        return mirrored(tf, halved(tf, wide, margin, shape), margin)
    rows, columns = (_halving(length, margin) for length in shape)
    columns = np.pad(columns, ((0, -len(columns) % _DEPTH), (0, wide.shape[2] - columns.shape[1])))
    shrunk = tf.matmul(tf.reshape(wide, (-1, wide.shape[2])), tf.constant(columns.T, tf.float32))
    return tf.matmul(tf.constant(rows, tf.float32), tf.reshape(shrunk, (-1, wide.shape[1], len(columns))))


def _halving(length: int, margin: int) -> np.ndarray:
    """Matrix that takes a mirrored line of `length` pixels to its binomial halving, mirrored in turn."""
    half = -(-length // 2)
    matrix = np.zeros((half, length + 2 * margin))
    for i in range(half):
        matrix[i, margin + 2 * i - 2 : margin + 2 * i + 3] = np.array([1, 4, 6, 4, 1]) / 16
    return np.pad(matrix, ((margin, margin), (0, 0)), mode="reflect")


def _filtered(
    tf: Any, mirrored: tf.Tensor, kernels: np.ndarray, step: int, shape: Sequence[int], *, most: int
) -> tf.Tensor:
    """Correlate maps, of which `shape` is (h, w), with kernels (k, l, n), at every `step`-th row and column.

    A convolution of a single channel leaves most of a processor's arithmetic unused. So neighbouring columns of a map
    are taken for `_DEPTH` channels, which moves nothing in memory, and up to `most` neighbouring columns of the result
    are computed at once, each by the same kernels at an offset of their own.

    Returns
    -------
    tf.Tensor, shape (M, h', w' / group, n * group)
        Of each kernel `group` neighbours in time follow each other.
    """
    height, size, n = kernels.shape
    rows, columns = (-(-length // step) for length in shape)
    group = max(g for g in range(1, most + 1) if columns % g == 0)
    depth = math.gcd(_DEPTH, group * step)
    reach = -(-(size + step * (group - 1)) // depth)
    shifted = np.zeros((height, reach * depth, n, group))
    for g in range(group):
        shifted[:, g * step : g * step + size, :, g] = kernels
    kernel = tf.constant(shifted.reshape(height, reach, depth, n * group), tf.float32)
    channels = tf.reshape(mirrored, (-1, mirrored.shape[1], mirrored.shape[2] // depth, depth))
    found = tf.nn.conv2d(channels, kernel, (1, step, group * step // depth, 1), "VALID")
    blocks = columns // group
    return found if found.shape[1:3] == (rows, blocks) else found[:, :rows, :blocks]


def mirrored(tf: Any, x: tf.Tensor, margin: int) -> tf.Tensor:
    """Continue maps (M, h, w) by their mirror image on all sides, then by zeros up to a multiple of `_DEPTH` columns.

    Twice as fast as tf.pad.
    """
    left, right = x[:, :, 1 : margin + 1], x[:, :, -margin - 1 : -1]
    zeros = tf.zeros_like(x[:, :, : -(x.shape[2] + 2 * margin) % _DEPTH])
    x = tf.concat([tf.reverse(left, [2]), x, tf.reverse(right, [2]), zeros], axis=2)
    return tf.gather(x, np.pad(np.arange(x.shape[1]), margin, mode="reflect"), axis=1)


def as_maps(tf: Any, u: tf.Tensor, maps: int) -> tf.Tensor:
    """Moduli (M, h, w / group, maps * group) as images of their own (M * maps, h, w)."""
    rows, blocks, group = u.shape[1], u.shape[2], u.shape[3] // maps
    u = tf.transpose(tf.reshape(u, (-1, rows, blocks, maps, group)), (0, 3, 1, 2, 4))
    return tf.reshape(u, (-1, rows, blocks * group))


def pool(tf: Any, x: tf.Tensor, bands: int, group: int) -> list[tf.Tensor]:
    """Mean and deviation over time of maps (M, h, w / group, c * group), averaged inside each band.

    Returns
    -------
    list of tf.Tensor
        Two of shape (M, bands * c).
    """
    rows, maps = x.shape[1], x.shape[3] // group

    def average(values: tf.Tensor) -> tf.Tensor:
        """Over time: (M, h, c)."""
        return tf.reduce_mean(tf.reshape(tf.reduce_mean(values, axis=2), (-1, rows, maps, group)), axis=3)

    weights = tf.constant(band_weights(rows, bands), tf.float32)
    mean = average(x)
    same = tf.reshape(tf.tile(mean[:, :, None, :, None], (1, 1, 1, 1, group)), (-1, rows, 1, maps * group))
    deviation = tf.sqrt(average(tf.math.squared_difference(x, same)))
    return [tf.reshape(tf.einsum("br,mrc->mbc", weights, row), (-1, bands * maps)) for row in (mean, deviation)]
