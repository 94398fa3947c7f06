"""Images changed at random for a training step: masks, shifts in time, mixtures; the clips that are tested never are.

All of it is drawn from the seed of the step, so that a step can be repeated.
"""

from __future__ import annotations

from typing import Any

from harness.hub.network_settings import NetworkSettings
from harness.hub.tensorflow import import_tensorflow

__all__ = ["augment"]

_MASKS = 2  # of each kind


def augment(images: Any, targets: Any, settings: NetworkSettings, seed: Any) -> tuple[Any, Any]:
    """Change a batch as the settings say.

    Parameters
    ----------
    images : tensor of float32, shape (n, H, W, 3)
        In [0, 1].
    targets : tensor of float32, shape (n, classes)
        Rows sum to 1.
    settings : NetworkSettings
    seed : tensor of int32, shape (2,)

    Returns
    -------
    (tensor, tensor)
        Of the same shapes.
    """
    tf = import_tensorflow()
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
    if settings.time_shift:
        images = _shifted(images, settings.time_shift, seeds[0])
    if settings.mixup:
        images, targets = _mixed(images, targets, settings.mixup, seeds[1])
    if settings.spec_augment:
        images = _masked(images, 2, settings.spec_augment, seeds[2])
        images = _masked(images, 1, settings.spec_augment, seeds[3])
    return images, targets


def _shifted(images: Any, share: float, seed: Any) -> Any:
    """Every image shifted along its width by another number of columns, round the end."""
    tf = import_tensorflow()
    n, width = images.shape[0], images.shape[2]
    most = int(share * width)
    by = tf.random.stateless_uniform((n, 1), seed, -most, most + 1, dtype=tf.int32)
    return tf.gather(images, (tf.range(width)[None] - by) % width, axis=2, batch_dims=1)


def _mixed(images: Any, targets: Any, alpha: float, seed: Any) -> tuple[Any, Any]:
    """Every image mixed with another one of the batch."""
    tf = import_tensorflow()
    n = images.shape[0]
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    one, two = (tf.random.stateless_gamma((n,), each, alpha) + 1e-7 for each in seeds[:2])
    share = one / (one + two)
    share = tf.maximum(share, 1 - share)
    other = tf.argsort(tf.random.stateless_uniform((n,), seeds[2]))
    wide, flat = share[:, None, None, None], share[:, None]
    mixed = wide * images + (1 - wide) * tf.gather(images, other)
    return mixed, flat * targets + (1 - flat) * tf.gather(targets, other)


def _masked(images: Any, axis: int, share: float, seed: Any) -> Any:
    """Every image with stripes across, as wide as drawn, in the mean of the image."""
    tf = import_tensorflow()
    n, length = images.shape[0], images.shape[axis]
    drawn = tf.random.stateless_uniform((2, n, _MASKS, 1), seed)
    size = drawn[0] * share * length
    start = drawn[1] * (length - size)
    at = tf.range(length, dtype=tf.float32)[None, None]
    hidden = tf.reduce_any((at >= start) & (at < start + size), axis=1)
    hidden = tf.reshape(hidden, (n, length, 1, 1) if axis == 1 else (n, 1, length, 1))
    return tf.where(hidden, tf.reduce_mean(images, axis=(1, 2), keepdims=True), images)
