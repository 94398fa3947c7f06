"""Versions of code for cache keys, derived from what the code imports, so that none can be forgotten.

The version of a module is a digest over its syntax tree and those of all modules of this project that it imports,
directly or through others. Of a module from outside the project, its own package counts as well, and what lies in the
same folder (unless that is where packages are installed). Comments, docstrings and line breaks do not count;
everything else does. What is chosen by name while the program runs (an encoding, a kind of module) is not imported by
the code that chooses, so its own module is given as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

from harness.files import digest_json
from harness.registry import check_unchanged
from harness.syntax import summary, type_imports

__all__ = ["code_version", "import_closure", "syntax_digest"]

PROJECT = frozenset({"converter", "corpora", "evaluator", "harness", "labeler", "merger", "soundfold", "trainer"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@lru_cache(maxsize=256)
def code_version(*modules: str) -> str:
    """Digest of everything in this project that some modules are made of.

    Parameters
    ----------
    *modules : str
        Names of modules, as ``converter.encodings.gray``.

    Returns
    -------
    str
        64 hex digits; the same whatever the order of `modules`, and wherever a plugin file lies.
    """
    closure = import_closure(*modules)
    parts = ((name, path, summary(read_source(path), _package(name, path)).digest) for name, path in closure.items())
    return digest_json(sorted([_label(name, path), digest] for name, path, digest in parts))


def import_closure(*modules: str) -> dict[str, Path]:
    """The modules themselves and all that they import of this project or of their own package, with their files.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    dict of str to Path
    """
    tops = {name.partition(".")[0] for name in modules}
    ours = PROJECT | tops
    folders = {folder for top in tops - PROJECT if (folder := _folder_of(top)) and folder.name not in _INSTALLED}
    found: dict[str, Path] = {}
    todo = [part for name in modules for part in _resolved(name, "")]
    while todo:
        name = todo.pop()
        path = None if name in found else _file_of(name)
        if path is None:
            continue
        found[name] = path
        if name in sys.modules:
            check_unchanged(sys.modules[name])
        for module, imported in summary(read_source(path), _package(name, path)).imports:
            top = module.partition(".")[0]
            if top in ours or (folders and _folder_of(top) in folders):
                todo += _resolved(module, imported)
    return found


def syntax_digest(source: str) -> str:
    """Digest of a module's code without comments, docstrings and layout, 64 hex digits.

    Examples
    --------
    >>> syntax_digest("x = 1  # one") == syntax_digest("'''Doc.'''\\nx=(1)") != syntax_digest("x = 2")
    True
    """
    return summary(source, "").digest


def read_source(path: Path) -> str:
    """The text of a module."""
    state = os.stat(path)
    return _source(str(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _source(path: str, mtime_ns: int, size: int) -> str:
    """The text of a file, read anew once that has another time or size: a hundred modules import the same ones."""
    return Path(path).read_text(encoding="utf-8")


def _label(name: str, path: Path) -> str:
    """A module's name; of a plugin file, whose module is named after its folder, the file's."""
    return name if path.stem in ("__init__", name.rpartition(".")[2]) else path.name


def _package(name: str, path: Path) -> str:
    """The package that a module's relative imports start from."""
    return name if path.stem == "__init__" else name.rpartition(".")[0]


def _file_of(name: str) -> Path | None:
    """The file of a module; None where there is no such module, or none written in Python."""
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        above = _file_of(name.rpartition(".")[0]) if "." in name else None
        if above and above.stem != "__init__":
            return None
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _folder_of(top: str) -> Path | None:
    """The folder that a module or package without a package above it lies in."""
    path = _file_of(top)
    if path:
        return path.parent.parent if path.stem == "__init__" else path.parent
    spec = find_spec(top) if top not in sys.modules else sys.modules[top].__spec__
    places = list(spec.submodule_search_locations or ()) if spec else []  # a folder without an __init__
    return Path(places[0]).parent if places else None


def _resolved(module: str, name: str) -> Iterator[str]:
    """Modules that an import runs: the module with its packages, and what the name in it stands for."""
    parts = module.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))
    path = _file_of(module) if name and module else None
    if path is None:
        return
    lazy = list(_lazy_names(path, module, name))
    for target, original in lazy:
        yield from _resolved(target, original)
    if path.stem == "__init__" and not lazy:
        yield from _submodules(module, path, name)


def _lazy_names(path: Path, module: str, name: str) -> Iterator[tuple[str, str]]:
    """(module, name) that a lazy package says that a name, or ``*``, is: in its stub, or for type checkers."""
    stub = path.with_suffix(".pyi")
    is_stub = stub.is_file()
    for given, target, original in type_imports(
        read_source(stub if is_stub else path), is_stub, _package(module, path)
    ):
        if name in ("*", given) and target != module:
            yield target, original


def _submodules(package: str, path: Path, name: str) -> Iterator[str]:
    """The submodule that a name of a package is; all of them where nothing says what the name is."""
    if name != "*" and _file_of(f"{package}.{name}"):
        yield f"{package}.{name}"
    elif name == "*" or name not in summary(read_source(path), package).bound | {"__all__", "__version__"}:
        for found in walk_packages([str(path.parent)], f"{package}."):
            yield found.name
