"""Keys have all code in them that can change what is stored under them, and nothing that cannot."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from plugins.support import (
    ENCODING_FILE,
    MERGE_FILE,
    MODULE_FILE,
    forget_birdtools,
    install_birdtools,
    loaded,
    names_with,
)

from converter import references
from converter import registry as encodings
from converter.drawing import draw_pngs
from converter.references import Clip
from converter.registry import ENCODINGS, encoding_code
from harness import audio, code_version, files, image, protocol, syntax, tables
from harness.hub import kinds
from harness.hub.preprocess import read_image, waveform_input
from harness.hub.tensorflow import import_tensorflow
from harness.registry import defining_module
from harness.store import Store
from merger import registry as methods
from merger.merging import merge_png
from merger.registry import METHODS, method_code
from trainer import crossvalidate, fitting
from trainer.sgd import SgdSettings

ROOT = Path(__file__).resolve().parents[2]
ENCODING_NAMES, METHOD_NAMES = names_with(ENCODINGS, ENCODING_FILE), names_with(METHODS, MERGE_FILE)


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugin files loaded, and a folder on the path with the package ``birdtools``."""
    site = install_birdtools(tmp_path_factory.mktemp("site"))
    with ExitStack() as stack:
        stack.enter_context(loaded(ENCODING_FILE, MERGE_FILE, MODULE_FILE))
        stack.enter_context(pytest.MonkeyPatch.context()).syspath_prepend(site)
        forget_birdtools()
        yield site
    forget_birdtools()


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sounds") / "a.wav"
    audio.write_wav(path, np.random.default_rng(0).normal(0, 0.1, 3000), 16000)
    return path


def encoding_class(name: str) -> Any:
    return import_module("birdtools.encoding").BirdBands if name == "bird_bands" else ENCODINGS[name]


def method_class(name: str) -> Any:
    return import_module("birdtools.merge").Difference if name == "difference" else METHODS[name]


# ---- what is executed is in the key


def executed(work: Callable[[], object], *folders: Path) -> set[Path]:
    """The files of the project and of some folders whose code runs in `work`, nothing remembered from before."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in code_version.PROJECT:
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()
    ran: set[str] = set()
    before = sys.gettrace()
    trace = lambda frame, event, arg: ran.add(frame.f_code.co_filename)  # noqa: E731
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type]
    ours = [*(ROOT / package for package in code_version.PROJECT), ENCODING_FILE.parent, *folders]
    return {Path(file) for file in ran if any(Path(file).is_relative_to(each) for each in ours)}


def roots_of(key: Callable[[], object], module: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The modules that a key is made of: what `code_version` is called with."""
    seen: list[tuple[str, ...]] = []
    with monkeypatch.context() as patched:
        patched.setattr(module, "code_version", lambda *names: seen.append(names) or "code")
        key()
    assert len(seen) == 1
    return seen[0]


def assert_in_key(ran: set[Path], roots: tuple[str, ...]) -> None:
    closure = {path.resolve() for path in code_version.import_closure(*roots).values()}
    assert len(ran) > 3
    assert {file.resolve() for file in ran} <= closure


@pytest.mark.parametrize("name", [*ENCODING_NAMES, "bird_bands"])
def test_what_draws_is_in_the_key(name: str, wav: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = encoding_class(name)

    def draw() -> None:
        drawn = cls(size=(20, 30), duration_s=0.25)
        list(draw_pngs(wav, [drawn, drawn.replace(sample_rate=16000, duration_s=0)], start_s=0.01, end_s=0.1))

    ran = executed(draw, site)
    assert (site / "birdtools" / "bands.py" in ran) == (name == "bird_bands")
    assert_in_key(ran, roots_of(lambda: encoding_code(cls()), encodings, monkeypatch))


@pytest.mark.parametrize("name", [name for name in ENCODING_NAMES if name != "waveform"])
def test_what_measures_is_in_the_key(name: str, wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip("a", str(wav), "", "", "", float("nan"), float("nan"), digest=files.digest_bytes(wav.read_bytes()))
    of_corpus = {name: ENCODINGS[name](ref="corpus")}
    roots = roots_of(
        lambda: references.with_references(of_corpus, [clip], store=Store(tmp_path / "s")), references, monkeypatch
    )
    task = references._Measurement(clip, ENCODINGS[name](), "key", Store(tmp_path))
    assert_in_key(executed(lambda: references._measure(task)), roots)


@pytest.mark.parametrize("name", [*METHOD_NAMES, "difference"])
def test_what_merges_is_in_the_key(name: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, of = method_class(name), ["gray", "waveform", "gray"]
    png = image.encode_png(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8))
    data = {"gray": png, "waveform": png}
    ran = executed(lambda: merge_png(data, cls(of=of), names=dict.fromkeys(data, "")), site)
    assert any(file.samefile(str(sys.modules[cls.__module__].__file__)) for file in ran)
    assert_in_key(ran, roots_of(lambda: method_code(cls(of=of)), methods, monkeypatch))


@pytest.mark.parametrize("handle", ["builtin:scattering", "rows:16", "blocks:2", "tiny_module"])
def test_what_makes_features_of_images_is_in_the_key(
    handle: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.delitem(kinds.KINDS.__dict__, "_installed", raising=False)  # it looks for the package again
    spec = kinds.parse(handle if ":" in handle else request.getfixturevalue(handle))
    kind, _ = kinds.kind_of(spec), import_tensorflow()
    files.write_bytes(tmp_path / "a.png", image.encode_png(np.full((20, 30, 4), 9, np.uint8)))

    def features() -> None:
        module = kind.load(spec)
        module(read_image(tmp_path / "a.png", module.info)[None])

    assert_in_key(executed(features, site), roots_of(lambda: kinds.feature_code(spec), kinds, monkeypatch))
    monkeypatch.delitem(kinds.KINDS.__dict__, "_installed", raising=False)


def test_what_makes_features_of_sounds_is_in_the_key(
    tiny_yamnet: str, wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = kinds.parse(tiny_yamnet)
    kind, _ = kinds.kind_of(spec), import_tensorflow()

    def features() -> None:
        module = kind.load(spec)
        module(waveform_input(*audio.read(wav, start_s=0.01), module.info)[None])

    assert_in_key(executed(features), roots_of(lambda: kinds.feature_code(spec), kinds, monkeypatch))


@pytest.mark.parametrize("head", get_args(fitting.HeadSettings.model_fields["head"].annotation))
@pytest.mark.parametrize("n_folds", [2, 3])
def test_what_fits_heads_is_in_the_key(head: str, n_folds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = fitting.HeadSettings(head=head, strengths=(0.1, 1.0), sgd=SgdSettings(steps=2))
    rows = [{"clip_id": str(i), "label": "ab"[i % 2], "fold": str(i // 2 % n_folds)} for i in range(24)]
    table = tables.frame(
        [{**row, "encoding": "x", "path": "x", "group": row["clip_id"]} for row in rows], tables.IMAGES
    )
    features = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)

    def fit() -> None:
        of = protocol.splits(table["fold"], table["group"], table["label"])
        trained = fitting.fit_folds(features, table["label"], list(of), settings=settings, seed=0)
        fitting.fit_final(features, table["label"], trained, settings=settings, seed=0)

    roots = roots_of(lambda: crossvalidate.heads_key(table, [], settings, 0), crossvalidate, monkeypatch)
    assert_in_key(executed(fit), roots)


# ---- what is changed changes the key


def modules_in_keys() -> dict[str, tuple[str, ...]]:
    """Every module of ours that is in a key, with the roots of one such key."""
    found: dict[str, tuple[str, ...]] = {}
    roots = [(f"converter.encodings.{path.stem}", "converter.drawing") for path in _modules("converter/encodings")]
    roots += [(f"merger.methods.{path.stem}", "merger.merging") for path in _modules("merger/methods")]
    roots += [
        (defining_module(kinds.KINDS[name]), "harness.hub.base", "harness.hub.preprocess") for name in kinds.KINDS
    ]
    roots += [("converter.references",), ("trainer.fitting",)]
    for each in roots:
        found |= dict.fromkeys(code_version.import_closure(*each), each)
    return found


def _modules(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).glob("*.py") if path.stem != "__init__"]


IN_KEYS = modules_in_keys()


def key_with(monkeypatch: pytest.MonkeyPatch, path: Path, source: str, roots: tuple[str, ...]) -> str:
    """The version of the code with another source of one file."""
    real = code_version.read_source
    with monkeypatch.context() as patched:
        patched.setattr(code_version, "read_source", lambda each: source if each == path else real(each))
        return code_version.code_version.__wrapped__(*roots)


def changed(source: str) -> Iterator[tuple[str, str]]:
    """The source with one number, text, operator or name changed: the first and the last of each."""
    for kind in (number, text, operator, attribute):
        count = sum(kind(node) for node in candidates(ast.parse(source)))
        for index in sorted({0, count - 1} if count else ()):
            tree = ast.parse(source)
            node = [node for node in candidates(tree) if kind(node)][index]
            kind(node, change=True)
            yield f"{kind.__name__} in line {getattr(node, 'lineno', '?')}", ast.unparse(tree)


def candidates(tree: ast.Module) -> list[ast.AST]:
    """All nodes but docstrings."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [node for node in ast.walk(tree) if id(node) not in statements]


def number(node: Any, *, change: bool = False) -> bool:
    fits = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    if fits and change:
        node.value = node.value + 1 if node.value < 1e300 else 3.0
    return fits


def text(node: Any, *, change: bool = False) -> bool:
    fits = isinstance(node, ast.Constant) and isinstance(node.value, str)
    if fits and change:
        node.value += "x"
    return fits


def operator(node: Any, *, change: bool = False) -> bool:
    swaps = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.LtE, ast.Gt: ast.GtE}
    op = node.op if isinstance(node, ast.BinOp) else node.ops[0] if isinstance(node, ast.Compare) else None
    if change and isinstance(node, ast.BinOp):
        node.op = swaps[type(op)]()
    elif change:
        node.ops[0] = swaps[type(op)]()
    return type(op) in swaps


def attribute(node: Any, *, change: bool = False) -> bool:
    if isinstance(node, ast.Attribute) and change:
        node.attr += "_"
    return isinstance(node, ast.Attribute)


@pytest.mark.parametrize("name", sorted(IN_KEYS))
def test_a_change_that_can_change_a_number_changes_the_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = IN_KEYS[name]
    path = code_version.import_closure(*roots)[name]
    source = code_version.read_source(path)
    before = key_with(monkeypatch, path, source, roots)
    for what, other in changed(source):
        assert key_with(monkeypatch, path, other, roots) != before, what


@pytest.mark.parametrize("name", sorted(IN_KEYS))
def test_comments_docstrings_and_layout_do_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = IN_KEYS[name]
    path = code_version.import_closure(*roots)[name]
    tree = ast.parse(code_version.read_source(path))
    documented = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value, documented = "Another text.", documented + 1
    assert documented
    other = "# a comment\n\n" + ast.unparse(tree).replace("\n", "\n\n\n").replace("    ", "\t") + "  # another\n"
    assert key_with(monkeypatch, path, other, roots) == key_with(monkeypatch, path, path.read_text("utf-8"), roots)


def test_a_helper_of_a_package_from_outside_is_in_the_key(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, helper = encoding_class("bird_bands"), site / "birdtools" / "bands.py"
    roots = roots_of(lambda: encoding_code(cls()), encodings, monkeypatch)
    source = helper.read_text()
    keys = {key_with(monkeypatch, helper, each, roots) for each in (source, source.replace("4000", "5000"))}
    assert len(keys) == 2
    assert key_with(monkeypatch, helper, source.replace("Weights", "Factors") + "# end", roots) in keys


def test_a_plugin_file_may_be_moved(tmp_path: Path) -> None:
    codes = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "plugin.py"
        path.parent.mkdir()
        path.write_text(ENCODING_FILE.read_text().replace('"loudness"', '"loud"').replace('"delta"', '"change"'))
        with loaded(path):
            codes.append(encoding_code(ENCODINGS["loud"]()))
    assert codes[0] == codes[1]


def test_what_modules_say_is_remembered_and_never_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, source = Store(tmp_path), "from os import path\n\nx = 1\n"
    with syntax.remembered_code(store):
        first = syntax.summary.__wrapped__(source, "")
    monkeypatch.setattr(syntax, "_KNOWN", {})
    monkeypatch.setattr(syntax, "_summarised", lambda *_: pytest.fail("was remembered"))
    with syntax.remembered_code(store):
        assert syntax.summary.__wrapped__(source, "") == first
        with pytest.raises(pytest.fail.Exception):
            syntax.summary.__wrapped__(source.replace("1", "2"), "")
