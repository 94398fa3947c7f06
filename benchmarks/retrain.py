"""retrain.py against the old script: its sampling loop, and whole runs over the folds of a study.

The old script kept a bottleneck as a text file and read a hundred of them anew for each step. Here that loop is
written out and timed for a few steps, beside the same steps from memory; both take the same gradient step.
Then every fold of a folder of images is trained as a whole, in a process of its own.

    python -m benchmarks.retrain [--images RUN/images/images.csv --encoding logmel] [--module HANDLE]

Without images, those of ESC-10 are drawn.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.command import data_folder, main, timed
from benchmarks.tables import Cell, Table, ratio
from converter import convert_clips, encodings_from_study
from corpora import load_corpus
from harness.errors import SoundfoldError
from harness.head import softmax
from harness.hub import parse
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.commands import retrain_commands
from trainer.inputs import read_encoding
from trainer.retrain.data import bottleneck_file
from trainer.sgd import SgdSettings, first_head, fit

MOBILENET = "mobilenet_v2_100_224_imagenet"


def run(options: argparse.Namespace) -> Iterator[Table]:
    """The loops, then the folds."""
    steps, old_steps = (200, 5) if options.quick else (options.steps, options.old_steps)
    store = Store(options.work / "retrain-store")
    images = options.images or draw(data_folder(options, "data/esc10"), options.work / "retrain-images", store)
    table = read_encoding(images, options.encoding)
    handle = options.module or str(data_folder(options, f"modules/{MOBILENET}"))
    features = image_features([Path(p) for p in table["path"]], parse(handle), store=store)
    names = ["/".join(Path(p).parts[-2:]) for p in table["path"]]
    labels = sorted(set(table["label"]))
    targets = np.array([labels.index(label) for label in table["label"]])
    order = np.lexsort((names, targets))
    ordered = [names[k] for k in order]
    yield compare_loops(features.values[order], targets[order], ordered, handle, steps=steps, old_steps=old_steps)
    with tempfile.TemporaryDirectory() as folder:
        settings = SgdSettings(steps=steps)
        yield train_folds(retrain_commands(table, handle, folder, settings=settings, store=str(store.root)))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--images", type=Path, help="an images.csv with folds; default: ESC-10 is drawn")
    parser.add_argument("--encoding", default="logmel")
    parser.add_argument("--module", help="default: MobileNet V2 of the data folder")
    parser.add_argument("--steps", type=int, default=4000, help="of a whole run; default: %(default)s")
    parser.add_argument("--old-steps", type=int, default=40, help="of the old loop; its time is scaled")


def draw(root: Path, folder: Path, store: Store) -> Path:
    """Log-mel images of ESC-10: the path of their table."""
    corpus = load_corpus("esc50", root, subset="esc10")
    encodings = {"logmel": encodings_from_study({})["logmel"]}
    convert_clips(corpus.clips, encodings, folder, store=store, jobs=-1)
    return folder / "images.csv"


def compare_loops(
    features: np.ndarray, targets: np.ndarray, names: list[str], module: str, *, steps: int, old_steps: int
) -> Table:
    """Time both loops."""
    n_classes = int(targets.max()) + 1
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(bottleneck_file(folder, name, module)) for name in names]
        for file, vector in zip(files, features, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(",".join(str(value) for value in vector))
        seconds, _ = timed(lambda: old_loop(files, targets, n_classes, features.shape[1], steps=old_steps))
    old = seconds / old_steps * steps
    ours, _ = timed(lambda: fit(features, targets, n_classes, settings=SgdSettings(steps=steps)))
    rows: list[list[Cell]] = [
        [f"the old loop, 100 text files a step (scaled from {old_steps} steps)", old, ratio(old, old)],
        ["from memory", ours, ratio(old, ours)],
    ]
    title = f"{steps} steps on {features.shape[0]} images of {features.shape[1]} features, {n_classes} classes"
    return Table(title, ["", "s", "ratio"], rows)


def old_loop(files: list[Path], targets: np.ndarray, n_classes: int, n_features: int, *, steps: int) -> None:
    """The old script's loop: a class, one of its images, its text file, a hundred times for each step."""
    images_of = [[f for f, t in zip(files, targets, strict=True) if t == c] for c in range(n_classes)]
    head = first_head(n_features, n_classes, seed=0)
    for _ in range(steps):
        bottlenecks, truths = [], []
        for _ in range(100):
            label_index = random.randrange(n_classes)
            image_index = random.randrange(2**27)
            category = images_of[label_index]
            text = category[image_index % len(category)].read_text()
            bottlenecks.append([float(x) for x in text.split(",")])
            truths.append(label_index)
        batch = np.array(bottlenecks, np.float32)
        error = softmax(batch @ head.weights + head.bias)
        error[np.arange(100), truths] -= 1
        head.weights[...] -= 0.01 / 100 * batch.T @ error
        head.bias[...] -= 0.01 / 100 * error.sum(axis=0)


def train_folds(commands: dict[str, list[str]]) -> Table:
    """Run the command of each fold: its accuracy and time, and the mean."""
    rows: list[list[Cell]] = []
    accuracies, took = [], []
    for fold, words in commands.items():
        seconds, done = timed(lambda w=words: subprocess.run(w, capture_output=True, text=True, check=False))
        found = re.search(r"Final test accuracy = ([\d.]+)%", done.stdout)
        if done.returncode or not found:
            raise SoundfoldError(f"fold {fold}: retrain.py ended with {done.returncode}: {done.stderr[-300:]}")
        accuracies.append(float(found[1]))
        took.append(seconds)
        rows.append([f"fold {fold}", found[1], seconds])
    rows.append(["mean", f"{np.mean(accuracies):.1f}", float(np.mean(took))])
    note = "The old script, measured once on such a machine and not in this run: 184 to 339 s, and it died on fold 2."
    return Table("retrain.py, each fold in a process of its own", ["", "test accuracy, %", "s in all"], rows, [note])


if __name__ == "__main__":
    main(run, __doc__, arguments)
