"""Write a head and its module as one model folder (see :mod:`harness.model`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import audio
from harness.errors import ModuleError, SettingsError, TableError, did_you_mean
from harness.files import digest_file
from harness.head import Head, load_heads
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.tensorflow import import_tensorflow
from harness.model import ModelCard, module_to_json
from harness.recipes import longest_sound, read_recipes
from harness.run_lock import check_complete
from harness.shared_groups import NO_GROUPS, groups_known
from harness.split_parts import part_of
from harness.store import Store
from harness.tables import CLIPS, IMAGES, PREDICTIONS, read, read_located
from trainer.ablation import combination_name, heads_file
from trainer.fused_model import FusedPart, write_fused_model
from trainer.model_folder import check_model_folder, save_model
from trainer.networks.trained import read_weights, with_weights
from trainer.run_record import (
    fused_training,
    read_caveats,
    read_heads,
    read_image_specs,
    read_members,
    read_module,
    read_networks,
)

__all__ = ["export_fold", "prediction_function", "write_model"]


def write_model(
    folder: str | Path,
    *,
    module: HubModule,
    head: Head,
    classes: list[str],
    recipe: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    note: str = "",
    longest_s: float = 0.0,
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
    recipe : mapping, optional
        How a sound is drawn, as :mod:`harness.recipes` describes it.
    training, note : optional
        Where the model comes from, and what its figures mean.
    longest_s : float
        Length of the longest training clip in seconds; 0: what the recipe says of it.

    Raises
    ------
    SettingsError
        The folder holds something else.
    SoundfoldError
        TensorFlow cannot write, as where the disk is full.
    """
    check_model_folder(folder)
    tf = import_tensorflow()
    card = ModelCard(
        classes=list(classes),
        takes=module.info.takes,
        module=module_to_json(module.info),
        recipe=dict(recipe) if recipe else None,
        training=dict(training or {}),
        note=note,
        longest_s=longest_s or longest_sound(recipe),
    )
    exported = tf.Module()
    exported.parts = module.parts
    exported.weights = tf.Variable(head.weights, trainable=False, name="final_retrain_ops/weights")
    exported.bias = tf.Variable(head.bias, trainable=False, name="final_retrain_ops/biases")
    predict = prediction_function(module, exported.weights, exported.bias)
    save_model(folder, exported, {"serving_default": predict}, head, card)
    return card


def export_fold(
    run: str | Path, named: Mapping[str, str], fold: str, out: str | Path, *, images_folder: str | Path, store: Store
) -> ModelCard:
    """Make a model folder of one fold's head of a finished cross-validation.

    Parameters
    ----------
    run : path
        Folder with ``run.json`` and ``heads/``.
    named : mapping
        encoding, module, head and seed of the combination.
    fold : str
        The fold that was tested: the model has not seen it.
    out : path
        The model folder.
    images_folder : path
        Folder of ``images.csv``, and of the ``run.json`` that says how its images were drawn.
    store : Store

    Raises
    ------
    SettingsError
        No such combination or fold (the line names what there is), or other images now than were trained on.
    ModuleError
        The module is not the one that was trained on any more.
    TableError
        The run was interrupted.
    """
    check_complete(run)
    head, classes = _read_head(run, named, fold)
    tested = f"Trained without {'' if part_of(fold) else 'fold '}{fold}: its figure there is the one in metrics.csv."
    note = " ".join([tested, *read_caveats(run), *_no_groups(run)])
    fused = read_members(run, named)
    if fused:
        members = [
            FusedPart(encoding, _loaded(run, encoding, handle, images_folder, store), _recipe(images_folder, encoding))
            for encoding, handle in fused
        ]
        return write_fused_model(
            out, members=members, head=head, classes=classes, handle=named["module"],
            training={**named, "fold": fold, **fused_training(run, named, fold)}, note=note,
            longest_s=_longest_sound(run, images_folder),
        )  # fmt: skip
    module = _loaded(run, named["encoding"], named["module"], images_folder, store)
    if kinds.is_network(read_module(run, named["module"])[0]):
        module = with_weights(module, read_weights(run, named, fold, read_networks(run)))
    takes_images = module.info.takes == "image"
    return write_model(
        out,
        module=module,
        head=head,
        classes=classes,
        recipe=_recipe(images_folder, named["encoding"]) if takes_images else None,
        training={**named, "fold": fold},
        note=note,
        longest_s=0.0 if takes_images else _longest_sound(run, images_folder),
    )


def _loaded(run: str | Path, encoding: str, handle: str, images_folder: str | Path, store: Store) -> HubModule:
    """The module of a row, which must be what the row was trained with, and so must its images."""
    spec, digest = read_module(run, handle)
    module = kinds.load(spec.frozen(), store=store, untrained=True)
    if module.info.digest != digest:
        raise ModuleError(f"module {handle!r} has changed since this run was trained; run it again")
    _check_images(images_folder, encoding, read_image_specs(run, encoding))
    return module


def _recipe(images_folder: str | Path, encoding: str) -> dict[str, Any] | None:
    return read_recipes(images_folder).recipe(encoding)


def _no_groups(run: str | Path) -> list[str]:
    """What the model's card must say where the clips of a run have no groups, in at most one sentence."""
    path = Path(run) / PREDICTIONS.name
    known = not path.is_file() or groups_known(read(path, PREDICTIONS)["group"])
    return [] if known else [NO_GROUPS]


def _longest_sound(run: str | Path, images_folder: str | Path) -> float:
    """Length in seconds of the longest sound of the ``clips.csv`` that a study has in its folder; 0 without one."""
    for folder in (Path(run), Path(images_folder).parent):
        if (folder / CLIPS.name).is_file():
            sounds = read_located(folder / CLIPS.name, CLIPS)
            return audio.longest(sounds[["path", "start_s", "end_s"]].itertuples(index=False, name=None))
    return 0.0


def _read_head(run: str | Path, named: Mapping[str, str], fold: str) -> tuple[Head, list[str]]:
    """The head of one fold, and the class order."""
    path, known = heads_file(run, named), read_heads(run)
    name = combination_name(named)
    if not path.is_file() or (known and name not in known):
        available = list(known) or [p.stem for p in sorted(path.parent.glob("*.npz"))]
        same = [each for each in available if each.startswith(f"{named['encoding']}--")]
        raise SettingsError(f"{name!r} was not trained in {run}; {did_you_mean(name, same or available)}")
    if known and digest_file(path) != known[name]:
        raise TableError(f"{path}: is not what the last training has written; run it again")
    heads, classes = load_heads(path)
    if fold not in heads:
        raise SettingsError(f"fold={fold!r}: no such fold; {did_you_mean(fold, heads)}")
    return heads[fold], classes


def _check_images(images_folder: str | Path, encoding: str, trained_on: list[str] | None) -> None:
    """Refuse where the images in the folder are not drawn as those that the head was trained on."""
    path = Path(images_folder) / IMAGES.name
    if trained_on is None or not path.is_file():
        return
    table = read(path, IMAGES)
    if sorted(set(table.loc[table["encoding"] == encoding, "spec"])) != trained_on:
        raise SettingsError(f"{path}: {encoding!r} has been drawn anew since this run was trained; train again")


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

    @tf.function(input_signature=[spec], autograph=False)
    def predict(x: Any) -> dict[str, Any]:
        features = tf.cast(module.function(x), tf.float64)
        logits = tf.matmul(features, tf.cast(weights, tf.float64)) + tf.cast(bias, tf.float64)
        return {"prediction": tf.cast(tf.nn.softmax(logits), tf.float32)}

    return predict
