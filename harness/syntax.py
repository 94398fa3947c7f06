"""What a module's text says: the digest of its syntax tree, what it imports, what it defines.

Syntax trees of a hundred modules take most of a second, so what they say may be remembered in a store, by a digest of
the text itself: a text that is changed is another one.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.files import digest_bytes, digest_file
from harness.store import Store, key_of

__all__ = ["Summary", "remembered_code", "summary", "type_imports"]

_KIND = "code"
_BLOCKS = ("body", "orelse", "finalbody")
_KNOWN: dict[str, Any] = {}  # by a digest of the text and of what is asked of it
_ASKED: set[str] = set()
_Nodes = dict[type, list[Any]]  # of a syntax tree, by their kind


@contextmanager
def remembered_code(store: Store, *, write: bool = True) -> Iterator[None]:
    """While this lasts, take from a store what is known of modules; with `write` put there in the end what is new."""
    local, reader = store.local, digest_file(Path(__file__))
    key = key_of(reader=reader, python=sys.version)  # a tree of another Python may be another
    with suppress(ValueError):
        _KNOWN.update(local.get_json(_KIND, key) or {})
    before = set(_KNOWN)
    try:
        yield
    finally:
        if write and _ASKED - before:
            with suppress(OSError):  # of a full disk others will speak
                local.put_json(_KIND, key, {each: _KNOWN[each] for each in sorted(_ASKED)})


def _recalled(what: str, source: str, package: str, read: Callable[[], list[Any]]) -> list[Any]:
    """What is known of a text, or else what `read` gives."""
    key = digest_bytes(f"{what}\0{package}\0{source}".encode())
    if key not in _KNOWN:
        _KNOWN[key] = read()
    _ASKED.add(key)
    found: list[Any] = _KNOWN[key]
    return found


@dataclass(frozen=True)
class Summary:
    """What is known of a module's text.

    Parameters
    ----------
    digest : str
        Of its syntax tree without docstrings, 64 hex digits.
    imports : tuple of (str, str)
        (module, name) of every import that runs; the name is empty where the module itself is imported.
    bound : frozenset of str
        The names that it gives a value to.
    """

    digest: str
    imports: tuple[tuple[str, str], ...]
    bound: frozenset[str]

    def as_rows(self) -> list[Any]:
        """The same as JSON values."""
        return [self.digest, [list(each) for each in self.imports], sorted(self.bound)]


@lru_cache(maxsize=1024)
def summary(source: str, package: str) -> Summary:
    """What is known of a module's text; `package` is what its relative imports start from."""
    found = _recalled("module", source, package, lambda: _summarised(source, package).as_rows())
    return Summary(found[0], tuple((module, name) for module, name in found[1]), frozenset(found[2]))


def _summarised(source: str, package: str) -> Summary:
    nodes: _Nodes = defaultdict(list)
    text = _text(ast.parse(source), nodes)
    return Summary(
        digest_bytes(text.encode()), tuple(dict.fromkeys(_imports(nodes, package))), frozenset(_bound(nodes))
    )


def _text(value: object, nodes: _Nodes) -> str:
    """A syntax tree without its docstrings as :func:`ast.dump` of Python 3.11 writes it, but in half the time.

    Parameters
    ----------
    value : AST, list or constant
    nodes : dict of type to list of AST
        Gets all nodes.
    """
    if isinstance(value, list):
        return f"[{', '.join([_text(each, nodes) for each in value])}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    kind = type(value)
    nodes[kind].append(value)
    parts = []
    for name in value._fields:
        part = getattr(value, name, None)
        if part is None and getattr(kind, name, ...) is None:
            continue
        if name in _BLOCKS and isinstance(part, list):
            part = [each for each in part if not _is_text(each)]
        parts.append(f"{name}={_text(part, nodes)}")
    return f"{kind.__name__}({', '.join(parts)})"


def _is_text(statement: ast.AST) -> bool:
    """Whether a statement is a text and nothing else: a docstring, of an attribute too."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_for_type_checkers(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _imports(nodes: _Nodes, package: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import that runs; `name` is empty where the module itself is imported."""
    modules: dict[str, set[str]] = {}  # what a name may stand for that is a module
    unused = {each for node in nodes[ast.If] if _is_for_type_checkers(node) for each in ast.walk(node)}
    for node in nodes[ast.Import]:
        for alias in node.names if node not in unused else ():
            first = alias.name.partition(".")[0]
            modules.setdefault(alias.asname or first, set()).add(alias.name if alias.asname else first)
            yield alias.name, ""
    for node in nodes[ast.ImportFrom]:
        module = _absolute(node, package)
        for alias in node.names if node not in unused else ():
            modules.setdefault(alias.asname or alias.name, set()).add(f"{module}.{alias.name}")
            yield module, alias.name
    for node in nodes[ast.Attribute]:  # names that a lazy package gives: `import converter; converter.draw`
        if isinstance(node.value, ast.Name):
            for module in modules.get(node.value.id, ()):
                yield module, node.attr


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that an import takes names from."""
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _bound(nodes: _Nodes) -> Iterator[str]:
    """Names that a module gives a value to."""
    yield from (node.id for node in nodes[ast.Name] if isinstance(node.ctx, ast.Store))
    yield from (node.name for kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef) for node in nodes[kind])
    yield from (node.asname or node.name.partition(".")[0] for node in nodes[ast.alias])


@lru_cache(maxsize=1024)
def type_imports(source: str, is_stub: bool, package: str) -> tuple[tuple[str, str, str], ...]:
    """(name, module, name in it) of what a stub imports, or a module for type checkers alone."""
    if not is_stub and "TYPE_CHECKING" not in source:
        return ()
    found = _recalled(f"types {is_stub}", source, package, lambda: _found_for_types(source, is_stub, package))
    return tuple((name, module, original) for name, module, original in found)


def _found_for_types(source: str, is_stub: bool, package: str) -> list[list[str]]:
    tree = ast.parse(source)
    blocks: list[ast.AST] = [tree] if is_stub else [each for each in tree.body if _is_for_type_checkers(each)]
    return [
        [alias.asname or alias.name, _absolute(node, package), alias.name]
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
