"""The last section of a report: the commands, times, versions and settings of the steps that led to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.record import versions

__all__ = ["made"]

_ORDER = ("corpus", "convert", "merge", "train")


def made(steps: Mapping[str, Any], image_steps: Mapping[str, Any], *, clips: int) -> dict[str, Any]:
    """Commands, stages, versions and settings of the steps that led to the predictions.

    Parameters
    ----------
    steps, image_steps : mapping
        Of the run and of its folder of images, as `harness.record.read_steps` gives them. The step ``evaluate`` is not
        shown: the same predictions give the same report.
    clips : int
        For the time that a clip took.
    """
    both = {**image_steps, **steps}
    names = sorted(both.keys() - {"evaluate"}, key=lambda n: (_ORDER.index(n) if n in _ORDER else len(_ORDER), n))
    earlier = {name: both[name] for name in names}
    commands: dict[str, list[str]] = {}
    for name, step in earlier.items():
        commands.setdefault(str(step.get("command") or ""), []).append(name)
    found: dict[str, str] = {}
    for step in earlier.values():
        found |= step.get("versions") or {}
    settings = {name: step.get("spec") for name, step in earlier.items() if step.get("spec")}
    return {
        "commands": [(command, names) for command, names in commands.items() if command],
        "stages": [_stage(name, step, clips) for name, step in earlier.items() if step.get("seconds") is not None],
        "versions": found or versions(),
        "settings": json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True) if settings else "",
    }


def _stage(name: str, step: Mapping[str, Any], clips: int) -> dict[str, Any]:
    seconds = float(step["seconds"])
    return {
        "name": name,
        "seconds": seconds,
        "time": _time_text(seconds),
        "each": f"{1000 * seconds / max(1, clips):.0f}",
        "finished": str(step.get("finished") or "").replace("T", " ").replace("+00:00", " UTC"),
    }


def _time_text(seconds: float) -> str:
    """A time as people write it: ``17.7 s``, ``1 min 51 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
