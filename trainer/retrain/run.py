"""One training of ``retrain.py``, from the class folders to the graph and the model folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.cli import say
from harness.errors import ModuleError, SoundfoldError
from harness.files import digest_bytes, digest_json, write_text
from harness.head import Head
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.kinds import describe, load, parse
from harness.recipes import read_recipes
from harness.registry import load_plugins
from harness.store import Store
from trainer.export import write_model
from trainer.model_folder import check_model_folder
from trainer.retrain.augment import Distortions
from trainer.retrain.callback import TrainingCallback
from trainer.retrain.checkpoint import load_checkpoint
from trainer.retrain.data import FeatureSets, export_text, read_sets
from trainer.retrain.flags import BOTTLENECK_DIR, Flags, flag_name, module_flag_name
from trainer.retrain.frozen_graph import FrozenModule
from trainer.retrain.image_lists import find_images, labels_of, read_groups, read_list
from trainer.retrain.logs import LOGGER, log_to_stderr
from trainer.retrain.outputs import check_outputs
from trainer.retrain.split import ImageSets, SplitSettings, split_images
from trainer.retrain.summaries import Summaries
from trainer.retrain.training import evaluate_head, train_head
from trainer.sgd import SgdState

__all__ = ["run_logged", "run_training"]

_INTERRUPTED = 130


def run_logged(flags: Flags) -> int:
    """Run one training with its log lines on stderr; return the exit code."""
    with log_to_stderr(flags.logging_verbosity):
        try:
            return run_training(flags)
        except KeyboardInterrupt:
            print("interrupted: the same command with --resume goes on from the last checkpoint", file=sys.stderr)
            return _INTERRUPTED
        except OSError as error:  # a folder that cannot be made, a full disk
            raise SoundfoldError(f"{error.filename or 'writing'}: {error.strerror or error}") from error


def run_training(flags: Flags) -> int:
    """Images, bottlenecks, steps, test, model; return the exit code.

    Returns
    -------
    int
        0 done; 1 done but for images that could not be read.
    """
    load_plugins(flags.plugin)
    check_outputs(flags)
    if flags.saved_model_dir:
        check_model_folder(os.path.abspath(flags.saved_model_dir))
    spec = parse(flags.module(), name_of=module_flag_name)
    folders, labels, images = _read_images(flags)

    store = _store_of(flags)
    info = describe(spec, store=store)
    if info.takes != "image":
        raise ModuleError(f"module {spec.handle!r} takes a {info.takes}; retrain.py needs one that takes images")
    load_module = cache(lambda: load(spec, store=store))
    freeze_module = cache(lambda: FrozenModule(load_module()))
    freeze_module().check_name(flags.final_tensor_name)

    sets = read_sets(images, spec, load_module=load_module, store=store, distorts=flags.distorts)
    if flags.bottleneck_text:
        export_text(sets, flags.bottleneck_dir, flags.tfhub_module)

    training = _identity(flags, labels, sets, info)
    start = _start(flags, training)
    with Summaries(flags.summaries_dir, append=start is not None) as summaries:
        callback = TrainingCallback(
            flags, validation=sets.validation, summaries=summaries, freeze_module=freeze_module, training=training
        )
        head = train_head(sets.training, len(labels), flags, load_module=load_module, on_step=callback, start=start)

    accuracy = evaluate_head(head, sets.testing, labels, flags)
    _write_graph(flags, labels, head, freeze_module())
    if flags.saved_model_dir:
        _write_model(flags, folders, head, load_module(), training)
    return _report(flags, sets, accuracy)


def _read_images(flags: Flags) -> tuple[list[str], list[str], ImageSets]:
    """The class folders, their labels, and the three sets."""
    folders, images = find_images(flags.image_dir)
    images = read_groups(flags.image_dir, images)

    def listed(path: str) -> frozenset[str] | None:
        return read_list(path, flags.image_dir, images) if path else None

    settings = SplitSettings.read(
        {
            "method": flags.split,
            "testing_percentage": flags.testing_percentage,
            "validation_percentage": flags.validation_percentage,
            "test": listed(flags.test_list),
            "validation": listed(flags.validation_list),
            "allow_shared_groups": flags.allow_shared_groups,
        },
        name_of=flag_name,
    )
    return folders, labels_of(folders), split_images(images, folders, settings)


def _store_of(flags: Flags) -> Store:
    """The store for bottlenecks: ``--bottleneck_dir`` where that is given, else ``--store``."""
    return Store((flags.bottleneck_dir if flags.bottleneck_dir != BOTTLENECK_DIR else flags.store) or None)


def _identity(flags: Flags, labels: Sequence[str], sets: FeatureSets, info: ModuleInfo) -> dict[str, Any]:
    """What identifies a training: everything that the weights depend on but the number of steps."""
    names = ("seed", "learning_rate", "train_batch_size", *Distortions.model_fields)
    rows = sets.training
    return {
        **{name: getattr(flags, name) for name in names},
        "labels": labels,
        "module": info.digest,
        "training_images": digest_json([image.name for image in rows.images]),
        "bottlenecks": digest_bytes(rows.features.tobytes()),
    }


def _start(flags: Flags, training: dict[str, Any]) -> SgdState | None:
    """Where ``--resume`` goes on from; None is the beginning."""
    if not flags.resume:
        return None
    return load_checkpoint(flags.checkpoint_path, training=training, steps=flags.how_many_training_steps)


def _write_graph(flags: Flags, labels: Sequence[str], head: Head, frozen: FrozenModule) -> None:
    """Write the frozen graph, with labels as the old script wrote them."""
    LOGGER.info("Save final result to : %s", flags.output_graph)
    if frozen.quantised:
        LOGGER.warning(
            "WARNING: the module is instrumented for quantisation-aware training (TF-Lite); its new top layer is not, "
            "and stays in floating point. The scores are right; quantise the SavedModel after training."
        )
    frozen.write(flags.output_graph, head, final_tensor_name=flags.final_tensor_name)
    write_text(flags.output_labels, "".join(f"{label}\n" for label in labels))


def _write_model(flags: Flags, folders: list[str], head: Head, module: HubModule, training: dict[str, Any]) -> None:
    """Write the model folder; its classes are the names of the class folders.

    Where the converter drew the images, the model knows how, and can label sounds, too.
    """
    folder = Path(flags.image_dir).resolve()
    write_model(
        os.path.abspath(flags.saved_model_dir),
        module=module,
        head=head,
        classes=folders,
        recipe=read_recipes(folder.parent).recipe(folder.name),
        training={"head": "sgd", "image_dir": flags.image_dir, "steps": flags.how_many_training_steps, **training},
    )


def _report(flags: Flags, sets: FeatureSets, accuracy: float | None) -> int:
    """Say on stdout what came out and where it lies; return the exit code."""
    if accuracy is not None:
        n = flags.test_batch_size if flags.test_batch_size > 0 else len(sets.testing.images)
        say(f"Final test accuracy = {100 * accuracy:.1f}% (N={n})")
    say(f"graph: {flags.output_graph}\nlabels: {flags.output_labels}")
    if flags.saved_model_dir:
        say(f"model: {flags.saved_model_dir}")
    if sets.failures:
        say(f"{len(sets.failures)} images could not be read and were left out, the first: {next(iter(sets.failures))}")
    return 1 if sets.failures else 0
