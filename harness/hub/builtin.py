"""The module that comes with soundfold: ``builtin:scattering``."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from harness.code_version import code_version
from harness.errors import SettingsError, did_you_mean
from harness.files import digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.devices import gpu_found
from harness.hub.handles import ModuleSpec
from harness.hub.scattering import DEFAULT, ScatteringSpec, build, feature_count

__all__ = ["BUILTIN", "scattering_digest"]

_HANDLES = ("builtin:scattering",)


def scattering_digest(settings: ScatteringSpec = DEFAULT) -> str:
    """sha256 over the settings and the code of the transform, 64 hex digits; without TensorFlow.

    Examples
    --------
    >>> same = scattering_digest(ScatteringSpec(offset=3e-4))
    >>> scattering_digest() == same != scattering_digest(ScatteringSpec(offset=1e-2))
    True
    """
    code = code_version("harness.hub.scattering", "harness.scattering_loops")
    return digest_json({"module": "builtin:scattering", "code": code, "spec": settings.to_json()})


class _Scattering(HubModule):
    """Calls go to compiled loops, and on a GPU to TensorFlow, which is built where it is called for or exported."""

    def __init__(self, info: ModuleInfo) -> None:
        super().__init__(info, self._traced)

    @cached_property
    def _built(self) -> Any:
        return build(DEFAULT)

    def _traced(self, images: Any) -> Any:
        return self._built(images)

    def run(self, batch: np.ndarray) -> np.ndarray:
        if gpu_found():
            return super().run(batch)
        from harness.scattering_loops import scatter  # numba: half a second

        return scatter(batch)


def _load(spec: ModuleSpec) -> HubModule:
    info = ModuleInfo(
        handle=spec.handle,
        digest=scattering_digest(DEFAULT),
        takes="image",
        height=DEFAULT.height,
        width=DEFAULT.width,
        value_range=(0.0, 1.0),
        sample_rate=0,
        features=feature_count(DEFAULT),
    )
    return _Scattering(info)


def _check(spec: ModuleSpec) -> None:
    if spec.handle not in _HANDLES:
        raise SettingsError(f"module {spec.handle!r} is not known; {did_you_mean(spec.handle, _HANDLES)}")
    if spec.image_size or spec.value_range or spec.sample_rate:
        raise SettingsError(f"module {spec.handle!r} is what it is; leave out image_size, value_range and sample_rate")


BUILTIN = ModuleKind(
    name="builtin",
    title="builtin:scattering, a fixed wavelet scattering without learned weights",
    load=_load,
    digest=lambda spec: scattering_digest(),
    check=_check,
    offline="builtin:scattering",
    tensorflow=False,
)
