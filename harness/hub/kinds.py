"""One way in for modules of every kind: read a handle, say what its module takes and gives, load it.

TensorFlow is imported when a module is first loaded. What a module says of itself is in the store from then on, so
that a run whose features are all there never imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from harness.code_version import code_version
from harness.errors import ModuleError, SettingsError, SoundfoldError, did_you_mean
from harness.files import digest_json
from harness.hub.base import FLOAT32_LITE, HubModule, ModuleInfo, ModuleKind, UnavailableError
from harness.hub.devices import precision_of
from harness.hub.handles import GivenModule, ModuleSpec
from harness.hub.lite import LITE, convert, converted, converter
from harness.hub.network_settings import FINE_TUNING, NetworkSettings
from harness.hub.probing import probe
from harness.hub.tensorflow import import_tensorflow, is_allowed
from harness.registry import Registry, defining_module
from harness.settings import Namer, plain
from harness.store import Store, key_of

__all__ = [
    "KINDS",
    "check_same",
    "describe",
    "feature_code",
    "is_network",
    "kind_of",
    "load",
    "network_settings",
    "parse",
    "precision",
]

KINDS: Registry[ModuleKind] = Registry("module kind", ModuleKind, package="harness.hub", group="soundfold.modules")
_WITHOUT_SCHEME = "folder"
_FETCHED = "and handles fetched before (TFHUB_CACHE_DIR, ~/.cache/kagglehub, ~/.keras)"
_NOTES: set[str] = set()  # that were printed
_DESCRIBED: dict[ModuleSpec, HubModule] = {}  # that were loaded to be described: who loads them next need not wait
_MOST_DESCRIBED = 2
R = TypeVar("R")


def parse(given: str | Mapping[str, Any], *, base: Path = Path(), name_of: Namer = plain) -> ModuleSpec:
    """Read a module from a handle, or from a table with ``handle`` and what is given by hand.

    Parameters
    ----------
    given : str or mapping
        ``"builtin:scattering"``, or ``{handle = ..., image_size = [224, 224], value_range = [-1, 1],
        sample_rate = 16000}``.
    base : path
        Folder that relative paths are relative to.
    name_of : callable
        Gives a setting's name as the person wrote it, for messages.

    Raises
    ------
    SettingsError
        An unknown key, builtin or value.
    """
    table = {"handle": given} if isinstance(given, str) else given
    spec = ModuleSpec(**dict(GivenModule.read(table, name_of=name_of)), base=base)
    if spec.scheme and spec.scheme not in KINDS and "://" not in spec.handle and not (base / spec.handle).exists():
        known = did_you_mean(spec.scheme, KINDS.names())
        raise SettingsError(f"module {spec.handle!r}: no such kind of modules; {known}; others come by --plugin FILE")
    kind = kind_of(spec)
    if kind.check:
        kind.check(spec)
    _check_network(spec, kind, name_of)
    return spec


def is_network(spec: ModuleSpec) -> bool:
    """Whether the weights of a module are trained: from scratch, or further."""
    return spec.finetune or kind_of(spec).scratch is not None


def network_settings(spec: ModuleSpec) -> NetworkSettings:
    """How a network is trained: what was given, over what is usual for it."""
    scratch = kind_of(spec).scratch
    return (scratch(spec) if scratch else FINE_TUNING).replace(**spec.training())


def _check_network(spec: ModuleSpec, kind: ModuleKind, name_of: Namer) -> None:
    """Refuse settings of a training that do not apply."""
    if kind.scratch and spec.finetune:
        raise SettingsError(f"{name_of('finetune')}: module {spec.handle!r} is trained from scratch; leave it out")
    if spec.finetune and not kind.tensorflow:
        raise SettingsError(f"{name_of('finetune')}: module {spec.handle!r} has no weights that can be trained")
    given = next(iter([*spec.training(), *(["named"] if spec.named else [])]), "")
    if given and not is_network(spec):
        raise SettingsError(
            f"{name_of(given)}: module {spec.handle!r} is not trained, a head on its features is; add finetune = true "
            "to train its weights too, or leave it out"
        )
    if kind.scratch and spec.start == "fitted":
        raise SettingsError(f"{name_of('start')}='fitted': module {spec.handle!r} has no features before it is trained")


def kind_of(spec: ModuleSpec) -> ModuleKind:
    """The kind that a handle's scheme names; a folder, or an address to fetch one from, where it names none."""
    return KINDS[spec.scheme if spec.scheme in KINDS else _WITHOUT_SCHEME]


def describe(spec: ModuleSpec, *, store: Store | None = None) -> ModuleInfo:
    """Say what a module takes and gives; loads it only where the store does not know its content.

    Raises
    ------
    ModuleError
        It is not available.
    """
    store, kind = store or Store(), kind_of(spec)
    digest = _call(kind.digest, spec) if kind.digest else ""
    known = store.get_json("modules", _key(spec, digest)) if digest else None
    if known is not None:
        return _said(ModuleInfo.from_json(known))
    module = load(spec, store=store, untrained=True)
    if digest == module.info.digest:
        _DESCRIBED[spec] = module
        for oldest in list(_DESCRIBED)[:-_MOST_DESCRIBED]:
            _DESCRIBED.pop(oldest, None)
    return module.info


def load(spec: ModuleSpec, *, store: Store | None = None, untrained: bool = False) -> HubModule:
    """Load a module, and put what it says of itself into the store.

    Parameters
    ----------
    spec : ModuleSpec
    store : Store, optional
    untrained : bool
        Whether it may be a network that has not been trained.

    Raises
    ------
    ModuleError
        It is not available, takes neither images nor a waveform, or gives other features each time; or is a network
        that has not been trained.
    """
    if kind_of(spec).scratch and not untrained:
        raise ModuleError(
            f"module {spec.handle!r} must be trained before it is of use: give it in [train] modules of a study, or to "
            "`python -m trainer run`"
        )
    if kind_of(spec).tensorflow:
        import_tensorflow()
    module = _described(spec) or _call(kind_of(spec).load, spec)
    _check_loaded(module, spec)
    store, key = store or Store(), _key(spec, module.info.digest)
    known = store.get_json("modules", key)
    if known is None:
        _look_at(module, spec, store)
        store.put_json("modules", key, asdict(module.info))
    else:
        module.info = replace(module.info, lite=ModuleInfo.from_json(known).lite)
    module.precision = precision(spec, module.info)
    module.lite = (module.lite or converted(module, store)) if module.precision == FLOAT32_LITE else None
    _said(module.info)
    return module


def check_same(module: HubModule, described: ModuleInfo) -> HubModule:
    """Give a module back that has the content which was described before, for keys; see :func:`describe`.

    Raises
    ------
    ModuleError
        It has changed in between: what it gives must not go under the digest of the other.
    """
    if module.info.digest != described.digest:
        raise ModuleError(f"module {described.handle!r}: changed while it was in use; run the same command again")
    return module


def precision(spec: ModuleSpec, info: ModuleInfo) -> str:
    """What a module computes in, here and now; see :func:`harness.hub.devices.precision_of`."""
    return precision_of(kind_of(spec), info)


def feature_code(spec: ModuleSpec) -> str:
    """Version of all code that makes a feature vector from an image or a sound, for keys; 64 hex digits."""
    kind = defining_module(kind_of(spec))
    code = code_version(kind, "harness.hub.base", "harness.hub.lite", "harness.hub.preprocess")
    # of another's kind we cannot know that its digests differ wherever its modules do
    return code if kind.startswith("harness.hub.") else digest_json([code, spec.handle])


def _look_at(module: HubModule, spec: ModuleSpec, store: Store) -> None:
    """Put made inputs through a module that the store does not know; convert it where TensorFlow Lite can run it."""
    kind = kind_of(spec)
    module.info, module.lite = replace(module.info, lite=False), None
    module.precision = precision(spec, module.info)
    probe(module)
    in_tensorflow = type(module) is HubModule and kind.tensorflow and not kind.scratch
    if in_tensorflow and module.info.takes == "image" and is_allowed(LITE):
        module.lite = convert(module, store)
        module.info = replace(module.info, lite=module.lite is not None)


def _described(spec: ModuleSpec) -> HubModule | None:
    """A module that was loaded to be described, where its content has not changed since; it is given once."""
    module, kind = _DESCRIBED.pop(spec, None), kind_of(spec)
    return module if module and kind.digest and _call(kind.digest, spec) == module.info.digest else None


def _said(info: ModuleInfo) -> ModuleInfo:
    """The same; what was assumed of the module goes to stderr, once."""
    if info.note and info.note not in _NOTES:
        _NOTES.add(info.note)
        print(f"warning: {info.note}", file=sys.stderr, flush=True)
    return info


def _key(spec: ModuleSpec, digest: str) -> str:
    reader = code_version(defining_module(kind_of(spec)), "harness.hub.lite")
    return key_of(module=digest, overrides=spec.overrides(), handle=spec.handle, reader=reader, lite=converter())


def _call(function: Callable[[ModuleSpec], R], spec: ModuleSpec) -> R:
    try:
        return function(spec)
    except UnavailableError as error:
        offline = [text for text in (KINDS[name].offline for name in KINDS) if text]
        raise ModuleError(f"{error}; without a network there are {', '.join([*offline, _FETCHED])}") from error
    except SoundfoldError:
        raise
    except Exception as error:  # whatever somebody's kind raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModuleError(f"module {spec.handle!r}: its kind {kind_of(spec).name!r} failed ({reason})") from error


def _check_loaded(module: Any, spec: ModuleSpec) -> None:
    """Hold what a kind has loaded against what is asked of a module."""
    what = f"module {spec.handle!r}: its kind {kind_of(spec).name!r} gave"
    if not isinstance(module, HubModule):
        raise ModuleError(f"{what} {type(module).__name__}, expected a HubModule")
    info = module.info
    if not isinstance(info.digest, str) or not info.digest:
        raise ModuleError(f"{what} digest={info.digest!r}, expected a text that identifies the module's content")
    if info.takes not in ("image", "waveform"):
        raise ModuleError(f"{what} takes={info.takes!r}, expected 'image' or 'waveform'")
    if info.takes == "image" and min(info.height, info.width) < 1:
        raise ModuleError(f"{what} height={info.height}, width={info.width}, expected the pixels of its images")
    if info.takes == "waveform" and info.sample_rate < 1:
        raise ModuleError(f"{what} sample_rate={info.sample_rate}, expected the rate of its waveforms in Hz")
