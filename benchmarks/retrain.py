"""retrain.py beside the old script: its sampling loop, and whole runs over the folds of a study.

The old script kept a bottleneck as a text file and read a hundred of them anew for each step. Here that loop is
written out and timed for a few steps, beside the same steps from memory; both take the same gradient step.
Then every fold of a folder of images is trained as a whole, in a process of its own.

    python benchmarks/retrain.py --images RUN/images/images.csv --encoding logmel --module HANDLE

On 2 cores, ESC-10 as log-mel images, MobileNet V2, 4000 steps: the loop is about 140 times as fast, a fold takes
7 s with its bottlenecks there already (the old script: 184 to 339 s, and it dies on fold 2), and the mean
accuracy of the five folds is 89.3 %.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.cli import guard, say
from harness.errors import SoundfoldError
from harness.hub import parse
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.commands import retrain_commands
from trainer.head import softmax
from trainer.inputs import read_encoding
from trainer.retrain.data import bottleneck_file
from trainer.sgd import SgdSettings, first_head, fit


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--images", required=True, help="an images.csv with folds")
    parser.add_argument("--encoding", default="logmel")
    parser.add_argument("--module", default="builtin:scattering")
    parser.add_argument("--steps", type=int, default=4000, help="of a whole run")
    parser.add_argument("--old_steps", type=int, default=40, help="of the old loop; its time is scaled")
    args = parser.parse_args()
    return guard(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """The loops, then the folds."""
    table = read_encoding(args.images, args.encoding)
    module = parse(args.module)
    features = image_features([Path(p) for p in table["path"]], module, store=Store())
    names = ["/".join(Path(p).parts[-2:]) for p in table["path"]]
    labels = sorted(set(table["label"]))
    targets = np.array([labels.index(label) for label in table["label"]])
    order = np.lexsort((names, targets))
    compare_loops(features.values[order], targets[order], [names[k] for k in order], args)
    with tempfile.TemporaryDirectory() as folder:
        settings = SgdSettings(steps=args.steps)
        train_folds(retrain_commands(table, module, folder, settings=settings))
    return 0


def compare_loops(features: np.ndarray, targets: np.ndarray, names: list[str], args: argparse.Namespace) -> None:
    """Time both loops and print their ratio."""
    n_classes = int(targets.max()) + 1
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(bottleneck_file(folder, name, args.module)) for name in names]
        for file, vector in zip(files, features, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(",".join(str(value) for value in vector))
        start = time.perf_counter()
        old_loop(files, targets, n_classes, features.shape[1], steps=args.old_steps)
        old = (time.perf_counter() - start) / args.old_steps * args.steps
    start = time.perf_counter()
    fit(features, targets, n_classes, settings=SgdSettings(steps=args.steps))
    ours = time.perf_counter() - start
    say(f"{args.steps} steps on {features.shape[0]} images of {features.shape[1]} features, {n_classes} classes")
    say(f"  the old loop, 100 text files a step   {old:8.1f} s  (scaled from {args.old_steps} steps)")
    say(f"  from memory                           {ours:8.1f} s  {old / ours:.0f} times as fast")


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


def train_folds(commands: dict[str, list[str]]) -> None:
    """Run the command of each fold; print its accuracy and time, and the mean."""
    accuracies = []
    for fold, words in commands.items():
        start = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        found = re.search(r"Final test accuracy = ([\d.]+)%", done.stdout)
        if done.returncode or not found:
            raise SoundfoldError(f"fold {fold}: retrain.py ended with {done.returncode}: {done.stderr[-300:]}")
        accuracies.append(float(found[1]))
        say(f"  fold {fold}: test accuracy {found[1]} %, {seconds:.1f} s in all")
    say(f"mean of {len(accuracies)} folds: {np.mean(accuracies):.2f} %")


if __name__ == "__main__":
    sys.exit(main())
