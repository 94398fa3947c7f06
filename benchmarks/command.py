"""The command line of a benchmark, ``python -m benchmarks.NAME``, and what several of them measure with.

Options that all have: ``--quick`` (small sizes), ``--data`` (a folder of real recordings and modules), ``--work`` (a
folder for what takes long to make, which may be removed), ``--json`` (a file for the tables, beside the printed ones).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from benchmarks.tables import Table
from harness.cli import guard, say
from harness.errors import SoundfoldError

__all__ = ["MissingData", "data_folder", "main", "medians", "timed"]

T = TypeVar("T")
Run = Callable[[argparse.Namespace], Iterable[Table]]


class MissingData(SoundfoldError):
    """Recordings or modules that a benchmark needs are not there."""


def main(run: Run, doc: str | None, arguments: Callable[[argparse.ArgumentParser], object] | None = None) -> NoReturn:
    """Read the command line, run the benchmark, print its tables as they come, and leave.

    Parameters
    ----------
    run : callable
        Gives the tables.
    doc : str
        The benchmark's docstring.
    arguments : callable, optional
        Adds its own options to the parser.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    data = os.environ.get("SOUNDFOLD_TEST_DATA")
    work = Path(tempfile.gettempdir()) / "soundfold-benchmarks"
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--data", type=Path, default=data, help="real recordings; default: SOUNDFOLD_TEST_DATA")
    parser.add_argument("--work", type=Path, default=work, help=f"for what takes long to make; default: {work}")
    parser.add_argument("--json", type=Path, help="write the tables there, too")
    if arguments:
        arguments(parser)
    options = parser.parse_args()
    sys.exit(guard(lambda: _run(run, options)))


def _run(run: Run, options: argparse.Namespace) -> int:
    tables, missing = [], ""
    try:
        for table in run(options):
            tables.append(table.to_json())
            say(f"\n{table.text()}")
    except MissingData as error:
        missing = str(error)
        say(f"not run: {missing}")
    if options.json:
        options.json.write_text(json.dumps({"tables": tables, "missing": missing}), encoding="utf-8")
    return 0


def data_folder(options: argparse.Namespace, name: str) -> Path:
    """A folder or file of the real data.

    Raises
    ------
    MissingData
        It is not there.
    """
    if options.data is None:
        raise MissingData(f"needs {name}; give --data, or set SOUNDFOLD_TEST_DATA")
    path = Path(options.data) / name
    if not path.exists():
        raise MissingData(f"needs {name}, which is not in the data folder")
    return path.resolve()


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds by the clock, and what `work` gives."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def medians(works: Sequence[Callable[[], object]], *, times: int = 5) -> list[float]:
    """Median seconds of each of several works, measured in alternation, so that a busy machine slows all alike.

    Each is called once before, which does not count.
    """
    for work in works:
        work()
    seconds = [[timed(work)[0] for work in works] for _ in range(times)]
    return [statistics.median(each[k] for each in seconds) for k in range(len(works))]
