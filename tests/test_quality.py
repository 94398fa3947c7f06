"""The house rules: style, types, who imports whom, light help, doctests that hold."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("corpora", "converter", "merger", "trainer", "labeler", "evaluator", "harness")
SCRIPTS = ("study", "retrain", "label_image", "soundfold")
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "PIL", "tensorflow", "keras", "matplotlib", "librosa")
TENSORFLOW = {"tensorflow", "tensorflow_hub", "keras", "tf_keras"}

HELP = """
import runpy, sys
name, heavy, *lines = sys.argv[1:]
for line in lines:
    sys.argv = [name, *line.split()]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=False)
    except SystemExit as leaving:
        assert not leaving.code, f"{name} {line}: exit code {leaving.code}"
    else:
        raise AssertionError(f"{name} {line}: printed no help")
    loaded = sorted(set(heavy.split()) & set(sys.modules))
    assert not loaded, f"{name} {line} imports {', '.join(loaded)}"
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def clean(*arguments: str) -> None:
    done = run(*arguments)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    clean("-m", "ruff", "check", ".")


def test_everything_is_formatted() -> None:
    clean("-m", "ruff", "format", "--check", ".")


def test_types_hold() -> None:
    clean("-m", "mypy")


def test_nobody_imports_whom_they_must_not() -> None:
    clean("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


# ---- what is imported, read from the code


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every import; the name is empty where the module itself is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def at_import_time(tree: ast.Module) -> ast.Module:
    """The code without the bodies of functions and without what only type checkers read."""

    class Drop(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    return Drop().visit(tree)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def top(module: str) -> str:
    return module.split(".")[0]


def test_the_packages_are_all_looked_at() -> None:
    there = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert there == {*PACKAGES, "studies"}
    assert all(len(sources(package)) > 3 for package in PACKAGES)


@pytest.mark.parametrize("path", sources("corpora", "converter", "merger", "evaluator"), ids=named)
def test_sounds_pictures_and_figures_need_no_tensorflow(path: Path) -> None:
    assert not TENSORFLOW & {top(module) for module, _ in imported(parsed(path))}


@pytest.mark.parametrize("path", [*sources(*PACKAGES), *(ROOT / f"{s}.py" for s in SCRIPTS)], ids=named)
def test_tensorflow_is_imported_only_when_work_starts(path: Path) -> None:
    assert not TENSORFLOW & {top(module) for module, _ in imported(at_import_time(parsed(path)))}


@pytest.mark.parametrize("path", sources("converter", "merger", "trainer", "harness"), ids=named)
def test_matplotlib_gives_colour_tables_and_nothing_else(path: Path) -> None:
    taken = [(m, n) for m, n in imported(parsed(path)) if top(m) == "matplotlib"]
    assert set(taken) <= {("matplotlib", "colormaps")}


# ---- help


def help_lines(name: str) -> list[str]:
    """``--help`` of a command and of each of its subcommands."""
    if name == "soundfold":
        from soundfold import COMMANDS

        return ["--help", *(f"{command} --help" for command in COMMANDS)]
    module = importlib.import_module(f"{name}.__main__" if name in PACKAGES else name)
    app = getattr(module, "app", None)
    if app is None:  # argparse
        return ["--help", "-h"]
    from typer.main import get_command

    return ["--help", *(f"{command} --help" for command in getattr(get_command(app), "commands", {}))]


@pytest.mark.parametrize("name", [*SCRIPTS, *(p for p in PACKAGES if p != "harness")])
def test_help_imports_nothing_heavy(name: str) -> None:
    lines = help_lines(name)
    done = run("-c", HELP, name, " ".join(HEAVY), *lines)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.lower().count("usage:") >= len(lines)


def test_subcommands_are_among_what_is_asked() -> None:
    """The test above is only as good as the list of subcommands that it finds."""
    assert {"scan --help", "list --help", "make-demo --help"} <= set(help_lines("corpora"))
    assert {"layout --help", "commands --help", "run --help", "export --help"} <= set(help_lines("trainer"))
    assert {"report --help", "compare --help"} <= set(help_lines("evaluator"))


# ---- doctests


def modules() -> list[str]:
    found = list(SCRIPTS)
    for package in PACKAGES:
        found.append(package)
        found += [m.name for m in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")]
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert module.__doc__, "every module says what it is for"
    assert doctest.testmod(module).failed == 0, "see the output above"
    assert list(tmp_path.iterdir()) == []


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    examples = [e for name in modules() for t in finder.find(importlib.import_module(name)) for e in t.examples]
    assert len(examples) > 20
