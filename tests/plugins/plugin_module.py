"""A kind of modules in one file."""

from typing import Any

from harness.files import digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow


def digest(spec: ModuleSpec) -> str:
    """What the handle means."""
    return digest_json(["rows", int(spec.name)])


def load(spec: ModuleSpec) -> HubModule:
    """Mean brightness of each row of an image, ``rows:16`` for images 16 x 16."""
    tf = import_tensorflow()
    size = int(spec.name)

    def features(images: Any) -> Any:
        return tf.reduce_mean(images, axis=(2, 3))

    info = ModuleInfo(
        handle=spec.handle,
        digest=digest(spec),
        takes="image",
        height=size,
        width=size,
        value_range=(0.0, 1.0),
        sample_rate=0,
        features=size,
    )
    return HubModule(info, features)


ROWS = ModuleKind(name="rows", title="mean brightness of each row", load=load, digest=digest)
