"""The flags of ``retrain.py``: names, types, defaults and meaning as they have always been, and a few new ones.

Nothing heavy is imported here: ``--help`` must answer at once.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo

from harness.cli import OneLineParser
from harness.settings import Check, Count, PositiveFloat, PositiveInt, Settings

__all__ = ["BOTTLENECK_DIR", "Flags", "Percentage", "SplitMethod", "flag_name", "module_flag_name", "parse_flags"]

BOTTLENECK_DIR = "/tmp/bottleneck"


def _batch_size(value: int) -> int:
    if value != -1 and value < 1:
        raise ValueError("must be 1 or more, or -1 for the whole set")
    return value


def _not_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _tensor_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", value) or value.endswith("/"):
        raise ValueError("must be the name of a node: letters, digits, _ . - and / inside, without ':0'")
    return value


def _pair(text: str, separator: str, kind: type) -> list[Any] | None:
    """Two numbers as a person writes them; None for an empty text."""
    if not text:
        return None
    first, second = text.split(separator)
    return [kind(first), kind(second)]


def _pair_check(separator: str, kind: type, expected: str) -> Check:
    def check(text: str) -> str:
        try:
            _pair(text, separator, kind)
        except ValueError as error:
            raise ValueError(expected) from error
        return text

    return check


Percentage = Annotated[int, Field(ge=0, le=100)]
SplitMethod = Literal["hash", "legacy"]
_BatchSize = Annotated[int, AfterValidator(_batch_size)]
_Name = Annotated[str, AfterValidator(_not_empty)]
_TensorName = Annotated[str, AfterValidator(_tensor_name)]
_ImageSize = Annotated[str, AfterValidator(_pair_check("x", int, "must be HEIGHTxWIDTH, such as 224x224"))]
_ValueRange = Annotated[str, AfterValidator(_pair_check(",", float, "must be two numbers, such as -1,1"))]
_Files = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
_Level = Literal["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class Flags(Settings):
    """All flags; the first twenty-four are the old script's."""

    image_dir: str = Field("", description="Path to folders of labeled images.")
    output_graph: _Name = Field("/tmp/output_graph.pb", description="Where to save the trained graph.")
    intermediate_output_graphs_dir: str = Field(
        "/tmp/intermediate_graph/", description="Where to save the intermediate graphs."
    )
    intermediate_store_frequency: Count = Field(
        0, description="Store an intermediate graph every so many steps; 0: never."
    )
    output_labels: _Name = Field("/tmp/output_labels.txt", description="Where to save the trained graph's labels.")
    summaries_dir: _Name = Field("/tmp/retrain_logs", description="Where to save summary logs for TensorBoard.")
    how_many_training_steps: Count = Field(4000, description="How many training steps to run before ending.")
    learning_rate: PositiveFloat = Field(0.01, description="How large a learning rate to use when training.")
    testing_percentage: Percentage = Field(10, description="What percentage of images to use as a test set.")
    validation_percentage: Percentage = Field(10, description="What percentage of images to use as a validation set.")
    eval_step_interval: PositiveInt = Field(10, description="How often to evaluate the training results, in steps.")
    train_batch_size: PositiveInt = Field(100, description="How many images to train on at a time.")
    test_batch_size: _BatchSize = Field(
        -1, description="How many images to test on, drawn by class; -1: the whole test set."
    )
    validation_batch_size: _BatchSize = Field(
        100, description="How many images to validate on, drawn by class; -1: the whole set."
    )
    print_misclassified_test_images: bool = Field(False, description="Print a list of all misclassified test images.")
    bottleneck_dir: str = Field(
        BOTTLENECK_DIR,
        description="Where to cache bottleneck values; left at its default, the store that all commands share.",
    )
    final_tensor_name: _TensorName = Field(
        "final_result", description="The name of the output layer in the retrained graph."
    )
    flip_left_right: bool = Field(False, description="Randomly flip half of the training images horizontally.")
    random_crop: Count = Field(
        0, description="A percentage: how much of a margin to randomly crop off the training images."
    )
    random_scale: Count = Field(0, description="A percentage: how much to randomly scale up the training images by.")
    random_brightness: Percentage = Field(
        0, description="A percentage: how much to randomly multiply the training images up or down."
    )
    tfhub_module: str = Field(
        "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/1",
        description="Which module to use: builtin:scattering, a SavedModel folder, a https://tfhub.dev, kaggle: or "
        "keras: handle.",
    )
    saved_model_dir: str = Field(
        "", description="Where to save the model folder (SavedModel, labels, card); empty: nowhere."
    )
    logging_verbosity: _Level = Field("INFO", description="How much logging output to show.")
    checkpoint_path: _Name = Field(
        "/tmp/_retrain_checkpoint", description="Where to save the checkpoint that --resume reads."
    )
    seed: Count = Field(0, description="Seed of everything that is random: the same seed gives the same weights.")
    resume: bool = Field(False, description="Go on from the checkpoint, where it belongs to the same training.")
    test_list: str = Field(
        "", description="File that lists the test set, one image a line; comes before the percentages."
    )
    validation_list: str = Field("", description="File that lists the validation set, one image a line.")
    split: SplitMethod = Field(
        "hash", description="hash: the same split wherever the folder lies; legacy: the old script's."
    )
    allow_shared_groups: bool = Field(
        False, description="Go on although a list puts one recording into two sets (a leak)."
    )
    store: str = Field(
        "", description="The store for bottlenecks, where --bottleneck_dir is not given; empty: the usual one."
    )
    image_size: _ImageSize = Field(
        "", description="Size of the module's images, HEIGHTxWIDTH in pixels, where the module does not say."
    )
    value_range: _ValueRange = Field(
        "", description="What black and white are to the module, where not 0 and 1: --value_range=-1,1."
    )
    bottleneck_text: bool = Field(
        False, description="Also write bottlenecks as text files, named as the old script named them."
    )
    plugin: _Files = Field((), description="A Python file with kinds of modules, loaded first; repeat for more.")

    def module(self) -> dict[str, Any]:
        """The module with what was given by hand, as :func:`harness.hub.kinds.parse` reads it."""
        return {
            "handle": self.tfhub_module,
            "image_size": _pair(self.image_size, "x", int),
            "value_range": _pair(self.value_range, ",", float),
        }

    @property
    def distorts(self) -> bool:
        """Whether training images are distorted."""
        return self.flip_left_right or any((self.random_crop, self.random_scale, self.random_brightness))


def flag_name(name: str) -> str:
    """A setting as it is written on the command line.

    Examples
    --------
    >>> flag_name("learning_rate")
    '--learning_rate'
    """
    return f"--{name}"


def module_flag_name(name: str) -> str:
    """A setting of the module as it is written on the command line."""
    return flag_name("tfhub_module" if name == "handle" else name)


def parse_flags(argv: Sequence[str] | None = None) -> Flags:
    """Read the command line; ``--flag value`` and ``--flag=value`` are the same.

    Raises
    ------
    SettingsError
        A value out of its range; the message names the flag.
    SystemExit
        With 2 for a misspelt flag or a value of another type, with 0 after ``--help``.
    """
    parser = OneLineParser(
        prog="retrain.py",
        description="Train a new top layer on a module's features of the images in a folder of class folders.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, field in Flags.model_fields.items():
        parser.add_argument(flag_name(name), help=field.description, **_argument(field))
    return Flags.read(vars(parser.parse_args(argv)), name_of=flag_name)


def _argument(field: FieldInfo) -> dict[str, Any]:
    """How argparse reads a flag: the type is that of the default."""
    kind = type(field.default)
    if kind is bool:
        return {"action": "store_true", "default": False}
    if kind is tuple:
        return {"action": "append", "metavar": "FILE", "default": argparse.SUPPRESS}
    choices = get_args(field.annotation)
    return {
        "type": kind,
        "default": field.default,
        "choices": choices or None,
        "metavar": None if choices else kind.__name__.upper(),
    }
