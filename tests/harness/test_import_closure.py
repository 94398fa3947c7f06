"""What an import brings into the version of the code that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import code_version


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import converter\n\ndef f(S):\n    return converter.level(S)", ["converter", "converter.levels"]),
        ("from converter import LogMel", ["converter", "converter.encodings", "converter.encodings.logmel"]),
        ("from converter import LogMel as Mel", ["converter.encodings.logmel"]),
        ("import soundfold as sf\nsf.level", ["soundfold", "converter.levels"]),
        ("import soundfold\nsoundfold.load_model()", ["soundfold", "labeler.loading"]),
        ("from harness import hub\nhub.load()", ["harness.hub", "harness.hub.kinds"]),
        ("from converter import *", ["converter.spectrogram", "converter.encodings.waveform"]),
        ("def f():\n    from converter.raster import quantise", ["converter", "converter.raster", "PIL"]),
        ("import converter.dsp as dsp", ["converter.dsp"]),
        ("import converter.dsp\nconverter.draw", ["converter.dsp", "converter.drawing"]),
        ("import neighbour", ["neighbour", "neighbour_of_neighbour"]),
        ("import numpy, json", ["numpy", "json"]),
        ("import converter", ["converter"]),
    ],
)
def test_imports_are_followed(
    source: str, modules: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    name = f"outside{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "neighbour.py").write_text("from neighbour_of_neighbour import x")
    (tmp_path / "neighbour_of_neighbour.py").write_text("x = 3")
    monkeypatch.syspath_prepend(tmp_path)
    closure = code_version.import_closure(name)
    foreign = {"PIL", "numpy", "json"}
    assert set(modules) - foreign <= set(closure)
    assert not foreign & set(closure)
    if set(modules) <= foreign | {"converter"}:
        assert set(closure) == {name, *modules} - foreign


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("from . import helper", ["helper"]),
        ("from .helper import f", ["helper"]),
        ("from .deep.inner import f", ["deep", "deep.inner", "helper"]),
        ("from {0} import helper", ["helper"]),
        ("import {0}\n{0}.helper.f()", ["helper"]),
        ("from {0} import by_lazy_name", ["helper", "deep.inner"]),
        ("from .lazy import other_name", ["lazy", "helper"]),
        ("from {0} import lazy\nlazy.other_name", ["lazy", "helper"]),
        ("from {0} import constant", []),
        ("from {0} import constant as c, f", ["helper", "deep.inner"]),
    ],
)
def test_a_package_from_outside_is_followed_inside(
    source: str, modules: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    name = f"package{abs(hash(request.node.name))}"
    package = tmp_path / "site-packages" / name
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("import unrelated\nconstant = 3\ndef __getattr__(name): ...")
    (package / "root.py").write_text(source.format(name))
    (package / "helper.py").write_text("def f(): ...")
    (package / "deep" / "__init__.py").write_text("")
    (package / "lazy").mkdir()
    (package / "lazy" / "__init__.py").write_text("def __getattr__(name): ...")
    (package / "lazy" / "__init__.pyi").write_text("from ..helper import f as other_name")
    (package / "deep" / "inner.py").write_text("from ..helper import f")
    (tmp_path / "site-packages" / "unrelated.py").write_text("x = 3")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    closure = code_version.import_closure(f"{name}.root")
    expected = {name, f"{name}.root", *(f"{name}.{module}" for module in modules)}
    assert expected <= set(closure)
    assert "unrelated" not in closure, "another package, installed in the same place"
    assert modules or set(closure) == expected


def test_one_version_whatever_the_order() -> None:
    version = code_version.code_version
    assert version("converter.dsp", "converter.raster") == version("converter.raster", "converter.dsp")
    assert version("converter.dsp") != version("converter.raster")
