from .registry import load_plugin as load_plugin
from .registry import load_plugins as load_plugins
from .store import Store as Store

__all__ = ["Store", "load_plugin", "load_plugins"]
