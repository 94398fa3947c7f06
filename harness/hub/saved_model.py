"""SavedModels as modules: TF2 reusable ones, signatures alone, and the TF1 hub format.

What a module takes is read from its call or signature: rank 4 is images (N, H, W, 3), rank 1 or 2 a waveform.
A module that takes a fixed number of samples gets a sound window by window.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.errors import ModuleError
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.fetching import folder_digest, known_publisher, locate
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

__all__ = ["FOLDER", "KAGGLE"]

_USUAL_SIZE = (224, 224)


def _load(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    folder = locate(spec)
    digest = folder_digest(folder)
    tags: list[str] | None = [] if (folder / "tfhub_module.pb").is_file() else None
    try:
        loaded = _loaded(tf, str(folder), tags)
    except (ValueError, OSError, RuntimeError, LookupError, tf.errors.OpError) as error:
        if "KeyboardInterrupt" in str(error):  # as TensorFlow's native code hands it on
            raise KeyboardInterrupt from error
        raise ModuleError(f"module {spec.handle!r}: cannot be loaded ({_short(error)})") from error
    if folder_digest(folder) != digest:
        raise ModuleError(f"module {spec.handle!r}: changed while it was read; run the same command again")
    call, shape = _entry(loaded, spec)
    if len(shape) == 4:
        info = _image_info(spec, digest, shape)
    elif len(shape) in (1, 2):
        info = _waveform_info(spec, digest)
    else:
        raise ModuleError(f"module {spec.handle!r} takes {shape}; expected pictures (N, H, W, 3) or a waveform")
    function = _image_function(call, info) if info.takes == "image" else _waveform_function(call, shape)
    return HubModule(replace(info, features=_feature_count(function, info)), function, loaded)


def _loaded(tf: Any, folder: str, tags: list[str] | None) -> Any:
    """Load a SavedModel, where that fails once more with Keras's classes known, which are not imported before."""
    try:
        return tf.saved_model.load(folder, tags=tags)
    except (ValueError, LookupError, TypeError, AttributeError):
        if "keras" in sys.modules:
            raise
    tf.keras.optimizers.get("sgd")
    return tf.saved_model.load(folder, tags=tags)


def _feature_count(function: Callable[[Any], Any], info: ModuleInfo) -> int:
    """Length of the feature vector, from two black images or two seconds of silence."""
    tf = import_tensorflow()
    probe = (2, info.height, info.width, 3) if info.takes == "image" else (2, info.sample_rate)
    try:
        shape = function(tf.zeros(probe, tf.float32)).shape
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ModuleError(f"module {info.handle!r} cannot be fed {info.takes}s {probe} ({_short(error)})") from error
    if len(shape) != 2 or shape[0] != 2 or not shape[1]:
        raise ModuleError(f"module {info.handle!r} gave {tuple(shape)} for 2 {info.takes}s; expected (2, features)")
    return int(shape[1])


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _entry(loaded: Any, spec: ModuleSpec) -> tuple[Callable[[Any], Any], tuple[int | None, ...]]:
    """The function to call and the shape of its first argument."""
    method = loaded.__call__ if callable(loaded) else None
    for function in getattr(method, "concrete_functions", ()):
        leaves = [s for s in function.structured_input_signature[0] if hasattr(s, "shape")]
        if leaves and leaves[0].shape.rank is not None:
            return loaded, tuple(leaves[0].shape.as_list())
    for name in ("image_feature_vector", "serving_default", "default", *loaded.signatures):
        if name in loaded.signatures:
            return _signature_entry(loaded.signatures[name], spec)
    raise ModuleError(f"module {spec.handle!r} has nothing that can be called; expected __call__ or a signature")


def _signature_entry(signature: Any, spec: ModuleSpec) -> tuple[Callable[[Any], Any], tuple[int | None, ...]]:
    key, tensor = next(iter(signature.structured_input_signature[1].items()))
    if tensor.shape.rank is None:
        raise ModuleError(
            f"module {spec.handle!r} does not say what it takes; expected pictures (N, H, W, 3) or a waveform"
        )
    return (lambda x: signature(**{key: x})), tuple(tensor.shape.as_list())


def _image_info(spec: ModuleSpec, digest: str, shape: tuple[int | None, ...]) -> ModuleInfo:
    known = known_publisher(spec.handle)
    if spec.sample_rate:
        raise ModuleError(f"module {spec.handle!r} takes pictures; sample_rate={spec.sample_rate} does not apply")
    if shape[3] not in (None, 3):
        raise ModuleError(f"module {spec.handle!r} takes pictures with {shape[3]} channels; expected 3")
    read = (shape[1], shape[2]) if shape[1] and shape[2] else None
    said = spec.image_size or read or (known.image_size if known else None)
    height, width = said or _USUAL_SIZE
    if read and (height, width) != read:
        raise ModuleError(f"image_size={height}x{width}: module {spec.handle!r} takes {read[0]}x{read[1]}")
    values = spec.value_range or (known.value_range if known else (0.0, 1.0))
    return ModuleInfo(spec.handle, digest, "image", height, width, values, 0, 0, "" if said else _no_size(spec))


def _no_size(spec: ModuleSpec) -> str:
    return (
        f"module {spec.handle!r} does not say what size its pictures have: {_USUAL_SIZE[0]}x{_USUAL_SIZE[1]} is taken; "
        "where it was made for another, give image_size (in a study: {handle = ..., image_size = [224, 224]}; "
        "retrain.py: --image_size=224x224)"
    )


def _waveform_info(spec: ModuleSpec, digest: str) -> ModuleInfo:
    known = known_publisher(spec.handle)
    if spec.image_size or spec.value_range:
        raise ModuleError(f"module {spec.handle!r} takes a waveform; image_size and value_range do not apply")
    rate = spec.sample_rate or (known.sample_rate if known else 0)
    if rate <= 0:
        raise ModuleError(
            f"module {spec.handle!r} takes a waveform, and its publisher is not known; give the rate that it expects "
            "(in a study: {handle = ..., sample_rate = 16000})"
        )
    return ModuleInfo(spec.handle, digest, "waveform", 0, 0, (-1.0, 1.0), rate, 0)


def _image_function(call: Callable[[Any], Any], info: ModuleInfo) -> Callable[[Any], Any]:
    low, high = info.value_range

    def features(pixels: Any) -> Any:
        scaled = pixels if (low, high) == (0.0, 1.0) else pixels * (high - low) + low
        return _pooled(_feature_tensor(call(scaled)))

    return features


def _waveform_function(call: Callable[[Any], Any], shape: tuple[int | None, ...]) -> Callable[[Any], Any]:
    tf = import_tensorflow()

    def one(wave: Any) -> Any:  # YAMNet and kin as published: one waveform, one row per patch
        return _pooled(_feature_tensor(call(wave))[None])[0]

    def each(waves: Any) -> Any:
        if len(shape) == 2:
            return _pooled(_feature_tensor(call(waves)))
        return tf.map_fn(one, waves, fn_output_signature=tf.float32)

    return _windowed(each, shape[-1]) if shape[-1] else each


def _windowed(each: Callable[[Any], Any], window: int) -> Callable[[Any], Any]:
    """For a module that takes just so many samples: the mean over windows end to end, the last filled with silence."""
    tf = import_tensorflow()

    def features(waves: Any) -> Any:
        windows = tf.signal.frame(waves, window, window, pad_end=True)
        found = each(tf.reshape(windows, (-1, window)))
        return tf.reduce_mean(tf.reshape(found, (-1, tf.shape(windows)[1], found.shape[-1])), axis=1)

    return features


def _feature_tensor(output: Any) -> Any:
    """The embedding among a module's outputs; (scores, embeddings, log_mel) is YAMNet's form."""
    if isinstance(output, Mapping):
        wanted = ("embedding", "embeddings", "feature_vector", "image_feature_vector", "default")
        return output[next((k for k in wanted if k in output), sorted(output)[0])]
    if isinstance(output, (tuple, list)):
        return output[1] if len(output) == 3 else output[0]
    return output


def _pooled(features: Any) -> Any:
    """Mean over whatever lies between the batch and the features: patches, or rows and columns of a map."""
    tf = import_tensorflow()
    rank = features.shape.rank
    return features if rank == 2 else tf.reduce_mean(features, axis=list(range(1, rank - 1)))


def _digest(spec: ModuleSpec) -> str:
    return folder_digest(locate(spec))


FOLDER = ModuleKind(
    name="folder",
    title="a SavedModel: a folder, or an address (https://tfhub.dev/..., gs://...) to fetch it from",
    load=_load,
    digest=_digest,
    mixed_precision=True,
    offline="a local SavedModel folder",
)
KAGGLE = ModuleKind(
    name="kaggle",
    title="kaggle:google/yamnet/tensorFlow2/yamnet and other SavedModels of Kaggle",
    load=_load,
    digest=_digest,
    mixed_precision=True,
)
