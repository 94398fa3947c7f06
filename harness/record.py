"""``run.json``: what every step that wrote into a folder was given, and with which versions it ran."""

from __future__ import annotations

import platform
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.files import read_json, write_json
from harness.remote import as_path
from harness.shared_groups import OFFICIAL, Policy, SharedGroups, as_policy
from harness.urls import url_of

__all__ = [
    "CORPUS",
    "SCHEMA_VERSION",
    "command_line",
    "copy_step",
    "read_shared_groups",
    "read_steps",
    "record_step",
    "step_of",
    "versions",
]

SCHEMA_VERSION = 1
CORPUS = "corpus"
"""The step that names the exceptions of a corpus's folds."""

_MATTER = (
    "soundfold", "numpy", "scipy", "soundfile", "soxr", "av", "pillow", "matplotlib", "pandas",
    "scikit-learn", "tensorflow", "keras", "tensorflow-hub", "kagglehub",
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
    path = as_path(folder) / "run.json"
    try:
        record = read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TableError(f"{path}: not readable ({error}); remove it to start afresh") from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA_VERSION:
        raise TableError(f"{path}: schema {schema!r}, expected {SCHEMA_VERSION}; written by another version")
    steps = record.get("steps")
    if not isinstance(steps, dict) or not all(isinstance(step, dict) for step in steps.values()):
        raise TableError(f"{path}: damaged, 'steps' is not what was written; remove it to start afresh")
    return steps


def step_of(folder: str | Path, step: str, table: str = "") -> dict[str, Any]:
    """What a folder's record says of one step; empty where it says nothing, or is not soundfold's.

    Where the record says which table the step wrote, and `table` is another one, it says nothing of it.
    """
    try:
        found: dict[str, Any] = read_steps(folder).get(step, {})
    except TableError:
        return {}
    written = found.get("spec", {}).get("table", "")
    return {} if table and written and table != written else found


def copy_step(source: str | Path, folder: str | Path, step: str, table: str = "") -> None:
    """Copy the record of a step that made what `folder` was made of; where `source` has none, an old copy goes.

    `table` is the table that was read from `source`, as for :func:`step_of`.
    """
    if not url_of(source) and Path(source).resolve() == Path(folder).resolve():
        return
    steps, own = read_steps(folder), step_of(source, step, table)
    rest = {name: record for name, record in steps.items() if name != step}
    wanted = {step: own, **rest} if own else rest
    if wanted != steps:
        write_json(Path(folder) / "run.json", {"schema": SCHEMA_VERSION, "steps": wanted})


def read_shared_groups(folder: str | Path, policy: Policy | None = None, table: str = "") -> SharedGroups:
    """The policy and the exceptions that the ``run.json`` of a folder names; the usual policy where it names none.

    Parameters
    ----------
    folder : path
        The folder of ``clips.csv`` or ``images.csv``.
    policy : str, optional
        In place of the recorded one.
    table : str
        The table in the folder that is meant, as for :func:`step_of`.
    """
    spec = step_of(folder, CORPUS, table).get("spec", {})
    exceptions = {str(group): tuple(folds) for group, folds in spec.get("exceptions", {}).items()}
    return SharedGroups(policy or as_policy(str(spec.get("shared_groups", OFFICIAL.policy))), exceptions)


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
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _MATTER:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
