"""Run benchmarks and write ``benchmarks/RESULTS.md``.

    python -m benchmarks                    all of them; some take an hour
    python -m benchmarks convert growth     these, and nothing else in the file changes
    python -m benchmarks growth.store       one part
    python -m benchmarks --quick --out FILE small sizes, written elsewhere

Each runs in a process of its own, and its section is written as soon as it is done; what an interrupted run has
measured is there. A benchmark whose recordings or modules are missing says so in its section, unless that has figures
already.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import ROOT, Section, circumstances, read_sections, write_sections
from benchmarks.tables import Table
from benchmarks.watched import watch
from harness.cli import guard, say, warn
from harness.errors import SettingsError, did_you_mean

NAMES = (
    "convert", "bottlenecks", "heads", "networks", "retrain", "esc10.study", "esc10.changes", "urbansound8k", "scan",
    "calls", "listen", "power", "growth.tables", "growth.store", "growth.heads", "growth.evaluation",
)  # fmt: skip
"""A part of a benchmark is written ``NAME.PART``: it is given ``--part PART``."""


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; give 1 where one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(available())}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all work")
    parser.add_argument("--data", help="real recordings and modules; default: SOUNDFOLD_TEST_DATA")
    parser.add_argument("--work", help="a folder for what takes long to make")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "RESULTS.md", help="default: %(default)s")
    options = parser.parse_args(words)
    if options.quick and options.out == parser.get_default("out"):
        raise SettingsError("--quick measures small sizes, which do not belong into RESULTS.md; give --out FILE")
    names = chosen(options.names)
    shared = [f"--{name}={value}" for name in ("data", "work") if (value := getattr(options, name))]
    shared += ["--quick"] if options.quick else []
    failed = [name for name in names if not run_one(name, shared, options.out, quick=options.quick)]
    if failed:
        warn(f"failed, and their sections are as before: {', '.join(failed)}")
    say(f"results: {options.out}")
    return 1 if failed else 0


def available() -> list[str]:
    """The benchmarks whose module is there."""
    return [name for name in NAMES if (ROOT / "benchmarks" / f"{name.partition('.')[0]}.py").is_file()]


def chosen(names: Sequence[str]) -> list[str]:
    """Benchmarks by name, or by the name of all parts together; all where none is named.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    known = available()
    for name in names:
        if not any(name in (each, each.partition(".")[0]) for each in known):
            raise SettingsError(f"{name!r}: no such benchmark; {did_you_mean(name, known)}")
    return [each for each in known if not names or each in names or each.partition(".")[0] in names]


def run_one(name: str, shared: Sequence[str], out: Path, *, quick: bool) -> bool:
    """Run a benchmark and replace its section; give whether that worked."""
    module, _, part = name.partition(".")
    say(f"\n==== {name}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tables.json"
        words = [f"benchmarks.{module}", f"--json={file}", *shared, *([f"--part={part}"] if part else [])]
        done = watch([sys.executable, "-m", *words], cwd=ROOT)
        if done.code or not file.is_file():
            return False
        found = json.loads(file.read_text(encoding="utf-8"))
    sections = read_sections(out)
    if found["missing"]:
        if name not in sections:
            sections[name] = Section(name, f"{about(module)}\n\nNot run: {found['missing']}.")
    else:
        where = circumstances(seconds=done.seconds, peak_mb=done.peak_mb, quick=quick)
        tables = [Table.from_json(each) for each in found["tables"]]
        sections[name] = Section.of_tables(name, about(module), where, tables)
    write_sections(out, sections, NAMES)
    return True


def about(module: str) -> str:
    """What a benchmark measures: the first line of its docstring."""
    tree = ast.parse((ROOT / "benchmarks" / f"{module}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(guard(main))
