"""What the converter's command line is told, as specs and clips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.registry import specs_from_study
from converter.spec import Spec
from harness import tables
from harness.errors import SettingsError
from harness.toml import apply_settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_clips", "specs_from_options"]


def specs_from_options(encodings: Sequence[str], *, preset: str, size: str, pairs: Sequence[str]) -> dict[str, Spec]:
    """Make specs from ``--encoding``, ``--preset``, ``--size`` and ``--set``.

    Examples
    --------
    >>> specs_from_options(["gray"], preset="", size="64x32", pairs=["n_mels=32"])["gray"].size
    (64, 32)
    """
    table = apply_settings({}, list(pairs))
    if size:
        sides = re.fullmatch(r"(\d+)[xX](\d+)", size.strip())
        if not sides:
            raise SettingsError(f"--size {size!r}: expected HEIGHTxWIDTH, e.g. 224x224")
        table["size"] = [int(side) for side in sides.groups()]
    if encodings:
        table["encodings"] = list(encodings)
    return specs_from_study(table | ({"preset": preset} if preset else {}))


def read_clips(path: Path) -> pd.DataFrame:
    """Read a clips table; paths relative to its folder become paths that can be opened."""
    clips = tables.read(path, tables.CLIPS)
    clips["path"] = [str(path.parent / each) for each in clips["path"]]
    return clips
