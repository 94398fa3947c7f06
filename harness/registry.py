"""Extensions by name: encodings, corpora, merge methods and kinds of modules, ours and anybody's.

An extension is found in one of three places, each needing one file only:

- a module in the folder of its kind (``converter/encodings``, ``corpora/datasets``, ``merger/methods``,
  ``harness/hub``);
- an installed package that names it by an entry point (group ``soundfold.encodings``, ``soundfold.corpora``,
  ``soundfold.merges``, ``soundfold.modules``);
- a Python file that the user names (``[plugins] files`` of a study, ``--plugin`` of a command): :func:`load_plugin`.

Nothing is ever loaded because a model folder or a data file names it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from harness.errors import SettingsError, did_you_mean
from harness.files import digest_bytes, digest_file

__all__ = [
    "Extension",
    "Registry",
    "check_unchanged",
    "defining_module",
    "load_plugin",
    "load_plugins",
    "loaded_plugins",
    "plugin_file",
]

_PREFIX = "soundfold_plugin_"
_DIGEST = "__soundfold_digest__"
_LOADED: list[str] = []
"""Names of the modules of plugin files that this process has loaded."""


class Extension:
    """Marks what a :class:`Registry` finds: a subclass with a `name`, or an object of such a class with one.

    An object has a property `source`, a function of its own that is written in the module that defines the object.
    """

    name: ClassVar[str]


T = TypeVar("T")


class Registry(Generic[T]):
    """What there is of one kind of extension, by name.

    Parameters
    ----------
    what : str
        The kind in messages: ``encoding``.
    base : type
        Class that the extensions derive from, or are objects of.
    package : str
        Package whose modules hold our own.
    group : str
        Group of the entry points of installed packages.
    """

    def __init__(self, what: str, base: type, *, package: str, group: str) -> None:
        self.what = what
        self._base = base
        self._package = package
        self._group = group

    def names(self) -> tuple[str, ...]:
        """All names, sorted; loads no installed package."""
        return tuple(sorted({*self._own, *self._installed, *self._plugins()}))

    def __getitem__(self, name: str) -> T:
        """The extension called `name`.

        Raises
        ------
        SettingsError
            There is none, it is given twice, or its package cannot be loaded.
        """
        plugins = self._plugins()
        places = [place for place in (self._own, self._installed, plugins) if name in place]
        if not places:
            raise SettingsError(f"{self.what}={name!r}: no such {self.what}; {did_you_mean(str(name), self.names())}")
        if len(places) > 1:
            raise SettingsError(f"{self.what}={name!r} is given twice: {self._places(name)}; rename one of them")
        found: Any = plugins.get(name) or self._own.get(name) or self._load(self._installed[name])
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._own or name in self._installed or name in self._plugins())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def description(self, name: str) -> str:
        """First line of an extension's docstring, or its `title`."""
        found: Any = self[name]
        text = str(getattr(found, "title", "") or "") if not isinstance(found, type) else ""
        return text or (found.__doc__ or "").strip().partition("\n")[0]

    @cached_property
    def _own(self) -> dict[str, Any]:
        package = import_module(self._package)
        modules = [m.name for m in iter_modules(package.__path__) if not m.name.startswith("_")]
        return self._named(import_module(f"{self._package}.{name}") for name in modules)

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self._group)}

    def _plugins(self) -> dict[str, Any]:
        return self._named(sys.modules[name] for name in _LOADED if name in sys.modules)

    def _named(self, modules: Iterable[ModuleType]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for module in modules:
            for each in _extensions_in(module):
                if self._fits(each) and found.setdefault(each.name, each) is not each:
                    first, second = (plugin_file(one) or defining_module(one) for one in (found[each.name], each))
                    raise SettingsError(
                        f"{self.what}={each.name!r} is given twice: in {first} and in {second}; rename one of them"
                    )
        return found

    def _fits(self, found: Any) -> bool:
        return isinstance(found, self._base) or (isinstance(found, type) and issubclass(found, self._base))

    def _places(self, name: str) -> str:
        plugin = self._plugins().get(name)
        places = [f"in {self._package}"] if name in self._own else []
        places += [f"in the installed package {self._installed[name].value}"] if name in self._installed else []
        return " and ".join([*places, *([f"in {plugin_file(plugin)}"] if plugin else [])])

    def _load(self, point: EntryPoint) -> Any:
        try:
            found = point.load()
        except Exception as error:  # whatever a foreign package raises when it is imported
            reason = f"{type(error).__name__}: {error}"
            raise SettingsError(
                f"{self.what}={point.name!r}: {point.value} cannot be loaded ({reason}); fix or uninstall that package"
            ) from error
        if not self._fits(found) or getattr(found, "name", "") != point.name:
            raise SettingsError(
                f"{self.what}={point.name!r}: {point.value} must be derived from {self._base.__module__}."
                f"{self._base.__name__} and have name={point.name!r}"
            )
        return found


def loaded_plugins() -> tuple[tuple[str, str], ...]:
    """The plugin files that this process has loaded, with the sha256 of their bytes."""
    modules = [sys.modules[name] for name in dict.fromkeys(_LOADED) if name in sys.modules]
    return tuple((str(each.__file__), str(vars(each)[_DIGEST])) for each in modules)


def load_plugins(files: Iterable[str | Path] | str | Path) -> None:
    """Load several files of extensions, or one; see :func:`load_plugin`."""
    for file in [files] if isinstance(files, (str, Path)) else files:
        load_plugin(file)


def load_plugin(file: str | Path) -> ModuleType:
    """Run a Python file that defines extensions, once in a process; the user must have named it.

    Parameters
    ----------
    file : path

    Returns
    -------
    module
        The same one at every call.

    Raises
    ------
    SettingsError
        No such file, an error in it, no extension in it, or the file has changed since it was loaded.
    """
    path = Path(file).expanduser().resolve()
    name = f"{_PREFIX}{digest_bytes(str(path).encode())[:12]}"
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise SettingsError(f"plugin {str(file)!r}: {found}; expected a Python file")
    if name in sys.modules:
        check_unchanged(sys.modules[name])
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"plugin {str(file)!r}: not a Python file; its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        module.__dict__[_DIGEST] = digest_file(path)
        spec.loader.exec_module(module)
        if not _extensions_in(module):
            raise SettingsError(f"defines no encoding, corpus, merge method or module kind{_nameless(module)}")
        _LOADED.append(name)
    except Exception as error:  # whatever somebody's file raises
        del sys.modules[name]
        reason = str(error) if isinstance(error, SettingsError) else f"{type(error).__name__}: {error}"
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise SettingsError(f"plugin {str(file)!r}{where}: {' '.join(reason.split())}") from error
    return module


def check_unchanged(module: ModuleType) -> None:
    """Refuse to go on with a plugin whose file is not the one that was loaded: its results would have a wrong key."""
    digest = vars(module).get(_DIGEST)
    if digest is not None and digest_file(str(module.__file__)) != digest:
        raise SettingsError(f"plugin {module.__file__!r}: has changed since it was loaded; start Python again")


def _nameless(module: ModuleType) -> str:
    """What to say of classes that would be extensions if they had a name of their own."""
    classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    nameless = [each.__name__ for each in classes if issubclass(each, Extension)]
    return f"; give class {nameless[0]} a name of its own, name = '...'" if nameless else ""


def plugin_file(extension: Any) -> str:
    """The file that :func:`load_plugin` took an extension from; empty for any other."""
    module = defining_module(extension)
    return str(sys.modules[module].__file__) if module.startswith(_PREFIX) else ""


def defining_module(extension: Any) -> str:
    """Name of the module in which an extension is written."""
    return str((extension if isinstance(extension, type) else extension.source).__module__)


def _extensions_in(module: ModuleType) -> list[Any]:
    """Extensions that a module itself defines: classes with a name, and named objects."""
    found: list[Any] = []
    for each in vars(module).values():
        if isinstance(each, type):
            if issubclass(each, Extension) and each.__module__ == module.__name__ and each.__dict__.get("name"):
                if not isinstance(each.name, str):
                    raise SettingsError(f"class {each.__name__}: name={each.name!r}: must be a text")
                found.append(each)
        elif isinstance(each, Extension) and defining_module(each) == module.__name__:
            found.append(each)
    return found
