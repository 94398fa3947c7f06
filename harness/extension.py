"""Extensions that are settings: encodings and merge methods, which travel to other processes and into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from harness.registry import Extension, load_plugin, plugin_file
from harness.settings import Settings

__all__ = ["SettingsExtension"]


class SettingsExtension(Settings, Extension):
    """Settings with a name that a registry finds; one from a plugin file is found by worker processes, too."""

    name: ClassVar[str] = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the class's place and the values, so that another process loads the plugin first."""
        cls = type(self)
        return _rebuild, (plugin_file(cls), cls.__module__, cls.__qualname__, dict(self))


def _rebuild(plugin: str, module: str, name: str, values: Mapping[str, Any]) -> Any:
    source: Any = load_plugin(plugin) if plugin else import_module(module)
    for part in name.split("."):
        source = getattr(source, part)
    return source(**values)
