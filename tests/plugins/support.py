"""Plugin files and an installed package for tests of every folder; nothing of it stays loaded after a test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.registry import load_plugin, plugin_file
from harness.toml import read_toml

HERE = Path(__file__).parent
ENCODING_FILE, MERGE_FILE = HERE / "plugin_encoding.py", HERE / "plugin_merge.py"
CORPUS_FILE, MODULE_FILE = HERE / "plugin_corpus.py", HERE / "plugin_module.py"


@contextmanager
def loaded(*files: Path) -> Iterator[None]:
    """Load plugin files for a while."""
    before = set(sys.modules)
    try:
        for file in files:
            load_plugin(file)
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("soundfold_plugin_"):
                del sys.modules[name]


def names_with(registry: Mapping[str, object], file: Path) -> list[str]:
    """The names of a registry, those of a plugin file among them; nothing is loaded afterwards."""
    with loaded(file):
        return [name for name in registry if plugin_file(registry[name]) in ("", str(file))]


def install_birdtools(site: Path) -> Path:
    """Copy the package ``birdtools`` into a folder as an installer does, with its entry points."""
    source = HERE / "birdtools"
    shutil.copytree(source / "birdtools", site / "birdtools", ignore=shutil.ignore_patterns("__pycache__"))
    project = read_toml(source / "pyproject.toml")["project"]
    info = site / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


def forget_birdtools() -> None:
    """Unload the package, so that the next import finds it where it is then."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "birdtools"]:
        del sys.modules[name]
