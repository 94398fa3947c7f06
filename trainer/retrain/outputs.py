"""The paths that ``retrain.py`` will write to, tried before any work is done."""

from __future__ import annotations

import os
import secrets

from harness.errors import SettingsError
from trainer.retrain.flags import Flags, flag_name

__all__ = ["check_outputs"]

_FILES = ("output_graph", "output_labels", "checkpoint_path")


def check_outputs(flags: Flags) -> None:
    """Check that every file and folder can be written; folders that are missing are made.

    Raises
    ------
    SettingsError
        A path that cannot be written, or one path for two files; the message names the flag.
    """
    paths = {name: getattr(flags, name) for name in _FILES}
    seen: dict[str, str] = {}
    for name, path in paths.items():
        _check_file(name, path)
        other = seen.setdefault(os.path.realpath(path), name)
        if other != name:
            raise SettingsError(f"{flag_name(name)}={path!r}: {flag_name(other)} is written there; give another file")
    _check_folder("summaries_dir", flags.summaries_dir, flags.summaries_dir)
    if flags.intermediate_store_frequency:
        folder = flags.intermediate_output_graphs_dir
        _check_folder("intermediate_output_graphs_dir", folder, folder or ".")


def _check_file(name: str, path: str) -> None:
    if os.path.isdir(path) or not os.path.basename(path):
        raise SettingsError(f"{flag_name(name)}={path!r}: a folder; expected a file to write")
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass  # a new file, or said below
    except OSError as error:
        raise _unwritable(name, path, error) from error
    _check_folder(name, path, os.path.dirname(path) or ".")


def _check_folder(name: str, path: str, folder: str) -> None:
    """Check that files can be written into a folder."""
    try:
        os.makedirs(folder, exist_ok=True)
        trial = os.path.join(folder, f".{secrets.token_hex(8)}.part")
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(trial)
    except OSError as error:
        raise _unwritable(name, path, error) from error


def _unwritable(name: str, path: str, error: OSError) -> SettingsError:
    reason = "a file is where a folder should be" if isinstance(error, FileExistsError) else error.strerror or error
    return SettingsError(f"{flag_name(name)}={path!r}: cannot be written ({reason}); give another path")
