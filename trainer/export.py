"""Write a head and its module as one model folder (see :mod:`harness.model`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.files import atomic_folder
from harness.hub import HubModule, import_tensorflow
from harness.model import ModelCard, write_card
from trainer.head import Head

__all__ = ["prediction_function", "write_model"]


def write_model(
    folder: str | Path,
    *,
    module: HubModule,
    head: Head,
    classes: list[str],
    picture: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    note: str = "",
) -> ModelCard:
    """Write a model folder, whole or not at all; an older one is replaced.

    Parameters
    ----------
    folder : path
    module : HubModule
    head : Head
        Trained on this module's features.
    classes : list of str
        In the order of the head's columns.
    picture : mapping, optional
        How a sound is drawn, as :class:`harness.model.ModelCard` says.
    training, note : optional
        Where the model comes from, and what its figures mean.
    """
    tf = import_tensorflow()
    card = ModelCard(
        classes=list(classes),
        takes=module.info.takes,
        module={**asdict(module.info), "preprocessing": module.info.preprocessing()},
        picture=dict(picture) if picture else None,
        training=dict(training or {}),
        note=note,
    )
    exported = tf.Module()
    exported.parts = module.parts
    exported.weights = tf.Variable(head.weights, trainable=False, name="final_retrain_ops/weights")
    exported.bias = tf.Variable(head.bias, trainable=False, name="final_retrain_ops/biases")
    predict = prediction_function(module, exported.weights, exported.bias)
    with atomic_folder(folder) as part:
        tf.saved_model.save(exported, str(part), signatures={"serving_default": predict})
        write_card(part, card)
    return card


def prediction_function(module: HubModule, weights: Any, bias: Any) -> Any:
    """``image -> prediction`` (or ``waveform -> prediction``) as a TensorFlow function.

    The head is computed in float64, so that a batch of one and a batch of many give the same scores.
    """
    tf = import_tensorflow()
    info = module.info
    if info.takes == "waveform":
        spec = tf.TensorSpec((None, None), tf.float32, name="waveform")
    else:
        spec = tf.TensorSpec((None, info.height, info.width, 3), tf.float32, name="image")

    @tf.function(input_signature=[spec])
    def predict(x: Any) -> dict[str, Any]:
        features = tf.cast(module.function(x), tf.float64)
        logits = tf.matmul(features, tf.cast(weights, tf.float64)) + tf.cast(bias, tf.float64)
        return {"prediction": tf.cast(tf.nn.softmax(logits), tf.float32)}

    return predict
