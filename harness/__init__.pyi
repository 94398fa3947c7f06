from . import tables as tables
from .failures import join_failures as join_failures
from .failures import write_failures as write_failures
from .files import digest_file as digest_file
from .images import ImageRun as ImageRun
from .record import record_step as record_step
from .registry import load_plugin as load_plugin
from .registry import load_plugins as load_plugins
from .store import Store as Store
from .study_file import Study as Study
from .study_file import read_study as read_study

__all__ = [
    "ImageRun",
    "Store",
    "Study",
    "digest_file",
    "join_failures",
    "load_plugin",
    "load_plugins",
    "read_study",
    "record_step",
    "tables",
    "write_failures",
]
