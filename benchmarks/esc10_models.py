"""Models of ESC-10's folds for benchmarks of the labeler: each never saw the clips of its fold."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.command import data_folder
from harness.cli import note
from harness.model import CARD
from harness.store import Store
from study import make_plan, run_study
from trainer.export import export_fold

__all__ = ["YAMNET", "fold_models"]

YAMNET = "modules/yamnet_waveform_audioset"
_STUDY = """
[corpus]
name = "esc50"
subset = "esc10"
root = '{root}'
[convert]
encodings = {encodings}
[train]
modules = ['{module}']
"""


def fold_models(options: argparse.Namespace, folds: list[str], *, module: str) -> tuple[Path, dict[str, Path]]:
    """Model folders of some folds, made in the benchmark's work folder unless they are there.

    Parameters
    ----------
    options : Namespace
    folds : list of str
    module : str
        ``builtin:scattering`` on gray images, or the folder of a module that takes waveforms.

    Returns
    -------
    run : Path
        Folder of the study, with its clips table.
    models : dict of str to Path
        By the fold that each does not know.
    """
    waveform = not module.startswith("builtin:")
    work = options.work / "esc10_models" / ("sound" if waveform else "gray")
    models = {fold: work / f"fold{fold}" for fold in folds}
    if all((folder / CARD).is_file() for folder in models.values()):
        return work / "run", models
    note(f"training ESC-10's folds with {module}")
    work.mkdir(parents=True, exist_ok=True)
    text = _STUDY.format(
        root=data_folder(options, "data/esc10"), module=module, encodings="[]" if waveform else '["gray"]'
    )
    (work / "study.toml").write_text(text, encoding="utf-8")
    store = Store(work / "store")
    run_study(make_plan(work / "study.toml", [], store), work / "run")
    named = {"encoding": "sound" if waveform else "gray", "module": module, "head": "lbfgs", "seed": "0"}
    for fold, folder in models.items():
        export_fold(work / "run", named, fold, folder, images_folder=work / "run" / "images", store=store)
    return work / "run", models
