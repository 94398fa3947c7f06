"""The steps that `growth` measures at each size, on made-up tables and features.

A step is a name and what it does; the steps of a part are done in order, in one process.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.evaluation import evaluate
from harness.digests import FileDigests, FileState
from harness.files import digest_bytes
from harness.protocol import splits
from harness.store import Store
from harness.tables import CLIPS, IMAGES, PREDICTIONS, check, read, write
from harness.vectors import Vectors
from trainer.fitting import HeadSettings, fit_folds
from trainer.inputs import split_table, training_order

__all__ = ["PARTS", "Step", "measured", "peak_mb"]

Step = tuple[str, Callable[[], object]]

N_FOLDS, N_CLASSES, CLIPS_OF_A_GROUP = 10, 10, 5
WIDTH = 1280  # of MobileNet V2's features
NARROW = 256  # a million rows of it are 1 GB
BATCH = 3200  # vectors that are put at once
ONE_EACH = 10_000  # at most so many files of one vector


def measured(steps: Iterator[Step]) -> Iterator[tuple[str, float, float]]:
    """Each step's name, its seconds, and by how many MB the memory of this process rose above what it had before."""
    for name, work in steps:
        before = _resident_mb()
        _reset_peak()
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        yield name, seconds, max(0.0, peak_mb() - before)


def clips_table(n: int) -> pd.DataFrame:
    """Clips of `n` recordings' slices: ten classes, ten folds, groups of five, as ``clips.csv``."""
    row = np.arange(n)
    group = row // CLIPS_OF_A_GROUP
    label = np.random.default_rng(0).integers(N_CLASSES, size=n)
    return pd.DataFrame(
        {
            "clip_id": [f"{g}-{k}-{i}.wav" for i, (g, k) in enumerate(zip(group, label, strict=True))],
            "path": [f"audio/fold{g % N_FOLDS + 1}/{g}-{i}.wav" for i, g in enumerate(group)],
            "label": [f"class_{k}" for k in label],
            "fold": [str(g % N_FOLDS + 1) for g in group],
            "group": [str(g) for g in group],
            "start_s": np.nan,
            "end_s": np.nan,
        }
    )


def predictions_table(clips: pd.DataFrame, *, encoding: str, seed: int) -> pd.DataFrame:
    """Scores of one combination, right three times of four, as ``predictions.csv``."""
    rng = np.random.default_rng(seed)
    target = clips["label"].str[len("class_") :].astype(int).to_numpy()
    logits = rng.normal(size=(len(clips), N_CLASSES)).astype(np.float32)
    logits[np.arange(len(clips)), target] += 2.5
    scores = np.exp(logits, dtype=np.float64)
    scores = (scores / scores.sum(axis=1, keepdims=True)).round(9)
    named = {"encoding": encoding, "module": "builtin:scattering", "head": "lbfgs", "seed": "0"}
    table = clips[["clip_id"]].assign(**named, fold=clips["fold"], group=clips["group"], label=clips["label"])
    table["predicted"] = np.array([f"class_{k}" for k in range(N_CLASSES)], dtype=object)[scores.argmax(axis=1)]
    return table.assign(**{f"p:class_{k}": scores[:, k] for k in range(N_CLASSES)})


# ---- tables


def table_steps(n: int, folder: Path) -> Iterator[Step]:
    """Tables of `n` clips: written, read, checked, ordered, split."""
    clips = clips_table(n)
    images = clips[["clip_id", "path", "label", "fold", "group"]].assign(encoding="logmel", spec="0" * 16)
    predictions = predictions_table(clips, encoding="logmel", seed=0)
    for table, schema in ((clips, CLIPS), (images, IMAGES), (predictions, PREDICTIONS)):
        path = folder / schema.name
        yield f"{schema.name}: write", partial(write, table, path, schema)
        yield f"{schema.name}: read", partial(read, path, schema)
    usual = folder / "usual.csv"
    yield "predictions.csv: pandas alone, write", partial(predictions.to_csv, usual, index=False)
    yield "predictions.csv: pandas alone, read", partial(pd.read_csv, usual)
    yield "predictions.csv: check", partial(check, predictions, PREDICTIONS)
    yield "images: training order", partial(training_order, images)
    yield "images: splits of 10 folds", partial(split_table, images)


# ---- store


def keys_of(start: int, end: int) -> list[str]:
    """Keys of vectors, as even as digests are."""
    return [digest_bytes(b"%d" % i) for i in range(start, end)]


def put_vectors(store: Store, n: int, width: int = WIDTH) -> None:
    """Put `n` vectors, a batch at a time."""
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(BATCH, width)).astype(np.float32)
    with Vectors(store) as vectors:
        for start in range(0, n, BATCH):
            end = min(n, start + BATCH)
            batch[:, 0] = start
            vectors.put(keys_of(start, end), batch[: end - start])


def take_vectors(store: Store, keys: list[str], width: int = WIDTH) -> None:
    """Read all vectors, part by part; nothing is held."""
    found = sum(len(positions) for positions, _ in Vectors(store).take(keys, width))
    if found != len(keys):
        raise RuntimeError(f"{found} of {len(keys)} vectors found")


def one_file_each(folder: Path, n: int, *, width: int = WIDTH) -> Iterator[Step]:
    """The usual way: a file for each vector."""
    vector = np.zeros(width, np.float32)
    names = [folder / f"{key}.npy" for key in keys_of(0, n)]

    def put() -> None:
        folder.mkdir(parents=True)
        for name in names:
            np.save(name, vector)

    yield "a file each: put", put
    yield "a file each: take", lambda: [np.load(name)[0] for name in names]


def touch(folder: Path, n: int) -> list[Path]:
    """Empty files in ten folders, as images lie."""
    found = [folder / f"class_{i % N_CLASSES}" / f"{i}.png" for i in range(n)]
    for k in range(N_CLASSES):
        (folder / f"class_{k}").mkdir(parents=True)
    for path in found:
        os.close(os.open(path, os.O_CREAT))
    return found


def learn(store: Store, paths: list[Path]) -> None:
    """What is done when images are written: states and digests are put by."""
    with FileDigests(store) as digests:
        for path in paths:
            state = FileState.of(path)
            digests.written(path, state._replace(mtime_ns=state.mtime_ns | 1), "0" * 64, "0" * 64)


def recall(store: Store, paths: list[Path]) -> None:
    """What a second run does first: look up every file."""
    digests = FileDigests(store)
    for path in paths:
        digests.known(path)


def store_steps(n: int, folder: Path) -> Iterator[Step]:
    """A store of `n` vectors of 1,280 numbers, and digests of `n` files."""
    store = Store(folder / "store")
    yield "vectors: put", partial(put_vectors, store, n)
    keys = keys_of(0, n)
    yield "vectors: first opening", lambda: Vectors(store).count(keys[:1])
    yield "vectors: opening", lambda: Vectors(store).count(keys[:1])
    yield "vectors: count all", lambda: Vectors(store).count(keys)
    yield "vectors: take all", partial(take_vectors, store, keys)
    yield "vectors: take 1,000 of them", lambda: take_vectors(store, keys[:: len(keys) // 1000][:1000])
    shutil.rmtree(folder / "store")
    yield from one_file_each(folder / "each", min(n, ONE_EACH))
    paths = touch(folder / "files", n)
    yield "file digests: learn", partial(learn, store, paths)
    yield "file digests: look up", partial(recall, store, paths)


# ---- heads


def head_steps(n: int, folder: Path) -> Iterator[Step]:
    """Heads of `n` rows of 256 features: a mixture of classes that overlap."""
    del folder
    rng = np.random.default_rng(0)
    group = np.arange(n) // CLIPS_OF_A_GROUP
    target = rng.integers(N_CLASSES, size=group[-1] + 1)[group]
    falling = ((np.arange(NARROW) + 1.0) ** -0.5).astype(np.float32)
    features = rng.standard_normal((n, NARROW), np.float32)
    features += 0.5 * rng.standard_normal((group[-1] + 1, NARROW), np.float32)[group]
    features += 0.4 * rng.standard_normal((N_CLASSES, NARROW), np.float32)[target]
    features *= falling
    labels = [f"class_{k}" for k in target]
    folds = [str(g % N_FOLDS + 1) for g in group]
    parts = list(splits(folds, [str(g) for g in group], labels))
    yield (
        "heads: 10 folds, chosen and refitted",
        lambda: fit_folds(features, labels, parts, settings=HeadSettings(), seed=0),
    )


# ---- evaluation


def evaluation_steps(n: int, folder: Path) -> Iterator[Step]:
    """The evaluation of two combinations of `n` clips each."""
    clips = clips_table(n)
    write(clips, folder / CLIPS.name, CLIPS)
    both = [predictions_table(clips, encoding=name, seed=k) for k, name in enumerate(("gray", "logmel"))]
    write(pd.concat(both, ignore_index=True), folder / PREDICTIONS.name, PREDICTIONS)
    del both
    yield "evaluation of 2 combinations", partial(evaluate, folder)


PARTS = {"tables": table_steps, "store": store_steps, "heads": head_steps, "evaluation": evaluation_steps}


# ---- memory of this process


def peak_mb() -> float:
    """Most memory since :func:`_reset_peak`, in 10^6 bytes; 0 where the system does not say."""
    return _status("VmHWM")


def _resident_mb() -> float:
    return _status("VmRSS")


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def _status(name: str) -> float:
    with suppress(OSError):
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0
