"""``RESULTS.md``: a section for each benchmark, with the date, commit, machine and versions that it was run with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from benchmarks.tables import Table
from harness.files import write_text

__all__ = ["Section", "circumstances", "commit", "machine", "read_sections", "versions", "write_sections"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "tensorflow", "librosa", "matplotlib")
HEAD = """# Benchmarks

Written by `python -m benchmarks`, which measures ours and the usual way in the same run; `python -m benchmarks NAME`
measures some, and replaces their sections alone. Every section says when, with which commit and on what it was
measured. `NAME.py` says what is held against what.
"""


@dataclass(frozen=True)
class Section:
    """What a benchmark found.

    Parameters
    ----------
    name : str
        Of the benchmark, without spaces.
    text : str
        Markdown below the heading.
    """

    name: str
    text: str

    @classmethod
    def of_tables(cls, name: str, about: str, where: str, tables: Sequence[Table]) -> Section:
        """A section of tables.

        Parameters
        ----------
        name : str
        about : str
            A sentence: what is measured.
        where : str
            As :func:`circumstances` gives it.
        tables : sequence of Table
        """
        return cls(name, "\n\n".join([about, f"*{where}*", *(table.markdown() for table in tables)]))


def circumstances(*, seconds: float, peak_mb: float, quick: bool = False) -> str:
    """Date, commit, machine, versions, and what the benchmark itself took, in one line."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    took = f"the benchmark took {seconds:.0f} s and at most {peak_mb:,.0f} MB in all its processes"
    sizes = "; small sizes (--quick)" if quick else ""
    return f"{now}; commit {commit()}; {machine()}; {versions()}; {took}{sizes}"


def machine() -> str:
    """Model of the processor, cores that may be used, memory, system; no name of the machine."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 1e9
    cores = f"{usable} core{'s' * (usable > 1)}"
    return f"{_processor()}, {cores}, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def versions() -> str:
    """Python and the packages that matter, with their versions."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def commit() -> str:
    """The commit that is checked out, "with changes" where files differ from it, RESULTS.md apart; else "unknown"."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        changed = [line for line in _git("status", "--porcelain").splitlines() if not line.endswith("RESULTS.md")]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} with changes" if changed else head


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read_sections(path: Path) -> dict[str, Section]:
    """The sections of a file that :func:`write_sections` wrote, by name; none where there is no such file."""
    if not path.is_file():
        return {}
    parts = re.split(r"^## (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: Section(name, text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def write_sections(path: Path, sections: Mapping[str, Section], order: Sequence[str]) -> None:
    """Write sections, those of `order` first and in its order."""
    names = [*(n for n in order if n in sections), *sorted(set(sections) - set(order))]
    write_text(path, "\n".join([HEAD, *(f"## {name}\n\n{sections[name].text}\n" for name in names)]))
