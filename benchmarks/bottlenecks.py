"""Feature vectors per second: the module alone, ours from arrays and from PNG files, and one image at a time.

    python -m benchmarks.bottlenecks [--images 256] [--usual 24] [--times 5]

Log-mel images of ESC-10 in colour, and gray ones, go through MobileNet V2 and ``builtin:scattering``:

- the module alone: images in memory, large batches, one call after the other, which may use all cores;
- ours from arrays: images in memory, through what forms batches, calls the module and puts vectors into a store;
- ours from PNG files: read, hashed and decoded while the module computes, on the same cores;
- the usual way, TensorFlow Hub's retrain.py: read, decode and resize an image, put it through the module alone,
  write a text file.

All four take turns and the medians count. Every round of ours has a store without vectors.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.command import data_folder, main, medians
from benchmarks.convert import find
from benchmarks.tables import Cell, Table, number, ratio
from converter import convert_clips, encodings_from_study
from harness import image, tables
from harness.hub import HubModule, ModuleSpec, load, parse
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store
from trainer.bottlenecks import array_features, image_features

MODULES = ("builtin:scattering", "mobilenet_v2_100_224_imagenet")
LARGE = 128  # images of a batch
DESCRIBED = "described"


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure each module on each form of the images."""
    count, usual, times = (16, 3, 1) if options.quick else (options.images, options.usual, options.times)
    with tempfile.TemporaryDirectory() as scratch:
        images = draw(data_folder(options, "data/esc10"), Path(scratch), count)
        for handle in MODULES:
            known = handle if ":" in handle else str(data_folder(options, f"modules/{handle}"))
            spec = parse(known)
            module = load(spec, store=Store(Path(scratch) / DESCRIBED))
            for form, files in images.items():
                title = f"{len(files)} {form} images of 224 x 224 through {handle}"
                yield measure(title, files, spec, module, Path(scratch), usual=usual, times=times)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--images", type=int, default=256, help="at most so many; default: %(default)s")
    parser.add_argument("--usual", type=int, default=24, help="so many for the usual way; default: %(default)s")
    parser.add_argument("--times", type=int, default=5, help="rounds; default: %(default)s")


def draw(folder: Path, scratch: Path, count: int) -> dict[str, list[Path]]:
    """Images of sounds, by form."""
    rows: list[dict[str, object]] = [
        {"clip_id": f"{i}_{path.name}", "path": str(path), "label": path.parent.name}
        for i, path in enumerate(find(folder, count))
    ]
    encodings = encodings_from_study({"encodings": ["logmel", "gray"]})
    clips = tables.frame(rows, tables.CLIPS)
    drawn = convert_clips(clips, encodings, scratch / "images", store=Store(scratch / "drawn"), jobs=2).images

    def files(encoding: str) -> list[Path]:
        return [scratch / "images" / path for path in drawn["path"][drawn["encoding"] == encoding]]

    return {"colour": files("logmel"), "gray": files("gray")}


def measure(
    title: str, files: Sequence[Path], spec: ModuleSpec, module: HubModule, scratch: Path, *, usual: int, times: int
) -> Table:
    """One table."""
    arrays = np.stack([image.read(file) for file in files])
    stores = iter([_with_description(scratch, k) for k in range(2 * (times + 1))])
    some, write = files[:usual], one_by_one(module, scratch / "texts")

    def alone() -> None:
        for start in range(0, len(arrays), LARGE):
            module(arrays[start : start + LARGE])

    def from_arrays() -> None:
        array_features(arrays, spec, store=next(stores), load=lambda: module)

    def from_files() -> None:
        image_features(files, spec, store=next(stores), load=lambda: module)

    works: list[tuple[str, int, Callable[[], object]]] = [
        (f"the module alone, batches of {LARGE}", len(files), alone),
        ("ours, from arrays", len(files), from_arrays),
        ("ours, from PNG files", len(files), from_files),
        ("usual way, one image at a time", len(some), lambda: [write(file) for file in some]),
    ]
    seconds = medians([work for _, _, work in works], times=times)
    each = [one / n for one, (_, n, _) in zip(seconds, works, strict=True)]
    rows: list[list[Cell]] = [
        [name, 1 / one, f"{number(100 * each[0] / one)} %", ratio(each[-1], one)]
        for one, (name, _, _) in zip(each, works, strict=True)
    ]
    return Table(title, ["", "images/s", "of the module alone", "ratio to the usual way"], rows)


def _with_description(scratch: Path, number: int) -> Store:
    """A store that has nothing but what the modules say of themselves, which is had by loading them."""
    root = scratch / f"store{number}"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(scratch / DESCRIBED, root)
    return Store(root)


def one_by_one(module: HubModule, folder: Path) -> Callable[[Path], None]:
    """What retrain.py does with an image file."""
    tf = import_tensorflow()
    function = tf.function(module.function, autograph=False)
    size = (module.info.height, module.info.width)
    folder.mkdir(exist_ok=True)

    def work(file: Path) -> None:
        decoded = tf.image.convert_image_dtype(tf.io.decode_png(tf.io.read_file(str(file)), channels=3), tf.float32)
        vector = np.squeeze(function(tf.image.resize(decoded[None], size)).numpy())
        (folder / f"{file.stem}.txt").write_text(",".join(str(value) for value in vector), encoding="utf-8")

    return work


if __name__ == "__main__":
    main(run, __doc__, arguments)
