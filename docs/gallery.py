"""Make ``docs/gallery_*.png``: two sounds of the demo corpus in every encoding, and merges of them.

    python docs/gallery.py

Low frequencies are at the bottom, time runs to the right. The demo is mono: for `stereo` its sounds move from the left
to the right. The demo's sounds are made where they are not there yet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from converter.drawing import draw
from converter.registry import ENCODINGS
from converter.rgb import RgbSpectrogram
from converter.spec import Encoding
from corpora.datasets.demo import make
from harness.audio import read
from harness.store import default_root
from harness.toml import read_toml
from merger.registry import methods_from_study

SOUNDS = {"siren": "siren/2-siren02-A.wav", "dog bark": "dog_bark/1-dog_bark06-A.wav"}
STUDY = Path(__file__).parents[1] / "studies" / "encodings.toml"
FOLDER = Path(__file__).parent
MOST_BYTES = 400_000
Images = dict[str, list[np.ndarray]]


def main() -> None:
    """Draw the pages: encodings of one matrix, encodings of three, merges."""
    root = default_root() / "corpora" / "gallery"
    make(root)
    clips = [root / name for name in SOUNDS.values()]
    one: Images = {}
    three: Images = {}
    for name in ENCODINGS.names():
        page = three if issubclass(ENCODINGS[name], RgbSpectrogram) else one
        page[name] = [image_of(clip, ENCODINGS[name]()) for clip in clips]
    images = one | three
    merges = methods_from_study(read_toml(STUDY)["merge"], list(images))
    merged = {
        name: [method.merge({of: images[of][k] for of in method.partners}) for k in range(len(clips))]
        for name, method in merges.items()
    }
    for name, page in (("encodings", one), ("rgb", three), ("merges", merged)):
        save(page, FOLDER / f"gallery_{name}.png")


def image_of(clip: Path, encoding: Encoding) -> np.ndarray:
    """A clip's image; what takes channels is given the sound as it moves from the left to the right."""
    if not encoding.all_channels:
        return draw(clip, encoding)
    y, sr = read(clip)
    angle = np.linspace(0, np.pi / 2, len(y))
    return draw(np.stack([y * np.cos(angle), y * np.sin(angle)], axis=1), encoding, sr=sr)


def save(images: Images, path: Path) -> None:
    """Write a page: both sounds of each encoding, one above the other, five encodings in a row."""
    names = list(images)
    blocks = [names[k : k + 5] for k in range(0, len(names), 5)]
    columns = max(map(len, blocks))
    figure = Figure(figsize=(2.3 * columns + 0.4, 4.9 * len(blocks)), dpi=80)
    parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
    for part, block in zip(parts, blocks, strict=True):
        axes = part.subplots(len(SOUNDS), columns, squeeze=False)
        for (k, j), cell in np.ndenumerate(axes):
            if j >= len(block):
                cell.set_axis_off()
                continue
            cell.imshow(images[block[j]][k], aspect="auto", interpolation="antialiased")
            cell.set(xticks=[], yticks=[], title="" if k else block[j], ylabel="" if j else list(SOUNDS)[k])
        part.subplots_adjust(left=0.03, right=0.995, top=0.93, bottom=0.01, wspace=0.05, hspace=0.05)
    figure.savefig(path)
    with Image.open(path, formats=["PNG"]) as image:
        page = image.convert("RGB")
    page.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        page.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


if __name__ == "__main__":
    main()
