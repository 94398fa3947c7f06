"""Modules: fixed functions from pictures, or from waveforms, to feature vectors.

One way in for all of them: ``builtin:scattering``, local SavedModel folders, tfhub.dev and Kaggle handles, Keras
applications, and modules that take the sound itself. TensorFlow is imported when a module is first loaded, and
what a module says of itself is kept in the store, so that a run whose features are all there never imports it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import ModuleError, did_you_mean
from harness.files import digest_json
from harness.handles import ModuleSpec, folder_digest, known_publisher, locate
from harness.store import Store, key_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HubModule", "ModuleInfo", "describe", "import_tensorflow", "load"]

_READER = 1  # raised when what is read from a module changes
_KERAS_SIZES = {
    "Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331,
    "EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetB4": 380,
    "EfficientNetB5": 456, "EfficientNetB6": 528, "EfficientNetB7": 600,
    "EfficientNetV2B1": 240, "EfficientNetV2B2": 260, "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480,
}  # fmt: skip


@dataclass(frozen=True)
class ModuleInfo:
    """What is known of a module before it is run.

    Parameters
    ----------
    handle : str
        As given.
    digest : str
        sha256 of its content, 64 hex digits.
    takes : str
        ``image`` or ``waveform``.
    height, width : int
        Pixels of the pictures that it takes; 0 for a waveform module.
    value_range : tuple of float
        What black and white are to it.
    sample_rate : int
        In Hz; 0 for an image module.
    features : int
        Length of its feature vector.
    """

    handle: str
    digest: str
    takes: str
    height: int
    width: int
    value_range: tuple[float, float]
    sample_rate: int
    features: int

    def preprocessing(self) -> dict[str, Any]:
        """Everything between a picture or sound and the module, as JSON values: part of every feature's key."""
        if self.takes == "waveform":
            return {"sample_rate": self.sample_rate, "at_least_s": 1.0, "resampler": "soxr HQ"}
        return {
            "height": self.height,
            "width": self.width,
            "value_range": list(self.value_range),
            "resize": "pillow bilinear",
        }


class HubModule:
    """A loaded module.

    Parameters
    ----------
    info : ModuleInfo
    function : callable
        Tensor to tensor, float32: pictures (N, H, W, 3) in [0, 1], or waveforms (N, samples) in [-1, 1],
        to features (N, features). Can be traced into a graph.
    parts : object
        What holds the module's variables; an exported model must keep it.
    """

    def __init__(self, info: ModuleInfo, function: Callable[[Any], Any], parts: Any) -> None:
        self.info = info
        self.function = function
        self.parts = parts
        self._compiled: Callable[[Any], Any] | None = None

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Feature vectors of a batch.

        Parameters
        ----------
        batch : ndarray
            uint8 (N, H, W, 3), or float32 (N, samples) for a waveform module.

        Returns
        -------
        ndarray of float32, shape (N, features)
        """
        import numpy as np

        if len(batch) == 1:  # alone it would take another path through the kernels, and differ in the last bits
            return self(np.concatenate([batch, batch]))[:1]
        tf = import_tensorflow()
        if self._compiled is None:
            shape = (None, None) if self.info.takes == "waveform" else (None, self.info.height, self.info.width, 3)
            self._compiled = tf.function(self.function, input_signature=[tf.TensorSpec(shape, tf.float32)])
        values = batch.astype(np.float32) / np.float32(255) if batch.dtype == np.uint8 else batch
        out: np.ndarray = self._compiled(tf.constant(values, tf.float32)).numpy()
        if not np.isfinite(out).all():
            raise ModuleError(f"module {self.info.handle!r} gave values that are not finite; is value_range right?")
        return out


def describe(spec: ModuleSpec, *, store: Store | None = None) -> ModuleInfo:
    """Say what a module takes and gives; loads it only where the store does not know its content.

    Raises
    ------
    ModuleError
        It cannot be had.
    """
    if spec.kind == "keras":
        return load(spec, store=store).info
    digest = _digest(spec)
    store = store or Store()
    key = key_of(module=digest, overrides=spec.overrides(), handle=spec.handle, reader=_READER)
    known = store.get_json("modules", key)
    if known is None:
        return load(spec, store=store).info
    return ModuleInfo(**{**known, "value_range": tuple(known["value_range"])})


def load(spec: ModuleSpec, *, store: Store | None = None) -> HubModule:
    """Load a module, and keep in the store what it says of itself.

    Raises
    ------
    ModuleError
        It cannot be had, or takes neither pictures nor a waveform.
    """
    import_tensorflow()
    module = {"builtin": _load_scattering, "keras": _load_keras}.get(spec.kind, _load_saved_model)(spec)
    store = store or Store()
    key = key_of(module=module.info.digest, overrides=spec.overrides(), handle=spec.handle, reader=_READER)
    if store.get_json("modules", key) is None:
        store.put_json("modules", key, asdict(module.info))
    return module


def import_tensorflow() -> Any:
    """Import TensorFlow (about 5 s the first time) without the lines that it prints about itself."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with _stderr_held_back():
            import tensorflow

            tensorflow.constant(0)  # the device set-up prints, too
        tensorflow.get_logger().setLevel("ERROR")
    import tensorflow

    return tensorflow


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what native code prints to stderr; show it only where the block fails."""
    try:
        target = sys.__stderr__.fileno() if sys.__stderr__ else 2
        saved = os.dup(target)
    except (OSError, ValueError):  # no stderr to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), target)
        try:
            yield
        except BaseException:
            os.dup2(saved, target)
            held.seek(0)
            os.write(target, held.read())
            raise
        finally:
            os.dup2(saved, target)
            os.close(saved)


def _digest(spec: ModuleSpec) -> str:
    if spec.kind == "builtin":
        from harness import scattering

        return scattering.digest()
    return folder_digest(locate(spec))


def _load_scattering(spec: ModuleSpec) -> HubModule:
    from harness import scattering

    settings = scattering.DEFAULT
    module = scattering.build(settings)
    info = ModuleInfo(
        spec.handle, scattering.digest(settings), "image", settings.height, settings.width, (0.0, 1.0), 0,
        scattering.feature_count(settings),
    )  # fmt: skip
    return HubModule(info, module, module)


def _load_keras(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    names = [n for n in dir(tf.keras.applications) if n[0].isupper()]
    if spec.name not in names:
        raise ModuleError(f"module {spec.handle!r} is not known; {did_you_mean(spec.name, names)}")
    build = getattr(tf.keras.applications, spec.name)
    side = _KERAS_SIZES.get(spec.name, 224)
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
    from harness.files import digest_bytes

    return digest_bytes(array.tobytes())


def _load_saved_model(spec: ModuleSpec) -> HubModule:
    tf = import_tensorflow()
    folder = locate(spec)
    tags: list[str] | None = [] if (folder / "tfhub_module.pb").is_file() else None
    try:
        loaded = tf.saved_model.load(str(folder), tags=tags)
    except (ValueError, OSError, RuntimeError, LookupError, tf.errors.OpError) as error:
        raise ModuleError(f"module {spec.handle!r}: cannot be loaded ({_short(error)})") from error
    call, shape = _entry(loaded, spec)
    if len(shape) == 4:
        info = _image_info(spec, folder_digest(folder), shape)
    elif len(shape) in (1, 2):
        info = _waveform_info(spec, folder_digest(folder))
    else:
        raise ModuleError(f"module {spec.handle!r} takes {shape}; expected pictures (N, H, W, 3) or a waveform")
    function = _image_function(call, info) if info.takes == "image" else _waveform_function(call, len(shape))
    return HubModule(replace(info, features=_feature_count(function, info)), function, loaded)


def _feature_count(function: Callable[[Any], Any], info: ModuleInfo) -> int:
    """Length of the feature vector, from two black pictures or two seconds of silence."""
    tf = import_tensorflow()
    probe = (2, info.height, info.width, 3) if info.takes == "image" else (2, info.sample_rate)
    try:
        shape = function(tf.zeros(probe, tf.float32)).shape
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ModuleError(f"module {info.handle!r} cannot be fed {info.takes}s {probe} ({_short(error)})") from error
    if len(shape) != 2 or shape[0] != 2:
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
    height, width = spec.image_size or read or (known.image_size if known else None) or (224, 224)
    if read and (height, width) != read:
        raise ModuleError(f"image_size={height}x{width}: module {spec.handle!r} takes {read[0]}x{read[1]}")
    values = spec.value_range or (known.value_range if known else (0.0, 1.0))
    return ModuleInfo(spec.handle, digest, "image", height, width, values, 0, 0)


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


def _waveform_function(call: Callable[[Any], Any], rank: int) -> Callable[[Any], Any]:
    tf = import_tensorflow()
    if rank == 2:
        return lambda waves: _pooled(_feature_tensor(call(waves)))

    def one(wave: Any) -> Any:  # YAMNet and kin as published: one waveform, one row per patch
        return _pooled(_feature_tensor(call(wave))[None])[0]

    return lambda waves: tf.map_fn(one, waves, fn_output_signature=tf.float32)


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
