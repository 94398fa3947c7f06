"""A frozen graph as a model that the labeler takes: ours and any other program's.

Images are read and resized as in training, so the scores are those of the model folder. Size and layer names are
read from the graph where they are not given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from google.protobuf.message import DecodeError
from pydantic import AfterValidator

from harness.errors import SettingsError, did_you_mean
from harness.hub.base import ModuleInfo
from harness.hub.tensorflow import import_tensorflow
from harness.model import ModelCard
from harness.settings import PositiveInt, Settings
from labeler.loading import Model
from labeler.scoring import by_signature

__all__ = ["GraphSettings", "load_frozen_graph"]

_CLASSIC_SIZE = 299  # pixels, where neither the graph nor the user says


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("must not be 0")
    return value


class GraphSettings(Settings):
    """A frozen graph, how it is fed, and how much of its answer is wanted.

    Parameters
    ----------
    graph : str
        File of the graph.
    labels : str
        File with one label a line.
    input_height, input_width : int, optional
        In pixels; read from the graph where it says so.
    input_mean, input_std : float
        Subtracted from pixel values 0 to 255, and what they are then divided by.
    input_layer, output_layer : str, optional
        Names of nodes; read from the graph where there is no choice.
    top_k : int
        How many labels an image gets.
    """

    graph: str
    labels: str
    input_height: PositiveInt | None = None
    input_width: PositiveInt | None = None
    input_mean: float = 0.0
    input_std: Annotated[float, AfterValidator(_not_zero)] = 255.0
    input_layer: str | None = None
    output_layer: str | None = None
    top_k: PositiveInt = 5


def load_frozen_graph(settings: GraphSettings) -> Model:
    """Load a frozen graph with its labels.

    Raises
    ------
    SettingsError
        A file that cannot be read, a layer that the graph does not have, or another size than the graph's.
    """
    classes = _read_labels(settings.labels)
    graph = _read_graph(settings.graph)
    source, result = _input_of(graph, settings.input_layer), _output_of(graph, settings.output_layer)
    height, width = _size(source, settings)
    score = _score_function(graph, source, result, settings)

    def signature(image: Any) -> dict[str, Any]:
        scores = score(image)
        if scores.shape[-1] != len(classes):
            raise SettingsError(
                f"labels={settings.labels!r} has {len(classes)} lines, the graph gives {scores.shape[-1]}"
            )
        return {"prediction": scores}

    info = ModuleInfo(
        handle=settings.graph, digest="", takes="image", height=height, width=width, value_range=(0.0, 1.0),
        sample_rate=0, features=0,
    )  # fmt: skip
    return Model(ModelCard(classes=classes, takes="image", module=asdict(info)), by_signature(signature, "image"))


def _read_labels(path: str) -> list[str]:
    """The labels, in the order of the scores."""
    try:
        return [line.rstrip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"labels={path!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _read_graph(path: str) -> Any:
    """Read a frozen graph into a ``tf.Graph``."""
    tf = import_tensorflow()
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(Path(path).read_bytes())
    except (OSError, DecodeError) as error:
        raise SettingsError(f"graph={path!r} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    return graph


def _input_of(graph: Any, name: str | None) -> Any:
    """The tensor that images are fed to."""
    inputs = [op.name for op in graph.get_operations() if op.type == "Placeholder" and op.outputs[0].dtype.is_floating]
    return _tensor(graph, name, usual="Placeholder", choices=inputs, setting="input_layer")


def _output_of(graph: Any, name: str | None) -> Any:
    """The tensor that scores come out of."""
    ends = [
        op.name
        for op in graph.get_operations()
        if op.outputs and op.type not in {"Placeholder", "Const"} and not any(t.consumers() for t in op.outputs)
    ]
    return _tensor(graph, name, usual="final_result", choices=ends, setting="output_layer")


def _tensor(graph: Any, name: str | None, *, usual: str, choices: Sequence[str], setting: str) -> Any:
    """The first output of the node that is named, else of the usual one, else of the only one."""
    nodes = {op.name: op for op in graph.get_operations()}
    if name is None and usual not in nodes and len(choices) != 1:
        raise SettingsError(
            f"{setting} is not given, and the graph has no {usual!r}; available: {', '.join(choices) or 'none'}"
        )
    wanted = name or (usual if usual in nodes else choices[0])
    wanted = wanted.removeprefix("import/").split(":")[0]
    if wanted not in nodes or not nodes[wanted].outputs:
        raise SettingsError(f"{setting}={name!r}: the graph has no such node; {did_you_mean(wanted, choices)}")
    return nodes[wanted].outputs[0]


def _size(source: Any, settings: GraphSettings) -> tuple[int, int]:
    """Height and width in pixels: as given, else as the graph says, else the classic 299."""
    _, rows, columns, _ = source.shape.as_list() if source.shape.rank == 4 else [None] * 4
    height = settings.input_height or rows or _CLASSIC_SIZE
    width = settings.input_width or columns or _CLASSIC_SIZE
    if (rows and height != rows) or (columns and width != columns):
        raise SettingsError(f"input_height={height}, input_width={width}: the graph takes {rows} x {columns}")
    return height, width


def _score_function(graph: Any, source: Any, result: Any, settings: GraphSettings) -> Callable[[Any], Any]:
    """The graph as a function from images, (n, H, W, 3) in [0, 1], to scores, (n, classes)."""
    tf = import_tensorflow()
    definition = graph.as_graph_def()
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    run_graph = imported.prune(source.name, result.name)
    one_by_one = source.shape.rank == 4 and source.shape[0] == 1

    def score(image: Any) -> Any:
        values = tf.cast((tf.round(image * 255.0) - settings.input_mean) / settings.input_std, source.dtype)
        parts = [values[k : k + 1] for k in range(len(values))] if one_by_one else [values]
        return tf.concat([tf.reshape(run_graph(part), (len(part), -1)) for part in parts], axis=0)

    return score
