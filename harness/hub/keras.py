"""Keras applications as modules: ``keras:MobileNetV2`` and kin, ImageNet weights, features pooled by their mean."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout

from harness.errors import ModuleError, SettingsError, did_you_mean
from harness.files import digest_bytes, digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind, UnavailableError
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

__all__ = ["KERAS"]

_SIZES = {
    "Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331,
    "EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetB4": 380,
    "EfficientNetB5": 456, "EfficientNetB6": 528, "EfficientNetB7": 600,
    "EfficientNetV2B1": 240, "EfficientNetV2B2": 260, "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480,
}  # fmt: skip


def _load(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    names = [n for n in dir(tf.keras.applications) if n[0].isupper()]
    if spec.name not in names:
        raise ModuleError(f"module {spec.handle!r} is not known; {did_you_mean(spec.name, names)}")
    build = getattr(tf.keras.applications, spec.name)
    height, width = spec.image_size or (_SIZES.get(spec.name, 224),) * 2
    # Keras prints how its download goes, which is no result: on a terminal to stderr, else nowhere
    progress = sys.stderr if sys.stderr.isatty() else io.StringIO()
    try:
        with redirect_stdout(progress):
            model = build(include_top=False, pooling="avg", weights="imagenet", input_shape=(height, width, 3))
    except Exception as error:  # Keras raises a bare Exception where its weights cannot be fetched
        reason = " ".join(str(error).split())[:160]
        raise UnavailableError(f"module {spec.handle!r} is not available ({reason})") from error
    preprocess = sys.modules[build.__module__].preprocess_input
    weights = [digest_bytes(array.tobytes()) for array in model.get_weights()]
    info = ModuleInfo(
        handle=spec.handle,
        digest=digest_json([spec.name, height, width, weights]),
        takes="image",
        height=height,
        width=width,
        value_range=(0.0, 1.0),
        sample_rate=0,
        features=int(model.output_shape[-1]),
    )
    return HubModule(info, lambda pixels: model(preprocess(pixels * 255.0), training=False), model)


def _check(spec: ModuleSpec) -> None:
    if spec.value_range or spec.sample_rate:
        raise SettingsError(
            f"module {spec.handle!r} knows its value_range and takes pictures; only image_size can be given"
        )


KERAS = ModuleKind(
    name="keras",
    title="keras:MobileNetV2 and other Keras applications with ImageNet weights",
    load=_load,
    check=_check,
    mixed_precision=True,
)
