"""TOML: reading files, and values as people type them after ``--set``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import SettingsError

__all__ = ["apply_settings", "read_toml", "toml_value"]


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    SettingsError
        No such file, or not TOML; the line says where.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))  # editors of Windows put a mark before it
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, not TOML, a number of thousands of digits
        raise SettingsError(f"{path}: not TOML ({error})") from error
    except RecursionError:
        raise SettingsError(f"{path}: not a study: its lists or tables are nested hundreds of levels deep") from None


def toml_value(text: str) -> Any:
    """A TOML value; a plain word is a string.

    Examples
    --------
    >>> toml_value("3"), toml_value("gray"), toml_value('["gray", "logmel"]')
    (3, 'gray', ['gray', 'logmel'])
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()


def apply_settings(table: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Lay ``section.key=value`` settings over a table; a table as value replaces the table.

    Examples
    --------
    >>> apply_settings({"train": {"head": "sgd"}}, ["train.seeds=[1, 2]"])
    {'train': {'head': 'sgd', 'seeds': [1, 2]}}

    Raises
    ------
    SettingsError
        A setting without ``=``, or below something that is no table.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        keys = [key.strip() for key in name.split(".")]
        if not equals or not all(keys):
            raise SettingsError(f"--set {setting!r}: expected section.key=value")
        table = _set(table, keys, toml_value(text), setting)
    return table


def _set(table: dict[str, Any], keys: list[str], value: Any, setting: str) -> dict[str, Any]:
    if len(keys) == 1:
        return {**table, keys[0]: value}
    below = table.get(keys[0], {})
    if not isinstance(below, dict):
        raise SettingsError(f"--set {setting!r}: {keys[0]!r} is a value, not a table")
    return {**table, keys[0]: _set(below, keys[1:], value, setting)}
