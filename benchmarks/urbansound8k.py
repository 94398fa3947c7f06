"""UrbanSound8K whole: a stand-in of the corpus, its study from nothing and again, and the usual way for comparison.

    python -m benchmarks.urbansound8k [--metadata UrbanSound8K.csv] [--part 3] [--module FOLDER]

Makes the stand-in once (``urban_sounds.py``: the real table, sounds from formulas), runs
``studies/urbansound8k.toml`` on it twice with a store of its own, and gives seconds, CPU and memory of each stage.
``--retrain`` trains a fold with ``retrain.py`` on the images afterwards. The usual way (librosa and a matplotlib figure
for each image, features image by image, a scikit-learn fit for each fold and strength) is measured on a part and
scaled. Some 12 GB are needed in the work folder.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.command import data_folder, main, timed
from benchmarks.results import ROOT
from benchmarks.studies import go_through_again, run_study, stage_table, usual_way
from benchmarks.tables import Cell, Table
from benchmarks.urban_sounds import make_corpus
from benchmarks.watched import watch
from harness.cli import say
from harness.errors import SoundfoldError
from harness.record import read_shared_groups
from trainer.commands import retrain_commands
from trainer.inputs import read_encoding
from trainer.sgd import SgdSettings

STUDY = ROOT / "studies" / "urbansound8k.toml"
FOLDS = 10
MOBILENET = "modules/mobilenet_v2_100_224_imagenet"
QUICK_PART = 2


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Make the stand-in, run the study on it three times."""
    metadata = options.metadata or data_folder(options, "data/urbansound8k/metadata/UrbanSound8K.csv")
    module = options.module or data_folder(options, MOBILENET)
    part = options.part or (QUICK_PART if options.quick else 0)
    work = options.work.resolve() / f"urbansound8k{f'-part{part}' if part else ''}"
    corpus, place, store = work / "corpus", work / "run", work / "store"
    seconds, table = timed(lambda: make_corpus(metadata, corpus, part=part))
    say(f"stand-in: {len(table)} clips, {table['fsID'].nunique()} recordings, {seconds:.0f} s")
    modules = ["builtin:scattering", str(module.resolve())]
    settings = {"corpus.root": str(corpus), "train.modules": json.dumps(modules)}
    settings |= dict(each.split("=", 1) for each in options.settings)
    if not options.again:
        for folder in (place, store):
            shutil.rmtree(folder, ignore_errors=True)
    first = None if options.again else run_study(STUDY, place, store, settings)
    second = go_through_again(STUDY, place, store, settings)
    unchanged = run_study(STUDY, place, store, settings)
    sounds = [corpus / "audio" / f"fold{r.fold}" / r.slice_file_name for r in table.itertuples()]
    usual = None if options.skip_usual_way else usual_way(place, store, sounds, modules, folds=FOLDS)
    title = f"{len(table)} clips (a stand-in, the real table), 6 encodings, {len(modules)} modules, {FOLDS} folds"
    yield stage_table(title, first, second, usual, unchanged=unchanged)
    if options.retrain:
        yield retrain(place, store, str(module.resolve()))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--metadata", type=Path, help="UrbanSound8K.csv; default: that of the data folder")
    parser.add_argument("--module", type=Path, help="SavedModel folder; default: MobileNet V2 of the data folder")
    parser.add_argument("--part", type=int, default=0, help="the first so many recordings of each fold; default: all")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="for the study: section.key=value")
    parser.add_argument("--again", action="store_true", help="measure the second run only, on what is there")
    parser.add_argument("--retrain", action="store_true", help="train one fold with retrain.py, too")
    parser.add_argument("--skip-usual-way", action="store_true")


def retrain(run: Path, store: Path, module: str) -> Table:
    """Train one fold with ``retrain.py``: seconds of its steps, its memory."""
    table = read_encoding(run / "images" / "images.csv", "logmel")
    shared = read_shared_groups(run / "images")
    with tempfile.TemporaryDirectory() as folder:
        commands = retrain_commands(table, module, folder, settings=SgdSettings(), store=str(store), shared=shared)
        fold, words = next(iter(commands.items()))
        found = watch([sys.executable, str(ROOT / "retrain.py"), *words[3:]], echo=False)
    if found.code:
        raise SoundfoldError(f"retrain.py ended with exit code {found.code}: {found.lines[-1][1]}")
    stamps = [m[1] for _, line in found.lines if (m := re.search(r"(\d{4}-\d\d-\d\d [\d:.]+): Step ", line))]
    first, last = (datetime.fromisoformat(stamps[k]) for k in (0, -1))
    rows: list[list[Cell]] = [
        ["steps, s", (last - first).total_seconds()],
        ["in all, s", found.seconds],
        ["processor, s", found.cpu_s],
        ["MB at most", found.peak_mb],
    ]
    accuracy = next(line for _, line in found.lines if "Final test" in line)
    title = f"retrain.py, fold {fold} of {len(table)} images, {SgdSettings().steps} steps, bottlenecks there already"
    return Table(title, ["", ""], rows, [accuracy.partition(": ")[2] or accuracy])


if __name__ == "__main__":
    main(run, __doc__, arguments)
