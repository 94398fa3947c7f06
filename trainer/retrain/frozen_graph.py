"""The frozen graph of ``retrain.py``: one file that any TensorFlow program can run.

Node names are the old script's: the image goes into ``Placeholder`` (float32, N x height x width x 3, in [0, 1]),
feature vectors can be fed to ``input/BottleneckInputPlaceholder`` instead, and class probabilities come out of
``final_result``, or of the name that was asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModuleError, SettingsError
from harness.files import write_bytes
from harness.head import Head
from harness.hub.base import HubModule
from harness.hub.tensorflow import import_tensorflow

__all__ = ["BOTTLENECK_INPUT", "GROUND_TRUTH_INPUT", "IMAGE_INPUT", "FrozenModule"]

IMAGE_INPUT = "Placeholder"
BOTTLENECK_INPUT = "input/BottleneckInputPlaceholder"
GROUND_TRUTH_INPUT = "input/GroundTruthInput"
_FAKE_QUANT = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")


class FrozenModule:
    """A module with its variables as constants; heads are put on top of it.

    Parameters
    ----------
    module : HubModule
        An image module.

    Raises
    ------
    ModuleError
        It cannot be frozen.
    """

    def __init__(self, module: HubModule) -> None:
        tf = import_tensorflow()
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # five seconds

        info = module.info
        spec = tf.TensorSpec((None, info.height, info.width, 3), tf.float32, name=IMAGE_INPUT)
        try:
            traced = tf.function(module.function, input_signature=[spec], autograph=False).get_concrete_function()
            frozen = convert_variables_to_constants_v2(traced)
        except (ValueError, TypeError, NotImplementedError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ModuleError(f"module {info.handle!r} cannot be frozen into a graph ({reason})") from error
        self.info = info
        self._graph = frozen.graph.as_graph_def()
        self._features = frozen.outputs[0].name

    @property
    def quantised(self) -> bool:
        """Whether the module is instrumented for quantisation-aware training."""
        nodes = [*self._graph.node, *(n for f in self._graph.library.function for n in f.node_def)]
        return any(node.op in _FAKE_QUANT for node in nodes)

    def check_name(self, final_tensor_name: str) -> None:
        """Check that the output layer can have a name.

        Raises
        ------
        SettingsError
            The graph has a node or a scope of that name.
        """
        head = Head(np.zeros((self.info.features, 1), np.float32), np.zeros(1, np.float32))
        self.graph_def(head, final_tensor_name=final_tensor_name)

    def write(self, path: str | Path, head: Head, *, final_tensor_name: str = "final_result") -> None:
        """Write the graph with `head` on top, atomically.

        Raises
        ------
        SettingsError
            The name is taken.
        """
        write_bytes(path, self.graph_def(head, final_tensor_name=final_tensor_name).SerializeToString())

    def graph_def(self, head: Head, *, final_tensor_name: str = "final_result") -> Any:
        """The graph with `head` on top, as a ``GraphDef``."""
        tf = import_tensorflow()
        with tf.Graph().as_default() as graph:
            (features,) = tf.import_graph_def(self._graph, name="", return_elements=[self._features])
            shape = [None, self.info.features]
            bottleneck = tf.compat.v1.placeholder_with_default(features, shape, name=BOTTLENECK_INPUT)
            tf.compat.v1.placeholder(tf.int64, [None], name=GROUND_TRUTH_INPUT)
            weights = tf.constant(head.weights, tf.float32, name="final_retrain_ops/weights/final_weights")
            biases = tf.constant(head.bias, tf.float32, name="final_retrain_ops/biases/final_biases")
            with tf.name_scope("final_retrain_ops/Wx_plus_b"):  # in float64, as the SavedModel's head
                product = tf.linalg.matmul(tf.cast(bottleneck, tf.float64), tf.cast(weights, tf.float64))
                scores = tf.nn.softmax(product + tf.cast(biases, tf.float64))
            output = tf.cast(scores, tf.float32, name=final_tensor_name)
            if output.op.name != final_tensor_name:  # TensorFlow gives a number to a name that is taken
                raise SettingsError(
                    f"final_tensor_name={final_tensor_name!r}: the graph has a node of that name already; give another"
                )
            return graph.as_graph_def()
