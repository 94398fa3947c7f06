"""Kinds of modules: ours are found, and one from outside is one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.code_version import code_version
from harness.errors import ModuleError, SettingsError
from harness.hub import kinds
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import KINDS, describe, feature_code, kind_of, load, parse
from harness.hub.preprocess import image_input, preprocessing
from harness.registry import load_plugin
from harness.store import Store

PLUGIN = '''
"""Corners of an image as features: ``corners:8`` takes images of 8 x 8."""

from harness.errors import SettingsError
from harness.files import digest_bytes
from harness.hub import HubModule, ModuleInfo, ModuleKind, UnavailableError


def check(spec):
    if not spec.name.isdigit():
        raise SettingsError(f"module {spec.handle!r}: expected a size, e.g. corners:8")


def digest(spec):
    return digest_bytes(spec.handle.encode())


def load(spec):
    size = int(spec.name)
    if size > 1000:
        raise UnavailableError(f"module {spec.handle!r} is not available (too large)")
    info = ModuleInfo(spec.handle, digest(spec), "image", size, size, (0.0, 1.0), 0, features=3)
    return HubModule(info, lambda images: FACTOR * images[:, 0, 0])


FACTOR = 1
CORNERS = ModuleKind(name="corners", title="corners", load=load, digest=digest, check=check, offline="corners:8")
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    """A file with a kind of modules, loaded."""
    file = tmp_path / "corners.py"
    file.write_text(PLUGIN)
    module = load_plugin(file)
    yield file
    del sys.modules[module.__name__]


@pytest.mark.parametrize("name", KINDS.names())
def test_each_of_ours_says_what_it_is(name: str) -> None:
    kind = KINDS[name]
    assert isinstance(kind, ModuleKind)
    assert KINDS.description(name) == kind.title != ""
    assert kind_of(parse(f"{name}:{'small' if name == 'cnn' else 'scattering'}")).name == name


def test_a_kind_from_outside_is_one_file(plugin: Path, tmp_path: Path) -> None:
    store, spec = Store(tmp_path / "store"), parse("corners:8")
    info = describe(spec, store=store)
    assert (info.handle, info.height, info.features) == ("corners:8", 8, 3)
    assert describe(spec, store=store) == info
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert np.allclose(load(spec, store=store)(images), images[:, 0, 0] / 255)
    with pytest.raises(SettingsError, match="module 'corners:eight': expected a size"):
        parse("corners:eight")
    with pytest.raises(
        ModuleError, match=r"not available \(too large\); without a network there are .* corners:8, a l"
    ):
        load(parse("corners:2000"), store=store)
    with pytest.raises(ModuleError, match=r"no such folder; without a network there are .*corners:8"):
        describe(parse("no/such/folder"), store=store)


def test_a_module_loaded_to_be_described_is_not_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    digests = ["a" * 64]

    def counted(spec: ModuleSpec) -> HubModule:
        loaded.append(digests[-1])
        info = ModuleInfo(spec.handle, digests[-1], "image", 8, 8, (0.0, 1.0), 0, features=3)
        return HubModule(info, lambda images: images[:, 0, 0])

    kind = ModuleKind(name="counted", title="counted", load=counted, digest=lambda spec: digests[-1])
    monkeypatch.setattr(kinds, "kind_of", lambda spec: kind)
    store, spec = Store(tmp_path / "store"), ModuleSpec(handle="counted")
    info = describe(spec, store=store)
    first, second = load(spec, store=store), load(spec, store=store)
    assert first.info == second.info == info
    assert first is not second
    assert len(loaded) == 2
    digests.append("b" * 64)
    assert describe(spec, store=store).digest == digests[-1]
    digests.append("c" * 64)  # its content changes before it is loaded
    assert load(spec, store=store).info.digest == digests[-1]
    assert loaded[2:] == digests[1:]


def test_without_the_file_there_is_no_such_kind() -> None:
    with pytest.raises(SettingsError, match=r"module 'corners:8': no such kind of modules; .*come by --plugin FILE"):
        parse("corners:8")


def test_code_of_features_is_that_of_the_kind(plugin: Path) -> None:
    assert feature_code(parse("corners:8")) != feature_code(parse("builtin:scattering"))
    assert feature_code(parse("corners:8")) != feature_code(parse("corners:4")), "its digests may be the same"
    code_version.cache_clear()
    plugin.write_text(PLUGIN.replace("FACTOR = 1", "FACTOR = 2"))
    with pytest.raises(SettingsError, match="has changed since it was loaded; start Python again"):
        feature_code(parse("corners:8"))
    with pytest.raises(SettingsError, match="has changed since it was loaded"):
        load_plugin(plugin)
    code_version.cache_clear()


def test_what_a_model_folder_says_of_its_module() -> None:
    info = ModuleInfo("m", "d", "image", 8, 6, (-1.0, 1.0), 0, 3)
    recorded = {
        "handle": "m", "digest": "d", "takes": "image", "height": 8, "width": 6, "value_range": [-1.0, 1.0],
        "sample_rate": 0, "features": 3, "preprocessing": preprocessing(info),
    }  # fmt: skip
    assert ModuleInfo.from_json(recorded) == info
    assert image_input(np.zeros((5, 5, 4), np.uint8), info).shape == (8, 6, 3)
