"""Write a fused model: several modules that hear one sound and the head on their features, as one model folder.

The SavedModel has a signature for the features of each module, which the labeler uses, and ``serving_default``: one
input for each image or waveform that the members take -> ``prediction``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.files import digest_json
from harness.head import Head
from harness.hub.base import HubModule
from harness.hub.tensorflow import import_tensorflow
from harness.model import SEVERAL, ModelCard, module_to_json
from harness.model_members import ModelMember
from harness.recipes import longest_sound
from trainer.model_folder import check_model_folder, save_model

__all__ = ["FusedPart", "write_fused_model"]


class FusedPart(NamedTuple):
    """One member: its encoding, its module, and how its images are drawn."""

    encoding: str
    module: HubModule
    recipe: Mapping[str, Any] | None = None


def write_fused_model(
    folder: str | Path,
    *,
    members: Sequence[FusedPart],
    head: Head,
    classes: list[str],
    handle: str,
    training: Mapping[str, Any],
    note: str = "",
    longest_s: float = 0.0,
) -> ModelCard:
    """Write a fused model's folder, whole or not at all; an older one is replaced.

    Parameters
    ----------
    folder : path
    members : sequence of FusedPart
    head : Head
        On their feature vectors, joined in their order.
    classes : list of str
        In the order of the head's columns.
    handle : str
        ``fusion:mean`` and so on.
    training, note
        As for :func:`trainer.export.write_model`.
    longest_s : float
        Length of the longest training clip in seconds; 0: what the recipes say of it.

    Raises
    ------
    SettingsError
        The folder holds something else.
    """
    check_model_folder(folder)
    named = ModelMember.named(
        [
            (part.encoding, module_to_json(part.module.info), dict(part.recipe) if part.recipe else None)
            if part.module.info.takes == "image"
            else (part.encoding, module_to_json(part.module.info), None)
            for part in members
        ]
    )
    card = ModelCard(
        classes=list(classes),
        takes=SEVERAL,
        module={"handle": handle, "digest": digest_json([each.module["digest"] for each in named])},
        training=dict(training),
        note=note,
        longest_s=max([longest_s, *(longest_sound(each.recipe) for each in named)]),
        members=[each.to_json() for each in named],
    )
    modules = {each.signature: part.module for each, part in zip(named, members, strict=True)}
    tf = import_tensorflow()
    exported = tf.Module()
    exported.parts = [module.parts for module in modules.values()]
    exported.weights = tf.Variable(head.weights, trainable=False, name="final_retrain_ops/weights")
    exported.bias = tf.Variable(head.bias, trainable=False, name="final_retrain_ops/biases")
    signatures = {name: _features_function(module) for name, module in modules.items()}
    signatures["serving_default"] = _prediction_function(named, modules, exported.weights, exported.bias)
    save_model(folder, exported, signatures, head, card)
    return card


def _features_function(module: HubModule) -> Any:
    """``image -> features`` (or ``waveform -> features``) as a TensorFlow function."""
    tf = import_tensorflow()

    @tf.function(input_signature=[_spec(module, module.info.takes)], autograph=False)
    def features(x: Any) -> dict[str, Any]:
        return {"features": module.function(x)}

    return features


def _prediction_function(
    members: Sequence[ModelMember], modules: Mapping[str, HubModule], weights: Any, bias: Any
) -> Any:
    """The inputs of all members -> ``prediction``, with the head in float64."""
    tf = import_tensorflow()
    inputs = {each.input: _spec(modules[each.signature], each.input) for each in members}
    names = list(inputs)

    @tf.function(input_signature=list(inputs.values()), autograph=False)
    def predict(*values: Any) -> dict[str, Any]:
        given = dict(zip(names, values, strict=True))
        features = [tf.cast(modules[each.signature].function(given[each.input]), tf.float64) for each in members]
        logits = tf.matmul(tf.concat(features, axis=1), tf.cast(weights, tf.float64)) + tf.cast(bias, tf.float64)
        return {"prediction": tf.cast(tf.nn.softmax(logits), tf.float32)}

    return predict


def _spec(module: HubModule, name: str) -> Any:
    tf, info = import_tensorflow(), module.info
    shape = (None, None) if info.takes == "waveform" else (None, info.height, info.width, 3)
    return tf.TensorSpec(shape, tf.float32, name=name)
