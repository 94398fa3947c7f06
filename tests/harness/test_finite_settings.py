"""No setting anywhere takes a number that is not finite."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SettingsError
from harness.settings import Settings

PACKAGES = ("converter", "corpora", "evaluator", "harness", "labeler", "merger", "trainer")
LATER = {
    ("Study", "convert"),
    ("Study", "merge"),
    ("Study", "fuse"),
    ("Study", "augment"),
}  # tables that are checked by those who use them
VALUES: list[Any] = [math.nan, math.inf, -math.inf]
VALUES += [kind for value in VALUES for kind in ([value], (value,), [value, 1.0], (1.0, value), {"train": value})]


def of_this_project() -> Iterator[type[Settings]]:
    """All classes of settings, but those that tests define."""
    root = Path(__file__).parents[2]
    for file in (file for package in PACKAGES for file in (root / package).rglob("*.py")):
        if "Settings" in file.read_text(encoding="utf-8") and file.stem != "__main__":
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"))
    waiting = [Settings]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        yield from (cls for cls in below if cls.__module__.split(".")[0] in PACKAGES)


def test_each_setting_refuses_them() -> None:
    seen = 0
    for cls in of_this_project():
        for name in cls.model_fields:
            for value in VALUES if (cls.__name__, name) not in LATER else []:
                with pytest.raises(SettingsError):
                    cls.read({name: value})
                seen += 1
    assert seen > 1000
