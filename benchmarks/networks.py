"""Networks from scratch: an epoch of ``cnn:small`` as a study trains it, and of the same layers by Keras's ``fit``.

    python -m benchmarks.networks [--images 320]

Images are made up (110x110); both take batches of 32 and Adam. Measured in alternation, after one epoch that compiles.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.command import main, medians
from benchmarks.tables import Cell, Table, ratio
from harness.hub.kinds import load, network_settings, parse
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store
from trainer.networks.steps import Network
from trainer.networks.training import Data, Progress, run_epochs

N_CLASSES = 10
SIZE = 110
QUICK_IMAGES = 64
AUGMENTED = {"spec_augment": 0.1, "time_shift": 0.3, "mixup": 0.2}


def made_up(n: int) -> Data:
    """Images of noise, and classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    return Data(images, rng.integers(0, N_CLASSES, n), N_CLASSES)


def ours(data: Data, **given: float) -> Any:
    """An epoch as a study trains it, as a function."""
    spec = parse({"handle": "cnn:small", **given})
    module = load(spec.frozen(), store=Store(writes=False), untrained=True)
    network = Network(module, N_CLASSES, network_settings(spec))
    network.begin(np.random.default_rng(0), body=None, head=None)
    rows = np.arange(len(data.targets))
    return lambda: list(run_epochs(network, data, rows, epochs=1, seeds=(0, 0), progress=Progress()))


def keras(data: Data) -> Any:
    """An epoch of the same layers by Keras, as a function."""
    layers = import_tensorflow().keras.layers
    stack: list[Any] = [layers.Rescaling(2 / 255, offset=-1.0)]
    for filters in (32, 32, 64):
        stack += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    stack += [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.5)]
    model = import_tensorflow().keras.Sequential([*stack, layers.Dense(N_CLASSES, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: model.fit(data.images, data.targets, batch_size=32, epochs=1, verbose=0)


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    data = made_up(QUICK_IMAGES if options.quick else options.images)
    works = {"a study": ours(data), "a study, all augmentation": ours(data, **AUGMENTED), "Keras fit": keras(data)}
    seconds = dict(zip(works, medians(list(works.values())), strict=True))
    usual = seconds["Keras fit"]
    rows: list[list[Cell]] = [[name, own, ratio(usual, own)] for name, own in seconds.items()]
    yield Table(f"An epoch of cnn:small over {len(data.targets)} images, seconds", ["", "s", "faster than fit"], rows)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--images", type=int, default=320, help="how many; default: %(default)s")


if __name__ == "__main__":
    main(run, __doc__, arguments)
