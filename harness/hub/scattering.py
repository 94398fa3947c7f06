"""The module ``builtin:scattering``: a fixed 2-D wavelet scattering of an image, without learned weights.

An image's rows are frequency and its columns time. One channel x of it, its values first raised to a power a little
above 1, so that loud parts count for more than the background, is analysed so:

- order 0: x itself;
- order 1: ``U1[j, t] = |x_j * psi_t|``, with x_j the image after j binomial halvings (a Gaussian pyramid, so one
  small kernel serves every octave) and psi_t a Gabor wavelet of zero mean at angle t;
- order 2: ``U2[j, t, k, u] = |(U1[j, t])_k * psi_u|`` for the coarser octaves k > j only, since the modulus of a
  wavelet transform holds next to nothing at finer ones.

Each map is pooled over time, frequency band by frequency band: mean and deviation. Last comes
``gain * log(1 + value / offset)`` for orders 1 and 2; order 0 stays as it is, since an image's levels are decibels as
a rule. Silence is all zero, and the gain makes the vectors as short as plain gradient descent at rate 0.01 can bear.
So a sound may move in time and have the same features, but not in pitch. Taking the logarithm before pooling, or
quantiles over time, did clearly worse on ESC-10's validation folds, presumably because the share of silence in a clip
sways both.

Colour. Every channel is analysed on its own and the three vectors follow each other (red, green, blue), because
merged images carry a different image in each channel, and a luminance would mix them. The channels of a gray
image are equal: they are analysed once and their vector stands there three times, which to a head with L2
regularisation is the single vector, a third as strongly regularised. On ESC-10's validation folds this did better than
the mean of the three vectors, and than one vector and two differences.

References
----------
J. Bruna, S. Mallat: Invariant scattering convolution networks. IEEE TPAMI 35(8), 2013 (the cascade, its two orders).
J. Andén, S. Mallat: Deep scattering spectrum. IEEE TSP 62(16), 2014 (the logarithm, pooling over time only).
P. Burt, E. Adelson: The Laplacian pyramid as a compact image code. IEEE T-COM 31(4), 1983 (the binomial halving).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from harness.hub.maps import as_maps, halved, mirrored, modulus, next_octave, pool, power
from harness.hub.tensorflow import import_tensorflow
from harness.settings import Count, PositiveFloat, PositiveInt, Settings, field_error, is_number

if TYPE_CHECKING:  # tensorflow is imported when a module is built
    import tensorflow as tf  # five seconds

__all__ = ["DEFAULT", "ScatteringSpec", "build", "feature_count", "step_of", "wavelets"]


def _frequency(value: Any) -> float:
    if not is_number(value) or not 0 < value < np.pi:
        raise ValueError("must lie inside (0, pi) radians per pixel")
    return float(value)


def _kernel_size(value: Any) -> int:
    if not is_number(value) or value < 5 or value % 2 != 1:
        raise ValueError("must be odd and at least 5")
    return int(value)


class ScatteringSpec(Settings):
    """What is measured in an image.

    Parameters
    ----------
    height, width : int
        Size of the images, in pixels.
    octaves : int
        Scales of the bank, each twice as coarse as the one before; half a kernel must fit into the coarsest image.
    orientations : int
        Angles of the bank, evenly spread over 180 degrees.
    kernel : int
        Height and width of the kernel, odd, in pixels of its octave.
    frequency : float
        Of the wavelet, in radians per pixel of its octave, inside (0, pi).
    sigma : float
        Deviation of the Gaussian window along the wave, in pixels of its octave.
    slant : float
        Deviation along the wave over deviation across it; below 1 the window is longer along the ridges.
    bands, first_bands, second_bands : int
        Frequency bands of orders 0, 1 and 2. `second_bands=0` leaves out order 2.
    contrast : float
        Power that the image is raised to first, above 0.
    offset : float
        What the logarithm counts from, above 0, in units of full white.
    gain : float
        Of the logarithm, above 0.
    """

    title: ClassVar[str] = "scattering"

    height: PositiveInt = 224
    width: PositiveInt = 224
    octaves: PositiveInt = 5
    orientations: PositiveInt = 6
    kernel: Annotated[int, PlainValidator(_kernel_size)] = 11
    frequency: Annotated[float, PlainValidator(_frequency)] = 1.7
    sigma: PositiveFloat = 1.6
    slant: PositiveFloat = 0.5
    bands: PositiveInt = 16
    first_bands: PositiveInt = 14
    second_bands: Count = 2
    contrast: PositiveFloat = 1.25
    offset: PositiveFloat = 3e-4
    gain: PositiveFloat = 0.2

    @model_validator(mode="after")
    def _check_octaves(self) -> Self:
        coarsest = -(-min(self.height, self.width) // 2 ** (self.octaves - 1))
        if coarsest <= self.kernel // 2:
            raise field_error(
                "octaves",
                f"an image of {self.height} x {self.width} shrinks to {coarsest} pixels, "
                f"too few for kernel={self.kernel}; take fewer octaves or a larger image",
            )
        return self


DEFAULT = ScatteringSpec()


def feature_count(spec: ScatteringSpec = DEFAULT) -> int:
    """Length of an image's feature vector: three blocks (red, green, blue) of equal width.

    Examples
    --------
    >>> feature_count(ScatteringSpec(octaves=3, orientations=4, bands=16, first_bands=7, second_bands=0))
    600
    """
    pairs = spec.octaves * (spec.octaves - 1) // 2
    first = spec.first_bands * spec.octaves * spec.orientations
    second = spec.second_bands * pairs * spec.orientations**2
    return 3 * 2 * (spec.bands + first + second)


def wavelets(spec: ScatteringSpec) -> np.ndarray:
    """Gabor wavelets of zero mean, one for each angle (the Morlet wavelets of Bruna & Mallat 2013).

    Returns
    -------
    np.ndarray, shape (kernel, kernel, orientations), complex128
        Rows are frequency, columns time; angle 0 waves along time. The window sums to 1, so that a response is
        a part of the image's range.
    """
    half = spec.kernel // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    bank = []
    for angle in np.pi * np.arange(spec.orientations) / spec.orientations:
        along = np.cos(angle) * x + np.sin(angle) * y
        across = np.cos(angle) * y - np.sin(angle) * x
        window = np.exp(-(along**2 + (spec.slant * across) ** 2) / (2 * spec.sigma**2))
        window /= window.sum()
        wave = np.exp(1j * spec.frequency * along)
        bank.append(window * (wave - (window * wave).sum()))
    return np.stack(bank, axis=-1)


def build(spec: ScatteringSpec = DEFAULT) -> tf.Module:
    """Build the transform as a reusable TensorFlow module.

    Parameters
    ----------
    spec : ScatteringSpec
        What is measured.

    Returns
    -------
    tf.Module
        Called with float32 images (N, height, width, 3) in [0, 1] it gives float32 features
        (N, ``feature_count(spec)``), finite for any image, whatever else is in the batch. It has no variables, and
        ``tf.saved_model.save(module, folder)`` writes it with its ``serving_default`` signature.
    """
    import_tensorflow()  # quietly
    import tensorflow as tf  # five seconds

    class Scattering(tf.Module):
        # As plain attributes, where tf.Module has properties, they outlive saving: a reusable SavedModel has both.
        variables: Any = ()
        trainable_variables: Any = ()

        def __init__(self) -> None:
            super().__init__(name="scattering")
            self.variables, self.trainable_variables = [], []

        @tf.function(
            input_signature=[tf.TensorSpec((None, spec.height, spec.width, 3), tf.float32, "images")], autograph=False
        )
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            channels, place, level = _distinct_channels(tf, images)
            blocks = tf.pad(_analyse(tf, channels, spec), ((1, 0), (0, 0)))
            blocks = tf.gather(blocks, place)
            means = tf.repeat(power(tf, level, spec.contrast)[..., None], spec.bands, axis=2)
            blocks += tf.pad(means, ((0, 0), (0, 0), (0, blocks.shape[2] - spec.bands)))
            return tf.reshape(blocks, (-1, feature_count(spec)))

    module = Scattering()
    module.__call__.get_concrete_function()
    return module


def _distinct_channels(tf: Any, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What is to be analysed of images (N, height, width, 3): each channel that is not even, equal ones once.

    Returns
    -------
    channels : tf.Tensor, shape (M, height, width)
    place : tf.Tensor of int32, shape (N, 3)
        1 + the number of each image's channel among them; 0 for an even channel, which has nothing but its level.
    level : tf.Tensor, shape (N, 3)
        Of the even channels; 0 for the others.
    """
    channels = tf.transpose(images, (0, 3, 1, 2))
    red, green, blue = tf.unstack(channels, axis=1)
    same = [tf.reduce_all(tf.equal(a, b), axis=(1, 2)) for a, b in ((red, green), (red, blue), (green, blue))]
    zero = tf.zeros_like(same[0], tf.int32)
    twin = tf.stack([zero, tf.where(same[0], zero, 1), tf.where(same[1], zero, tf.where(same[2], zero + 1, 2))], axis=1)
    low, high = tf.reduce_min(channels, axis=(2, 3)), tf.reduce_max(channels, axis=(2, 3))
    even = tf.equal(low, high)
    first = tf.equal(twin, tf.range(3)) & ~even
    number = tf.reshape(tf.cumsum(tf.cast(tf.reshape(first, [-1]), tf.int32)), (-1, 3))
    place = tf.where(even, 0, tf.gather(number, twin, batch_dims=1))
    taken = first | ~tf.reduce_any(first)  # there is no convolution of nothing
    return tf.boolean_mask(channels, taken), place, tf.where(even, tf.nn.relu(low), 0)


def _analyse(tf: Any, x: tf.Tensor, spec: ScatteringSpec) -> tf.Tensor:
    """Features (M, feature_count / 3) of single channels (M, height, width)."""
    bank = wavelets(spec)
    x = power(tf, tf.nn.relu(x), spec.contrast)
    zero, parts = pool(tf, x[:, :, None], spec.bands, x.shape[2]), []
    for j, (wide, shape) in enumerate(_octaves(tf, x, spec, spec.octaves)):
        step = step_of(shape[0], spec.first_bands)
        u = modulus(tf, wide, bank, step, shape)
        parts += pool(tf, u, spec.first_bands, u.shape[3] // spec.orientations)
        if j + 1 < spec.octaves and spec.second_bands:
            maps = as_maps(tf, u, spec.orientations)
            v = maps if step == 2 else halved(tf, mirrored(tf, maps, 2), 2, maps.shape[1:])
            parts += _second_order(tf, v, bank, spec, octaves=spec.octaves - j - 1)
    return tf.concat([*zero, spec.gain * tf.math.log1p(tf.concat(parts, axis=1) / spec.offset)], axis=1)


def _second_order(tf: Any, v: tf.Tensor, bank: np.ndarray, spec: ScatteringSpec, *, octaves: int) -> list[tf.Tensor]:
    """Pooled second-order maps of first-order maps `v` (M * orientations, h, w), at this octave and the coarser ones.

    Two tensors (M, features) for each octave.
    """
    parts = []
    for wide, shape in _octaves(tf, v, spec, octaves):
        w = modulus(tf, wide, bank, step_of(shape[0], spec.second_bands, most=4), shape)
        pooled = pool(tf, w, spec.second_bands, w.shape[3] // spec.orientations)
        parts += [tf.reshape(p, (-1, spec.orientations * p.shape[1])) for p in pooled]
    return parts


def _octaves(tf: Any, x: tf.Tensor, spec: ScatteringSpec, count: int) -> Iterator[tuple[tf.Tensor, list[int]]]:
    """Maps (M, h, w), mirrored for the wavelets, with their (h, w), and `count - 1` halvings of them."""
    margin, shape = spec.kernel // 2, list(x.shape[1:])
    wide = mirrored(tf, x, margin)
    yield wide, shape
    for _ in range(count - 1):
        wide = next_octave(tf, wide, margin, shape)
        shape = [-(-length // 2) for length in shape]
        yield wide, shape


def step_of(rows: int, bands: int, *, most: int = 2) -> int:
    """Of how many rows one is enough: the modulus is smoother than the wave, and is averaged over bands and time.

    Every band has two rows left; with steps of 4, which only order 2 takes, seven. On ESC-10's validation folds
    these gave the accuracy and the log loss of steps of 2, for two thirds of the time.
    """
    if most >= 4 and rows >= 4 * 7 * bands:
        return 4
    return 2 if rows >= 2 * 2 * bands else 1
