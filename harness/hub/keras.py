"""Keras applications as modules: ``keras:MobileNetV2`` and kin, ImageNet weights, features pooled by their mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.errors import ModuleError, did_you_mean
from harness.files import digest_bytes, digest_json
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

if TYPE_CHECKING:
    import numpy as np

__all__ = ["load_keras"]

_SIZES = {
    "Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331,
    "EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetB4": 380,
    "EfficientNetB5": 456, "EfficientNetB6": 528, "EfficientNetB7": 600,
    "EfficientNetV2B1": 240, "EfficientNetV2B2": 260, "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480,
}  # fmt: skip


def load_keras(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    names = [n for n in dir(tf.keras.applications) if n[0].isupper()]
    if spec.name not in names:
        raise ModuleError(f"module {spec.handle!r} is not known; {did_you_mean(spec.name, names)}")
    build = getattr(tf.keras.applications, spec.name)
    side = _SIZES.get(spec.name, 224)
    height, width = spec.image_size or (side, side)
    try:
        model = build(include_top=False, pooling="avg", weights="imagenet", input_shape=(height, width, 3))
    except Exception as error:  # Keras raises a bare Exception where its weights cannot be fetched
        reason = " ".join(str(error).split())[:160]
        raise ModuleError(
            f"module {spec.handle!r} cannot be had ({reason}); without a network there are "
            "builtin:scattering and local SavedModel folders"
        ) from error
    preprocess = sys.modules[build.__module__].preprocess_input
    digest = digest_json([spec.name, height, width, [_array_digest(w) for w in model.get_weights()]])
    info = ModuleInfo(spec.handle, digest, "image", height, width, (0.0, 1.0), 0, int(model.output_shape[-1]))
    return HubModule(info, lambda pixels: model(preprocess(pixels * 255.0), training=False), model)


def _array_digest(array: np.ndarray) -> str:
    return digest_bytes(array.tobytes())
