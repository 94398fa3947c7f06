"""``run.json``: what every step that wrote into a folder was given, and with which versions it ran."""

from __future__ import annotations

import platform
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.files import read_json, write_json

__all__ = ["SCHEMA_VERSION", "command_line", "read_steps", "record_step", "versions"]

SCHEMA_VERSION = 1
_MATTER = (
    "soundfold", "numpy", "scipy", "soundfile", "soxr", "av", "pillow", "matplotlib", "pandas",
    "scikit-learn", "baycomp", "tensorflow", "keras", "tensorflow-hub", "kagglehub",
)  # fmt: skip


def record_step(
    folder: str | Path,
    step: str,
    *,
    spec: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
    started: float | None = None,
) -> None:
    """Write what a step did into ``folder/run.json``; an earlier record of the same step is replaced.

    Parameters
    ----------
    folder : path
        Where the step wrote.
    step : str
        ``corpus``, ``convert``, ``merge``, ``train``, ``evaluate`` ...
    spec : mapping
        All settings that the step ran with, as JSON values.
    inputs : mapping, optional
        Name to sha256 of what it read.
    seed : int, optional
        The seed, where the step is random.
    started : float, optional
        `time.monotonic` at its start, for the seconds it took.
    """
    path = Path(folder) / "run.json"
    steps = read_steps(folder)
    steps[step] = {
        "spec": dict(spec),
        "command": command_line(),
        "inputs": dict(inputs or {}),
        "seed": seed,
        "seconds": None if started is None else round(time.monotonic() - started, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
    write_json(path, {"schema": SCHEMA_VERSION, "steps": steps})


def read_steps(folder: str | Path) -> dict[str, Any]:
    """The steps recorded in a folder, by name; empty where there are none."""
    path = Path(folder) / "run.json"
    try:
        record = read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TableError(f"{path}: not readable ({error}); remove it to start afresh") from error
    if record.get("schema") != SCHEMA_VERSION:
        raise TableError(
            f"{path}: schema {record.get('schema')!r}, expected {SCHEMA_VERSION}; written by another version"
        )
    return dict(record["steps"])


def command_line(argv: Iterable[str] | None = None) -> str:
    """The command that runs now, quoted for a shell, as a person would type it.

    Examples
    --------
    >>> command_line(["/somewhere/converter/__main__.py", "--out", "my images"])
    "python -m converter --out 'my images'"
    """
    program, *options = sys.argv if argv is None else argv
    path = Path(program)
    if program.startswith("soundfold "):  # what the dispatcher calls itself; it puts words before those typed
        start, name = program.split(), program.split()[1]
        if argv is None and name in sys.orig_argv:
            return shlex.join(["soundfold", *sys.orig_argv[sys.orig_argv.index(name) :]])
    elif path.name == "__main__.py":
        start = ["python", "-m", path.parent.name]
    else:
        start = ["python", program] if path.suffix == ".py" else [program]
    return shlex.join([*start, *options])


def versions() -> dict[str, str]:
    """Versions of Python and of every package that can change a figure."""
    found = {"python": platform.python_version()}
    for name in _MATTER:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
