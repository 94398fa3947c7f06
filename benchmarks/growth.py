"""Tables, store, heads and evaluation at 1,000 to 1,000,000 clips: is time linear, and how much memory is needed?

    python -m benchmarks.growth [--part store] [--sizes 1000,10000]

Tables and features are made up. Every size is measured in a process of its own. The exponent is the slope of log time
over log clips from 10,000 clips on: 1 is linear. Memory is by how much the process grew above what it had before the
step (which includes what is made up); kB per clip is that of the largest size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.command import main
from benchmarks.growth_steps import NARROW, ONE_EACH, PARTS, WIDTH
from benchmarks.results import ROOT
from benchmarks.tables import Table
from benchmarks.watched import watch
from harness.errors import SettingsError, SoundfoldError

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LINEAR_FROM = 10_000
NOTES = {
    "tables": "One encoding, one combination, ten classes.",
    "store": f"Vectors of {WIDTH} numbers: 5.1 GB at a million. 'A file each' is the usual way, one .npy file for each "
    f"vector, with {ONE_EACH:,} files at most. Digests are of empty files in ten folders.",
    "heads": f"{NARROW} features, ten classes, ten folds: 1 GB at a million.",
    "evaluation": "Two combinations, ten classes, ten folds, with report and plots.",
}
Found = dict[str, tuple[float, float]]


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure the parts, each at all sizes."""
    sizes = options.sizes or (SIZES[:2] if options.quick else SIZES)
    for part in [options.part] if options.part else PARTS:
        found = {n: at_size(part, n, options.work) for n in sizes}
        yield from tables_of(part, found)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--part", choices=list(PARTS), help="default: all")
    parser.add_argument("--sizes", type=sizes_of, help=f"default: {','.join(map(str, SIZES))}")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)


def sizes_of(text: str) -> tuple[int, ...]:
    """Numbers of clips."""
    found = tuple(int(each) for each in text.split(",") if each.strip().isdigit())
    if not found or min(found) < 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers of clips from 1000 on, such as 1000,10000")
    return found


def at_size(part: str, n: int, work: Path) -> Found:
    """Seconds and MB of each step, measured in another process."""
    work.mkdir(parents=True, exist_ok=True)
    needed = 8e3 * n if part == "store" else 2e3 * n
    if shutil.disk_usage(work).free < needed:
        raise SettingsError(f"--work={work}: {needed / 1e9:.0f} GB are needed there; give another folder")
    with tempfile.TemporaryDirectory(dir=work) as folder:
        file = Path(folder) / "steps.json"
        words = ["benchmarks.growth_one", part, str(n), folder, str(file)]
        done = watch([sys.executable, "-m", *words], cwd=ROOT)
        if done.code:
            raise SoundfoldError(f"{part} at {n} clips ended with exit code {done.code}")
        return {name: (seconds, mb) for name, (seconds, mb) in json.loads(file.read_text(encoding="utf-8")).items()}


def tables_of(part: str, found: dict[int, Found]) -> Iterator[Table]:
    """Time and memory of a part, a row for each step."""
    sizes = list(found)
    names = list(found[sizes[0]])
    columns = [f"{n:,} clips" for n in sizes]
    seconds = [[name, *(found[n][name][0] for n in sizes), exponent(found, name)] for name in names]
    yield Table(f"{part}: seconds", ["", *columns, "exponent"], seconds, [NOTES[part]])
    last = sizes[-1]
    memory = [[name, *(round(found[n][name][1]) for n in sizes), found[last][name][1] * 1000 / last] for name in names]
    yield Table(f"{part}: MB more than before", ["", *columns, "kB per clip"], memory)


def exponent(found: dict[int, Found], name: str) -> float | None:
    """Slope of log seconds over log clips, from 10,000 clips on."""
    sizes = [n for n in found if n >= LINEAR_FROM]
    if len(sizes) < 2 or name.startswith("a file each"):
        return None
    return float(np.polyfit(np.log(sizes), [np.log(found[n][name][0]) for n in sizes], 1)[0])


if __name__ == "__main__":
    main(run, __doc__, arguments)
