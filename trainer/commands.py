"""The ``retrain.py`` command of each fold: ready for a shell, and the same model as head ``sgd`` in process."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from harness.errors import SoundfoldError, SplitError, TableError
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import parse
from harness.image import SUFFIXES
from harness.shared_groups import OFFICIAL, SharedGroups, spanning_groups
from harness.written import check_one_folder_each
from trainer.augmented_rows import originals
from trainer.inputs import split_table
from trainer.layout import fold_folder, write_lists
from trainer.sgd import SgdSettings

__all__ = ["as_shell", "execute_all", "retrain_commands"]


def retrain_commands(
    table: pd.DataFrame,
    module: str | ModuleSpec,
    out: str | Path,
    *,
    settings: SgdSettings,
    seed: int = 0,
    store: str = "",
    shared: SharedGroups = OFFICIAL,
    plugins: Iterable[str | Path] = (),
) -> dict[str, list[str]]:
    """Write each fold's lists and give its command, by fold, as words for a shell.

    Parameters
    ----------
    table : DataFrame
        One encoding's rows, as :func:`trainer.inputs.read_encoding` gives them.
    module : str or ModuleSpec
        A handle; a relative path is relative to the working directory.
    out : path
        Folder of the folds; each fold's model, labels and logs go into its own.
    settings : SgdSettings
    seed : int
    store : str
        Folder of the store; empty for the usual one.
    shared : SharedGroups
        What is done about groups that span folds.
    plugins : iterable of path
        Files of extensions, for a module of a kind of one's own.

    Raises
    ------
    TableError
        The image folder has images that the table does not list: retrain.py would train on them.
    SplitError
        Too few folds, a group in several of them, or clips that would have to be left out: retrain.py trains on all.
    """
    out, table = Path(out).resolve(), originals(table)
    module = parse(module) if isinstance(module, str) else module
    image_dir = Path(table["path"][0]).parent.parent
    check_one_folder_each(table["label"])
    _check_unlisted(table, image_dir)
    module_folder = module.base / Path(module.handle).expanduser()
    handle = module.handle if module.scheme else _absolute(module_folder)
    plugin_files = [_absolute(file) for file in plugins]
    leak = _check_leaks(table, seed, shared)
    commands = {}
    for fold, (test, validation) in write_lists(table, out, seed=seed, shared=shared).items():
        folder = fold_folder(out, fold)
        commands[fold] = [
            _python(), "-m", "retrain",
            "--image_dir", str(image_dir),
            "--tfhub_module", handle,
            "--test_list", str(test),
            "--validation_list", str(validation),
            "--seed", str(seed),
            "--how_many_training_steps", str(settings.steps),
            "--learning_rate", repr(settings.learning_rate),
            "--train_batch_size", str(settings.train_batch_size),
            "--summaries_dir", str(folder / "retrain_logs"),
            "--output_graph", str(folder / "output_graph.pb"),
            "--output_labels", str(folder / "output_labels.txt"),
            "--checkpoint_path", str(folder / "checkpoint"),
            "--saved_model_dir", str(folder / "model"),
            *([f"--image_size={module.image_size[0]}x{module.image_size[1]}"] if module.image_size else []),
            *([f"--value_range={module.value_range[0]},{module.value_range[1]}"] if module.value_range else []),
            *(["--allow_shared_groups"] if leak else []),
            *(["--store", _absolute(store)] if store else []),
            *(word for file in plugin_files for word in ("--plugin", file)),
        ]  # fmt: skip
    return commands


def as_shell(words: list[str]) -> str:
    """One line that a POSIX shell runs as it is."""
    return shlex.join(words)


def execute_all(commands: Mapping[str, list[str]], *, jobs: int = 1) -> None:
    """Run the commands, their output as it comes; how many run at once changes no model.

    Parameters
    ----------
    commands : mapping of str to list of str
        Words by fold.
    jobs : int
        How many run at a time.

    Raises
    ------
    SoundfoldError
        Naming the fold whose command failed, and its exit code; folds that were not begun are left out.
    """
    failed: dict[str, int] = {}

    def run(fold: str) -> None:
        if not failed:
            code = subprocess.run(commands[fold], check=False).returncode
            if code:
                failed[fold] = code

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        list(pool.map(run, commands))
    for fold, code in failed.items():
        raise SoundfoldError(f"fold {fold}: retrain.py ended with exit code {code}; the folds before it are done")


def _check_leaks(table: pd.DataFrame, seed: int, shared: SharedGroups) -> bool:
    """Whether groups span folds and are used all the same, which retrain.py must be given leave to do."""
    splits = split_table(table, seed=seed, shared=shared)
    if not spanning_groups(list(table["fold"]), list(table["group"])):
        return False
    if shared.policy == "drop" and any(len(s.train) + len(s.validation) + len(s.test) < len(table) for s in splits):
        raise SplitError(
            "shared_groups drop: retrain.py trains on every image that is in no list, so clips of shared groups cannot "
            "be left out; use `trainer run`, or `trainer layout` and its folders"
        )
    return True


def _check_unlisted(table: pd.DataFrame, image_dir: Path) -> None:
    listed = set(table["path"])
    for path in sorted(image_dir.glob("*/*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and str(path) not in listed:
            raise TableError(
                f"{image_dir} has pictures that the images table does not name, the first: {path.name}; "
                "retrain.py would train on them, so remove them"
            )


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())


def _python() -> str:
    """``python`` where that is the interpreter that runs now, else its path."""
    found = shutil.which("python")
    return "python" if found == sys.executable else sys.executable
