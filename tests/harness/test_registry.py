"""Extensions from the folder, from installed packages and from plugin files; what is wrong with one, in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import SettingsError
from harness.hub.base import ModuleKind
from harness.registry import Registry, defining_module, load_plugin, load_plugins, plugin_file

KIND = '''
"""A kind from outside."""

from harness.hub.base import ModuleKind


def load(spec):
    raise NotImplementedError


{constant} = ModuleKind(name="{name}", title="the kind {name}", load=load)
'''


def kind(name: str) -> str:
    """Source of a module that defines one kind of modules."""
    return KIND.format(name=name, constant=name.upper())


def kinds() -> Registry[ModuleKind]:
    """A registry that has not looked for installed packages yet."""
    return Registry("module kind", ModuleKind, package="harness.hub", group="soundfold.modules")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Plugins and packages of a test are forgotten after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("soundfold_plugin_", "their_package")):
            del sys.modules[name]


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a plugin file; gives its path."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return path

    return write


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Install a package of one module with one entry point, as pip would."""
    site = tmp_path / "site"

    def install(package: str, source: str, point: str) -> None:
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[soundfold.modules]\n{point}\n")
        (site / f"{package}.py").write_text(source)

    monkeypatch.syspath_prepend(site)
    return install


def test_ours_are_found_by_looking_into_the_folder() -> None:
    registry = kinds()
    assert registry.names() == tuple(sorted(registry))
    assert registry.names() == tuple(registry[name].name for name in registry)
    assert all(defining_module(registry[name]).startswith("harness.hub.") for name in registry)
    assert all(registry.description(name) for name in registry)
    assert {plugin_file(registry[name]) for name in registry} == {""}


def test_an_unknown_name_says_what_was_meant() -> None:
    with pytest.raises(SettingsError, match=r"module kind='kers': no such module kind; did you mean 'keras'\? avail"):
        kinds()["kers"]


def test_a_plugin_file_is_loaded_once_and_found(plugin: Callable[[str, str], Path]) -> None:
    registry, file = kinds(), plugin("mine.py", kind("mine"))
    assert "mine" not in registry
    module = load_plugin(file)
    assert load_plugin(str(file)) is module
    assert registry["mine"] is module.MINE
    assert "mine" in registry.names()
    assert registry.description("mine") == "the kind mine"
    assert plugin_file(registry["mine"]) == str(file)


def test_an_installed_package_is_found_by_its_entry_point(installed: Callable[[str, str, str], None]) -> None:
    installed("their_package", kind("theirs"), "theirs = their_package:THEIRS")
    registry = kinds()
    assert "theirs" in registry.names()
    assert "their_package" not in sys.modules, "names alone load nothing"
    assert registry["theirs"].title == "the kind theirs"
    assert defining_module(registry["theirs"]) == "their_package"


def test_a_name_that_is_given_twice(
    plugin: Callable[[str, str], Path], installed: Callable[[str, str, str], None]
) -> None:
    load_plugin(plugin("mine.py", kind("keras")))
    registry = kinds()
    with pytest.raises(SettingsError, match=r"'keras' is given twice: in harness\.hub and in .*mine\.py; rename one"):
        registry["keras"]
    assert registry["folder"].name == "folder", "others are not affected"
    installed("their_package", kind("folder"), "folder = their_package:FOLDER")
    with pytest.raises(
        SettingsError, match=r"'folder' is given twice: in harness\.hub and in the installed package th"
    ):
        kinds()["folder"]
    load_plugins([plugin("a.py", kind("same")), plugin("b.py", kind("same"))])
    with pytest.raises(SettingsError, match=r"'same' is given twice: in .*a\.py and in .*b\.py; rename one of them"):
        registry["same"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_like_this", r"ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("def f(:", r"SyntaxError: "),
        ("x = 1", r"defines no encoding, corpus, merge method or module kind"),
        ("from harness.hub.keras import KERAS", r"defines no encoding, corpus, merge method or module kind"),
        ("raise ValueError('two\\nlines')", r"ValueError: two lines"),
    ],
)
def test_a_broken_plugin_is_one_line(plugin: Callable[[str, str], Path], source: str, said: str) -> None:
    file, before = plugin("broken.py", source), set(sys.modules)
    with pytest.raises(SettingsError, match=rf"^plugin '.*broken\.py'(, line 1)?: {said}") as caught:
        load_plugin(file)
    assert "\n" not in str(caught.value)
    assert not [name for name in set(sys.modules) - before if name.startswith("soundfold_plugin_")]
    file.write_text(kind("fixed"), encoding="utf-8")
    load_plugin(file)
    assert "fixed" in kinds()


def test_a_plugin_that_is_not_there_or_no_python(plugin: Callable[[str, str], Path]) -> None:
    with pytest.raises(SettingsError, match=r"plugin 'nowhere\.py': no such file; expected a Python file"):
        load_plugin("nowhere.py")
    with pytest.raises(SettingsError, match=r"mine\.toml': not a Python file; its name must end in \.py"):
        load_plugin(plugin("mine.toml", "x = 1"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_like_this", r"cannot be loaded \(ModuleNotFoundError: .*\); fix or uninstall that package"),
        ("THEIRS = 3", r"must be derived from harness\.hub\.base\.ModuleKind and have name='theirs'"),
        (kind("others") + "THEIRS = OTHERS", r"must be derived from .* and have name='theirs'"),
    ],
)
def test_a_broken_entry_point_is_one_line(installed: Callable[[str, str, str], None], source: str, said: str) -> None:
    installed("their_package", source, "theirs = their_package:THEIRS")
    registry = kinds()
    with pytest.raises(SettingsError, match=rf"module kind='theirs': their_package:THEIRS {said}") as caught:
        registry["theirs"]
    assert "\n" not in str(caught.value)
    assert registry["keras"].name == "keras", "others are not affected"
