"""Fold, group and label from a path, by a regular expression with named parts.

``(?P<fold>...)``, ``(?P<group>...)`` and ``(?P<label>...)`` are searched for in each file's path relative to the
corpus's root, written with forward slashes. What the pattern finds goes before what the corpus says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpora.base import Row
from harness.errors import SettingsError, did_you_mean

__all__ = ["PARTS", "apply_pattern", "compile_pattern"]

PARTS = ("fold", "group", "label")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern and check its named parts.

    Raises
    ------
    SettingsError
        Not a regular expression, no named part, or one that is not known.

    Examples
    --------
    >>> compile_pattern(r"(?P<group>bat\\d+)_").groupindex
    mappingproxy({'group': 1})
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"pattern={pattern!r}: not a regular expression ({error})") from error
    for name in compiled.groupindex:
        if name not in PARTS:
            raise SettingsError(f"pattern={pattern!r}: unknown part {name!r}; {did_you_mean(name, PARTS)}")
    if not compiled.groupindex:
        raise SettingsError(
            f"pattern={pattern!r}: names no part; write (?P<fold>...), (?P<group>...) or (?P<label>...)"
        )
    return compiled


def apply_pattern(rows: Sequence[Row], relative: Sequence[str], pattern: str) -> list[Row]:
    """Rows with the parts that a pattern finds in their paths; a row that it does not match stays as it is.

    Parameters
    ----------
    rows : sequence of Row, length n
    relative : sequence of str, length n
        Each row's path relative to the root.
    pattern : str
        The regular expression.

    Raises
    ------
    SettingsError
        As :func:`compile_pattern`, or no path matches.
    """
    compiled = compile_pattern(pattern)
    matches = [compiled.search(path) for path in relative]
    if not any(matches):
        raise SettingsError(
            f"pattern={pattern!r}: matches none of {len(relative)} paths; the first is {relative[0]!r}, "
            "relative to the root"
        )
    return [
        {**row, **{name: value for name, value in match.groupdict().items() if value is not None}} if match else row
        for row, match in zip(rows, matches, strict=True)
    ]
