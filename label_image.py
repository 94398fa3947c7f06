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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli import guard, say, warn
from trainer.retrain.flags import OneLineParser

if TYPE_CHECKING:
    from labeler.loading import Model

_CLASSIC_SIDE = 299


def main(argv: Sequence[str] | None = None) -> int:
    """Label images; return the exit code: 1 where an image could not be read."""
    args = _parser().parse_args(argv)
    return guard(lambda: run(args))


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


def run(args: argparse.Namespace) -> int:
    """Load the graph, label the images in batches, print the ranked labels."""
    from pathlib import Path

    from harness.errors import SettingsError
    from labeler.output import ranked
    from labeler.predict import label_files

    for name in ("input_height", "input_width", "top_k"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SettingsError(f"{name}={getattr(args, name)}: expected 1 or more")
    if args.input_std == 0:
        raise SettingsError("input_std=0: expected another number")
    model = load_model(args)
    failures = 0
    for labelled in label_files(model, [Path(file) for file in args.image]):
        if labelled.scores is None:
            failures += 1
            warn(labelled.reason)
            continue
        if len(args.image) > 1:
            say(f"{labelled.path}:")
        for label, score in ranked(labelled.scores, model.card.classes, args.top_k):
            say(f"{label} {score:.8g}")
    return 1 if failures else 0


def load_model(args: argparse.Namespace) -> Model:
    """The frozen graph as a model that the labeler takes."""
    from harness.errors import SettingsError
    from harness.model import ModelCard
    from labeler.loading import Model

    labels = read_labels(args.labels)
    graph = load_graph(args.graph)
    source, result = input_of(graph, args.input_layer), output_of(graph, args.output_layer)
    height, width = _size(source, args)
    score = _scorer(graph, source, result, mean=args.input_mean, std=args.input_std)

    def signature(image: Any) -> dict[str, Any]:
        found = score(image)
        if found.shape[-1] != len(labels):
            raise SettingsError(f"labels={args.labels!r} has {len(labels)} lines, the graph gives {found.shape[-1]}")
        return {"prediction": found}

    card = ModelCard(classes=labels, takes="image", module={"handle": args.graph, "height": height, "width": width})
    return Model(card, signature)


def _scorer(graph: Any, source: Any, result: Any, *, mean: float, std: float) -> Callable[..., Any]:
    """The graph as a function from pictures in [0, 1] to scores."""
    from harness.hub.tensorflow import import_tensorflow

    tf = import_tensorflow()
    definition = graph.as_graph_def()
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    run_graph = imported.prune(source.name, result.name)
    one_by_one = source.shape.rank == 4 and source.shape[0] == 1

    def score(image: Any) -> Any:
        values = tf.cast((tf.round(image * 255.0) - mean) / std, source.dtype)
        parts = [values[k : k + 1] for k in range(len(values))] if one_by_one else [values]
        return tf.concat([tf.reshape(run_graph(part), (len(part), -1)) for part in parts], axis=0)

    return score


def read_labels(path: str) -> list[str]:
    """The labels, in the order of the scores."""
    from harness.errors import SettingsError

    try:
        with open(path, encoding="utf-8") as file:
            return [line.rstrip() for line in file.read().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"labels={path!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error


def load_graph(path: str) -> Any:
    """Read a frozen graph into a ``tf.Graph``."""
    from google.protobuf.message import DecodeError

    from harness.errors import SettingsError
    from harness.hub.tensorflow import import_tensorflow

    tf = import_tensorflow()
    definition = tf.compat.v1.GraphDef()
    try:
        with open(path, "rb") as file:
            definition.ParseFromString(file.read())
    except (OSError, DecodeError) as error:
        raise SettingsError(f"graph={path!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    return graph


def input_of(graph: Any, name: str | None) -> Any:
    """The tensor that images are fed to."""
    inputs = [op.name for op in graph.get_operations() if op.type == "Placeholder" and op.outputs[0].dtype.is_floating]
    return _tensor(graph, name, usual="Placeholder", choices=inputs, flag="input_layer")


def output_of(graph: Any, name: str | None) -> Any:
    """The tensor that scores come out of."""
    ends = [
        op.name
        for op in graph.get_operations()
        if op.outputs and op.type not in {"Placeholder", "Const"} and not any(t.consumers() for t in op.outputs)
    ]
    return _tensor(graph, name, usual="final_result", choices=ends, flag="output_layer")


def _tensor(graph: Any, name: str | None, *, usual: str, choices: list[str], flag: str) -> Any:
    from harness.errors import SettingsError, did_you_mean

    known = {op.name: op for op in graph.get_operations()}
    if name is None and usual not in known and len(choices) != 1:
        raise SettingsError(f"{flag} is not given, and the graph has no {usual!r}; available: {', '.join(choices)}")
    wanted = name or (usual if usual in known else choices[0])
    wanted = wanted.removeprefix("import/").split(":")[0]
    if wanted not in known or not known[wanted].outputs:
        raise SettingsError(f"{flag}={name!r}: the graph has no such node; {did_you_mean(wanted, choices)}")
    return known[wanted].outputs[0]


def _size(source: Any, args: argparse.Namespace) -> tuple[int, int]:
    """Height and width in pixels: as given, else as the graph says, else the classic 299."""
    from harness.errors import SettingsError

    shape = source.shape.as_list() if source.shape.rank == 4 else [None] * 4
    height = args.input_height or shape[1] or _CLASSIC_SIDE
    width = args.input_width or shape[2] or _CLASSIC_SIDE
    if (shape[1] and height != shape[1]) or (shape[2] and width != shape[2]):
        raise SettingsError(f"input_height={height}, input_width={width}: the graph takes {shape[1]} x {shape[2]}")
    return height, width


if __name__ == "__main__":
    sys.exit(main())
