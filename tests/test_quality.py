"""The rules of the code: style, types, who imports whom, quick help, public names, words."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import soundfold
from harness.installation import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("study", "retrain", "label_image", "soundfold")
HEAVY = "numpy pandas scipy sklearn PIL tensorflow keras matplotlib librosa jinja2"

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


def clean(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    """Style, and which imports may be where (PLC0415, TID253)."""
    clean("-m", "ruff", "check", ".")
    clean("-m", "ruff", "format", "--check", ".")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="types are checked on Python 3.11, with its numpy's stubs")
def test_types_hold() -> None:
    clean("-m", "mypy")


def test_nobody_imports_whom_they_must_not() -> None:
    clean("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))
    yield from (ROOT / f"{name}.py" for name in (*SCRIPTS, "studies/plan"))


def test_the_packages_are_all_looked_at() -> None:
    assert {p.parent.name for p in ROOT.glob("*/__init__.py")} == {*PACKAGES, "studies"}


def test_imports_inside_functions_are_few_and_have_a_reason() -> None:
    late = []
    for path in sources():
        lines = path.read_text(encoding="utf-8").splitlines()
        for function in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(function):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        late.append((f"{path.relative_to(ROOT)}:{node.lineno}", lines[node.lineno - 1]))
    late = list(dict(late).items())
    assert len(late) < 36, late
    assert [place for place, line in late if "#" not in line] == []


# ---- help


def help_lines(name: str) -> list[str]:
    """``--help`` of a command and of each of its subcommands."""
    if name == "soundfold":
        return ["--help", *(f"{command} --help" for command in soundfold.COMMANDS)]
    module = importlib.import_module(f"{name}.__main__" if name in PACKAGES else name)
    app = getattr(module, "app", None)
    if app is None:  # argparse
        return ["--help", "-h"]
    return ["--help", *(f"{command} --help" for command in getattr(get_command(app), "commands", {}))]


@pytest.mark.parametrize("name", [*SCRIPTS, *(p for p in PACKAGES if p != "harness")])
def test_help_imports_nothing_heavy(name: str) -> None:
    lines = help_lines(name)
    done = subprocess.run(
        [sys.executable, "-c", HELP, name, HEAVY, *lines], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.lower().count("usage:") >= len(lines)


# ---- public names


@pytest.mark.parametrize("name", [*PACKAGES, "harness.hub", "soundfold"])
def test_public_names_are_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    if stub.is_file():
        tree = ast.parse(stub.read_text(encoding="utf-8"))
        assert set(module.__all__) == {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    for public in module.__all__:
        assert getattr(module, public).__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("package", [*PACKAGES, "harness.hub", "trainer.retrain", "corpora.datasets"])
def test_contents_pages_name_every_module(package: str) -> None:
    module = importlib.import_module(package)
    there = {p.stem for p in Path(str(module.__file__)).parent.glob("[!_]*.py")}
    there |= {p.parent.name for p in Path(str(module.__file__)).parent.glob("*/__init__.py")}
    named = set(re.findall(r"`([a-z0-9_]+)`", module.__doc__ or ""))
    assert there <= named, f"{package}: {sorted(there - named)} missing in the docstring"


def test_every_module_says_what_it_is_for() -> None:
    bare = [str(p) for p in sources() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert bare == []


# ---- words

PRIVATE = re.compile(
    r"\b(told|hows?|turns?|sides?|beside|material|kept|keeps?|stored|delivers?|publish|can be had|stands? twice"
    r"|strangers?|oddit(y|ies)|mend(s|ed|ing)?|heirs?|room of its own|pictures?)\b",
    re.IGNORECASE,
)
# a study's key; numpy's, pandas' and the old retrain.py's names
GIVEN = {"how", "side", "keep_default_na", "keep_trailing_newline", "keep_images", "how_many_training_steps"}
IN_DOCSTRINGS = re.compile(
    r"\b(told|hows|turns|Sides?|Beside|Material|stored|delivers?|publish|can be had|stands? twice|strangers?"
    r"|oddities|mend(s|ed|ing)?|heirs?)\b"
)


def words_of(name: str) -> str:
    """An identifier as words: ``_warnOf_turns`` is "warn Of turns"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " "))


def test_names_and_docstrings_use_standard_terms() -> None:
    found = []
    for path in sources():
        with open(path, "rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.NAME and PRIVATE.search(words_of(token.string)) and token.string not in GIVEN:
                    found.append(f"{path.relative_to(ROOT)}:{token.start[0]} {token.string}")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                match = IN_DOCSTRINGS.search(ast.get_docstring(node) or "")
                if match:
                    found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} docstring: {match[0]}")
    assert found == []
