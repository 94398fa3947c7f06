"""The kind of modules ``blocks``: ``blocks:4`` is the mean brightness of 4 x 4 parts of an image."""

from typing import Any

from harness.files import digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

_PIXELS = 8


def digest(spec: ModuleSpec) -> str:
    """What the handle means."""
    return digest_json(["blocks", int(spec.name)])


def load(spec: ModuleSpec) -> HubModule:
    """Make the module that a handle names."""
    tf = import_tensorflow()
    blocks = int(spec.name)

    def features(images: Any) -> Any:
        means = tf.nn.avg_pool2d(images, _PIXELS, _PIXELS, "VALID")
        return tf.reshape(tf.reduce_mean(means, axis=3), (-1, blocks * blocks))

    info = ModuleInfo(
        handle=spec.handle,
        digest=digest(spec),
        takes="image",
        height=_PIXELS * blocks,
        width=_PIXELS * blocks,
        value_range=(0.0, 1.0),
        sample_rate=0,
        features=blocks * blocks,
    )
    return HubModule(info, features)


BLOCKS = ModuleKind(name="blocks", title="mean brightness of the parts of an image", load=load, digest=digest)
