"""Label images with a frozen graph: the classic flags, for our graphs and for any other.

A thin front of the labeler: images are read and resized as in training, so the scores are those of the model folder.
Size and layer names are read from the graph where they are not given.

Examples
--------
::

    python label_image.py --graph=/tmp/output_graph.pb --labels=/tmp/output_labels.txt \\
        --input_layer=Placeholder --output_layer=final_result --image=rose.jpg
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import labeler
from harness.cli import OneLineParser, guard, say, warn
from harness.installation import check_packages


def main(argv: Sequence[str] | None = None) -> int:
    """Label images; return the exit code: 1 where an image could not be read."""
    flags = vars(_parser().parse_args(argv))
    return guard(lambda: _label(flags.pop("image"), flags))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="label_image.py",
        description="Label images with a frozen graph.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--image", nargs="+", action="extend", required=True, help="image or images to label")
    parser.add_argument("--graph", default="/tmp/output_graph.pb", help="frozen graph")
    parser.add_argument("--labels", default="/tmp/output_labels.txt", help="file with one label a line")
    parser.add_argument("--input_height", type=int, help="in pixels; read from the graph where it says so")
    parser.add_argument("--input_width", type=int, help="in pixels; read from the graph where it says so")
    parser.add_argument("--input_mean", type=float, default=0.0, help="subtracted from pixel values 0 to 255")
    parser.add_argument("--input_std", type=float, default=255.0, help="what they are then divided by")
    parser.add_argument("--input_layer", help="name of the input; default: Placeholder, or the graph's only one")
    parser.add_argument("--output_layer", help="name of the output; default: final_result, or the graph's only one")
    parser.add_argument("--top_k", type=int, default=5, help="how many labels to print for an image")
    return parser


def _label(files: Sequence[str], flags: dict[str, Any]) -> int:
    """Load the graph, label the images in batches, print the ranked labels."""
    check_packages()
    settings = labeler.GraphSettings.read(flags, name_of=lambda name: f"--{name}")
    model = labeler.load_frozen_graph(settings)
    failures = 0
    for labelled in labeler.label_files(model, [Path(file) for file in files]):
        if labelled.scores is None:
            failures += 1
            warn(labelled.reason)
            continue
        if len(files) > 1:
            say(f"{labelled.path}:")
        for label, score in labeler.ranked(labelled.scores, model.card.classes, settings.top_k):
            say(f"{label} {score:.8g}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
