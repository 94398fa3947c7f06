"""Train a new top layer on a module's features of a folder of class folders of images.

The maintained heir of TensorFlow Hub's ``retrain.py``: its flags, its log lines, its outputs. See
``docs/migrating.md`` for what an old command line gives now.

Examples
--------
::

    python retrain.py --image_dir ~/flower_photos --tfhub_module builtin:scattering
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.cli import guard, say
from trainer.retrain.flags import BOTTLENECK_DIR, Flags, check_flags, parse_flags

if TYPE_CHECKING:
    from harness.hub import ModuleInfo
    from trainer.retrain.data import Sets
    from trainer.retrain.split import ImageLists


def main(argv: Sequence[str] | None = None) -> int:
    """Run one training.

    Returns
    -------
    int
        0 done; 1 an error, or done but for images that could not be read; 2 a misspelt flag (as `SystemExit`).
    """
    flags = parse_flags(argv)
    return guard(lambda: _logged(flags))


def _logged(flags: Flags) -> int:
    from harness.errors import SoundfoldError
    from trainer.retrain.logs import log_to_stderr

    with log_to_stderr(flags.logging_verbosity):
        try:
            return run(flags)
        except KeyboardInterrupt:
            print("interrupted: the same command with --resume goes on from the last checkpoint", file=sys.stderr)
            return 130
        except OSError as error:  # a folder that cannot be made, a full disk
            raise SoundfoldError(f"{error.filename or 'writing'}: {error.strerror or error}") from error


def run(flags: Flags) -> int:
    """Images, bottlenecks, steps, test, model; return the exit code."""
    from functools import cache

    from harness import hub
    from harness.errors import ModuleError
    from harness.hub import handles
    from harness.store import Store
    from trainer.export import check_model_folder
    from trainer.retrain.callback import Beside, test_head, train_head
    from trainer.retrain.checkpoint import load_checkpoint
    from trainer.retrain.data import export_text, read_sets
    from trainer.retrain.frozen_graph import FrozenModule
    from trainer.retrain.summaries import Summaries

    check_flags(flags)
    if flags.saved_model_dir:
        check_model_folder(os.path.abspath(flags.saved_model_dir))
    spec = handles.parse(flags.module())
    folders, labels, lists = images_of(flags)

    told = flags.bottleneck_dir if flags.bottleneck_dir != BOTTLENECK_DIR else flags.store
    store = Store(told or None)
    info = hub.describe(spec, store=store)
    if info.takes != "image":
        raise ModuleError(f"module {spec.handle!r} takes a {info.takes}; retrain.py needs one that takes images")
    module = cache(lambda: hub.load(spec, store=store))
    frozen = cache(lambda: FrozenModule(module()))

    sets = read_sets(lists, spec, store=store, distorts=flags.distorts)
    if flags.bottleneck_text:
        export_text(sets, flags.bottleneck_dir, flags.tfhub_module)

    training = identity(flags, labels, sets, info)
    start = load_checkpoint(flags.checkpoint_path, training=training) if flags.resume else None
    with Summaries(flags.summaries_dir, keep=start is not None) as summaries:
        beside = Beside(flags, validation=sets.validation, summaries=summaries, frozen=frozen, training=training)
        head = train_head(sets, len(labels), flags, module=module, on_step=beside, start=start)

    accuracy = test_head(head, sets.testing, labels, flags)
    save(flags, folders, labels, frozen=frozen(), head=head, module=module(), training=training)
    return conclude(flags, sets, accuracy)


def images_of(flags: Flags) -> tuple[list[str], list[str], ImageLists]:
    """The class folders, their labels, and the three sets."""
    from trainer.retrain import image_lists
    from trainer.retrain.split import SplitSettings, split

    folders, pictures = image_lists.find_pictures(flags.image_dir)
    pictures = image_lists.read_groups(flags.image_dir, pictures)

    def named(path: str) -> frozenset[str] | None:
        return frozenset(image_lists.read_list(path, flags.image_dir, pictures)) if path else None

    settings = SplitSettings(
        how=flags.split,
        testing_percentage=flags.testing_percentage,
        validation_percentage=flags.validation_percentage,
        test=named(flags.test_list),
        validation=named(flags.validation_list),
        allow_shared_groups=flags.allow_shared_groups,
    )
    return folders, image_lists.labels_of(folders), split(pictures, folders, settings)


def identity(flags: Flags, labels: list[str], sets: Sets, info: ModuleInfo) -> dict[str, Any]:
    """What tells this training from another: everything that the weights depend on but the number of steps."""
    from harness.files import digest_bytes, digest_json

    told = ("seed", "learning_rate", "train_batch_size", "flip_left_right", "random_crop", "random_scale",
            "random_brightness")  # fmt: skip
    rows = sets.training
    return {
        **{name: getattr(flags, name) for name in told},
        "labels": labels,
        "module": info.digest,
        "training_images": digest_json([p.name for p in rows.pictures]),
        "bottlenecks": digest_bytes(rows.features.tobytes()),
    }


def save(
    flags: Flags,
    folders: list[str],
    labels: list[str],
    *,
    frozen: Any,
    head: Any,
    module: Any,
    training: dict[str, Any],
) -> None:
    """Write the frozen graph with the old script's labels, and the model folder with the class folders' own names."""
    from harness.files import write_text
    from trainer.export import write_model
    from trainer.retrain.image_lists import LOGGER

    LOGGER.info("Save final result to : %s", flags.output_graph)
    if frozen.quantised:
        LOGGER.warning(
            "WARNING: the module is instrumented for quantisation-aware training (TF-Lite); its new top layer is not, "
            "and stays in floating point. The scores are right; quantise the SavedModel after training."
        )
    frozen.write(flags.output_graph, head, final_tensor_name=flags.final_tensor_name)
    write_text(flags.output_labels, "".join(f"{label}\n" for label in labels))
    if flags.saved_model_dir:
        origin = {"head": "sgd", "image_dir": flags.image_dir, "steps": flags.how_many_training_steps, **training}
        write_model(
            os.path.abspath(flags.saved_model_dir),
            module=module,
            head=head,
            classes=folders,
            picture=drawing_of(flags),
            training=origin,
        )


def drawing_of(flags: Flags) -> dict[str, Any] | None:
    """How the converter drew the images, where it did: then the model can label sounds, too."""
    from pathlib import Path

    from harness.recipes import picture_of

    folder = Path(flags.image_dir).resolve()
    return picture_of(folder.parent, folder.name)


def conclude(flags: Flags, sets: Sets, accuracy: float | None) -> int:
    """Say on stdout what came out and where it lies; return the exit code."""
    if accuracy is not None:
        n = flags.test_batch_size if flags.test_batch_size > 0 else len(sets.testing.pictures)
        say(f"Final test accuracy = {100 * accuracy:.1f}% (N={n})")
    say(f"graph: {flags.output_graph}\nlabels: {flags.output_labels}")
    if flags.saved_model_dir:
        say(f"model: {flags.saved_model_dir}")
    if sets.failures:
        say(f"{len(sets.failures)} images could not be read and were left out, the first: {next(iter(sets.failures))}")
    return 1 if sets.failures else 0


if __name__ == "__main__":
    sys.exit(main())
