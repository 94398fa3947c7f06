"""Modules: fixed functions from pictures, or from waveforms, to feature vectors.

One way in for all of them: ``builtin:scattering``, local SavedModel folders, tfhub.dev and Kaggle handles, Keras
applications, and modules that take the sound itself. TensorFlow is imported when a module is first loaded, and
what a module says of itself is kept in the store, so that a run whose features are all there never imports it.
"""

from __future__ import annotations

from dataclasses import asdict

from harness.hub.base import HubModule, ModuleInfo
from harness.hub.handles import ModuleSpec, folder_digest, locate
from harness.hub.keras import load_keras
from harness.hub.saved_model import load_saved_model
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store, key_of

__all__ = ["HubModule", "ModuleInfo", "describe", "load"]

_READER = 1  # raised when what is read from a module changes


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
    module = {"builtin": _load_scattering, "keras": load_keras}.get(spec.kind, load_saved_model)(spec)
    store = store or Store()
    key = key_of(module=module.info.digest, overrides=spec.overrides(), handle=spec.handle, reader=_READER)
    if store.get_json("modules", key) is None:
        store.put_json("modules", key, asdict(module.info))
    return module


def _digest(spec: ModuleSpec) -> str:
    if spec.kind == "builtin":
        from harness.hub import scattering

        return scattering.digest()
    return folder_digest(locate(spec))


def _load_scattering(spec: ModuleSpec) -> HubModule:
    from harness.hub import scattering

    settings = scattering.DEFAULT
    module = scattering.build(settings)
    info = ModuleInfo(
        spec.handle, scattering.digest(settings), "image", settings.height, settings.width, (0.0, 1.0), 0,
        scattering.feature_count(settings),
    )  # fmt: skip
    return HubModule(info, module, module)
