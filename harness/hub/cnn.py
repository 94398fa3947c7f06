"""Small convolutional networks that are trained from scratch: ``cnn:small`` and ``cnn:capuchin``.

What is here is the network up to its last hidden layer, with weights that nobody has trained yet. `trainer.networks`
sets and trains them, together with the layer that gives the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.code_version import code_version
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.handles import ModuleSpec
from harness.hub.network_settings import NetworkSettings, without_effect
from harness.hub.tensorflow import import_tensorflow

__all__ = ["CNN", "ConvolutionalNetwork", "convolutional"]

_SIZE = (110, 110)
_RANGE = (-1.0, 1.0)


@dataclass(frozen=True)
class ConvolutionalNetwork:
    """The layers of a network: convolutions of 3x3, each with max pooling by 2, then a dense layer.

    Parameters
    ----------
    filters : tuple of int
        Of each convolution.
    dense : int
        Units of the dense layer: the length of the feature vector.
    """

    filters: tuple[int, ...]
    dense: int


_NETWORKS = {
    "small": ConvolutionalNetwork(filters=(32, 32, 64), dense=64),
    "capuchin": ConvolutionalNetwork(filters=(16, 16), dense=128),
}
_SETTINGS = {
    "small": NetworkSettings(dropout=0.5),
    "capuchin": NetworkSettings(dropout=0.0),
}


def convolutional(spec: ModuleSpec) -> ConvolutionalNetwork:
    """The layers of the network that a handle names."""
    return _NETWORKS[spec.name]


def _load(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    layers, (height, width) = convolutional(spec), spec.image_size or _SIZE
    info = ModuleInfo(
        handle=spec.handle,
        digest=_digest(spec),
        takes="image",
        height=height,
        width=width,
        value_range=spec.value_range or _RANGE,
        sample_rate=0,
        features=layers.dense,
    )
    parts = tf.Module()
    parts.layers = [
        (tf.Variable(tf.zeros(shape), name=f"{name}/kernel"), tf.Variable(tf.zeros(shape[-1:]), name=f"{name}/bias"))
        for name, shape in _shapes(layers, height, width)
    ]

    def features(pixels: Any) -> Any:
        low, high = info.value_range
        x = pixels * (high - low) + low
        for kernel, bias in parts.layers[:-1]:
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=1, padding="SAME"), bias))
            x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")
        kernel, bias = parts.layers[-1]
        return tf.nn.relu(tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel) + bias)

    return HubModule(info, features, parts)


def _shapes(layers: ConvolutionalNetwork, height: int, width: int) -> Sequence[tuple[str, tuple[int, ...]]]:
    """Name and shape of the kernel of every layer."""
    channels = (3, *layers.filters)
    found = [(f"conv{k}", (3, 3, channels[k - 1], channels[k])) for k in range(1, len(channels))]
    scale = 2 ** len(layers.filters)
    return [*found, ("dense", ((height // scale) * (width // scale) * channels[-1], layers.dense))]


def _digest(spec: ModuleSpec) -> str:
    """sha256 over the layers and the code, without TensorFlow."""
    size, values = spec.image_size or _SIZE, spec.value_range or _RANGE
    layers = convolutional(spec)
    return digest_json({
        "network": [list(layers.filters), layers.dense], "size": list(size), "value_range": list(values),
        "code": code_version(__name__),
    })  # fmt: skip


def _check(spec: ModuleSpec) -> None:
    handles = [f"cnn:{name}" for name in _NETWORKS]
    if spec.handle not in handles:
        raise SettingsError(f"module {spec.handle!r} is not known; {did_you_mean(spec.handle, handles)}")
    if spec.sample_rate:
        raise SettingsError(f"module {spec.handle!r} takes images; leave out sample_rate")
    least = 2 ** len(convolutional(spec).filters)
    if spec.image_size and min(spec.image_size) < least:
        height, width = spec.image_size
        raise SettingsError(f"module {spec.handle!r}: image_size={height}x{width}: must be {least}x{least} or more")
    given = spec.training()
    wrong = without_effect(given, _SETTINGS[spec.name].replace(**given))
    if wrong:
        raise SettingsError(f"module {spec.handle!r}: {wrong[0]}={given[wrong[0]]!r}: {wrong[1]}")


CNN = ModuleKind(
    name="cnn",
    title="cnn:small and cnn:capuchin, small networks that a study trains from scratch",
    load=_load,
    digest=_digest,
    check=_check,
    scratch=lambda spec: _SETTINGS[spec.name],
)
