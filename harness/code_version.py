"""Versions of code for cache keys, derived from what the code imports, so that none can be forgotten.

The version of a module is a digest over its syntax tree and those of all modules of this project (or of the same
package or plugin) that it imports, directly or through others. Comments, docstrings, annotations' spelling and line
breaks do not count; everything else does. What is chosen by name while the program runs (an encoding, a kind of
module) is not imported by the code that chooses, so its own module is given as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from harness.files import digest_bytes, digest_json

__all__ = ["code_version", "import_closure", "syntax_digest"]

PROJECT = frozenset({"converter", "corpora", "evaluator", "harness", "labeler", "merger", "soundfold", "trainer"})


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
        64 hex digits; the same whatever the order of `modules`.
    """
    closure = import_closure(*modules)
    return digest_json([[name, syntax_digest(read_source(path))] for name, path in sorted(closure.items())])


def import_closure(*modules: str) -> dict[str, Path]:
    """The modules themselves and all that they import of this project or of their own package, with their files.

    Parameters
    ----------
    *modules : str

    Returns
    -------
    dict of str to Path
    """
    ours = PROJECT | {name.partition(".")[0] for name in modules}
    found: dict[str, Path] = {}
    todo = [part for name in modules for part in _resolved((name, ""))]
    while todo:
        name = todo.pop()
        path = None if name in found else _file_of(name)
        if path is None:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in _imports(ast.parse(read_source(path)), package=package):
            if imported[0].partition(".")[0] in ours:
                todo += _resolved(imported)
    return found


def syntax_digest(source: str) -> str:
    """Digest of a module's code without comments, docstrings and layout, 64 hex digits.

    Examples
    --------
    >>> syntax_digest("x = 1  # one") == syntax_digest("'''Doc.'''\\nx=(1)") != syntax_digest("x = 2")
    True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return digest_bytes(ast.dump(tree).encode())


def read_source(path: Path) -> str:
    """The text of a module."""
    return path.read_text(encoding="utf-8")


def _file_of(name: str) -> Path | None:
    """The file of a module; None where there is no such module, or none written in Python."""
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _imports(tree: ast.Module, *, package: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import; `name` is empty where the module itself is imported."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else ""
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*base, *([module] if module else [])])
            for alias in node.names:
                yield module, alias.name
    for node in ast.walk(tree):  # names that a lazy package gives as attributes: `import converter; converter.draw`
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield aliases[node.value.id] or node.value.id, node.attr


def _resolved(imported: tuple[str, str]) -> Iterable[str]:
    """Modules that an import runs: the module with its packages, and what the name in it stands for."""
    module, name = imported
    parts = module.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))
    if name and module:
        yield from _submodule_or_lazy(module, name)


def _submodule_or_lazy(module: str, name: str) -> Iterator[str]:
    path = _file_of(module)
    stub = path.with_suffix(".pyi") if path else None
    if stub is not None and stub.is_file():
        wanted = [each for each in _stub_imports(stub, module) if name in ("*", each[1]) and each[0] != module]
        if wanted:
            for each in wanted:
                yield from _resolved(each)
            return
    if path is not None and path.name == "__init__.py":
        yield f"{module}.{name}"


def _stub_imports(stub: Path, module: str) -> list[tuple[str, str]]:
    """What the stub of a lazy package or module says that its names are."""
    package = module if stub.stem == "__init__" else module.rpartition(".")[0]
    tree = ast.parse(read_source(stub))
    return [each for each in _imports(tree, package=package) if each[1]]
